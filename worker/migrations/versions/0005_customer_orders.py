"""Customer orders as read from barmate, hints of its webhooks, and what barmate does not know."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WANTED = "wanted_at IS NOT NULL"
_NOT_FINAL = "status NOT IN ('CANCELLED', 'DELIVERED', 'REJECTED')"
_UNREAD = "read_at IS NULL"
_OPEN = "done_at IS NULL"


def upgrade() -> None:
    """Add the tables, and whose records were set aside."""
    op.create_table(
        "barmate_accounts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("token_fingerprint", sa.Text(), nullable=False),
        sa.Column("walked_at", sa.BigInteger(), nullable=True),
        sa.Column("walked_to_end_at", sa.BigInteger(), nullable=True),
        sa.Column("server_time", sa.BigInteger(), nullable=True),
        sa.Column("stopped_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_barmate_accounts")),
    )
    _customer_orders()
    op.create_table(
        "customer_missing",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("host", "id", name=op.f("pk_customer_missing")),
    )
    op.create_table(
        "customer_hints",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("host", "idempotency_key", name=op.f("pk_customer_hints")),
    )
    op.create_index(
        "ix_customer_hints_open",
        "customer_hints",
        ["host", "received_at"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.add_column("set_aside", sa.Column("customer_order_id", sa.Text(), nullable=True))
    op.create_index("ix_set_aside_customer_order", "set_aside", ["account", "customer_order_id"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_set_aside_customer_order", "set_aside")
    op.drop_column("set_aside", "customer_order_id")
    for table in ("customer_hints", "customer_missing", "customer_orders", "barmate_accounts"):
        op.drop_table(table)


def _customer_orders() -> None:
    op.create_table(
        "customer_orders",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("unknown", sa.JSON(), nullable=False),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("cost_center", sa.Text(), nullable=True),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("scheduled", sa.JSON(), nullable=True),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("items", sa.JSON(), nullable=True),
        sa.Column("responses", sa.JSON(), nullable=False),
        sa.Column("personal", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=True),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_seen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("host", "id", name=op.f("pk_customer_orders")),
    )
    op.create_index(
        "ix_customer_orders_open",
        "customer_orders",
        ["host", "read_at"],
        sqlite_where=sa.text(_NOT_FINAL),
        postgresql_where=sa.text(_NOT_FINAL),
    )
    op.create_index(
        "ix_customer_orders_unread",
        "customer_orders",
        ["host", "requested_at"],
        sqlite_where=sa.text(_UNREAD),
        postgresql_where=sa.text(_UNREAD),
    )
    op.create_index("ix_customer_orders_reference", "customer_orders", ["host", "reference"])
    op.create_index(
        "ix_customer_orders_wanted_at",
        "customer_orders",
        ["host", "wanted_at"],
        sqlite_where=sa.text(_WANTED),
        postgresql_where=sa.text(_WANTED),
    )
