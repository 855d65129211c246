"""Customer orders before sending: read within the time that readings may be old, or said to be too many."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import ServerFault
from tests.customer_kit import HOST, PAGE, Bench
from worker.customers.fresh import FreshReader
from worker.customers.linking import LinkBy
from worker.customers.list_plan import PageSize
from worker.customers.list_recording import ListRecorder
from worker.customers.pace import Pace
from worker.standing import NotFresh

# A request at barmate's usual pace, in seconds.
TURN = 1.02
LIST = "list ACCEPTED"
PATIENCE = 10.0


@pytest.fixture
def bench(migrated_file: Path, tmp_path: Path) -> Iterator[Bench]:
    """Customer orders linked by the external number, read a while ago; each request takes a turn's time."""
    yield from _made(Bench(migrated_file, tmp_path))


@pytest.fixture
def referring(migrated_file: Path, tmp_path: Path) -> Iterator[Bench]:
    """Customer orders linked by the accepted reference."""
    yield from _made(Bench(migrated_file, tmp_path, link_by=LinkBy.REFERENCE))


def _made(made: Bench) -> Iterator[Bench]:
    made.line.seconds = TURN
    yield made
    made.database.close()


def _accepted(bench: Bench, count: int) -> list[str]:
    """So many accepted orders that are held, the newest first; nothing was asked since."""
    ids: list[str] = []
    for _ in range(count):
        bench.clock.advance(60)
        ids += bench.place(status="ACCEPTED")
    bench.settle()
    bench.line.asked.clear()
    return ids[::-1]


def _far_apart(bench: Bench, count: int) -> list[str]:
    """So many orders of which a page never shows two: the list spares nothing."""
    bench.twin.panel.change({"page_size": 2})
    return _accepted(bench, 2 * count)[::2]


def _reader(bench: Bench, *, rows: int | None = PAGE, seconds: float = 8.5) -> FreshReader:
    lister = ListRecorder(
        source=bench.source, database=bench.database, event_log=bench.log, checkpoint=lambda _name: None
    )
    return FreshReader(
        source=bench.source,
        reader=bench.now.reader,
        lister=lister,
        database=bench.database,
        clock=bench.clock,
        pace=Pace(seconds=seconds, turn_seconds=lambda: TURN),
        page_size=PageSize() if rows is None else PageSize(rows),
    )


def test_one_page_of_the_list_stands_for_many_orders(bench: Bench) -> None:
    """It shows what a gate goes by: one request instead of four."""
    ids = _accepted(bench, 12)

    _reader(bench).read(ids[:4])

    assert bench.line.asked == [LIST]


def test_twenty_orders_are_read_within_the_ten_seconds(bench: Bench) -> None:
    """At a request a second twenty single readings would never be fresh together."""
    ids = _accepted(bench, 22)
    began = bench.clock.monotonic()

    _reader(bench).read(ids[:20])

    assert bench.line.asked == [LIST] * 4
    assert bench.clock.monotonic() - began < 8.5


def test_an_order_that_lies_deep_is_read_by_its_id(bench: Bench) -> None:
    """Four pages would cost more than the one request."""
    ids = _accepted(bench, 20)

    _reader(bench).read([*ids[:3], ids[19]])

    assert bench.line.asked == [LIST, ids[19]]


def test_an_order_that_has_changed_is_read_by_its_id(bench: Bench) -> None:
    """It is not in the list of its old status any more, and what it is now counts."""
    ids = _accepted(bench, 4)
    bench.twin.cancel(ids[1])

    _reader(bench).read(ids)

    assert bench.line.asked == [LIST, ids[1]]
    assert bench.held(ids[1]).status == "CANCELLED"


def test_an_order_that_the_list_shows_otherwise_is_read_by_its_id(bench: Bench) -> None:
    """A list that understands no status shows it with its new one."""
    bench.twin.panel.change({"status_filter": False})
    ids = _accepted(bench, 4)
    bench.twin.receive(ids[2])

    _reader(bench).read(ids)

    assert bench.line.asked == [LIST, ids[2]]
    assert bench.held(ids[2]).status == "DELIVERED"


def test_an_order_that_was_never_read_by_its_id_is(bench: Bench) -> None:
    """What only the list has shown was not read yet, and neither was one that nobody has seen."""
    ids = _accepted(bench, 3)
    (unseen,) = bench.place(status="ACCEPTED")

    _reader(bench).read([*ids, unseen])

    assert bench.line.asked == [LIST, unseen]


def test_a_list_that_cannot_be_read_is_done_without(bench: Bench) -> None:
    """Only the list may be broken: reading by id tells."""
    ids = _accepted(bench, 3)
    bench.line.before = _failing_list

    _reader(bench).read(ids)

    assert bench.line.asked == sorted(ids)


def _failing_list(asked: str) -> None:
    if asked == LIST:
        system, detail = f"barmate {HOST}", "answered 500"
        raise ServerFault(system, "list customer orders", detail)


def test_the_size_of_a_page_is_learned(bench: Bench) -> None:
    """One request tells that no further page is worth one."""
    apart = _far_apart(bench, 5)
    reader = _reader(bench, rows=None)

    reader.read(apart)

    assert reader.page_size.rows == 2
    assert bench.line.asked == [LIST, *sorted(apart[1:])]


def test_who_links_by_reference_goes_by_the_references_of_the_list(referring: Bench) -> None:
    """A row without the reference that we hold proves nothing about it."""
    ids = _accepted(referring, 3)
    referring.twin.respond(ids[0], {"type": "UPDATE", "reference": "LS9"}, request_number=1)

    _reader(referring).read(ids)

    assert referring.line.asked == [LIST, ids[0]]
    assert referring.held(ids[0]).reference == "LS9"


def test_too_many_are_said_to_be_too_many_and_nobody_is_asked(bench: Bench) -> None:
    """Ten pages for ten orders that lie apart: they cannot be fresh together at this pace."""
    apart = _far_apart(bench, 10)

    with pytest.raises(NotFresh, match=r"just before it is sent: 10; that takes 10 requests; .* at most 8 fit"):
        _reader(bench, rows=2).read(apart)

    assert bench.line.asked == []


def test_as_many_as_fit_are_read(bench: Bench) -> None:
    """Eight single requests are over in time."""
    apart = _far_apart(bench, 8)

    _reader(bench, rows=2).read(apart)

    assert len(bench.line.asked) == 8


def test_answers_that_come_too_slowly_are_said_to(bench: Bench) -> None:
    """The pace would have allowed them."""
    apart = _far_apart(bench, 5)
    bench.line.seconds = 3.0

    with pytest.raises(NotFresh, match=r"barmate answered 2 requests .* and 3 more did not fit into the 10 s"):
        _reader(bench, rows=2).read(apart)


def test_orders_are_read_while_others_are_asked(bench: Bench) -> None:
    """The block goes on at once; its end waits, and reads what it came to want meanwhile."""
    ids = _accepted(bench, 12)
    asked, go_on = threading.Event(), threading.Event()

    def hang(_asked: str) -> None:
        asked.set()
        go_on.wait(PATIENCE)

    bench.line.before = hang
    with _reader(bench).begun(ids[:4]) as begun:
        assert asked.wait(PATIENCE)
        assert bench.line.asked == []
        go_on.set()
        begun.finish([*ids[:4], ids[11]])

    assert bench.line.asked == [LIST, ids[11]]


def test_a_block_that_ends_early_ends_the_reading(bench: Bench) -> None:
    """Turns are rare; nobody needs the rest."""
    apart = _far_apart(bench, 5)
    asked, go_on, done = threading.Event(), threading.Event(), threading.Event()
    reader = _reader(bench, rows=2)

    def hang(_asked: str) -> None:
        asked.set()
        go_on.wait(PATIENCE)

    bench.line.before = hang
    with reader.begun(apart) as begun:
        assert asked.wait(PATIENCE)
        under_way = begun._under_way  # noqa: SLF001 - nobody else waits for its end
        assert under_way is not None
        under_way.add_done_callback(lambda _done: done.set())
    go_on.set()

    assert done.wait(PATIENCE)
    assert len(bench.line.asked) == 1


def test_a_barmate_that_hangs_is_not_waited_for(bench: Bench) -> None:
    """The lock of the registry's account is not held for it."""
    ids = _accepted(bench, 3)
    go_on = threading.Event()

    def hang(_asked: str) -> None:
        go_on.wait(PATIENCE)

    bench.line.before = hang

    with (
        pytest.raises(NotFresh, match="barmate answered 0 requests"),
        _reader(bench, seconds=1.1 * TURN).begun(ids) as begun,
    ):
        begun.finish(ids)
    go_on.set()


def test_too_many_are_said_so_before_anything_is_begun(bench: Bench) -> None:
    """The registry need not be asked either."""
    apart = _far_apart(bench, 10)
    inside: list[str] = []

    with pytest.raises(NotFresh), _reader(bench, rows=2).begun(apart):
        inside.append("begun")

    assert inside == []
