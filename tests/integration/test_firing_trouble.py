"""The registry does not let us in, fails, lags, or belongs to somebody else: firings wait with a reason and go on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from connectors.simulated.switches import PostFault
from tests.clocks import ManualClock
from tests.databases import migrated
from tests.firing_kit import Bench, Twin, order_key
from worker.errors import NotReady
from worker.firing.account import RegistryAccount
from worker.states import FiringState


def test_a_refused_credential_holds_and_goes_on_when_it_is_accepted_again(bench: Bench) -> None:
    """401 holds every firing; GET /supplier, tried every minute, lets them go on."""
    fits = bench.twin.server.credentials
    bench.twin.server.credentials = type(fits)(access_token="another", client_secret=fits.client_secret)
    bench.complete()
    second = order_key(2)
    bench.complete(second)

    first = bench.advance()
    held = bench.advance(second)
    # At once: what stood as armed for a minute would look as if it were about to be sent.
    bench.clock.advance(1)
    soon = bench.advance()

    assert first.state is FiringState.ARMED
    assert first.look_at is not None
    assert first.look_at <= bench.clock.now()
    assert "401" in first.reason
    assert (soon.state, soon.cause) == (FiringState.HELD, "credentials")
    assert (held.state, held.cause) == (FiringState.HELD, "credentials")
    bench.twin.server.credentials = fits
    assert bench.settle(second).state is FiringState.CONFIRMED
    assert bench.settle().state is FiringState.CONFIRMED


def test_a_foreign_answer_is_over_when_the_registry_answers_as_it_should(bench: Bench) -> None:
    """The firing that got it is reconciled; the others go on."""
    bench.twin.panel.change({"script": [PostFault.FOREIGN_404]})
    bench.complete(kg=300)
    second = order_key(2)
    bench.complete(second, kg=300)
    bench.advance()

    held = bench.advance(second)

    assert (held.state, held.cause) == (FiringState.HELD, "credentials")
    assert bench.settle(second).state is FiringState.CONFIRMED
    assert bench.settle().state is FiringState.NEEDS_PERSON


def test_failing_reads_only_delay(bench: Bench) -> None:
    """Nothing is sent on readings that failed, and nothing is given up."""
    bench.complete()
    bench.twin.panel.change({"read_error": 1.0})

    waiting = bench.advance()

    assert waiting.state is FiringState.ARMED
    assert "HTTP 500" in waiting.reason
    bench.twin.panel.change({"read_error": 0.0})
    assert bench.settle().state is FiringState.CONFIRMED


def test_a_list_that_lags_behind_the_order_delays_the_next_firing(bench: Bench) -> None:
    """While the ledger and the order's total do not agree nothing is sent."""
    bench.complete(kg=300)
    bench.advance()
    bench.twin.panel.change({"list_lag_seconds": 60.0})
    unseen = bench.twin.deliver_by_hand(100, 3)
    second = order_key(2)
    bench.complete(second, kg=100)

    waiting = bench.advance(second)

    assert waiting.state is FiringState.ARMED
    assert bench.twin.posts() == 1
    bench.clock.advance(61.0)
    held = bench.advance(second)
    assert (held.state, held.cause) == (FiringState.HELD, "unattributed")
    assert unseen in held.reason


def test_a_stale_list_does_not_prove_absence(bench: Bench) -> None:
    """The delivery is not on the list yet, but the order's total says that something is: the reading does not count."""
    bench.twin.panel.change({"list_lag_seconds": 500.0, "script": [PostFault.COMMIT_THEN_500]})
    bench.complete(kg=300)

    firing = bench.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert "incomplete" in {row.verdict for row in bench.readings()}
    assert bench.twin.posts() == 1


def test_lists_that_never_add_up_are_shown_to_a_person(bench: Bench) -> None:
    """An ambiguous firing never waits for ever."""
    bench.twin.panel.change({"list_lag_seconds": 1e9, "script": [PostFault.COMMIT_THEN_500]})
    bench.complete(kg=300)

    firing = bench.settle()

    assert firing.state is FiringState.NEEDS_PERSON
    assert "do not add up" in firing.reason


def test_an_unexplained_delivery_is_a_persons_affair(bench: Bench) -> None:
    """It came after the baseline, on our credit order, and nobody claims it: it may be ours without its notes."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    bench.complete(kg=300)
    bench.advance()
    unknown = bench.twin.deliver_by_hand(300, 3)

    firing = bench.settle()

    assert firing.state is FiringState.NEEDS_PERSON
    assert unknown in firing.reason


def test_more_delivered_than_ordered_freezes_everything(bench: Bench) -> None:
    """An invariant that does not hold stops all firing until a person has looked."""
    bench.twin.panel.change({"over_delivery_refused": False})
    for number, kg in ((1, 400), (2, 400), (3, 300)):
        bench.twin.deliver_by_hand(kg, number)
    bench.complete(kg=50)

    bench.advance()

    assert bench.brakes_on() == {"freeze"}
    assert bench.twin.posts() == 0
    assert bench.settle(looks=2).cause == "brake"


def test_a_database_of_another_registry_is_refused(bench: Bench) -> None:
    """Host and marker key are compared at start, without asking anybody."""
    bench.complete()
    bench.advance()
    registry = bench.parts.account.registry

    def account(host: str, key: str | None) -> RegistryAccount:
        return RegistryAccount(database=bench.database, registry=registry, host=host, marker_key=key, clock=bench.clock)

    bench.parts.account.check_bindings()
    with pytest.raises(NotReady, match="ISOMETRIC__BASE_URL"):
        account("api.isometric.com", None).check_bindings()
    with pytest.raises(NotReady, match="CREDITS__MARKER_KEY"):
        account("127.0.0.1", "another key of the operator").check_bindings()


def test_a_registry_that_the_database_does_not_belong_to_is_not_even_asked(bench: Bench) -> None:
    """Our credentials are nothing for it: the refusal comes although nobody would answer there."""
    bench.complete()
    bench.advance()
    bench.twin.server.stop()
    registry = bench.parts.account.registry
    other = RegistryAccount(
        database=bench.database, registry=registry, host="api.isometric.com", marker_key=None, clock=bench.clock
    )

    with pytest.raises(NotReady, match="ISOMETRIC__BASE_URL"):
        other.supplier()


@pytest.fixture
def postgres_bench(migrated_postgres_url: str, clock: ManualClock, twin: Twin) -> Iterator[Bench]:
    """Firing on PostgreSQL."""
    with migrated(migrated_postgres_url, clock) as database, closing(Bench(database, clock, twin)) as bench:
        yield bench


def test_two_workers_given_the_same_orders_send_each_once(postgres_bench: Bench) -> None:
    """On PostgreSQL, whoever is second finds the firing taken."""
    keys = [order_key(number) for number in range(1, 11)]
    other = postgres_bench.again()
    for key in keys:
        postgres_bench.complete(key, kg=50)

    work = [(one, key) for key in keys for one in (postgres_bench, other)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: one[0].advance(one[1]), work))
    for key in keys:
        postgres_bench.settle(key)

    assert [postgres_bench.firing(key).state for key in keys] == [FiringState.CONFIRMED] * 10
    notes = [one["notes"] for one in postgres_bench.twin.happened()]
    assert len(notes) == len(set(notes)) == 10
