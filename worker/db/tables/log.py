"""Tables of events and of the work about them: tasks, leases, switches."""

import sqlalchemy as sa

from worker.db.schema import ROW_ID, metadata, one_of, partial_index
from worker.db.types import Instant
from worker.states import TaskState

_OUT = "ended_at IS NULL AND (sent_at IS NOT NULL OR token IS NOT NULL)"

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", ROW_ID, primary_key=True),
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
    sa.Column("number", ROW_ID, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    # Tasks of one kind and subject are done one at a time, in the order of their numbers.
    sa.Column("subject", sa.Text, nullable=False),
    # Where the event that it is about stands in the log. By place, since ids come in an order of their own: an index
    # over theirs wrote six times as much.
    sa.Column("event_position", sa.BigInteger),
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
    one_of("state", TaskState),
    # One claimant: who runs it has a token and a lease, and nobody else has one.
    sa.CheckConstraint(
        "(state = 'running') = (token IS NOT NULL AND owner IS NOT NULL AND lease_until IS NOT NULL)", name="claimed"
    ),
    # One duty of one subscriber about one event, for ever.
    sa.UniqueConstraint("event_position", "kind", "subject"),
    # Open is `ended_at IS NULL`, said so in every query: SQLite takes a partial index only for the very same words.
    partial_index("ix_tasks_open", "kind", "subject", "number", where="ended_at IS NULL"),
    partial_index("ix_tasks_due", "kind", "due_at", where="ended_at IS NULL"),
    # Those that somebody is at, or that are in a message: few, while a million may wait.
    partial_index("ix_tasks_out", "state", "sent_at", where=_OUT),
    partial_index("ix_tasks_ended_at", "state", "ended_at", where="ended_at IS NOT NULL"),
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

switches = sa.Table(
    "switches",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("on", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)
