"""Stories in which one guard of firing is all that stands between the registry and harm. Each plays to its end."""

from connectors.isometric import Isometric
from connectors.isometric_records import CreditBatch
from connectors.simulated.switches import PostFault
from tests.firing_kit import KEY, ORDER, TIMEOUT, Bench, batch
from tests.guard_kit import SECOND, Stage, die, dying
from worker.firing.person import Decision
from worker.firing.rows import FiringRow
from worker.firing.sending import ANSWERED, BEFORE_FREEZE, CONNECTING
from worker.states import OrderState


def a_process_dies_before_it_records_the_answer(stage: Stage) -> None:
    """The registry has it; its lists will show it in a minute; another process looks at the order at once."""
    stage.registry(list_lag_seconds=60.0, lag_covers_orders=True)
    worker = stage.worker(ANSWERED, die)
    worker.complete(kg=300)
    with dying():
        worker.advance()
    stage.clock.advance(16.0)
    stage.bench.settle()


def a_worker_wakes_before_connecting_after_others_sent_again(stage: Stage) -> None:
    """It slept past its deadline; absence was proved meanwhile, and the same bytes went out again."""
    stage.registry(used_batches_refused=False)

    def others_finish() -> None:
        stage.clock.advance(TIMEOUT + 1)
        stage.bench.again(resend_after_absence=True).settle()

    worker = stage.worker(CONNECTING, others_finish)
    worker.complete(kg=300)
    worker.advance()


def a_database_is_lost_after_its_delivery(stage: Stage) -> None:
    """The same order is complete again for an empty database."""
    stage.bench.complete(kg=300)
    stage.bench.advance()
    stage.empty.complete(kg=300)
    stage.empty.settle()


def a_delivery_shows_later_than_its_lost_answer(stage: Stage) -> None:
    """Everything at the registry shows it after four minutes."""
    _answer_lost_and_hidden(stage, 250.0)


def a_delivery_shows_between_two_readings(stage: Stage) -> None:
    """It is still hidden when the settle time is over."""
    _answer_lost_and_hidden(stage, 350.0)


def _answer_lost_and_hidden(stage: Stage, seconds: float) -> None:
    stage.registry(
        list_lag_seconds=seconds,
        lag_covers_orders=True,
        lag_covers_batches=True,
        used_batches_refused=False,
        script=[PostFault.COMMIT_THEN_DROP],
    )
    worker = stage.bench.again(resend_after_absence=True)
    worker.complete(kg=300)
    worker.settle()


def every_list_leaves_rows_out(stage: Stage) -> None:
    """The answer was lost; lists are cut short while they still count everything, and batches are old copies."""
    copies: dict[str, CreditBatch] = {}
    read = Isometric.batch

    def copied(registry: Isometric, batch_id: str) -> CreditBatch:
        if batch_id not in copies:
            copies[batch_id] = read(registry, batch_id)
        return copies[batch_id]

    stage.monkeypatch.setattr(Isometric, "batch", copied)
    stage.registry(script=[PostFault.COMMIT_THEN_DROP])
    worker = stage.worker(CONNECTING, lambda: stage.registry(read_partial=1.0))
    worker.complete(kg=300)
    worker.settle()


def a_person_is_wrong_about_a_lost_answer(stage: Stage) -> None:
    """Lists never added up, a person said absent; lists are a day old by then, and only the batches show the truth."""
    stage.registry(script=[PostFault.COMMIT_THEN_DROP])
    worker = stage.worker(CONNECTING, lambda: stage.registry(read_partial=1.0))
    worker.complete(kg=300)
    worker.settle()
    worker.parts.person.resolve(KEY, Decision.ABSENT, because="I see nothing on the registry's page")
    stage.registry(read_partial=0.0, list_lag_seconds=86_400.0, lag_covers_orders=True)
    worker.settle()


def two_orders_want_the_same_kilograms(stage: Stage) -> None:
    """One request is on its way when the other order is looked at; the registry would take both."""
    stage.registry(over_delivery_refused=False)
    worker = stage.worker(CONNECTING, lambda: stage.bench.advance(SECOND))
    _two_orders(worker)
    worker.settle()
    stage.bench.settle(SECOND, looks=3)


def two_workers_read_at_the_same_time(stage: Stage) -> None:
    """One has read and not yet frozen when the other comes; the registry would take both."""
    stage.registry(over_delivery_refused=False)
    worker = stage.worker(BEFORE_FREEZE, lambda: stage.bench.advance(SECOND))
    _two_orders(worker)
    worker.settle()
    stage.bench.settle(SECOND, looks=3)


def a_worker_sleeps_between_reading_and_freezing(stage: Stage) -> None:
    """It sleeps until its lease has run out and another worker has fired."""
    stage.registry(over_delivery_refused=False)

    def another_fires() -> None:
        stage.clock.advance(61.0)
        stage.bench.advance(SECOND)

    worker = stage.worker(BEFORE_FREEZE, another_fires)
    _two_orders(worker)
    worker.settle(looks=3)


def _two_orders(bench: Bench) -> None:
    """Together they want 1100 of the 1000 kilograms of one credit order, each from batches of its own."""
    bench.complete(kg=700, batches=(batch(1, 0).id, batch(2, 0).id))
    bench.complete(SECOND, kg=400, batches=(batch(3, 0).id,))


def somebody_delivers_while_the_readings_grow_old(stage: Stage) -> None:
    """A worker takes eleven seconds from its readings to the commit; by then the credit order is used up by hand."""
    stage.registry(over_delivery_refused=False)

    def by_hand() -> None:
        stage.clock.advance(11.0)
        stage.twin.deliver_by_hand(400, 3, notes="for somebody else")

    worker = stage.worker(BEFORE_FREEZE, by_hand)
    worker.complete(kg=700)
    worker.settle(looks=3)


def somebody_delivered_the_order_by_hand(stage: Stage) -> None:
    """Its notes say so in words and carry no marker."""
    stage.twin.deliver_by_hand(300, 3, order=ORDER, notes="for PO-1, by hand")
    stage.bench.complete(kg=300)
    stage.bench.settle(looks=3)


def an_order_reopens_between_reading_and_freezing(stage: Stage) -> None:
    """The readings said complete."""

    def reopen() -> None:
        for key in stage.bench.stands.states:
            stage.bench.stands.states[key] = OrderState.OPEN

    worker = stage.worker(BEFORE_FREEZE, reopen)
    worker.complete(kg=300)
    worker.settle(looks=3)


def the_registry_takes_less_than_it_was_asked(stage: Stage) -> None:
    """And says 200, with the kilograms that it took."""
    stage.registry(partial_acceptance=True)
    stage.bench.complete(kg=300)
    stage.bench.settle()


def a_process_dies_with_its_request_on_the_way(stage: Stage) -> None:
    """Nobody will ever record the answer."""
    worker = stage.worker(ANSWERED, die)
    worker.complete(kg=300)
    with dying():
        worker.advance()
    stage.clock.advance(61.0)
    stage.bench.settle()


def an_answer_is_recorded_while_its_request_is_found_overdue(stage: Stage) -> None:
    """Who found it had read the row before the answer came."""
    found: list[FiringRow] = []

    def find() -> None:
        stage.clock.advance(TIMEOUT + 1)
        found.append(stage.bench.firing())

    worker = stage.worker(ANSWERED, find)
    worker.complete(kg=300)
    worker.advance()
    stage.bench.parts.overdue.take_over(found[0])
    stage.bench.settle()


def a_gateway_repeats_the_request_and_tells_of_the_second_answer(stage: Stage) -> None:
    """The second one was refused because the first had taken the batches; lists show it after a minute."""
    stage.registry(list_lag_seconds=60.0, lag_covers_orders=True, script=[PostFault.GATEWAY_TWICE])
    stage.bench.complete(kg=300)
    stage.bench.settle()


def an_answer_is_lost(stage: Stage) -> None:
    """The registry has it, would take it again, and the connection broke."""
    stage.registry(used_batches_refused=False, script=[PostFault.COMMIT_THEN_DROP])
    stage.bench.complete(kg=300)
    stage.bench.settle()
