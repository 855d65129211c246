"""A delivery's line items are read from its record; one index answers for an order and for its number."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Rows whose line items are put back at a time.
_CHUNK = 500


def upgrade() -> None:
    """Drop what the record says already, and put the number first in the index of orders."""
    # As a batch: SQLite before 3.35 drops no column, and is what several long-lived distributions have.
    with op.batch_alter_table("deliveries") as batch:
        batch.drop_index("ix_deliveries_purchase_order")
        batch.drop_index("ix_deliveries_order")
        batch.drop_column("line_items")
        batch.create_index("ix_deliveries_order", ["purchase_order", "customer_id", "account"])


def downgrade() -> None:
    """Put both indexes and the column back, and take its values from the records."""
    op.drop_index("ix_deliveries_order", "deliveries")
    op.add_column("deliveries", sa.Column("line_items", sa.JSON(), nullable=False, server_default="null"))
    _fill()
    with op.batch_alter_table("deliveries") as batch:
        batch.alter_column("line_items", server_default=None)
        batch.create_index("ix_deliveries_order", ["account", "customer_id", "purchase_order"])
        batch.create_index("ix_deliveries_purchase_order", ["purchase_order"])


def _fill() -> None:
    deliveries = sa.table(
        "deliveries",
        sa.column("account", sa.Text),
        sa.column("id", sa.BigInteger),
        sa.column("raw", sa.Text),
        sa.column("line_items", sa.JSON),
    )
    account, number = deliveries.c.account, deliveries.c.id
    connection, after = op.get_bind(), ("", 0)
    while True:
        chunk = sa.select(account, number, deliveries.c.raw).where(sa.tuple_(account, number) > after)
        rows = connection.execute(chunk.order_by(account, number).limit(_CHUNK)).all()
        for row in rows:
            this = sa.and_(account == row.account, number == row.id)
            connection.execute(sa.update(deliveries).where(this).values(line_items=_items(row.raw)))
        if len(rows) < _CHUNK:
            return
        after = (rows[-1].account, rows[-1].id)


def _items(raw: str) -> list[dict[str, object]] | None:
    items = json.loads(raw).get("lineItems")
    if items is None:
        return None
    return [
        {
            "id": item.get("id"),
            "status": item["status"],
            "article_number": item.get("articleNumber"),
            "unit": item.get("articleUnit"),
            "quantity": str(item["quantity"]),
        }
        for item in items
    ]
