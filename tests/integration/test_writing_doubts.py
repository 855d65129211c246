"""Writing at the warehouse while something is in doubt: nothing is sent again before it is known."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from connectors.errors import Interrupted
from connectors.logistic_cloud import DeliveryAnswer
from tests.reading_kit import WarehouseSource
from tests.writing_kit import NEVER, Desk, ended, lost, no
from worker.checkpoints import nothing
from worker.db.tables import delivery_writes
from worker.errors import LostClaim
from worker.states import WriteAction, WriteState
from worker.work import Done, Later, Outcome
from worker.writing.moves import Moves
from worker.writing.service import FROZEN, MAX_SENDS


class FromCache(WarehouseSource):
    """A source behind a cache: what it tells of one delivery may have been overtaken."""

    def get_delivery(self, delivery_id: int) -> DeliveryAnswer:
        """With an age."""
        return replace(super().get_delivery(delivery_id), age=7)


def test_a_write_that_never_arrives_ends_with_a_person_who_may_try_again(quick_desk: Desk) -> None:
    """Three requests without a trace are no accident; a retried dead letter begins anew."""
    queued = quick_desk.create()
    quick_desk.script(*[NEVER] * MAX_SENDS)

    assert f"It was sent {MAX_SENDS} times" in no(quick_desk.work(queued))
    assert quick_desk.write(queued).state is WriteState.NEEDS_PERSON
    assert ended(quick_desk.work(queued)) == "done"
    assert len(quick_desk.rows(number="LS010328")) == 1


def test_a_delivery_that_somebody_else_changed_meanwhile_is_left_to_a_person(quick_desk: Desk) -> None:
    """A lost update is not sent over a change that it did not know."""
    known = quick_desk.draft("LS10")
    queued = quick_desk.ask(WriteAction.UPDATE, {"note": "ours"}, known)
    quick_desk.script(NEVER)
    service = quick_desk.service(nothing)
    waits = service.advance(queued.write, 1, quick_desk.close)
    quick_desk.bench.warehouse.change(known, lambda row: row.update(note="theirs"))
    quick_desk.clock.advance(120)

    assert isinstance(waits, Later)
    assert "was changed by somebody else meanwhile" in no(service.advance(queued.write, 1, quick_desk.close))
    assert quick_desk.rows(number="LS10")[0]["note"] == "theirs"


def test_an_update_overtaken_by_the_end_of_its_delivery_is_refused(quick_desk: Desk) -> None:
    """It did not arrive, and cannot be repeated any more."""
    known = quick_desk.draft("LS11")
    queued = quick_desk.ask(WriteAction.UPDATE, {"note": "ours"}, known)
    quick_desk.script(NEVER)
    service = quick_desk.service(nothing)
    service.advance(queued.write, 1, quick_desk.close)
    quick_desk.bench.warehouse.change(known, lambda row: row.update(status="completed"))
    quick_desk.clock.advance(120)

    assert "is completed: nothing about it can be changed" in no(service.advance(queued.write, 1, quick_desk.close))
    assert quick_desk.write(queued).state is WriteState.REFUSED


def test_the_settle_time_is_waited_for_before_absence_is_believed(quick_desk: Desk) -> None:
    """A source that shows things late is given its time: the lag in force."""
    queued = quick_desk.create()
    quick_desk.script(NEVER)
    service = quick_desk.service(nothing)
    outcome = service.advance(queued.write, 1, quick_desk.close)
    write = quick_desk.write(queued)

    assert isinstance(outcome, Later)
    assert not outcome.counted
    assert outcome.until == write.settled_at
    assert write.settled_at is not None
    assert write.deadline is not None
    assert (write.settled_at - write.deadline).total_seconds() == 60
    assert service.advance(queued.write, 1, quick_desk.close) == outcome
    assert len(quick_desk.calls) == 1


def test_a_process_that_was_held_up_sends_nothing_after_its_deadline(quick_desk: Desk) -> None:
    """Somebody else took its write up, sent it, and is done: the sleeper finds that out before it connects."""
    queued = quick_desk.create()
    others: list[Outcome] = []

    def sleep(name: str) -> None:
        if name == FROZEN and not others:
            others.append(Done())
            others[0] = quick_desk.work(queued)

    with pytest.raises(LostClaim):
        quick_desk.service(sleep).advance(queued.write, 1, quick_desk.close)

    assert ended(others[0]) == "done"
    assert quick_desk.effects == 1
    assert quick_desk.write(queued).state is WriteState.DONE


def test_a_process_that_was_held_up_alone_begins_again(quick_desk: Desk) -> None:
    """Provably nothing was sent, so there is nothing to wait for."""
    queued = quick_desk.create()

    def sleep(name: str) -> None:
        if name == FROZEN:
            quick_desk.clock.advance(3600)

    outcome = quick_desk.service(sleep).advance(queued.write, 1, quick_desk.close)

    assert isinstance(outcome, Later)
    assert quick_desk.calls == []
    assert (quick_desk.write(queued).state, quick_desk.write(queued).sends) == (WriteState.ASKED, 0)
    assert ended(quick_desk.work(queued)) == "done"


def test_a_no_counts_only_once_a_look_has_shown_that_nothing_is_there(quick_desk: Desk) -> None:
    """Where the look proves nothing, the settle time is waited for, and the source is asked again."""
    queued = quick_desk.create(lineItems=[{"articleId": 5, "quantity": 1}])

    def cache(name: str) -> None:
        if name == FROZEN:
            quick_desk.bench.warehouse.panel.change({"age_seconds": 5})

    outcome = quick_desk.service(cache).advance(queued.write, 1, quick_desk.close)
    waiting = quick_desk.write(queued).state
    quick_desk.bench.warehouse.panel.change({"age_seconds": 0})
    quick_desk.clock.advance(120)

    assert isinstance(outcome, Later)
    assert waiting is WriteState.UNKNOWN
    assert "HTTP 400" in no(quick_desk.service(nothing).advance(queued.write, 2, quick_desk.close))


def test_what_needs_a_person_is_not_sent_again_before_the_settle_time_even_when_retried(quick_desk: Desk) -> None:
    """A hasty retry waits, too."""
    queued = quick_desk.create()
    quick_desk.script(NEVER, NEVER)
    service = quick_desk.service(nothing)
    service.advance(queued.write, 1, quick_desk.close)
    with quick_desk.bench.database.write() as connection:
        connection.execute(sa.update(delivery_writes).values(state=WriteState.NEEDS_PERSON))
    outcome = service.advance(queued.write, 1, quick_desk.close)

    assert isinstance(outcome, Later)
    assert outcome.until == quick_desk.write(queued).settled_at
    assert len(quick_desk.calls) == 1


def test_an_answer_about_a_delivery_out_of_a_cache_changes_nothing(quick_desk: Desk) -> None:
    """What it says may have been overtaken."""
    known = quick_desk.draft("LS14")
    queued = quick_desk.ask(WriteAction.APPROVE, {}, known)
    quick_desk.bench.source = replace(quick_desk.bench.source, client=FromCache(quick_desk.bench.warehouse))
    outcome = quick_desk.service(nothing).advance(queued.write, 1, quick_desk.close)

    assert isinstance(outcome, Later)
    assert "came from a cache" in outcome.reason
    assert quick_desk.calls == []


def test_of_two_writes_about_one_subject_only_one_is_in_doubt(each_desk: Desk) -> None:
    """Two requests whose fate is unknown could not be told apart; the database would refuse it as well."""
    known = each_desk.draft("LS12")
    first = each_desk.ask(WriteAction.UPDATE, {"note": "first"}, known)
    each_desk.script(NEVER)
    each_desk.service(nothing).advance(first.write, 1, each_desk.close)
    second = each_desk.ask(WriteAction.APPROVE, {}, known)

    assert f"Write {first.write} about id {known} is still in doubt" in no(each_desk.work(second))
    with each_desk.bench.database.read() as connection:
        row = connection.execute(sa.select(delivery_writes).where(delivery_writes.c.id == first.write)).one()
    values = {**row._mapping, "id": "another", "number": row.number + 100}  # noqa: SLF001 - a row as a mapping
    with pytest.raises(sa.exc.IntegrityError), each_desk.bench.database.write() as connection:
        connection.execute(sa.insert(delivery_writes).values(values))


def test_a_reading_that_proves_nothing_sends_nothing(quick_desk: Desk) -> None:
    """An answer out of a cache, a filter that was not understood, a count that is off: look again later."""
    cached = quick_desk.create(number="A")
    quick_desk.bench.warehouse.panel.change({"age_seconds": 5})
    first = quick_desk.service(nothing).advance(cached.write, 1, quick_desk.close)
    quick_desk.bench.warehouse.panel.change({"age_seconds": 0})
    quick_desk.draft("B")
    quick_desk.bench.client.bend = lambda page: replace(page, records=({"id": 5, "number": "Z"},), total=1)
    unfiltered = quick_desk.service(nothing).advance(cached.write, 1, quick_desk.close)
    quick_desk.bench.client.bend = lambda page: replace(page, total=3)
    off = quick_desk.service(nothing).advance(cached.write, 1, quick_desk.close)

    for outcome, why in ((first, "from a cache"), (unfiltered, "not understood"), (off, "says that there are 3")):
        assert isinstance(outcome, Later)
        assert outcome.counted
        assert why in outcome.reason
    assert quick_desk.calls == []


def test_a_source_that_cannot_be_read_before_a_write_is_not_written_to(quick_desk: Desk) -> None:
    """The look comes first; without it nothing is sent."""
    queued = quick_desk.create()

    def fail(_number: int) -> None:
        raise lost()

    quick_desk.bench.client.before = fail
    with pytest.raises(Interrupted):
        quick_desk.service(nothing).advance(queued.write, 1, quick_desk.close)

    assert quick_desk.calls == []


def test_a_late_answer_to_a_request_that_was_repeated_changes_nothing(quick_desk: Desk) -> None:
    """A row moves on only from the number of sends that it was read with."""
    queued = quick_desk.create()
    quick_desk.script(NEVER, NEVER)
    service = quick_desk.service(nothing)
    service.advance(queued.write, 1, quick_desk.close)
    before = quick_desk.write(queued)
    quick_desk.clock.advance(120)
    service.advance(queued.write, 1, quick_desk.close)
    moves = Moves(database=quick_desk.bench.database, intents=quick_desk.intents)

    with pytest.raises(LostClaim):
        moves.done(before, 5, "created.")
    assert (before.sends, quick_desk.write(queued).sends) == (1, 2)
    assert quick_desk.write(queued).state is WriteState.UNKNOWN
