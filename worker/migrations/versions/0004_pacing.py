"""One budget for several processes: lanes, pace, outages; nights that were done; why an account cannot be read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _budgets() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("interval_seconds", sa.Float(), nullable=True),
        sa.Column("slowed", sa.Float(), nullable=False, server_default="1"),
        sa.Column("throttled_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("probe_until", sa.BigInteger(), nullable=True),
        sa.Column("last_lane", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("awaited_until", sa.BigInteger(), nullable=True),
    )


def _accounts() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("trouble_since", sa.BigInteger(), nullable=True),
    )


def upgrade() -> None:
    """Add the columns and the tables."""
    for column in _budgets():
        op.add_column("budgets", column)
    for column in _accounts():
        op.add_column("accounts", column)
    op.create_table(
        "budget_waiters",
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("budget", "holder", "lane", name=op.f("pk_budget_waiters")),
    )
    op.create_table(
        "nights",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nights")),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("nights")
    op.drop_table("budget_waiters")
    for table, columns in (("accounts", _accounts()), ("budgets", _budgets())):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)
