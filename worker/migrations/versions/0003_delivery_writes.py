"""Writes at the source: an intent each, and at most one in doubt about a subject."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_IN_DOUBT = "state IN ('sending', 'unknown')"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "delivery_writes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("asked_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("baseline", sa.Text(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("answer_status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("action IN ('create', 'update', 'approve')", name=op.f("ck_delivery_writes_known_action")),
        sa.CheckConstraint(
            "state IN ('asked', 'sending', 'unknown', 'done', 'refused', 'needs_person')",
            name=op.f("ck_delivery_writes_known_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('sending', 'unknown') OR (deadline IS NOT NULL AND settled_at IS NOT NULL AND sends > 0)",
            name=op.f("ck_delivery_writes_bounded"),
        ),
        sa.CheckConstraint(
            "action = 'create' OR delivery_id IS NOT NULL", name=op.f("ck_delivery_writes_known_delivery")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_delivery_writes")),
        sa.UniqueConstraint("id", name=op.f("uq_delivery_writes_id")),
    )
    op.create_index(
        "ix_delivery_writes_in_doubt",
        "delivery_writes",
        ["account", "subject"],
        unique=True,
        sqlite_where=sa.text(_IN_DOUBT),
        postgresql_where=sa.text(_IN_DOUBT),
    )
    op.create_index("ix_delivery_writes_subject", "delivery_writes", ["account", "subject"])


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("delivery_writes")
