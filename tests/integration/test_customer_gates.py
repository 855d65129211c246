"""Gates in their place: completion waits for, reads, and goes by the customer orders of an order's deliveries."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.errors import ServerFault
from tests.clocks import NOON
from tests.customer_kit import ACCOUNT, CUSTOMER, HOST, PURCHASE_ORDER, Bench
from tests.recheck_kit import at_once, rechecked
from worker.checkpoints import nothing
from worker.customers import hints
from worker.customers.linking import LinkBy
from worker.db.tables import deliveries, events, orders
from worker.dead_letters import DeadLetters
from worker.events import OrderKey
from worker.letters import ALL, Which
from worker.orders import terms
from worker.orders.completion import Completion
from worker.orders.link_row import LinkRow
from worker.orders.links import Links
from worker.reading.observations import Observations
from worker.runtime.closing import nothing_to_close
from worker.standing import OrderReading
from worker.states import OrderState
from worker.tasks import Tasks

KEY = OrderKey(ACCOUNT, CUSTOMER, PURCHASE_ORDER)


class Desk:
    """Completion over a bench of customer orders; the warehouse shows what is held."""

    def __init__(self, bench: Bench, *, require_receipt: bool = False) -> None:
        self.bench = bench
        self.gates = bench.gates(require_receipt=require_receipt)
        links = Links()
        self.completion = Completion(
            database=bench.database,
            event_log=bench.log,
            links=links,
            read_order=self._read,
            begin_reading=at_once(self._read),
            server_time=lambda _connection, _account: bench.clock.now(),
            quiet_seconds=60.0,
            checkpoint=nothing,
            gates=self.gates,
        )
        bench.clock.advance(3600)
        with bench.database.write() as connection:
            links.import_rows(connection, [_link()], bench.clock.now())

    def look(self) -> tuple[OrderState, str]:
        """Look at the order; its state and reason."""
        self.completion.look(KEY, nothing_to_close)
        with self.bench.database.read() as connection:
            row = connection.execute(sa.select(orders)).one()
        return OrderState(row.state), row.reason

    def told(self) -> list[str]:
        """What was told of the order."""
        statement = sa.select(events.c.type).where(events.c.subject == KEY.subject).order_by(events.c.position)
        with self.bench.database.read() as connection:
            return [found.removeprefix("waybill.order.") for found in connection.execute(statement).scalars()]

    def _read(self, key: OrderKey) -> OrderReading:
        with self.bench.database.read() as connection:
            wanted = self.gates.wanted(connection, key)
            ids = tuple(connection.execute(sa.select(deliveries.c.id)).scalars())
        self.bench.now.reader.read_all(wanted)
        return OrderReading(proved=True, reason="", server_time=self.bench.clock.now(), delivery_ids=ids, requests=1)


def _link() -> LinkRow:
    return LinkRow(
        line=1,
        account="",
        customer_id=0,
        purchase_order=PURCHASE_ORDER,
        credit_order_id="ord_1",
        credit_kg=10,
        expected_deliveries=None,
        open_ended=True,
        project=None,
        issuance=None,
        batches=(),
        note=None,
    )


@pytest.fixture
def bench(migrated_file: Path, tmp_path: Path) -> Iterator[Bench]:
    """Customer orders linked by the external number."""
    made = Bench(migrated_file, tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def referring(migrated_file: Path, tmp_path: Path) -> Iterator[Bench]:
    """Customer orders linked by the accepted reference."""
    made = Bench(migrated_file, tmp_path, link_by=LinkBy.REFERENCE)
    yield made
    made.database.close()


def test_an_order_reads_its_customer_order_before_it_is_complete(bench: Bench) -> None:
    """Without a poll ever having been made, one request by id is enough."""
    (key,) = bench.place(status="ACCEPTED")
    bench.deliver(1, number_external=key)
    desk = Desk(bench)

    assert desk.look()[0] is OrderState.COMPLETE
    assert bench.line.asked == [key]


def test_a_delivery_with_a_blank_field_has_no_customer_order(bench: Bench) -> None:
    """Missing, empty and blank name nothing, and block nothing."""
    bench.deliver(1, number_external=None)
    bench.deliver(2, number_external="  ")
    desk = Desk(bench)

    assert desk.look()[0] is OrderState.COMPLETE
    assert bench.line.asked == []


def test_an_order_whose_customer_order_is_not_known_is_blocked_after_asking(bench: Bench) -> None:
    """It is asked for by its id first; once it appears, the order is complete."""
    bench.deliver(1, number_external="123456790")
    desk = Desk(bench)
    blocked = desk.look()
    bench.place(2)
    bench.settle()

    assert blocked == (OrderState.BLOCKED, "barmate knows no customer order 123456790, which delivery 1 names")
    assert desk.look()[0] is OrderState.COMPLETE


def test_a_cancelled_delivery_asks_for_no_customer_order(bench: Bench) -> None:
    """Both sides may have called it off."""
    (key,) = bench.place(status="CANCELLED")
    bench.deliver(1, number_external=key, status="cancelled")
    bench.deliver(2)
    desk = Desk(bench)
    bench.settle()

    assert desk.look()[0] is OrderState.COMPLETE


def test_a_customer_who_cancels_reopens_a_complete_order(bench: Bench) -> None:
    """The event wakes the order; what stood as complete is blocked, and told as re-opened."""
    (key,) = bench.place()
    bench.deliver(1, number_external=key)
    desk = Desk(bench)
    assert desk.look()[0] is OrderState.COMPLETE
    bench.twin.cancel(key)
    bench.settle()

    assert desk.look() == (OrderState.BLOCKED, f"customer order {key} of delivery 1 is CANCELLED")
    assert desk.told() == ["completed", "reopened", "blocked"]


def test_just_before_firing_the_customer_order_is_read_again(bench: Bench) -> None:
    """A cancellation that no poll has seen is seen by the reading before sending."""
    (key,) = bench.place()
    bench.deliver(1, number_external=key)
    desk = Desk(bench)
    desk.look()
    bench.twin.cancel(key)
    with bench.database.read() as connection:
        held = desk.completion.standing(connection, KEY)

    assert held.state is OrderState.COMPLETE
    assert rechecked(desk.completion, KEY).state is OrderState.BLOCKED


def test_a_customer_order_that_cannot_be_read_lets_nothing_pass(bench: Bench) -> None:
    """Neither completion nor firing goes by what is merely held."""
    (key,) = bench.place()
    bench.deliver(1, number_external=key)
    desk = Desk(bench)

    def fail(_asked: str) -> None:
        raise ServerFault("barmate", "read", "500")  # noqa: EM101 - as the client raises it

    bench.line.before = fail
    with pytest.raises(ServerFault):
        desk.look()
    with bench.database.read() as connection:
        assert connection.execute(sa.select(orders.c.state)).scalar_one() == OrderState.SETTLING


def test_a_receipt_that_is_required_is_awaited(bench: Bench) -> None:
    """Open until the customer says so; final orders are not read once more."""
    (key,) = bench.place(status="ACCEPTED")
    bench.deliver(1, number_external=key)
    bench.settle()
    desk = Desk(bench, require_receipt=True)
    waiting = desk.look()
    bench.twin.receive(key)
    bench.settle()
    bench.line.asked.clear()

    assert waiting == (OrderState.OPEN, f"customer order {key} of delivery 1 is ACCEPTED; its receipt is awaited")
    assert desk.look()[0] is OrderState.COMPLETE
    assert bench.line.asked == []


def test_a_reference_is_looked_for_until_the_whole_list_was_read(referring: Bench) -> None:
    """Settling meanwhile, looked at again by itself; then it is found, or said to be missing."""
    bench = referring
    (key, other) = bench.place(2)
    bench.deliver(1)
    desk = Desk(bench)
    pending = desk.look()
    bench.settle()
    missing = desk.look()
    bench.twin.respond(key, {"type": "ACCEPT", "reference": "LS1"}, request_number=1)
    bench.clock.advance(60)
    bench.settle()
    found = desk.look()
    bench.twin.respond(other, {"type": "ACCEPT", "reference": "LS1"}, request_number=2)
    bench.clock.advance(60)
    bench.settle()

    assert pending == (OrderState.SETTLING, "customer orders are still being read; none refers to LS1 yet")
    assert missing == (OrderState.BLOCKED, "no customer order refers to LS1, delivery 1")
    assert found[0] is OrderState.COMPLETE
    assert desk.look() == (OrderState.BLOCKED, f"customer orders {key}, {other} all refer to LS1, delivery 1")


def test_a_number_of_two_accounts_is_ambiguous_as_a_reference(referring: Bench) -> None:
    """A number is one account's own; the customer's reference does not say whose."""
    bench = referring
    (key,) = bench.place()
    bench.twin.respond(key, {"type": "ACCEPT", "reference": "LS1"}, request_number=1)
    bench.settle()
    bench.deliver(1)
    bench.deliver(9, account="other.example", number="LS1", purchase_order="PO-9")
    desk = Desk(bench)
    state, reason = desk.look()

    assert state is OrderState.BLOCKED
    assert reason.startswith("the number LS1 of delivery 1 is also that of delivery 9 of other.example")


def test_a_record_set_aside_blocks_until_it_parses_or_is_dropped(bench: Bench) -> None:
    """Trying it again reads the order anew; dropping it leaves what was read before, and has the order looked at."""
    (key,) = bench.place()
    bench.deliver(1, number_external=key)
    desk = Desk(bench)
    bench.settle()
    bench.line.bend = lambda record: {**record, "status": 7}
    bench.now.reader.read(key)
    letters = DeadLetters(tasks=Tasks(rules={}, identity=lambda: "unused"), observations=Observations(bench.log))
    blocked = desk.look()
    with bench.database.write() as connection:
        tried = letters.retry(connection, ALL, bench.clock.now())
        assert hints.waiting(connection, HOST) == 1
    bench.read()
    with bench.database.write() as connection:
        assert letters.drop(connection, Which(subject=f"{HOST}/{key}"), bench.clock.now()) == 1
        assert connection.execute(sa.select(orders.c.look_at)).scalar_one() == bench.clock.now()
    bench.line.bend = lambda record: record

    assert blocked[0] is OrderState.BLOCKED
    assert blocked[1].startswith(f"the record of customer order {key}, which delivery 1 names, was set aside: ")
    assert (tried.records, tried.still_set_aside) == (0, 1)
    assert desk.look()[0] is OrderState.COMPLETE


def test_orders_are_looked_at_again_when_the_terms_change(bench: Bench) -> None:
    """No event tells that the settings were changed; the same terms touch nothing."""
    bench.deliver(1)
    desk = Desk(bench)
    desk.look()
    now = NOON + timedelta(days=1)
    with bench.database.write() as connection:
        assert terms.apply(connection, "", now) == 0
        assert terms.apply(connection, "barmate by number", now) == 1
        assert terms.apply(connection, "barmate by number", now) == 0
        assert connection.execute(sa.select(orders.c.look_at)).scalar_one() == now
