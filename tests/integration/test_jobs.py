"""Jobs by hand: each does what it says, keeps what came of it, and says what is wrong in a sentence."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from connectors.errors import NotConnected
from tests.clocks import ManualClock
from tests.runtime_kit import Bench
from worker import kinds
from worker.db import Database
from worker.events import OrderKey
from worker.reading.headway import Headway, Tell
from worker.runtime.headways import Headways
from worker.runtime.jobs import ALL, Jobs, Taken
from worker.tasks import NewTask
from worker.work import Close, Done, GiveUp, Outcome

KEY = OrderKey("acme.example", 7, "PO 1")
SINCE, UNTIL = "2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"


class Accounts:
    """Two accounts that remember what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.taken = False
        self.broken = ""

    def names(self) -> tuple[str, ...]:
        """Both."""
        return ("a", "b")

    def poll(self, account: str) -> Mapping[str, object]:
        """Remember."""
        if self.taken:
            raise Taken(account)
        self.asked.append(("poll", account))
        return {"requests": 1}

    def backfill(self, account: str, since: datetime, until: datetime, tell: Tell) -> Mapping[str, object]:
        """Remember, and tell how it gets on."""
        tell(Headway(done=1, all=4, requests=2, rows=3))
        self.asked.append(("backfill", account, since, until))
        return {}

    def sweep(self, account: str, tell: Tell) -> Mapping[str, object]:
        """Remember, and tell how it gets on."""
        tell(Headway(done=1, all=2, requests=1, rows=1))
        self.asked.append(("sweep", account))
        if account == self.broken:
            raise NotConnected(account, "list deliveries", "no such host")
        return {}


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A bench with a webhook."""
    bench = Bench(database)
    yield bench
    bench.close()


@pytest.fixture
def accounts() -> Accounts:
    """Two accounts."""
    return Accounts()


def _run(
    bench: Bench, accounts: Accounts, new: NewTask, order: Outcome | None = None
) -> tuple[str, object, str | None]:
    """Do a job; its state, result and error."""

    def look(key: OrderKey, close: Close) -> Outcome:
        accounts.asked.append(("order", key))
        return Done() if order is None else order

    def fire(key: OrderKey, close: Close) -> Outcome:
        accounts.asked.append(("firing", key))
        with bench.database.write() as connection:
            close(connection)
        return Done()

    jobs = Jobs(
        database=bench.database,
        accounts=accounts,
        headways=Headways(database=bench.database, tasks=bench.tasks, clock=ManualClock()),
        reconcile=lambda supplier: {"agrees": True, "supplier": supplier},
        mirror_one=lambda event: 1 if event == "evt_1" else 0,
        mirror_between=lambda since, until: (until - since).days,
        look_at_order=look,
        look_at_firing=fire,
        write=lambda _claim, _closing: Done(),
    )
    with bench.database.write() as connection:
        identity = bench.tasks.add_job(connection, new, bench.database.now(connection))
    bench.runner(dict(jobs.services())).run([identity])
    task = bench.task(identity)
    return task.state, task.result, task.error


def test_every_kind_of_job_has_its_service(bench: Bench, accounts: Accounts) -> None:
    """None can be put on the queue and be forgotten."""
    jobs = Jobs(
        database=bench.database,
        accounts=accounts,
        headways=Headways(database=bench.database, tasks=bench.tasks, clock=ManualClock()),
        reconcile=lambda _supplier: {},
        mirror_one=lambda _event: 0,
        mirror_between=lambda _since, _until: 0,
        look_at_order=lambda _key, _close: Done(),
        look_at_firing=lambda _key, _close: Done(),
        write=lambda _claim, _closing: Done(),
    )

    assert jobs.services().keys() == kinds.JOBS


def test_a_poll_of_all_accounts_keeps_what_each_told(bench: Bench, accounts: Accounts) -> None:
    """The result is by account."""
    done = _run(bench, accounts, NewTask(kind=kinds.POLL, subject=ALL))

    assert done == ("done", {"a": {"requests": 1}, "b": {"requests": 1}}, None)
    assert accounts.asked == [("poll", "a"), ("poll", "b")]


def test_an_account_that_is_not_configured_is_given_up_with_a_sentence(bench: Bench, accounts: Accounts) -> None:
    """The settings may have changed since the job was put on the queue."""
    state, _, error = _run(bench, accounts, NewTask(kind=kinds.SWEEP, subject="c"))

    assert state == "discarded"
    assert error == "There is no account c with a key; configured are: a, b."


def test_an_account_that_another_process_reads_is_waited_for(bench: Bench, accounts: Accounts) -> None:
    """That is nobody's fault and does not count."""
    accounts.taken = True
    state, _, error = _run(bench, accounts, NewTask(kind=kinds.POLL, subject="a"))

    assert (state, error) == ("waiting", "a")


def test_a_backfill_certifies_its_span(bench: Bench, accounts: Accounts) -> None:
    """Instants travel as text."""
    span = {"since": SINCE, "until": UNTIL}
    state, _, _ = _run(bench, accounts, NewTask(kind=kinds.BACKFILL, subject="b", payload=span))

    assert state == "done"
    assert accounts.asked == [
        ("backfill", "b", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    ("payload", "count"), [({"event": "evt_1"}, 1), ({"event": "evt_2"}, 0), ({"since": SINCE, "until": UNTIL}, 1)]
)
def test_mirroring_again_tells_how_many_events(
    bench: Bench, accounts: Accounts, payload: dict[str, object], count: int
) -> None:
    """One event, or all of a span."""
    done = _run(bench, accounts, NewTask(kind=kinds.MIRROR_AGAIN, subject=ALL, payload=payload))

    assert done == ("done", {"events": count}, None)


def test_reconciling_keeps_what_was_found(bench: Bench, accounts: Accounts) -> None:
    """Linked credit orders, or all that the supplier delivered."""
    done = _run(bench, accounts, NewTask(kind=kinds.RECONCILE, subject=ALL, payload={"supplier": True}))

    assert done == ("done", {"agrees": True, "supplier": True}, None)


def test_firing_by_hand_looks_at_the_order_first(bench: Bench, accounts: Accounts) -> None:
    """Then at its firing, which closes the task."""
    state, _, _ = _run(bench, accounts, NewTask(kind=kinds.FIRE, subject=KEY.text))

    assert state == "done"
    assert accounts.asked == [("order", KEY), ("firing", KEY)]


def test_an_order_that_cannot_be_looked_at_is_not_fired(bench: Bench, accounts: Accounts) -> None:
    """What is wrong with it is told."""
    done = _run(bench, accounts, NewTask(kind=kinds.FIRE, subject=KEY.text), order=GiveUp("no such order"))

    assert done == ("discarded", None, "no such order")
    assert accounts.asked == [("order", KEY)]


def test_an_account_that_cannot_be_read_holds_up_no_other(bench: Bench, accounts: Accounts) -> None:
    """The others are done; then the job fails with what is wrong, and comes again."""
    accounts.broken = "a"
    state, _, error = _run(bench, accounts, NewTask(kind=kinds.SWEEP, subject=ALL))

    assert accounts.asked == [("sweep", "a"), ("sweep", "b")]
    assert state == "waiting"
    assert "no such host" in str(error)
