"""Random histories of customer orders: whatever moves, repeats or dies in between, nothing is lost or told twice."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError, ServerFault
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.barmate_switches import CursorKind
from connectors.simulated.switches import changed
from tests.customer_kit import HOST, Bench, Killed
from tests.databases import file_to_copy
from worker.customers import hints
from worker.customers.hints import Hint
from worker.customers.rereading import SET_BACK_POLLS

POINTS = (
    "customers: page read",
    "customers: page recorded",
    "customers: walk joined",
    "customers: order read",
    "customers: order recorded",
)
DEEDS = ("place", "cancel", "receive", "accept", "poll", "read", "hint", "wait", "restart")

steps = st.lists(
    st.tuples(
        st.sampled_from(DEEDS),
        st.integers(min_value=0, max_value=7),
        # What happens in the middle of a poll or a reading, at which request.
        st.sampled_from(("nothing", "die", "fail", "place", "cancel")),
        st.integers(min_value=1, max_value=6),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at the newest revision, to be copied."""
    return file_to_copy(tmp_path_factory.mktemp("migrated"))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=steps, cursor=st.sampled_from(list(CursorKind)), size=st.integers(min_value=1, max_value=4))
def test_after_the_world_goes_quiet_every_order_is_held_as_it_is_and_told_in_order(
    migrated: Path, history: list[tuple[str, int, str, int]], cursor: CursorKind, size: int
) -> None:
    """Killed between any two steps, with rows that come while the list is walked: nothing missed, nothing twice."""
    with _bench(migrated) as bench:
        bench.twin.panel.update(lambda now: changed(now, {"cursor_kind": cursor, "page_size": size}))
        for deed, number, meanwhile, nth in history:
            _do(bench, deed, number, meanwhile, nth)
        bench.die_at = None
        bench.line.before = lambda _asked: None
        bench.clock.advance((SET_BACK_POLLS + 1) * 60)
        bench.restart()
        bench.settle()

        assert bench.statuses() == bench.true_statuses()
        for key, status in bench.true_statuses().items():
            _check_told(bench, key, status)


def _check_told(bench: Bench, key: str, status: str) -> None:
    told = bench.events(key)
    assert [row.type for row in told].count("waybill.customer_order.appeared") == 1
    assert told[0].type == "waybill.customer_order.appeared"
    assert told[-1].data["customer_order"]["status"] == status
    hashes = [row.data["raw_hash"] for row in told]
    assert all(before != after for before, after in itertools.pairwise(hashes))
    assert [row.sequence for row in told] == sorted(row.sequence for row in told)


def _do(bench: Bench, deed: str, number: int, meanwhile: str, nth: int) -> None:
    acts: dict[str, Callable[[], object]] = {
        "place": lambda: bench.place(number),
        "cancel": lambda: _customer(bench, number, bench.twin.cancel),
        "receive": lambda: _customer(bench, number, bench.twin.receive),
        "accept": lambda: _customer(bench, number, lambda key: _accept(bench, key)),
        "poll": lambda: _disturbed(bench, lambda: bench.poll(force=True), meanwhile, nth),
        "read": lambda: _disturbed(bench, lambda: bench.read(float(number)), meanwhile, nth),
        "hint": lambda: _hint(bench, number),
        "wait": lambda: bench.clock.advance(20.0 * number),
        "restart": bench.restart,
    }
    acts[deed]()


def _disturbed(bench: Bench, work: Callable[[], object], meanwhile: str, nth: int) -> None:
    """Do the work; at the n-th request something happens, or the process dies at a checkpoint."""
    asked = 0

    def before(_asked: str) -> None:
        nonlocal asked
        asked += 1
        if asked == nth:
            _meanwhile(bench, meanwhile)

    bench.line.before = before
    bench.die_at = POINTS[nth % len(POINTS)] if meanwhile == "die" else None
    try:
        work()
    except Killed:
        bench.restart()
    bench.die_at = None


def _meanwhile(bench: Bench, what: str) -> None:
    if what == "fail":
        raise _fault()
    if what == "place":
        bench.place(2)
    if what == "cancel":
        _customer(bench, 1, bench.twin.cancel)


def _fault() -> ConnectorError:
    return ServerFault("barmate", "read", "500")


def _customer(bench: Bench, number: int, act: Callable[[str], object]) -> None:
    """Let one customer act, if there is one and the rules allow it."""
    keys = list(bench.true_statuses())
    if keys:
        with suppress(RefusedError):
            act(keys[number % len(keys)])


def _accept(bench: Bench, key: str) -> None:
    bench.twin.respond(key, {"type": "ACCEPT", "reference": f"LS{key}"}, request_number=1)


def _hint(bench: Bench, number: int) -> None:
    keys = [*bench.true_statuses(), "unknown"]
    with bench.database.write() as connection:
        key = keys[number % len(keys)]
        hint = Hint(idempotency_key=f"{key} {bench.clock.now()}", order_id=key, type="cancel-delivery")
        hints.add(connection, HOST, hint, bench.clock.now())


@contextmanager
def _bench(migrated: Path) -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp())
    bench = Bench(migrated, folder)
    try:
        yield bench
    finally:
        bench.database.close()
        shutil.rmtree(folder)
