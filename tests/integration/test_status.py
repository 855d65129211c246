"""What `status` says and what counts as idle."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.barmate_records import ResponseType
from tests.order_kit import order_row
from tests.runtime_kit import ACCOUNT, Bench
from worker import switches
from worker.db import Database
from worker.db.tables import accounts, coverage, firings, orders, tasks
from worker.events import OrderKey
from worker.kinds import MIRROR
from worker.responding import reply_rows
from worker.responding.words import Words
from worker.runtime.idleness import Due, due
from worker.runtime.status import NOTHING_MIRRORED, Status, read_status
from worker.states import CoverageState, FiringState, OrderState, ResponseState, TaskState

PATIENCE = 120.0


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A bench with a webhook."""
    bench = Bench(database)
    yield bench
    bench.close()


def _status(bench: Bench, *, mirroring: bool = True) -> Status:
    return read_status(bench.database, mirroring=mirroring)


def _due(bench: Bench, *, mirroring: bool = True) -> Due:
    with bench.database.read() as connection:
        return due(connection, bench.database.now(connection), PATIENCE, mirroring=mirroring)


def _order(bench: Bench, *, look_in: float | None, state: OrderState = OrderState.SETTLING) -> int:
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        look_at = None if look_in is None else now + timedelta(seconds=look_in)
        values = order_row(OrderKey(ACCOUNT, 7, "PO 1"), state=state, look_at=look_at, changed_at=now)
        return int(connection.execute(sa.insert(orders).values(values).returning(orders.c.id)).scalar_one())


def _firing(bench: Bench, state: FiringState, *, look_in: float | None) -> None:
    order_id = _order(bench, look_in=None, state=OrderState.COMPLETE)
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        values = {
            "order_id": order_id,
            "ordinal": 0,
            "state": state,
            "reason": "",
            "held_by_person": False,
            "resend_allowed": False,
            "repins": 0,
            "look_at": None if look_in is None else now + timedelta(seconds=look_in),
            "created_at": now,
            "changed_at": now,
        }
        connection.execute(sa.insert(firings).values(**values))


def _account(bench: Bench, state: CoverageState) -> None:
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        end = int(now.timestamp()) - 60
        connection.execute(
            sa.insert(accounts).values(
                name=ACCOUNT, start=end - 100, key_fingerprint="x", lag_seconds=60.0, server_time=now
            )
        )
        certified = {"since": end - 100, "until": end - 50, "state": CoverageState.CERTIFIED}
        rest = {"since": end - 49, "until": end, "state": state}
        for span in (certified, rest):
            connection.execute(sa.insert(coverage).values(account=ACCOUNT, rows=0, requests=1, tries=0, **span))


def test_an_empty_database_is_idle_and_says_that_nothing_is_mirrored(bench: Bench) -> None:
    """Every state is named, with its count."""
    status = _status(bench, mirroring=False)
    document = status.document()

    assert status.idle
    assert status.findings == ()
    assert document["webhook"] == NOTHING_MIRRORED
    assert document["tasks"] == dict.fromkeys(("waiting", "running", "done", "discarded"), 0)
    assert document["firings"] == {state.value: 0 for state in FiringState}


def test_tasks_are_counted_by_state_whether_open_or_ended(bench: Bench) -> None:
    """Open and ended tasks add up."""
    bench.changes(3, orders=False)
    first, second, _ = bench.ids(MIRROR)
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        bench.tasks.claim(connection, [first], owner="w", now=now, lease_seconds=9)
        ended = sa.update(tasks).where(tasks.c.id == second).values(state=TaskState.DONE, ended_at=now)
        connection.execute(ended)

    assert _status(bench).tasks == {"waiting": 1, "running": 1, "done": 1, "discarded": 0}


def test_a_task_is_due_now_or_within_the_patience(bench: Bench) -> None:
    """A retry in five minutes is a schedule."""
    bench.changes(3, orders=False)
    soon, late, running = bench.ids(MIRROR)
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        for identity, seconds in ((soon, 60), (late, 300)):
            moved = sa.update(tasks).where(tasks.c.id == identity).values(due_at=now + timedelta(seconds=seconds))
            connection.execute(moved)
        bench.tasks.claim(connection, [running], owner="w", now=now, lease_seconds=9)

    assert _due(bench) == Due(tasks=2, orders=0, firings=0)


def test_an_event_behind_one_that_is_tried_again_much_later_is_not_due(bench: Bench) -> None:
    """A receiver that is down for days does not keep `run --until-idle` going: what queues up cannot go before it."""
    bench.changes(2, deliveries=1, orders=False)
    first, _ = bench.ids(MIRROR)
    with bench.database.write() as connection:
        later = bench.database.now(connection) + timedelta(hours=5)
        connection.execute(sa.update(tasks).where(tasks.c.id == first).values(due_at=later))

    assert _due(bench).nothing


def test_events_that_no_webhook_takes_are_not_due(bench: Bench) -> None:
    """Neither without a receiver nor while it is switched off; they wait."""
    bench.changes(2, orders=False)
    without = _due(bench, mirroring=False)
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        switches.turn(connection, switches.WEBHOOK, on=False, reason="410", now=now)

    assert without.nothing
    assert _due(bench).nothing
    assert (_status(bench).webhook, _status(bench).off) == ("off", {"webhook": "410"})


@pytest.mark.parametrize(("look_in", "count"), [(-1, 1), (60, 1), (600, 0), (None, 0)])
def test_an_order_is_due_when_it_is_looked_at_within_the_patience(
    bench: Bench, look_in: float | None, count: int
) -> None:
    """Its quiet time may end soon, late, or be no matter."""
    _order(bench, look_in=look_in)

    assert _due(bench).orders == count


@pytest.mark.parametrize(
    ("state", "look_in", "count"),
    [
        (FiringState.AMBIGUOUS, 60, 1),
        (FiringState.AMBIGUOUS, 600, 0),
        (FiringState.PLANNED, 60, 1),
        (FiringState.PLANNED, None, 0),
        (FiringState.HELD, 60, 0),
        (FiringState.HELD, -1, 1),
        (FiringState.NEEDS_PERSON, None, 0),
    ],
)
def test_a_firing_on_its_way_is_waited_for_and_a_held_one_is_a_schedule(
    bench: Bench, state: FiringState, look_in: float | None, count: int
) -> None:
    """A held firing is looked at again and again, which must not keep anything running for ever."""
    _firing(bench, state, look_in=look_in)

    assert _due(bench).firings == count


@pytest.mark.parametrize("state", [FiringState.AMBIGUOUS, FiringState.NEEDS_PERSON])
def test_a_firing_in_doubt_is_a_finding(bench: Bench, state: FiringState) -> None:
    """`run --until-idle` ends with 1 for it."""
    _firing(bench, state, look_in=None)

    assert _status(bench).findings == (f"firings that are {state}: 1; `credits list` says why",)


@pytest.mark.parametrize(
    ("state", "finding"),
    [
        (ResponseState.UNKNOWN, "responses that are unknown: 1; they are looked for at the next run"),
        (ResponseState.NEEDS_PERSON, "responses that are needs_person: 1; `barmate responses` lists them"),
        (ResponseState.SUPERSEDED, None),
    ],
)
def test_a_response_in_doubt_is_a_finding(bench: Bench, state: ResponseState, finding: str | None) -> None:
    """A customer may have been told or not: `run --until-idle` ends with 1 for it too."""
    words = Words(type=ResponseType.ACCEPT, reference="LS1")
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        made = reply_rows.insert(connection, words, host="barmate.example", order_id="1", about=None, now=now)
        for step in (ResponseState.SENDING, ResponseState.UNKNOWN, state):
            after = replace(made, state=step, sends=1, deadline=now, settled_at=now)
            made = reply_rows.change(connection, made, after, now)
    found = _status(bench).findings

    assert [one.startswith(str(finding)) for one in found] == [True] * (finding is not None)


@pytest.mark.parametrize(
    ("state", "idle", "findings"),
    [(CoverageState.CERTIFIED, True, False), (CoverageState.PENDING, False, False), (CoverageState.HOLE, True, True)],
)
def test_an_account_says_how_far_it_was_read(
    bench: Bench,
    state: CoverageState,
    idle: bool,  # noqa: FBT001
    findings: bool,  # noqa: FBT001
) -> None:
    """Pending seconds are work to come; a hole is a finding."""
    _account(bench, state)
    status = _status(bench)
    (account,) = status.accounts

    assert (status.idle, bool(status.findings)) == (idle, findings)
    assert (account.holes, account.pending) == (state is CoverageState.HOLE, state is CoverageState.PENDING)
    assert account.lag_seconds is not None
    assert (account.lag_seconds < 65) == (state is CoverageState.CERTIFIED)
