"""Reading: everything that reads logistic.cloud, put together for the accounts of the settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.account_source import AccountSource
from worker.accounts import Accounts
from worker.backfill import Backfill
from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.db import Database
from worker.event_log import EventLog
from worker.observations import Observations
from worker.order_reader import OrderReader
from worker.poller import FILL_SECONDS, Poller
from worker.recorder import Recorder
from worker.sweep import Sweep
from worker.tail import Tail
from worker.window_job import FIRST_RETRY_SECONDS, WindowDesk
from worker.windows import WindowReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The readers of all accounts; sources and pollers by account name."""

    sources: Mapping[str, AccountSource]
    pollers: Mapping[str, Poller]
    order_reader: OrderReader
    backfill: Backfill
    sweep: Sweep


def build_reading(
    *,
    sources: Mapping[str, AccountSource],
    database: Database,
    event_log: EventLog,
    clock: Clock,
    checkpoint: Checkpoint,
    stopping: Callable[[], bool] = lambda: False,
    fill_seconds: float = FILL_SECONDS,
    first_retry_seconds: float = FIRST_RETRY_SECONDS,
) -> Reading:
    """Build the readers. `stopping` ends a poll after its present request; the seconds are compressed in rehearsals."""
    accounts = Accounts(event_log)
    recorder = Recorder(
        database=database,
        observations=Observations(event_log),
        accounts=accounts,
        clock=clock,
        checkpoint=checkpoint,
    )
    desk = WindowDesk(
        database=database,
        recorder=recorder,
        accounts=accounts,
        clock=clock,
        first_retry_seconds=first_retry_seconds,
    )
    windows = WindowReader(desk)
    order_reader = OrderReader(sources=sources, database=database, recorder=recorder, clock=clock)

    def poller(source: AccountSource) -> Poller:
        return Poller(
            source=source,
            database=database,
            accounts=accounts,
            tail=Tail(source=source, database=database, recorder=recorder, accounts=accounts, clock=clock),
            windows=windows,
            clock=clock,
            fill_seconds=fill_seconds,
            stopping=stopping,
        )

    return Reading(
        sources=sources,
        pollers={name: poller(source) for name, source in sources.items()},
        order_reader=order_reader,
        backfill=Backfill(database=database, accounts=accounts, windows=windows, clock=clock),
        sweep=Sweep(database=database, recorder=recorder, windows=windows, order_reader=order_reader, clock=clock),
    )
