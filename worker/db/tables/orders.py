"""Tables of order links and orders."""

import sqlalchemy as sa

from worker.db.schema import ROW_ID, metadata, one_of
from worker.db.types import Instant
from worker.states import OrderState

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True),
    # '' and 0 stand for "not said": a unique key may not hold NULL.
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("customer_id", sa.BigInteger, nullable=False),
    sa.Column("purchase_order", sa.Text, nullable=False),
    sa.Column("credit_order_id", sa.Text, nullable=False),
    # Whole kilograms; empty means the sum over the booked line items.
    sa.Column("credit_kg", sa.BigInteger),
    sa.Column("expected_deliveries", sa.Integer),
    sa.Column("open_ended", sa.Boolean, nullable=False),
    sa.Column("project", sa.Text),
    sa.Column("issuance", sa.Text),
    sa.Column("batches", sa.JSON, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("imported_at", Instant, nullable=False),
    sa.UniqueConstraint("account", "customer_id", "purchase_order"),
    sa.CheckConstraint("credit_kg IS NULL OR credit_kg > 0", name="positive_kg"),
    sa.Index("ix_links_purchase_order", "purchase_order"),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("customer_id", sa.BigInteger, nullable=False),
    sa.Column("purchase_order", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("deliveries", sa.Integer, nullable=False),
    sa.Column("completed", sa.Integer, nullable=False),
    # The newest updatedAt among its deliveries: the time of completion once complete.
    sa.Column("newest_at", Instant),
    # Content of its deliveries at the last decision, so that nothing is decided twice about the same facts.
    sa.Column("content_hash", sa.Text, nullable=False),
    # Content that was confirmed by the reading at the source.
    sa.Column("read_hash", sa.Text),
    sa.Column("read_at", Instant),
    # When to look again; empty: only when something changes.
    sa.Column("look_at", Instant),
    sa.Column("changed_at", Instant, nullable=False),
    sa.UniqueConstraint("account", "customer_id", "purchase_order"),
    sa.Index("ix_orders_look_at", "look_at"),
    sa.Index("ix_orders_purchase_order", "purchase_order"),
    one_of("state", OrderState),
)
