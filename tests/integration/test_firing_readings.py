"""The readings before sending: where they do not hold still, or show what cannot be, it waits or holds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.errors import Transient
from connectors.simulated.registry_model import DeliveryRequest, Line, Organisation, Supplier
from connectors.simulated.switches import PostFault
from tests.clocks import ManualClock
from tests.firing_kit import KEY, ORDER, OTHER_ORDER, Bench, Twin, batch, order_key
from tests.guard_kit import At
from tests.order_kit import delivery
from tests.recheck_kit import at_once
from worker.db import Database
from worker.db.tables import counted_deliveries, events
from worker.events import EventType, OrderKey
from worker.firing.brakes import FREEZE, PAUSE
from worker.firing.ledger import mirrored_on
from worker.firing.person import Decision
from worker.firing.sending import CONNECTING
from worker.standing import NotFresh, Standing
from worker.states import FiringState

SECOND = order_key(2)
TOO_MANY = "17 customer orders are too many"


@pytest.fixture
def many_batches(tmp_path: Path, clock: ManualClock) -> Iterator[Bench]:
    """A registry with more batches than are read one by one."""
    twin = Twin(clock, batches=[batch(number, 50) for number in range(1, 9)])
    bench = Bench(Database(f"sqlite:///{tmp_path / 'many.db'}", clock), clock, twin, migrate=True)
    yield bench
    bench.close()
    bench.database.close()
    twin.server.stop()


def test_a_list_of_batches_that_is_cut_short_is_read_again(bench: Bench) -> None:
    """It would look as if credits were missing."""
    bench.twin.panel.change({"read_partial": 1.0})
    bench.complete(kg=300)

    waiting = bench.advance()

    assert (waiting.state, waiting.reason) == (FiringState.ARMED, "the list of batches could not be read whole")
    bench.twin.panel.change({"read_partial": 0.0})
    assert bench.settle().state is FiringState.CONFIRMED


def test_pins_that_a_short_list_leaves_out_are_not_gone(many_batches: Bench) -> None:
    """A resend waits until the list is whole; it does not bother a person again."""
    many_batches.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    many_batches.complete(kg=390)
    assert many_batches.settle().state is FiringState.NEEDS_PERSON
    many_batches.twin.panel.change({"read_partial": 1.0})
    many_batches.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    waiting = many_batches.settle(looks=3)

    assert (waiting.state, waiting.reason) == (FiringState.ABSENT, "the list of batches could not be read whole")
    many_batches.twin.panel.change({"read_partial": 0.0})
    assert many_batches.settle().state is FiringState.CONFIRMED
    assert len({attempt.request_sha256 for attempt in many_batches.attempts()}) == 1


def test_a_pin_that_is_missing_from_a_whole_list_is_gone(many_batches: Bench) -> None:
    """Somebody used it: the same bytes can not be sent again."""
    many_batches.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    many_batches.complete(kg=390)
    assert many_batches.settle().state is FiringState.NEEDS_PERSON
    many_batches.twin.deliver_by_hand(50, 8, order=OTHER_ORDER)
    many_batches.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    firing = many_batches.settle()

    assert firing.state is FiringState.NEEDS_PERSON
    assert "can not be sent again: pinned batch" in firing.reason


def test_trouble_at_the_warehouse_delays_and_says_nothing_about_the_registry(bench: Bench) -> None:
    """The order is read again there before anything is sent."""
    recheck = bench.stands.recheck
    troubled = [True]
    failure = Transient("logistic.cloud", "read a delivery", "no answer came")

    def read(key: OrderKey) -> Standing:
        if troubled.pop():
            raise failure
        troubled.append(False)
        return recheck(key)

    bench.complete(kg=300)
    bench.parts.service._preparing._recheck = at_once(read)  # noqa: SLF001 - as if the warehouse failed once
    waiting = bench.advance()

    assert waiting.state is FiringState.ARMED
    assert waiting.reason.startswith("logistic.cloud: read a delivery")
    assert bench.brakes_on() == set()
    troubled.append(False)
    assert bench.settle().state is FiringState.CONFIRMED


def _not_fresh(_key: OrderKey) -> Standing:
    raise NotFresh(TOO_MANY)


def test_customer_orders_that_cannot_be_read_in_time_hold_with_the_reason(bench: Bench) -> None:
    """It is not "too old" for ever: the numbers are told, and it goes on once they fit."""
    recheck = bench.parts.service._preparing._recheck  # noqa: SLF001 - as the composition root gives it
    bench.complete(kg=300)
    bench.parts.service._preparing._recheck = at_once(_not_fresh)  # noqa: SLF001

    held = bench.advance()
    history = bench.history()
    looks = bench.settle(looks=3)

    assert (held.state, held.cause, held.reason) == (FiringState.HELD, "freshness", TOO_MANY)
    assert held.look_at == bench.clock.now() - timedelta(seconds=3 * 60) + timedelta(seconds=60)
    assert (looks.state, looks.reason, bench.history()) == (FiringState.HELD, TOO_MANY, history)
    assert bench.twin.posts() == 0
    bench.parts.service._preparing._recheck = recheck  # noqa: SLF001
    assert bench.settle().state is FiringState.CONFIRMED


def test_a_resend_waits_for_customer_orders_that_cannot_be_read_in_time(bench: Bench) -> None:
    """Its bytes and pins stay as they are; no person is asked."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    bench.complete(kg=300)
    assert bench.settle().state is FiringState.NEEDS_PERSON
    recheck = bench.parts.service._preparing._recheck  # noqa: SLF001 - as the composition root gives it
    bench.parts.service._preparing._recheck = at_once(_not_fresh)  # noqa: SLF001
    bench.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    waiting = bench.settle(looks=3)

    assert (waiting.state, waiting.reason) == (FiringState.ABSENT, TOO_MANY)
    bench.parts.service._preparing._recheck = recheck  # noqa: SLF001
    assert bench.settle().state is FiringState.CONFIRMED


def test_a_credit_order_of_another_supplier_is_not_ours_to_deliver_to(bench: Bench) -> None:
    """The link names a wrong one."""
    foreign = Supplier(id="spl_1ZZZZZZZZSBXZZZZ", organisation=Organisation(id="org_1Z", name="Other", domain=None))
    known = bench.twin.registry._orders  # noqa: SLF001 - the twin has no switch for this
    known[ORDER] = replace(known[ORDER], supplier=foreign)
    bench.complete(kg=300)

    held = bench.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "credit_order")
    assert foreign.id in held.reason
    assert bench.twin.posts() == 0


def test_a_completed_credit_order_takes_nothing(bench: Bench) -> None:
    """Its status says so before its room does."""
    bench.twin.deliver_by_hand(400, 1)
    bench.twin.deliver_by_hand(400, 2)
    bench.twin.deliver_by_hand(200, 3)
    bench.reconciler.run(supplier=True)
    for one in bench.twin.happened():
        bench.parts.person.dismiss(one["credit_delivery_id"], "by hand")
    bench.complete(kg=100)

    held = bench.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "credit_order")
    assert "is completed" in held.reason


def test_batches_of_a_firing_in_doubt_are_waited_for(bench: Bench) -> None:
    """Enough credits are there, but an unresolved firing has some of them."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    bench.complete(kg=700)
    bench.complete(SECOND, kg=600, order=OTHER_ORDER)
    assert bench.advance().state is FiringState.AMBIGUOUS

    held = bench.advance(SECOND)

    assert (held.state, held.cause) == (FiringState.HELD, "reserved")
    assert held.reason == "200 kg are missing until unresolved firings free their batches"
    bench.settle()
    bench.parts.person.resolve(KEY, Decision.ABANDONED, because="the buyer withdrew")
    assert bench.settle(SECOND).state is FiringState.CONFIRMED


def test_a_batch_that_is_used_while_it_is_chosen_is_chosen_anew(bench: Bench) -> None:
    """Between the list and the reading of the one batch somebody took it."""
    choose = bench.parts.service._preparing._choose  # noqa: SLF001 - the moment after choosing has no name
    taken: list[str] = []

    def chosen(*what: object) -> object:
        found = choose(*what)  # type: ignore[arg-type]
        if not taken:
            taken.append(bench.twin.deliver_by_hand(400, 1, order=OTHER_ORDER))
        return found

    bench.parts.service._preparing._choose = chosen  # type: ignore[assignment,method-assign]  # noqa: SLF001
    bench.complete(kg=300)
    waiting = bench.advance()

    assert waiting.state is FiringState.ARMED
    assert waiting.reason.endswith("was used or changed meanwhile")
    assert bench.settle().state is FiringState.CONFIRMED


def test_cancelled_and_vanished_siblings_are_not_counted(bench: Bench) -> None:
    """A firing counts what it pays for, so that a delivery is never paid twice."""
    bench.complete(kg=300)
    siblings = (
        delivery(1),
        delivery(2, status="cancelled"),
        delivery(3, visible=False),
    )
    bench.stands.deliveries[KEY] = siblings

    assert bench.advance().state is FiringState.CONFIRMED
    with bench.database.read() as connection:
        counted = connection.execute(sa.select(counted_deliveries.c.delivery_id)).scalars().all()
    assert counted == [1]


def test_the_marker_of_an_abandoned_firing_freezes_everything(bench: Bench) -> None:
    """A person gave it up, and then it shows that the registry has it."""
    bench.twin.panel.change({"script": [PostFault.COMMIT_THEN_DROP]})
    worker = bench.again(checkpoint=At(CONNECTING, lambda: bench.twin.panel.change({"read_partial": 1.0})))
    worker.complete(kg=300)
    assert worker.settle().state is FiringState.NEEDS_PERSON
    worker.parts.person.resolve(KEY, Decision.ABANDONED, because="it never showed")
    bench.twin.panel.change({"read_partial": 0.0})

    report = bench.reconciler.run()

    assert not report.agrees
    assert bench.brakes_on() == {"freeze"}
    assert bench.firing().state is FiringState.ABANDONED


def test_a_supplement_without_a_link_holds(bench: Bench) -> None:
    """Without a link nobody knows what a supplement is paid with."""
    bench.complete(kg=300)
    bench.advance()
    bench.parts.person.supplement(KEY, 50, "short delivery")
    bench.stands.links[KEY] = None
    bench.advance()

    held = bench.firing(KEY, 1)

    assert (held.state, held.cause) == (FiringState.HELD, "link")


def test_a_batch_has_one_unresolved_firing_even_without_the_lock(bench: Bench) -> None:
    """The database itself refuses the second pin; whoever comes second chooses anew."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    freezing = bench.parts.service._freezing  # noqa: SLF001 - the lock is passed by on purpose
    freeze = freezing.freeze
    passed: list[FiringState] = []

    def late(*what: object) -> object:
        if not passed:
            passed.append(FiringState.ARMED)
            bench.clock.advance(1.0)
            other = bench.again(owner="other")
            other.parts.service._lock._name = "another lock"  # noqa: SLF001 - as above
            passed.append(other.advance(SECOND).state)
        return freeze(*what)  # type: ignore[arg-type]

    bench.complete(kg=300)
    bench.complete(SECOND, kg=300, order=OTHER_ORDER)
    freezing.freeze = late  # type: ignore[assignment,method-assign]
    waiting = bench.advance()

    assert passed[1] is FiringState.AMBIGUOUS
    assert (waiting.state, waiting.reason) == (
        FiringState.ARMED,
        "another unresolved firing has one of the batches",
    )
    assert bench.settle().state is FiringState.CONFIRMED


def test_the_first_reading_of_a_credit_order_must_be_whole(bench: Bench) -> None:
    """Its list is read once completely, so that old deliveries by hand are seen; half of it says nothing."""
    bench.twin.deliver_by_hand(100, 3, order=OTHER_ORDER)
    ledger = bench.parts.ledger
    ledger.read_whole_supplier()
    bench.twin.panel.change({"read_partial": 1.0})

    joined = ledger.refresh(OTHER_ORDER)

    assert not joined.agrees
    bench.twin.panel.change({"read_partial": 0.0})
    assert ledger.refresh(OTHER_ORDER).agrees


def test_a_firing_that_is_looked_at_by_two_is_created_once(bench: Bench) -> None:
    """The one who comes second finds it, or looks again."""
    begin = bench.parts.service._unsent._begin  # noqa: SLF001 - the moment before creating has no name
    other = bench.again(owner="other")

    def late(key: OrderKey) -> object:
        other.advance(key)
        return begin(key)

    bench.parts.service._unsent._begin = late  # type: ignore[assignment,method-assign]  # noqa: SLF001
    bench.complete(kg=300)

    firing = bench.advance()

    assert firing.state is FiringState.CONFIRMED
    assert bench.history()[0] == "planned"
    assert bench.twin.posts() == 1


def test_a_delivery_that_is_stamped_early_is_found_by_its_count(bench: Bench) -> None:
    """It lies below what is known, so the whole list is read as soon as the counts do not agree."""
    bench.twin.deliver_by_hand(100, 2, order=OTHER_ORDER)
    ledger = bench.parts.ledger
    ledger.read_whole_supplier()
    lines = (Line(batch_id=batch(3, 1).id, kg=50),)
    asked = DeliveryRequest(order_id=ORDER, notes="stamped early", lines=lines)
    early = bench.twin.registry.deliver(asked, stamped=bench.clock.now() - timedelta(days=1))
    bench.clock.advance(1.0)

    joined = ledger.refresh(ORDER)

    assert joined.agrees
    with bench.database.read() as connection:
        assert mirrored_on(connection, ORDER) == {early.id: 50}


def test_a_brake_keeps_the_reason_it_was_put_on_for(bench: Bench) -> None:
    """What came first explains the rest, and a freeze is told once."""
    brakes = bench.parts.brakes
    with bench.database.write() as connection:
        for reason in ("first", "second"):
            brakes.put_on(connection, PAUSE, reason)
            brakes.freeze(connection, reason)

    with bench.database.read() as connection:
        reasons = [switch.reason for switch in (brakes.on(connection, PAUSE), brakes.on(connection, FREEZE)) if switch]
        told = connection.execute(sa.select(events.c.data).where(events.c.type == EventType.CREDITS_FROZEN)).all()
    assert reasons == ["first", "first"]
    assert len(told) == 1


def test_without_credentials_what_is_proved_absent_waits(bench: Bench) -> None:
    """It says what it waits for, and goes on once they are there."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    bench.complete(kg=300)
    bench.settle()
    bench.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    waiting = bench.again(credentials=False).advance()

    assert (waiting.state, waiting.reason) == (
        FiringState.ABSENT,
        "it cannot be reconciled without registry credentials",
    )
    assert bench.settle().state is FiringState.CONFIRMED
