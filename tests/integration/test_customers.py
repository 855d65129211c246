"""Customer orders: the list is walked to known ground, orders are re-read, changes are told, and nothing is lost."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from connectors.errors import ConnectorError, ServerFault, Unauthorized
from tests.customer_kit import HOST, PURCHASE_ORDER, Bench, Killed
from worker.customers import hints
from worker.customers.hints import Hint
from worker.customers.linking import LinkBy
from worker.customers.list_recording import ListRecorder
from worker.customers.overview import customers_status
from worker.customers.upkeep import forget_people, knows_people, prune
from worker.db import Database
from worker.db.tables import customer_orders, set_aside, tasks
from worker.events import OrderKey

Make = Callable[..., Bench]


@pytest.fixture
def make(migrated_file: Path, tmp_path: Path) -> Iterator[Make]:
    """Make a bench with these options."""
    made: list[Bench] = []

    def build(**options: Any) -> Bench:  # noqa: ANN401 - as in Bench
        made.append(Bench(migrated_file, tmp_path, **options))
        return made[-1]

    yield build
    for bench in made:
        bench.database.close()


@pytest.fixture
def bench(make: Make) -> Bench:
    """The customers and their readers, linked by the external number."""
    return make()


def test_a_first_poll_finds_every_order_and_reads_each_by_its_id(bench: Bench) -> None:
    """The list says who is there, the reading by id what it is; both are told once."""
    ids = bench.place(12)
    bench.settle()

    assert bench.statuses() == bench.true_statuses()
    assert bench.told() == ["customer_order.appeared"] * len(ids)
    assert bench.account().walked_to_end_at is not None


def test_both_databases_keep_customer_orders(database: Database, migrated_file: Path, tmp_path: Path) -> None:
    """Walk, reading by id, changes, hints, a record set aside, and people forgotten."""
    bench = Bench(migrated_file, tmp_path, database=database)
    keys = bench.place(7)
    bench.line.bend = lambda record: {**record, "status": 7} if str(record["id"]) == keys[3] else record
    bench.poll()
    bench.read(30.0)
    bench.twin.cancel(keys[0])
    with database.write() as connection:
        for key in (keys[0], "unknown"):
            hint = Hint(idempotency_key=key, order_id=key, type="cancel-delivery")
            assert hints.add(connection, HOST, hint, database.now(connection))
            assert not hints.add(connection, HOST, hint, database.now(connection))
    bench.read(30.0)

    assert bench.statuses() == {key: status for key, status in bench.true_statuses().items() if key != keys[3]}
    assert bench.told(keys[0]) == ["customer_order.appeared", "customer_order.changed"]
    with database.write() as connection:
        assert hints.waiting(connection, HOST) == 0
        assert forget_people(connection) == 6
        assert not knows_people(connection)
        assert customers_status(connection)[0].orders == 6


def test_an_idle_poll_is_one_request(bench: Bench) -> None:
    """A page of joined rows only is known ground."""
    bench.place(12)
    bench.settle()
    bench.line.asked.clear()
    bench.poll()

    assert bench.line.asked == ["list"]


def test_a_new_order_is_seen_at_the_next_poll(bench: Bench) -> None:
    """It stands at the top of the list, and is read by its id at once."""
    bench.place(12)
    bench.settle()
    (new,) = bench.place()
    bench.settle()

    assert bench.told(new) == ["customer_order.appeared"]


def test_what_is_kept_is_exact_and_whole(bench: Bench) -> None:
    """Items with vessel, bundle and pallet, fractional kilograms, company, times and people."""
    items = [
        {
            "id": "9",
            "name": "Limetten",
            "order_by": "kg",
            "vessel": None,
            "bundle": None,
            "count": 1.105,
            "vessel_count": 1.105,
            "price": 333,
            "price_per": "kg",
        }
    ]
    (key,) = bench.place()
    record = bench.twin.get(key)
    bench.twin.rewrite(key, {"request": {**record["request"], "items": items, "message": "Bitte leise."}})
    bench.settle()
    held = bench.held(key)

    assert held.items is not None
    assert held.items[0]["count"] == "1.105"
    assert held.company == record["request"]["company"]
    assert held.read_at is not None
    assert "Bitte leise." in _personal(bench, key)


def test_people_stand_in_no_event_and_by_a_setting_in_no_column(make: Make) -> None:
    """Names, addresses, e-mails and messages are personal data, in whatever place."""
    bench = make(store_personal_data=False)
    (key,) = bench.place()
    record = bench.twin.get(key)
    bench.twin.rewrite(key, {"request": {**record["request"], "message": "Bitte leise."}})
    bench.settle()
    bench.twin.cancel(key, message="Doch nicht.")
    bench.settle()
    with bench.database.read() as connection:
        rows = [str(row) for row in connection.execute(sa.select(customer_orders))]
    told = orjson.dumps([row.data for row in bench.events()]).decode()

    for text in ("Bitte leise.", "Doch nicht.", "lagerist", "Lagerist", "Besitzer", "Beispielstrasse", "8045"):
        assert text not in told
        assert all(text not in row for row in rows)
    assert record["request"]["company"] not in told


def test_people_are_forgotten_once_the_setting_says_so(bench: Bench) -> None:
    """What was kept before goes as well."""
    bench.place(2)
    bench.settle()
    with bench.database.write() as connection:
        assert knows_people(connection)
        assert forget_people(connection) == 2
        assert not knows_people(connection)


def test_a_change_is_told_once_with_what_was_before(bench: Bench) -> None:
    """A customer cancels; the next round sees it, and the one after tells nothing more."""
    (key,) = bench.place()
    bench.settle()
    bench.twin.cancel(key)
    bench.clock.advance(60)
    bench.settle()
    bench.settle()
    event = bench.events(key)[-1]

    assert bench.told(key) == ["customer_order.appeared", "customer_order.changed"]
    assert event.data["previous"]["status"] == "REQUESTED"
    assert event.data["customer_order"]["status"] == "CANCELLED"
    assert bench.held(key).cancelled_at is not None


def test_the_moment_of_receipt_is_ours_and_labelled_so(bench: Bench) -> None:
    """No time of delivery is told; the first reading that shows it is what we have."""
    (key,) = bench.place()
    bench.settle()
    bench.twin.receive(key)
    bench.clock.advance(60)
    bench.settle()
    first = bench.held(key).delivered_seen_at
    bench.clock.advance(600)
    bench.now.reader.read(key)

    assert first is not None
    assert bench.held(key).delivered_seen_at == first


def test_a_change_that_the_list_shows_is_read_at_once(bench: Bench) -> None:
    """The row's status differs from ours: its turn is before all that is merely old."""
    keys = bench.place(5)
    bench.settle()
    bench.twin.cancel(keys[-1])
    bench.poll()
    bench.line.asked.clear()
    bench.read(1.0)

    assert bench.line.asked == [keys[-1]]


def test_the_oldest_open_order_is_seen_within_one_round_of_the_budget(bench: Bench) -> None:
    """10,000 orders, 500 of them open, one request a second: 500 seconds, and a new one at the next poll."""
    keys = bench.place(500)
    (final,) = bench.place(status="DELIVERED")
    bench.poll()
    _take_as_read(bench, history=9_500)
    bench.clock.advance(60)
    oldest = keys[-1]
    bench.twin.cancel(oldest)
    bench.line.asked.clear()
    bench.read(60.0)
    (new,) = bench.place()
    while oldest not in bench.line.asked:
        bench.poll()
        bench.read(60.0)
    asked = [one for one in bench.line.asked if one != "list"]

    assert final not in asked
    assert bench.held(oldest).status == "CANCELLED"
    # The 500 open ones, and the new one before them.
    assert asked.index(oldest) <= 500
    # Turns that are given away whatever is new: two in five.
    assert 60 <= asked.index(new) <= 62


def test_old_final_orders_are_read_beside_open_ones(bench: Bench) -> None:
    """One turn in five is theirs, so that a long history ends and delays the open ones by a fifth only."""
    bench.place(20)
    bench.place(20, status="DELIVERED")
    bench.poll()
    with bench.database.write() as connection:
        statement = sa.update(customer_orders).where(customer_orders.c.status == "REQUESTED")
        connection.execute(statement.values(read_at=bench.clock.now(), wanted_at=None, content_hash="h"))
    bench.clock.advance(60)
    bench.line.asked.clear()
    bench.read(20.0)
    final = [key for key in bench.line.asked if bench.twin.get(key)["status"] == "DELIVERED"]

    assert len(final) == 4


def test_hints_go_first_and_keep_nobody_waiting_for_ever(bench: Bench) -> None:
    """Of five readings under a flood of hints, one goes to the order that was unread longest."""
    keys = bench.place(12)
    bench.settle()
    longest_unread = min(keys, key=lambda key: str(bench.held(key).read_at))
    bench.clock.advance(60)
    with bench.database.write() as connection:
        for key in keys:
            if key != longest_unread:
                hints.add(connection, HOST, Hint(idempotency_key=key, order_id=key, type="x"), bench.clock.now())
    bench.line.asked.clear()
    bench.read(5.0)

    assert len(set(bench.line.asked)) == 5
    assert longest_unread in bench.line.asked


def test_a_hint_that_comes_while_its_order_is_read_wants_another_reading(bench: Bench) -> None:
    """The answer may be older than what the hint is about."""
    (key,) = bench.place()
    bench.settle()

    def hint(asked: str) -> None:
        if asked == key:
            with bench.database.write() as connection:
                hints.add(connection, HOST, Hint(idempotency_key="k", order_id=key, type="x"), bench.clock.now())

    bench.line.before = hint
    bench.now.reader.read(key)
    with bench.database.read() as connection:
        assert hints.waiting(connection, HOST) == 1
    bench.line.before = lambda _asked: None
    bench.read()

    with bench.database.read() as connection:
        assert hints.waiting(connection, HOST) == 0


def test_a_hint_is_kept_once(bench: Bench) -> None:
    """All repeats of an event carry one key."""
    with bench.database.write() as connection:
        hint = Hint(idempotency_key="k", order_id="1", type="cancel-delivery")

        assert hints.add(connection, HOST, hint, bench.clock.now())
        assert not hints.add(connection, HOST, hint, bench.clock.now())


def test_a_hint_about_an_unknown_id_makes_no_order(bench: Bench) -> None:
    """What barmate does not know is remembered as such, and pruned with the hints."""
    with bench.database.write() as connection:
        hints.add(connection, HOST, Hint(idempotency_key="k", order_id="404", type="x"), bench.clock.now())
    bench.read()
    bench.clock.advance(10)

    assert bench.order("404") is None
    with bench.database.write() as connection:
        assert hints.waiting(connection, HOST) == 0
        assert prune(connection, bench.clock.now()) == 2


def test_an_order_that_barmate_does_not_know_any_more_is_kept_and_told(bench: Bench) -> None:
    """A 404 by id: not visible, never deleted; once it is there again, that is told too."""
    (key,) = bench.place()
    bench.settle()
    entries = bench.twin._entries  # noqa: SLF001 - barmate has no call that deletes
    gone = entries.pop(key)
    bench.clock.advance(60)
    bench.settle()
    assert not bench.held(key).visible
    entries[key] = gone
    bench.settle()

    assert bench.held(key).visible
    assert bench.told(key) == ["customer_order.appeared", "customer_order.vanished", "customer_order.returned"]


def test_a_record_that_cannot_be_read_is_set_aside_and_stops_nobody(bench: Bench) -> None:
    """Kept without what it says of people; once it parses, it is taken and closed, and that is told."""
    keys = bench.place(3)
    bench.line.bend = lambda record: {**record, "status": 7} if str(record["id"]) == keys[1] else record
    bench.settle()
    assert set(bench.statuses()) == {keys[0], keys[2]}
    with bench.database.read() as connection:
        aside = connection.execute(sa.select(set_aside)).all()
    assert {row.customer_order_id for row in aside} == {keys[1]}
    assert all("lagerist" not in row.payload for row in aside)
    bench.line.bend = lambda record: record
    bench.poll(to_end=True)
    bench.read()

    assert bench.statuses() == bench.true_statuses()
    with bench.database.read() as connection:
        assert connection.execute(sa.select(set_aside).where(set_aside.c.closed_at.is_(None))).first() is None


def test_a_held_order_whose_record_parses_again_unchanged_is_told(bench: Bench) -> None:
    """Whoever it blocked has to hear of it."""
    (key,) = bench.place()
    bench.settle()
    bench.line.bend = lambda record: {**record, "status": 7}
    bench.now.reader.read(key)
    bench.line.bend = lambda record: record
    bench.now.reader.read(key)

    assert bench.told(key) == ["customer_order.appeared", "customer_order.changed"]
    assert bench.events(key)[-1].data["parses_again"]


def test_an_order_whose_reading_always_fails_stops_nobody(bench: Bench) -> None:
    """It is passed over for a while, and the others get their turns."""
    keys = bench.place(4)

    def fail(asked: str) -> None:
        if asked == keys[0]:
            raise _fault(ServerFault)

    bench.line.before = fail
    bench.poll()
    for _ in range(3):
        bench.read()
        bench.clock.advance(60)

    assert set(bench.statuses()) == set(keys[1:])


def test_one_failure_among_answers_is_no_failure_in_a_row(bench: Bench) -> None:
    """Every third reading fails, whatever is read: nothing waits, since barmate answers the others."""
    keys = bench.place(12)
    bench.poll()
    readings: list[str] = []

    def fail(asked: str) -> None:
        readings.append(asked)
        if len(readings) % 3 == 0:
            raise _fault(ServerFault)

    bench.line.before = fail
    for _ in range(6):
        bench.read(60)

    assert sorted({*readings}) == sorted(keys)
    assert len([status for status in bench.statuses() if status in keys]) == 8


def test_a_refusal_is_told_once_and_waited_out(bench: Bench) -> None:
    """401: a person has to act; it is asked again after a minute, and the end of it is told."""

    def refuse(_asked: str) -> None:
        raise _fault(Unauthorized)

    bench.line.before = refuse
    for _ in range(3):
        bench.poll()
        bench.clock.advance(61)
    refused = bench.now.feed.poll()
    bench.line.before = lambda _asked: None
    bench.clock.advance(61)
    bench.poll()

    assert refused.stopped is not None
    assert bench.told() == ["account.stopped", "account.recovered"]
    assert bench.account().stopped_reason is None


def test_an_answer_from_a_cache_is_not_believed(bench: Bench) -> None:
    """Age above 0 says nothing about how things stand."""
    bench.place()
    bench.line.age = 30
    report = bench.now.feed.poll()

    assert report.error is not None
    assert "cache" in report.error
    assert bench.statuses() == {}


def test_an_older_answer_never_overwrites_a_newer_one(bench: Bench) -> None:
    """Answers are put in order by the turns of their requests."""
    (key,) = bench.place()
    bench.settle()
    early = bench.line.order(key)
    bench.twin.cancel(key)
    bench.now.reader.read(key)
    recorder = bench.now.reader._recorder  # noqa: SLF001 - two readers that overtake each other
    recorder.note(key, early, asked_at=bench.clock.now())

    assert bench.held(key).status == "CANCELLED"


@pytest.mark.parametrize("point", ["customers: page read", "customers: page recorded"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_walk_that_was_cut_short_stops_no_later_one(bench: Bench, point: str, nth: int) -> None:
    """Rows are known ground only once the walk that saw them got there: a crash between pages loses nothing."""
    bench.place(7)
    bench.settle()
    bench.place(14)
    bench.passed.clear()
    with pytest.raises(Killed):
        _die_at(bench, point, nth)
    bench.restart()
    bench.settle()

    assert bench.statuses() == bench.true_statuses()


def test_orders_that_come_while_the_list_is_walked_are_all_found(bench: Bench) -> None:
    """New rows push others to the next page: some come twice, none is lost."""
    bench.place(18)

    def place(asked: str) -> None:
        if asked == "list" and bench.line.turn < len(bench.twin.newest_first()) // 2:
            bench.place()

    bench.line.before = place
    bench.settle()
    bench.line.before = lambda _asked: None
    bench.settle()

    assert bench.statuses() == bench.true_statuses()


def test_a_row_that_slips_between_two_pages_is_found(bench: Bench) -> None:
    """A cursor may be a place: when a row above goes away, another slips through, so the walk is repeated."""
    keys = bench.place(14)
    _let_one_slip(bench, keys[-1])

    assert set(bench.statuses()) == set(keys[:-1])


def test_without_the_second_way_a_row_that_slips_is_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard bites: boundaries in unknown ground are what the walk is repeated for."""
    told = ListRecorder.note_page
    monkeypatch.setattr(ListRecorder, "note_page", lambda self, page: replace(told(self, page), open_end=False))
    keys = bench.place(14)
    _let_one_slip(bench, keys[-1])
    bench.settle()

    assert set(bench.statuses()) < set(keys[:-1])


def test_without_joining_at_the_end_only_a_crash_loses_orders(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard bites: a row that was merely seen is no known ground."""
    told = ListRecorder._new_row  # noqa: SLF001 - what the guard is made of
    monkeypatch.setattr(
        ListRecorder, "_new_row", lambda self, order, turn, now: {**told(self, order, turn, now), "joined": True}
    )
    bench.place(14)
    with pytest.raises(Killed):
        _die_at(bench, "customers: page recorded", 1)
    bench.restart()
    bench.settle()

    assert set(bench.statuses()) < set(bench.true_statuses())


def test_a_walk_to_the_end_goes_past_known_ground(bench: Bench) -> None:
    """The night's walk finds what was never at the top."""
    bench.place(14)
    bench.settle()
    bench.line.asked.clear()
    bench.poll(to_end=True)

    assert bench.line.asked == ["list"] * 3


def test_another_token_makes_the_list_unknown_ground(bench: Bench) -> None:
    """It may see other orders."""
    bench.place(12)
    bench.settle()
    bench.with_token("two")
    bench.line.asked.clear()
    bench.poll()

    assert bench.line.asked.count("list") >= 3


def test_an_event_wakes_the_orders_of_its_deliveries(bench: Bench) -> None:
    """Completion looks at every order with a delivery of this customer order."""
    (key,) = bench.place()
    bench.deliver(1, number_external=key)
    bench.deliver(2, number_external=key, purchase_order="PO-2")
    bench.deliver(3, number_external="another", purchase_order="PO-3")
    bench.settle()

    with bench.database.read() as connection:
        subjects = set(connection.execute(sa.select(tasks.c.subject)).scalars())
    assert {OrderKey.parse(subject).purchase_order for subject in subjects} == {PURCHASE_ORDER, "PO-2"}


def test_the_order_of_a_reference_that_was_left_is_woken_too(make: Make) -> None:
    """An order that lost its customer order has to hear of it as well as the one that got it."""
    bench = make(link_by=LinkBy.REFERENCE)
    (key,) = bench.place()
    bench.deliver(1)
    bench.deliver(2, purchase_order="PO-2")
    bench.twin.respond(key, {"type": "ACCEPT", "reference": "LS1"}, request_number=1)
    bench.settle()
    bench.clock.advance(60)
    bench.twin.respond(key, {"type": "UPDATE", "reference": "LS2"}, request_number=2)
    bench.settle()

    assert bench.held(key).reference == "LS2"
    with bench.database.read() as connection:
        subjects = list(connection.execute(sa.select(tasks.c.subject).order_by(tasks.c.number)).scalars())
    assert [OrderKey.parse(subject).purchase_order for subject in subjects] == [PURCHASE_ORDER, PURCHASE_ORDER, "PO-2"]


def test_status_says_how_reading_barmate_stands(bench: Bench) -> None:
    """How many, how many open, and since when the longest unread one was not read."""
    bench.place(3)
    bench.place(1, status="DELIVERED")
    bench.poll()
    bench.read(2.0)
    with bench.database.read() as connection:
        (status,) = customers_status(connection)

    document = status.document()
    assert (document["orders"], document["open"], document["unread"], document["wanted"]) == (4, 3, 2, 1)
    assert document["polled_at"] is not None
    assert document["stopped"] is None


def test_everything_is_caught_up_once_each_was_read(bench: Bench) -> None:
    """What `run --until-idle` waits for: a walk, and every order that is open or new."""
    bench.place(3)
    assert not bench.now.feed.caught_up()
    bench.poll()
    assert not bench.now.feed.caught_up()
    bench.read()

    assert bench.now.feed.caught_up()


def _let_one_slip(bench: Bench, gone: str) -> None:
    """Walk through the list; the order on top goes away between its second page and its third."""
    entries = bench.twin._entries  # noqa: SLF001 - barmate has no call that deletes
    lists = iter([False, False, True])

    def shift(asked: str) -> None:
        if asked == "list" and next(lists, False):
            entries.pop(gone)

    bench.line.before = shift
    bench.settle()
    bench.now.reader.read(gone)


def _fault(kind: type[ConnectorError]) -> ConnectorError:
    return kind("barmate", "read", "it fails")


def _take_as_read(bench: Bench, *, history: int) -> None:
    """Everything is read and known ground, and so is a long history of orders that ended."""
    with bench.database.write() as connection:
        read = {"read_at": bench.clock.now(), "wanted_at": None, "content_hash": "h", "joined": True}
        connection.execute(sa.update(customer_orders).values(**read))
        statement = sa.select(customer_orders).where(customer_orders.c.status == "DELIVERED")
        row = dict(connection.execute(statement).mappings().one())
        connection.execute(sa.insert(customer_orders), [{**row, "id": f"old {n}"} for n in range(history)])


def _die_at(bench: Bench, point: str, nth: int) -> None:
    left = [nth]

    def check(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] == 0:
                raise Killed(name)

    bench.now.feed._walk._recorder._checkpoint = check  # noqa: SLF001 - dies at the n-th passing
    bench.settle()


def _personal(bench: Bench, order_id: str) -> str:
    with bench.database.read() as connection:
        statement = sa.select(customer_orders.c.personal).where(customer_orders.c.id == order_id)
        return orjson.dumps(connection.execute(statement).scalar_one()).decode()
