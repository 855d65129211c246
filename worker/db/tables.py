"""Every table, with the constraints that keep the promises.

Code asks, constraints refuse. Statements live with the module that owns the rows; this one only says what there is.
Firings, attempts, links and counted deliveries are never pruned (DESIGN §6.1).
"""

import sqlalchemy as sa

from worker.db.types import Instant
from worker.states import CoverageState, FiringState, OrderState, TaskState

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts a rowid only for INTEGER, not for BIGINT.
_RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _one_of(column: str, states: type[CoverageState | FiringState | OrderState | TaskState]) -> sa.CheckConstraint:
    names = ", ".join(f"'{state.value}'" for state in states)
    return sa.CheckConstraint(f"{column} IN ({names})", name=f"known_{column}")


accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    # The first second that coverage answers for; fixed at the first run.
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("key_fingerprint", sa.Text, nullable=False),
    # The lag in force, which grows when a late row was seen; the settings give the floor.
    sa.Column("lag_seconds", sa.Float, nullable=False),
    sa.Column("lag_raised_at", Instant),
    sa.Column("server_time", Instant),
    sa.Column("skew_seconds", sa.Float),
    sa.Column("guard_read_at", Instant),
    sa.Column("swept_at", Instant),
    sa.Column("stopped_reason", sa.Text),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("customer_id", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("status_inbound", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("number_external", sa.Text),
    # As it came; blank is kept as it came too, and belongs to no order.
    sa.Column("purchase_order", sa.Text),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("created_at", Instant),
    sa.Column("line_items", sa.JSON, nullable=False),
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    # The budget's turn that this observation was made with: a lower one never overwrites a higher one.
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("visible", sa.Boolean, nullable=False),
    # A later observation carried an older stamp and was confirmed by id.
    sa.Column("stamp_went_back", sa.Boolean, nullable=False),
    # A value outside the documented lists, kept as it came: never final.
    sa.Column("unrecognised", sa.JSON, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Index("ix_deliveries_order", "account", "customer_id", "purchase_order"),
    # Whether several accounts or customers use a number is asked at every look under a link that says neither.
    sa.Index("ix_deliveries_purchase_order", "purchase_order"),
    sa.Index("ix_deliveries_updated_at", "account", "updated_at"),
)

set_aside = sa.Table(
    "set_aside",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    # What could still be read of the record, so that it can block the order it belongs to.
    sa.Column("delivery_id", sa.BigInteger),
    sa.Column("customer_id", sa.BigInteger),
    sa.Column("purchase_order", sa.Text),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("payload_hash", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False),
    # Set when the record parsed later, or a person dropped it.
    sa.Column("closed_at", Instant),
    sa.UniqueConstraint("account", "payload_hash"),
    sa.Index("ix_set_aside_delivery", "account", "delivery_id"),
)

coverage = sa.Table(
    "coverage",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    # The closed interval [since, until] in whole seconds of source time.
    sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("until", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # Kind of proof: one_answer, pass, or both once intervals merged.
    sa.Column("proof", sa.Text),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("retry_at", Instant),
    _one_of("state", CoverageState),
    sa.CheckConstraint("since <= until", name="ordered"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", _RowId, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("time", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.UniqueConstraint("source", "subject", "sequence"),
    sa.Index("ix_events_recorded_at", "recorded_at"),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("number", _RowId, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    # Tasks of one kind and subject are done one at a time, in the order of their numbers.
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    # When the relay last put it into a message; sent again if nobody claimed it.
    sa.Column("sent_at", Instant),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("token", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("lease_until", Instant),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    _one_of("state", TaskState),
    # One claimant: who runs it has a token and a lease, and nobody else has one.
    sa.CheckConstraint(
        "(state = 'running') = (token IS NOT NULL AND owner IS NOT NULL AND lease_until IS NOT NULL)", name="claimed"
    ),
    # One duty of one subscriber about one event, for ever.
    sa.UniqueConstraint("event_id", "kind", "subject"),
    # Open is `ended_at IS NULL`, said so in every query: SQLite takes a partial index only for the very same words.
    sa.Index(
        "ix_tasks_open",
        "kind",
        "subject",
        "number",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index(
        "ix_tasks_due",
        "kind",
        "due_at",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index(
        "ix_tasks_sent",
        "state",
        "sent_at",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index(
        "ix_tasks_ended_at",
        "state",
        "ended_at",
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    ),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    # Grows by one at every change of holder; a write that depends on the lease compares it.
    sa.Column("term", sa.BigInteger, nullable=False),
    sa.Column("until", Instant, nullable=False),
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("next_at", Instant, nullable=False),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", _RowId, primary_key=True),
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
    sa.Column("id", _RowId, primary_key=True),
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
    _one_of("state", OrderState),
)

firings = sa.Table(
    "firings",
    metadata,
    sa.Column("id", _RowId, primary_key=True),
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
    _one_of("state", FiringState),
    sa.CheckConstraint("ordinal BETWEEN 0 AND 9", name="ordinal"),
    sa.CheckConstraint("kg IS NULL OR kg > 0", name="positive_kg"),
    sa.CheckConstraint("state <> 'sending' OR (request IS NOT NULL AND marker IS NOT NULL)", name="frozen"),
    sa.CheckConstraint("state <> 'confirmed' OR credit_delivery_id IS NOT NULL", name="confirmed"),
    sa.Index("ix_firings_look_at", "look_at"),
    sa.Index("ix_firings_credit_order_id", "credit_order_id"),
    sa.Index(
        "uq_firings_marker",
        "marker",
        unique=True,
        sqlite_where=sa.text("marker IS NOT NULL"),
        postgresql_where=sa.text("marker IS NOT NULL"),
    ),
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
    sa.Column("id", _RowId, primary_key=True),
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
    sa.Column("id", _RowId, primary_key=True),
    sa.Column("firing_id", sa.ForeignKey("firings.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("term", sa.BigInteger, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("deadline", Instant, nullable=False),
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
    sa.Index(
        "uq_pins_batch",
        "batch_id",
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    ),
)

readings = sa.Table(
    "readings",
    metadata,
    sa.Column("id", _RowId, primary_key=True),
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

switches = sa.Table(
    "switches",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("on", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
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
