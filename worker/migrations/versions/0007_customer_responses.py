"""Responses to customer orders: an intent each, at most one of them open for an order."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OPEN = "state IN ('wanted', 'sending', 'unknown', 'needs_person')"
_ONCE = "state = 'sent' AND type IN ('ACCEPT', 'REJECT')"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "customer_responses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("scheduled", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("baseline", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=True),
        sa.Column("answer_status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('wanted', 'sending', 'unknown', 'sent', 'refused', 'superseded', 'needs_person')",
            name=op.f("ck_customer_responses_known_state"),
        ),
        sa.CheckConstraint("type IN ('ACCEPT', 'UPDATE', 'REJECT')", name=op.f("ck_customer_responses_known_type")),
        sa.CheckConstraint("type = 'REJECT' OR reference IS NOT NULL", name=op.f("ck_customer_responses_findable")),
        sa.CheckConstraint(
            "state NOT IN ('sending', 'unknown', 'needs_person')"
            " OR (deadline IS NOT NULL AND settled_at IS NOT NULL AND sends > 0)",
            name=op.f("ck_customer_responses_bounded"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_responses")),
    )
    op.create_index(
        "ix_customer_responses_open",
        "customer_responses",
        ["host", "order_id"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index(
        "ix_customer_responses_once",
        "customer_responses",
        ["host", "order_id", "type"],
        unique=True,
        sqlite_where=sa.text(_ONCE),
        postgresql_where=sa.text(_ONCE),
    )
    op.create_index("ix_customer_responses_order", "customer_responses", ["host", "order_id"])


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("customer_responses")
