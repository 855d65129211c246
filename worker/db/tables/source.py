"""Tables of what was read from logistic.cloud: accounts, deliveries, records set aside, coverage."""

import sqlalchemy as sa

from worker.db.schema import metadata, one_of, partial_index
from worker.db.types import Instant
from worker.states import CoverageState

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
    # The first second that was still open when the Date last jumped ahead of our clock: if it steps back, what was
    # certified from here on went by a wrong time.
    sa.Column("jumped_since", sa.BigInteger),
    sa.Column("guard_read_at", Instant),
    sa.Column("swept_at", Instant),
    # What the last sweep found that polling had not seen; it outlives the job's own row.
    sa.Column("sweep_report", sa.JSON),
    sa.Column("stopped_reason", sa.Text),
    # Why the last poll failed, and since when polls have; none while it is read.
    sa.Column("trouble", sa.Text),
    sa.Column("trouble_since", Instant),
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
    # The record in canonical JSON, with its line items and all that has no column.
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
    # The number first: whether several accounts or customers use it is asked at every look under a link that says
    # neither.
    # Without those that belong to no order: they would lie in it in the order of customers, each in a page of its own.
    partial_index(
        "ix_deliveries_order", "purchase_order", "customer_id", "account", where="purchase_order IS NOT NULL"
    ),
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
    # Of a record of barmate (its host is the account), whose payload names nobody: '' where no id can be read.
    sa.Column("customer_order_id", sa.Text),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("payload_hash", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False),
    # Set when the record parsed later, or a person dropped it.
    sa.Column("closed_at", Instant),
    sa.UniqueConstraint("account", "payload_hash"),
    sa.Index("ix_set_aside_delivery", "account", "delivery_id"),
    sa.Index("ix_set_aside_customer_order", "account", "customer_order_id"),
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
    one_of("state", CoverageState),
    sa.CheckConstraint("since <= until", name="ordered"),
)
