from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench, record
from worker.db import Database
from worker.db.tables import deliveries, events, set_aside
from worker.event_log import EventLog
from worker.events import EventDraft, EventType, OrderKey
from worker.reading.normalizer import normalize
from worker.reading.observations import Circumstances, Observations, Observed, Recorded
from worker.tasks import Tasks


class Desk:
    """Observations into a database, one transaction each, and the orders that events named."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.orders: list[tuple[OrderKey, ...]] = []
        self._log = _Log(self.orders)
        self._observations = Observations(self._log)
        Bench(database, ManualClock()).poll()

    def see(self, turn: int, *raws: object, confirmed: bool = False) -> Recorded:
        """Record what one answer brought."""
        return self.take([Observed(normalize(raw), turn) for raw in raws], confirmed=confirmed)

    def take(self, observed: Sequence[Observed], *, confirmed: bool = False) -> Recorded:
        """Record what several answers brought."""
        with self.database.write() as connection:
            return self._observations.record(connection, observed, _circumstances(confirmed=confirmed))

    def miss(self, turn: int, *ids: int) -> tuple[int, ...]:
        """The source says that it does not have them."""
        with self.database.write() as connection:
            return self._observations.vanish(connection, dict.fromkeys(ids, turn), _circumstances(confirmed=True))

    def rows(self, table: sa.Table) -> Sequence[sa.Row[Any]]:
        """Everything in a table."""
        with self.database.read() as connection:
            return connection.execute(sa.select(table)).all()

    def told(self) -> list[str]:
        """Types of the events about records, in order."""
        return [row.type.removeprefix("waybill.") for row in self.rows(events) if row.subject != "coverage"]


class _Log(EventLog):
    def __init__(self, orders: list[tuple[OrderKey, ...]]) -> None:
        super().__init__(tasks=Tasks(rules={}, identity=lambda: "none"), subscriptions={})
        self._orders = orders

    def append(self, connection: sa.Connection, drafts: Sequence[EventDraft], now: datetime) -> Any:  # noqa: ANN401
        """As the log does, and remember the orders concerned."""
        self._orders.extend(draft.orders for draft in drafts)
        return super().append(connection, drafts, now)


def _circumstances(*, confirmed: bool) -> Circumstances:
    return Circumstances(account=ACCOUNT, server_time=NOON, now=NOON, proof={"kind": "one_answer"}, confirmed=confirmed)


def raw(key: int, second: int = 0, **changes: object) -> dict[str, object]:
    """A delivery stamped some seconds after noon."""
    stamp = (NOON + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
    return {"id": key, **record(f"LS{key}"), "createdAt": stamp, "updatedAt": stamp, **changes}


@pytest.fixture
def desk(database: Database) -> Desk:
    """An account with nothing read yet."""
    return Desk(database)


def test_a_new_delivery_appears_and_an_equal_one_writes_nothing(desk: Desk) -> None:
    """Reading again changes nothing: no row, no event."""
    first = desk.see(1, raw(1), raw(2))
    before = desk.rows(deliveries)
    again = desk.see(2, raw(1), raw(2))

    assert [news.id for news in first.appeared] == [1, 2]
    assert (again.appeared, again.changed, again.unchanged) == ((), (), 2)
    assert desk.rows(deliveries) == before
    assert desk.told() == ["delivery.appeared", "delivery.appeared"]


def test_a_change_tells_what_was_before_and_which_orders_it_concerns(desk: Desk) -> None:
    """A delivery whose number changed concerns the order it left and the one it joined."""
    desk.see(1, raw(1))
    desk.see(2, raw(1, 5, numberPurchaseOrder="PO2", status="completed"))
    event = desk.rows(events)[-1]

    assert event.type == EventType.DELIVERY_CHANGED
    assert event.data["previous"]["purchase_order"] == "PO1"
    assert event.data["delivery"]["purchase_order"] == "PO2"
    assert event.data["proof"] == {"kind": "one_answer"}
    assert event.data["raw_hash"] == desk.rows(deliveries)[0].content_hash
    assert desk.orders[-1] == (OrderKey(ACCOUNT, 1000050, "PO1"), OrderKey(ACCOUNT, 1000050, "PO2"))


def test_a_blank_number_is_no_order(desk: Desk) -> None:
    """No number: no order; the blank is kept as it came."""
    desk.see(1, raw(1, numberPurchaseOrder="  "), raw(2, numberPurchaseOrder=None))

    assert desk.orders == [(), ()]
    assert [row.purchase_order for row in desk.rows(deliveries)] == ["  ", None]


def test_a_lower_turn_never_overwrites_a_higher_one(desk: Desk) -> None:
    """Answers may be recorded in another order than they were asked for."""
    desk.see(5, raw(1, 9, note="new"))
    late = desk.see(4, raw(1, 3, note="old"))

    assert late == Recorded()
    assert desk.rows(deliveries)[0].turn == 5


def test_an_older_stamp_is_suspicious_until_it_is_confirmed_by_id(desk: Desk) -> None:
    """A later observation with an older stamp is confirmed by id, taken, and flagged."""
    desk.see(1, raw(1, 9))
    doubtful = desk.see(2, raw(1, 3, note="back"))
    held_before = desk.rows(deliveries)[0].content_hash
    desk.see(3, raw(1, 3, note="back"), confirmed=True)
    row = desk.rows(deliveries)[0]

    assert doubtful.suspicious == (1,)
    assert held_before != row.content_hash
    assert row.stamp_went_back
    assert desk.rows(events)[-1].data["stamp_went_back"] is True


def test_of_a_record_that_came_twice_in_an_answer_the_later_stamp_counts(desk: Desk) -> None:
    """A source may list a row on both sides of its change."""
    desk.see(1, raw(1, 9, note="new"), raw(1, 3, note="old"))

    assert desk.rows(deliveries)[0].updated_at == NOON + timedelta(seconds=9)
    assert desk.told() == ["delivery.appeared"]


def test_a_delivery_that_vanished_is_kept_and_may_return(desk: Desk) -> None:
    """Not visible, never deleted; once, and not by an older answer."""
    desk.see(1, raw(1))

    assert desk.miss(1, 1) == ()
    assert desk.miss(2, 1, 99) == (1,)
    assert desk.miss(3, 1) == ()
    assert not desk.rows(deliveries)[0].visible
    assert desk.see(4, raw(1)).returned == (1,)
    assert desk.rows(deliveries)[0].visible
    assert desk.told() == ["delivery.appeared", "delivery.vanished", "delivery.returned"]


def test_a_record_that_does_not_parse_is_set_aside_and_the_rest_goes_on(desk: Desk) -> None:
    """One bad record stops nobody; it is kept with payload and reason, and told once."""
    bad = raw(1, lineItems=[{"status": "new", "quantity": "5"}])
    found = desk.see(1, bad, raw(2), "nonsense")
    desk.see(2, bad, raw(2), "nonsense")
    kept = {row.delivery_id: row for row in desk.rows(set_aside)}

    assert (found.set_aside, len(found.appeared)) == (2, 1)
    assert set(kept) == {1, None}
    assert "lineItems[0].quantity" in kept[1].reason
    assert kept[1].purchase_order == "PO1"
    assert desk.told() == ["delivery.appeared", "record.set_aside", "record.set_aside"]
    assert desk.orders[-2:] == [(OrderKey(ACCOUNT, 1000050, "PO1"),), ()]


def test_a_record_set_aside_is_closed_once_it_parses_and_its_order_is_told(desk: Desk) -> None:
    """Although the delivery is as it was before, its order has to be looked at again."""
    desk.see(1, raw(1))
    desk.see(2, raw(1, 4, number=None))
    found = desk.see(3, raw(1))

    assert [news.fresh for news in found.changed] == [False]
    assert desk.rows(set_aside)[0].closed_at == NOON
    assert desk.told()[-1] == "delivery.changed"
    assert desk.rows(events)[-1].data["parses_again"] is True


def test_a_record_without_a_customer_has_every_order_of_its_number_looked_at(desk: Desk) -> None:
    """It may belong to any of them, so it blocks each; and each is looked at again once it is known whose it was."""
    desk.see(1, raw(1), raw(2, customerId=8), raw(3, numberPurchaseOrder="PO2"))
    desk.see(2, raw(9, customerId=None))
    blocked = desk.orders[-1]
    desk.see(3, raw(9, customerId=8, numberPurchaseOrder="PO2"))

    ours, other = OrderKey(ACCOUNT, 1000050, "PO1"), OrderKey(ACCOUNT, 8, "PO1")
    assert set(blocked) == {ours, other}
    assert set(desk.orders[-1]) == {OrderKey(ACCOUNT, 8, "PO2"), ours, other}


def test_a_record_that_comes_in_another_broken_form_frees_the_orders_it_may_have_blocked(desk: Desk) -> None:
    """The newer form closes the older one, and what that had blocked is looked at again."""
    desk.see(1, raw(1), raw(2, numberPurchaseOrder="PO2"))
    desk.see(2, raw(9, customerId=None))
    desk.see(3, raw(9, customerId=None, numberPurchaseOrder="PO2"))

    assert set(desk.orders[-1]) == {OrderKey(ACCOUNT, 1000050, "PO1"), OrderKey(ACCOUNT, 1000050, "PO2")}


def test_a_doubtful_record_closes_nothing(desk: Desk) -> None:
    """An older stamp is not taken until it is confirmed, and neither is what it says about a record set aside."""
    desk.see(1, raw(1, 5))
    desk.see(2, raw(1, 9, number=None))
    desk.see(3, raw(1, 1))

    assert desk.rows(set_aside)[0].closed_at is None


def test_an_outdated_reading_closes_nothing(desk: Desk) -> None:
    """It parsed before it broke."""
    desk.see(2, raw(1, 9, number=None))
    desk.see(1, raw(1))

    assert desk.rows(set_aside)[0].closed_at is None


def test_what_a_person_dropped_stays_dropped_while_it_is_the_same(desk: Desk) -> None:
    """The guard band brings the same payload at every poll; dropping it must hold."""
    bad = raw(1, number=None)
    desk.see(1, bad)
    with desk.database.write() as connection:
        connection.execute(sa.update(set_aside).values(closed_at=NOON))
    desk.see(2, bad)

    assert desk.rows(set_aside)[0].closed_at == NOON
    assert desk.told() == ["record.set_aside"]


def test_a_payload_that_comes_again_after_it_had_parsed_is_told_again(desk: Desk) -> None:
    """It blocks its order again."""
    bad = raw(1, number=None)
    desk.see(1, bad)
    desk.see(2, raw(1))
    desk.see(3, bad)

    assert desk.rows(set_aside)[0].closed_at is None
    assert desk.told() == ["record.set_aside", "delivery.appeared", "record.set_aside"]


def test_another_broken_payload_takes_the_place_of_the_first(desk: Desk) -> None:
    """One delivery has one open record set aside."""
    desk.see(1, raw(1, number=None))
    desk.see(2, raw(1, 3, number=4))

    assert sorted(row.closed_at is None for row in desk.rows(set_aside)) == [False, True]


def test_an_outdated_broken_record_is_left_out(desk: Desk) -> None:
    """A later reading parsed already."""
    desk.see(2, raw(1))
    desk.see(1, raw(1, number=None))

    assert desk.rows(set_aside) == []


@pytest.mark.parametrize(("broken_at", "open_after"), [(1, 0), (3, 1)])
def test_of_pages_that_share_a_transaction_the_later_one_counts(desk: Desk, broken_at: int, open_after: int) -> None:
    """A delivery that does not parse on one page and does on another is what the later one shows."""
    observed = [Observed(normalize(raw(1)), 2), Observed(normalize(raw(1, number=None)), broken_at)]
    desk.take(sorted(observed, key=lambda item: item.turn))

    assert sum(row.closed_at is None for row in desk.rows(set_aside)) == open_after
    assert [row.turn for row in desk.rows(deliveries)] == [2]


def test_a_stamp_that_goes_back_between_pages_that_share_a_transaction_is_suspicious(desk: Desk) -> None:
    """As it is between pages that do not: one of them may come from a replica that lags behind."""
    found = desk.take([Observed(normalize(raw(1, 9)), 1), Observed(normalize(raw(1, 5)), 2)])

    assert (found.suspicious, desk.rows(deliveries)) == ((1,), [])
    assert [news.id for news in desk.see(3, raw(1, 5), confirmed=True).appeared] == [1]


def test_what_cannot_be_read_of_a_record_is_taken_from_what_is_held(desk: Desk) -> None:
    """A broken record of a known delivery still blocks its order."""
    desk.see(1, raw(1))
    desk.see(2, {"id": 1})

    assert desk.rows(set_aside)[0].purchase_order == "PO1"
    assert desk.orders[-1] == (OrderKey(ACCOUNT, 1000050, "PO1"),)
