"""Who we are at the registry, who may read and freeze there now, and which requests nobody answers for."""

import threading

import pytest

from connectors.errors import ConnectorError, Transient
from connectors.simulated.registry_model import Organisation, Supplier
from tests.firing_kit import KEY, TIMEOUT, Bench
from tests.guard_kit import At
from worker.errors import NotReady
from worker.firing.lock import AccountLock, Held
from worker.firing.policy import Mode
from worker.firing.sending import CONNECTING
from worker.leases import Lease, Leases
from worker.states import FiringState


def test_without_a_key_there_are_no_markers(bench: Bench) -> None:
    """The account is known and bound all the same: `plan` needs no key."""
    account = bench.again(marker_key=None, mode=Mode.PLAN).parts.account
    account.check_bindings()

    supplier = account.supplier()

    assert account.known_supplier_id() == supplier.id
    assert account.fingerprint is None
    assert account.marker_of(KEY, 0, supplier.id) is None
    assert account.marker_maker(supplier.id) is None


def test_without_a_key_every_delivery_at_the_registry_is_unclaimed(bench: Bench) -> None:
    """Nobody can say whose it is, even if it was ours."""
    bench.complete(kg=300)
    bench.advance()
    keyless = bench.again(marker_key=None, mode=Mode.PLAN)

    report = keyless.reconciler.run(supplier=True)

    assert [one["kg"] for one in bench.twin.happened()] == [300]
    assert report.agrees


def test_nobody_is_asked_without_credentials(bench: Bench) -> None:
    """To ask all the same is a mistake of ours, and says so."""
    account = bench.again(credentials=False).parts.account

    with pytest.raises(AssertionError, match="without credentials"):
        account.require()
    with pytest.raises(AssertionError, match="not known yet"):
        account.supplier_now()


def test_a_registry_that_was_just_asked_is_not_asked_again(bench: Bench) -> None:
    """While it does not let us in, it is knocked at three times a minute at most."""
    account = bench.parts.account

    assert [account.probe(), account.probe()] == [True, False]
    bench.clock.advance(20.0)
    assert account.probe()


def test_a_token_of_another_supplier_is_noticed_within_ten_minutes(bench: Bench) -> None:
    """The database belongs to the first one: nothing is sent for the other."""
    account = bench.parts.account
    account.supplier()
    other = Supplier(id="spl_1ZZZZZZZZSBXZZZZ", organisation=Organisation(id="org_1Z", name="Other", domain=None))
    bench.twin.registry.supplier = other

    assert account.supplier().id != other.id
    bench.clock.advance(601.0)
    with pytest.raises(NotReady, match="belongs to the supplier"):
        account.supplier()
    bench.complete()
    waiting = bench.advance()
    assert waiting.state is FiringState.ARMED
    assert "set the access token back" in waiting.reason
    assert bench.twin.posts() == 0


def test_threads_of_one_process_take_turns_at_the_account(bench: Bench) -> None:
    """Who waits too long does something else; who comes after the first gets in under a term of its own."""
    lock = _lock(bench, "thread")
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with lock.held() as held:
            assert held is not None
            inside.set()
            leave.wait(30.0)

    first = threading.Thread(target=stay)
    first.start()
    inside.wait(30.0)
    with lock.held() as second:
        assert second is None
    leave.set()
    first.join()

    with lock.held() as third:
        assert third is not None
        assert third.lease.term == 2


def test_the_account_is_given_back_whatever_happens_inside(bench: Bench) -> None:
    """An error while reading keeps nobody away."""
    lock, other = _lock(bench, "one"), _lock(bench, "other")
    failure = Transient("the registry", "read a credit order", "no")

    with pytest.raises(ConnectorError), lock.held():
        raise failure

    with other.held() as held:
        assert held is not None


def test_a_lease_that_ran_out_is_not_given_back_for_its_next_holder(bench: Bench) -> None:
    """Who slept through its lease takes nothing away from whoever has it now."""
    slow, quick = _lock(bench, "slow"), _lock(bench, "quick")
    with slow.held() as slept:
        assert slept is not None
        bench.clock.advance(61.0)
        assert not _holds(bench, slept)
        quick_lease = Leases(bench.database, holder="quick").acquire(slept.lease.name, 60.0)
    assert quick_lease is not None

    with quick.held() as held:
        assert held is not None
        assert held.lease.term == quick_lease.term
    assert _holds(bench, Held(Leases(bench.database, holder="quick"), quick_lease)) is False


def test_a_request_before_its_deadline_is_left_to_whoever_sent_it(bench: Bench) -> None:
    """Nobody takes over what may still be answered."""
    taken: list[int] = []
    worker = bench.again(checkpoint=At(CONNECTING, lambda: taken.append(bench.parts.overdue.run_once())))
    worker.complete(kg=300)

    firing = worker.advance()

    assert taken == [0]
    assert firing.state is FiringState.CONFIRMED


def test_a_request_that_is_answered_in_the_moment_it_is_taken_over_stays_answered(bench: Bench) -> None:
    """The answer was recorded between the look and the change."""
    found = []

    def look() -> None:
        bench.clock.advance(TIMEOUT + 1)
        found.append(bench.firing())

    worker = bench.again(checkpoint=At("firing: answered", look))
    worker.complete(kg=300)
    worker.advance()

    assert bench.parts.overdue.take_over(found[0]) is None
    assert bench.firing().state is FiringState.CONFIRMED


def _lock(bench: Bench, holder: str) -> AccountLock:
    return AccountLock(database=bench.database, name="registry:somewhere", identity=lambda: holder)


def _holds(bench: Bench, held: Held) -> bool:
    lease: Lease = held.lease
    with bench.database.write() as connection:
        return held.leases.holds(connection, lease)
