"""Tables of what paces the work: request budgets, who waits for a turn of them, and the nightly ticks."""

import sqlalchemy as sa

from worker.db.schema import metadata
from worker.db.types import Instant

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    # The number of the last turn that was given: it never repeats.
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("next_at", Instant, nullable=False),
    # When this row was last written; a time before it says that the clock was set back.
    sa.Column("taken_at", Instant),
    # Seconds between two turns as the settings have it.
    sa.Column("interval_seconds", sa.Float),
    # How many times slower than that since the last 429; see `worker.budget.pace`.
    sa.Column("slowed", sa.Float, nullable=False, server_default="1"),
    sa.Column("throttled_at", Instant),
    # Requests in a row that nobody answered, and until when the one that finds out is out.
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("probe_until", Instant),
    # The lane of the last turn and the process that took it.
    sa.Column("last_lane", sa.Text),
    sa.Column("holder", sa.Text),
    # The latest time until which anybody said to be waiting: up to then `budget_waiters` is worth a look.
    sa.Column("awaited_until", Instant),
)

budget_waiters = sa.Table(
    "budget_waiters",
    metadata,
    sa.Column("budget", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, primary_key=True),
    # Since when the longest waiting caller of that process waits in the lane.
    sa.Column("since", Instant, nullable=False),
    # Whoever has not come back by then is gone.
    sa.Column("until", Instant, nullable=False),
)

nights = sa.Table(
    "nights",
    metadata,
    # The nightly tick, and when it was last done; a night that was slept through is made up.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("done_at", Instant, nullable=False),
)
