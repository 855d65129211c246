"""Tables of what was read from barmate: its account, customer orders, what it does not know, and hints of its webhooks.

No name, address or message of a person stands in any column but `personal`, which stays empty if the settings say so.
"""

import sqlalchemy as sa

from worker.db.schema import metadata, partial_index
from worker.db.types import Instant

# Open, or of a status that nobody documented. Said in the very same words in every query: SQLite takes a partial index
# only for them.
NOT_FINAL = "status NOT IN ('CANCELLED', 'DELIVERED', 'REJECTED')"

barmate_accounts = sa.Table(
    "barmate_accounts",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    # Another token may see other orders: nothing of the list counts as known ground any more.
    sa.Column("token_fingerprint", sa.Text, nullable=False),
    # The last time that the list was read from the top to known ground, and to its very end; our time.
    sa.Column("walked_at", Instant),
    sa.Column("walked_to_end_at", Instant),
    sa.Column("server_time", Instant),
    sa.Column("stopped_reason", sa.Text),
)

customer_orders = sa.Table(
    "customer_orders",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    # Opaque: never compared as a number.
    sa.Column("id", sa.Text, primary_key=True),
    # As they came; what is not documented is named in `unknown` and is never final.
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("unknown", sa.JSON, nullable=False),
    sa.Column("company", sa.Text),
    sa.Column("customer_id", sa.Text),
    sa.Column("cost_center", sa.Text),
    sa.Column("requested_at", Instant, nullable=False),
    # {"date": …, "time": … or null}, without a zone; empty where nothing was said.
    sa.Column("scheduled", sa.JSON(none_as_null=True)),
    sa.Column("cancelled_at", Instant),
    # The reference in force: the newest that an ACCEPT or UPDATE response gave.
    sa.Column("reference", sa.Text),
    # Exact decimals as text; empty until the order was read by its id, since lists have no items.
    sa.Column("items", sa.JSON(none_as_null=True)),
    sa.Column("responses", sa.JSON, nullable=False),
    sa.Column("personal", sa.JSON(none_as_null=True)),
    # Hash over everything but people; '' until the order was read by its id.
    sa.Column("content_hash", sa.Text, nullable=False),
    # The budget's turn of the newest reading: a lower one never overwrites a higher one.
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("visible", sa.Boolean, nullable=False),
    # A walk that saw this row has reached known ground: everything older in the list was seen as well.
    sa.Column("joined", sa.Boolean, nullable=False),
    # To be read by its id at once, since then: it is new, or the list tells another status.
    sa.Column("wanted_at", Instant),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    # The last reading by id, by our clock.
    sa.Column("read_at", Instant),
    # When WE first saw it DELIVERED; barmate tells no such time.
    sa.Column("delivered_seen_at", Instant),
    partial_index("ix_customer_orders_open", "host", "read_at", where=NOT_FINAL),
    partial_index("ix_customer_orders_unread", "host", "requested_at", where="read_at IS NULL"),
    sa.Index("ix_customer_orders_reference", "host", "reference"),
    partial_index("ix_customer_orders_wanted_at", "host", "wanted_at", where="wanted_at IS NOT NULL"),
)

# Ids that a delivery names and barmate said it does not know (404 by id).
customer_missing = sa.Table(
    "customer_missing",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
)

customer_hints = sa.Table(
    "customer_hints",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    # As barmate's webhook gave it: the same event has the same key, however often it is sent.
    sa.Column("idempotency_key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    # The order was read by its id after the hint came.
    sa.Column("done_at", Instant),
    partial_index("ix_customer_hints_open", "host", "received_at", where="done_at IS NULL"),
)
