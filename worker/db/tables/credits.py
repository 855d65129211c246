"""Tables of firings and of the registry's ledger. Firings, attempts and counted deliveries are never pruned."""

import sqlalchemy as sa

from worker.db.schema import ROW_ID, metadata, one_of, partial_index
from worker.db.types import Instant
from worker.states import FiringState

firings = sa.Table(
    "firings",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True),
    sa.Column("order_id", sa.ForeignKey("orders.id"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    # What a held one lacks, by kind (`worker.firing.policy.Cause`), so that it is looked at again once that changes.
    sa.Column("cause", sa.Text),
    sa.Column("credit_order_id", sa.Text),
    sa.Column("kg", sa.BigInteger),
    sa.Column("project", sa.Text),
    # Line by line how the kilograms came about, and the hash that an approval is bound to.
    sa.Column("calculation", sa.JSON),
    sa.Column("calculation_hash", sa.Text),
    sa.Column("marker", sa.Text),
    # Frozen at sending: the exact bytes, their hash, and what the registry showed just before.
    sa.Column("request", sa.LargeBinary),
    sa.Column("request_sha256", sa.Text),
    sa.Column("baseline", sa.JSON),
    # The bound values a person approved; empty where the mode is automatic or nobody did.
    sa.Column("approved_hash", sa.Text),
    # A person holds it.
    sa.Column("held_by_person", sa.Boolean, nullable=False),
    # A person allowed the same bytes to be sent again.
    sa.Column("resend_allowed", sa.Boolean, nullable=False),
    # What the registry answered when it said no: status and body, remembered until absence is proved.
    sa.Column("refusal", sa.JSON),
    sa.Column("repins", sa.Integer, nullable=False),
    sa.Column("credit_delivery_id", sa.Text),
    sa.Column("completed_at", Instant),
    sa.Column("look_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    # One firing per order and ordinal, for ever.
    sa.UniqueConstraint("order_id", "ordinal"),
    one_of("state", FiringState),
    sa.CheckConstraint("ordinal BETWEEN 0 AND 9", name="ordinal"),
    sa.CheckConstraint("kg IS NULL OR kg > 0", name="positive_kg"),
    sa.CheckConstraint("state <> 'sending' OR (request IS NOT NULL AND marker IS NOT NULL)", name="frozen"),
    sa.CheckConstraint("state <> 'confirmed' OR credit_delivery_id IS NOT NULL", name="confirmed"),
    sa.Index("ix_firings_look_at", "look_at"),
    sa.Index("ix_firings_credit_order_id", "credit_order_id"),
    partial_index("uq_firings_marker", "marker", where="marker IS NOT NULL", unique=True),
)

# The allowed changes of a firing's state as rows: the trigger on `firings` refuses what is not here.
firing_changes = sa.Table(
    "firing_changes",
    metadata,
    sa.Column("from_state", sa.Text, primary_key=True),
    sa.Column("to_state", sa.Text, primary_key=True),
)

firing_history = sa.Table(
    "firing_history",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True),
    sa.Column("firing_id", sa.ForeignKey("firings.id"), nullable=False),
    sa.Column("from_state", sa.Text),
    sa.Column("to_state", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    # Who: a worker's name, or "person".
    sa.Column("by", sa.Text, nullable=False),
    sa.Index("ix_firing_history_firing_id", "firing_id"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True),
    sa.Column("firing_id", sa.ForeignKey("firings.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("term", sa.BigInteger, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("deadline", Instant, nullable=False),
    # Its own bytes: those of the firing are of its newest freeze, and every attempt has to be explained.
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("request_sha256", sa.Text, nullable=False),
    # One of confirmed, not_sent, unknown, no; empty while under way.
    sa.Column("outcome", sa.Text),
    sa.Column("status", sa.Integer),
    sa.Column("answer", sa.Text),
    sa.Column("ended_at", Instant),
    # The answer was recorded after the deadline had made the firing ambiguous.
    sa.Column("late", sa.Boolean, nullable=False),
    sa.UniqueConstraint("firing_id", "number"),
)

pins = sa.Table(
    "pins",
    metadata,
    sa.Column("firing_id", sa.ForeignKey("firings.id"), primary_key=True),
    # Which freeze: fresh pins after a no about the batches are a new one.
    sa.Column("freeze", sa.Integer, primary_key=True),
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("kg", sa.BigInteger, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    # One unresolved firing per batch.
    partial_index("uq_pins_batch", "batch_id", where="active", unique=True),
)

readings = sa.Table(
    "readings",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True),
    sa.Column("firing_id", sa.ForeignKey("firings.id"), nullable=False),
    sa.Column("at", Instant, nullable=False),
    # Whole list, baseline included, sum equal to credits_delivered.
    sa.Column("counts", sa.Boolean, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Index("ix_readings_firing_id", "firing_id"),
)

counted_deliveries = sa.Table(
    "counted_deliveries",
    metadata,
    sa.Column("firing_id", sa.ForeignKey("firings.id"), primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("delivery_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Index("ix_counted_deliveries_delivery", "account", "delivery_id"),
)

credit_deliveries = sa.Table(
    "credit_deliveries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("credit_order_id", sa.Text, nullable=False),
    sa.Column("kg", sa.BigInteger, nullable=False),
    sa.Column("notes", sa.Text),
    sa.Column("delivered_at", Instant, nullable=False),
    # ours, adopted, dismissed, or unattributed (holds its credit order).
    sa.Column("attribution", sa.Text, nullable=False),
    sa.Column("firing_id", sa.ForeignKey("firings.id")),
    sa.Column("because", sa.Text),
    sa.Column("seen_at", Instant, nullable=False),
    sa.CheckConstraint("attribution IN ('ours', 'adopted', 'dismissed', 'unattributed')", name="known_attribution"),
    sa.Index("ix_credit_deliveries_credit_order_id", "credit_order_id"),
)

ledger_reads = sa.Table(
    "ledger_reads",
    metadata,
    # Credit orders (or the supplier's whole list) that were read completely once.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("total_count", sa.BigInteger, nullable=False),
)

bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("bound_at", Instant, nullable=False),
)

mismatches = sa.Table(
    "mismatches",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("found_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("because", sa.Text),
)
