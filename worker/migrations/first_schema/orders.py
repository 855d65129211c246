"""Orders and their links."""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Make the tables."""
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=False),
        sa.Column("credit_order_id", sa.Text(), nullable=False),
        sa.Column("credit_kg", sa.BigInteger(), nullable=True),
        sa.Column("expected_deliveries", sa.Integer(), nullable=True),
        sa.Column("open_ended", sa.Boolean(), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("issuance", sa.Text(), nullable=True),
        sa.Column("batches", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("credit_kg IS NULL OR credit_kg > 0", name=op.f("ck_links_positive_kg")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint(
            "account", "customer_id", "purchase_order", name=op.f("uq_links_account_customer_id_purchase_order")
        ),
    )
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.create_index("ix_links_purchase_order", ["purchase_order"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("newest_at", sa.BigInteger(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("read_hash", sa.Text(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("look_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'blocked', 'settling', 'complete', 'unlinked', 'cancelled')",
            name=op.f("ck_orders_known_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "account", "customer_id", "purchase_order", name=op.f("uq_orders_account_customer_id_purchase_order")
        ),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("ix_orders_look_at", ["look_at"], unique=False)
        batch_op.create_index("ix_orders_purchase_order", ["purchase_order"], unique=False)


def drop() -> None:
    """Take them back."""
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_index("ix_orders_purchase_order")
        batch_op.drop_index("ix_orders_look_at")
    op.drop_table("orders")
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.drop_index("ix_links_purchase_order")
    op.drop_table("links")
