"""The table of writes at the source: an intent each, kept for ever, committed before anything is sent."""

import sqlalchemy as sa

from worker.db.schema import ROW_ID, metadata, one_of, partial_index
from worker.db.types import Instant
from worker.states import WriteAction, WriteState

delivery_writes = sa.Table(
    "delivery_writes",
    metadata,
    sa.Column("number", ROW_ID, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    # What the write is about at the account: `number LS1` for a delivery to be created, `id 21001206` for a known one.
    sa.Column("subject", sa.Text, nullable=False),
    # Given for an update and an approval; for a creation learned from the source.
    sa.Column("delivery_id", sa.BigInteger),
    # What the file says of this delivery, as canonical JSON, and its SHA-256; an approval says nothing.
    sa.Column("asked", sa.Text, nullable=False),
    sa.Column("asked_hash", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("sends", sa.Integer, nullable=False),
    # The exact body of the last request; an approval has none.
    sa.Column("body", sa.Text),
    # Content hash of the delivery as it was read just before sending; none for a creation.
    sa.Column("baseline", sa.Text),
    # No byte leaves after the deadline; what the source does not show by `settled_at` did not take effect.
    sa.Column("deadline", Instant),
    sa.Column("settled_at", Instant),
    # What came back, redacted and cut; no status where no answer came.
    sa.Column("answer_status", sa.Integer),
    sa.Column("answer", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    one_of("action", WriteAction),
    one_of("state", WriteState),
    # Nothing is on its way without an absolute end to it.
    sa.CheckConstraint(
        "state NOT IN ('sending', 'unknown') OR (deadline IS NOT NULL AND settled_at IS NOT NULL AND sends > 0)",
        name="bounded",
    ),
    sa.CheckConstraint("action = 'create' OR delivery_id IS NOT NULL", name="known_delivery"),
    # One request about a subject may be in doubt at a time: two of them could not be told apart.
    partial_index(
        "ix_delivery_writes_in_doubt", "account", "subject", where="state IN ('sending', 'unknown')", unique=True
    ),
    sa.Index("ix_delivery_writes_subject", "account", "subject"),
)
