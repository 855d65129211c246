"""The table of responses to customer orders: an intent each, kept for ever, committed before anything is sent."""

import sqlalchemy as sa

from worker.db.schema import ROW_ID, metadata, one_of, partial_index
from worker.db.types import Instant
from worker.states import ResponseState

_OPEN = "state IN ('wanted', 'sending', 'unknown', 'needs_person')"
_ONCE = "state = 'sent' AND type IN ('ACCEPT', 'REJECT')"

customer_responses = sa.Table(
    "customer_responses",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    # The delivery that it is about, its number, and a day where that is told. A rejection says nothing.
    sa.Column("account", sa.Text),
    sa.Column("delivery_id", sa.BigInteger),
    sa.Column("reference", sa.Text),
    sa.Column("scheduled", sa.Text),
    # The exact bytes, and their SHA-256: the same for every attempt.
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("body_hash", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    # Who sends it, how often a connection may have been made, and the moment after which no byte leaves.
    sa.Column("owner", sa.Text),
    sa.Column("sends", sa.Integer, nullable=False),
    sa.Column("deadline", Instant),
    # Responses like this one that barmate showed before the first attempt: one more is ours.
    sa.Column("baseline", sa.Integer, nullable=False),
    # When it must be visible at the latest; readings after that which did not show it, and the last of them.
    sa.Column("settled_at", Instant),
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("looked_at", Instant),
    # What came back, redacted; no status where no answer came.
    sa.Column("answer_status", sa.Integer),
    sa.Column("answer", sa.Text),
    sa.Column("wanted_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    one_of("state", ResponseState),
    sa.CheckConstraint("type IN ('ACCEPT', 'UPDATE', 'REJECT')", name="known_type"),
    # It is found again by its reference.
    sa.CheckConstraint("type = 'REJECT' OR reference IS NOT NULL", name="findable"),
    # Nothing is on its way without an absolute end to it.
    sa.CheckConstraint(
        "state NOT IN ('sending', 'unknown', 'needs_person')"
        " OR (deadline IS NOT NULL AND settled_at IS NOT NULL AND sends > 0)",
        name="bounded",
    ),
    # Two open ones could not be told apart; an order is accepted and rejected once.
    partial_index("ix_customer_responses_open", "host", "order_id", where=_OPEN, unique=True),
    partial_index("ix_customer_responses_once", "host", "order_id", "type", where=_ONCE, unique=True),
    sa.Index("ix_customer_responses_order", "host", "order_id"),
)
