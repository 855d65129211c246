"""Responses to customer orders: what is said, when, and that nothing is said twice."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.simulated.switches import PostFault
from tests.customer_kit import HOST, Killed
from tests.responding_kit import DENIED, NOT_SENT, QUIET, SETTLE, Desk
from worker.db.tables import coverage
from worker.errors import LostClaim, UsageError
from worker.responding.decision import Hold, Rest, Say, Wait
from worker.responding.person import Finding, resolve
from worker.responding.terms import SEND_SECONDS
from worker.responding.words import in_order
from worker.states import ResponseState

Make = Callable[..., Desk]
PATIENCE = 10.0
# Rounds in which two processes get in each other's way; what is left is done afterwards.
ROUNDS_AT_ONCE = 5


# Everything is tested on both databases; what depends on them most, in the short profile too.
_LATER = [pytest.param("postgresql", marks=pytest.mark.long)]
on_both = pytest.mark.parametrize("make", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(params=["sqlite", *_LATER])
def make(request: pytest.FixtureRequest, migrated_file: Path, tmp_path: Path) -> Iterator[Make]:
    """Make a desk with these options."""
    made: list[Desk] = []
    where = {"postgres_url": request.getfixturevalue("postgres_url")} if request.param == "postgresql" else {}

    def build(**options: Any) -> Desk:  # noqa: ANN401 - as in Desk
        made.append(Desk(migrated_file, tmp_path, **options, **where))
        return made[-1]

    yield build
    for one in made:
        one.database.close()


@pytest.fixture
def desk(make: Make) -> Desk:
    """A desk that says everything it may."""
    return make()


def test_an_approved_delivery_is_accepted_with_its_number(desk: Desk) -> None:
    """One ACCEPT, whose reference is the delivery's number; a day that was asked for is not told again."""
    key = desk.ask()
    desk.ship(key)
    desk.go(key)
    desk.go(key)

    assert desk.said(key) == [("ACCEPT", "LS1", None)]
    assert desk.emails(key) == 1
    assert desk.held(key).status == "ACCEPTED"


def test_another_day_than_the_one_asked_for_is_told(desk: Desk) -> None:
    """The day is the one where the goods go: 23:30 in UTC is tomorrow there."""
    key = desk.ask()
    desk.ship(key)
    desk.alter(raw='{"date":"2026-03-05T23:30:00Z"}')
    desk.go(key)

    assert desk.said(key) == [("ACCEPT", "LS1", "2026-03-06")]


@pytest.mark.parametrize("status", ["draft", "error", "unknown"])
def test_what_is_not_approved_is_not_accepted(desk: Desk, status: str) -> None:
    """A draft may still become anything."""
    key = desk.ask()
    desk.ship(key, status=status)
    desk.go(key)

    assert desk.said(key) == []


def test_nothing_is_said_unless_the_settings_say_so(make: Make) -> None:
    """Each response may send an e-mail; both settings are off until somebody switches them on."""
    desk = make(respond=False, respond_reject=False)
    accepted, rejected = desk.ask(), desk.ask()
    desk.ship(accepted)
    desk.ship(rejected, 2, status="cancelled")
    desk.rest()
    desk.go(accepted)
    desk.go(rejected)

    assert isinstance(desk.verdict(accepted), Say)
    assert isinstance(desk.verdict(rejected), Say)
    assert desk.post.posts == []
    assert desk.replies(accepted) == []


@on_both
def test_several_changes_are_one_update(desk: Desk) -> None:
    """The customer hears of the last one only, a quiet time after it."""
    key = desk.ask()
    desk.ship(key)
    desk.go(key)
    for date in ("2026-03-05", "2026-03-06", "2026-03-07"):
        desk.alter(date=date)
        desk.clock.advance(QUIET / 3)

        assert isinstance(desk.verdict(key), Wait)
    desk.alter(number="LS9")
    desk.go(key)

    assert desk.said(key) == [("ACCEPT", "LS1", None), ("UPDATE", "LS9", "2026-03-07")]
    assert desk.emails(key) == 2


def test_a_change_that_was_taken_back_is_told_to_nobody(desk: Desk) -> None:
    """What counts is what the customer was told last."""
    key = desk.ask()
    desk.ship(key)
    desk.go(key)
    desk.alter(date="2026-03-05")
    desk.alter(date="2026-03-04")
    desk.rest()
    desk.go(key)

    assert desk.emails(key) == 1


def test_a_day_that_comes_back_is_told_again(desk: Desk) -> None:
    """The same words are a new fact if others were told in between; a lost answer is found all the same."""
    key = desk.ask()
    desk.ship(key, date="2026-03-05")
    desk.go(key)
    for date in ("2026-03-06", "2026-03-05"):
        desk.alter(date=date)
        desk.rest()
        desk.post.script = [PostFault.COMMIT_THEN_DROP]
        desk.go(key)

    assert [day for _, _, day in desk.said(key)] == ["2026-03-05", "2026-03-06", "2026-03-05"]
    assert desk.states(key) == ["sent"] * 3


@pytest.mark.parametrize("shown", [True, False])
def test_an_update_listed_as_an_acceptance_is_found(desk: Desk, shown: bool) -> None:  # noqa: FBT001 - a parameter
    """The vendor's page on reading lists no UPDATE: it is found by what it says."""
    desk.twin.panel.change({"update_shown": shown})
    key = desk.ask()
    desk.ship(key)
    desk.go(key)
    desk.alter(date="2026-03-09")
    desk.rest()
    desk.post.script = [PostFault.COMMIT_THEN_HANG]
    desk.go(key)

    assert desk.states(key) == ["sent", "sent"]
    assert desk.emails(key) == 2


def test_all_deliveries_cancelled_and_quiet_is_a_rejection(desk: Desk) -> None:
    """Final for the customer, so it waits for the quiet time."""
    key = desk.ask()
    desk.ship(key)
    desk.go(key)
    desk.alter(status="cancelled")

    assert isinstance(desk.verdict(key), Wait)

    desk.go(key)
    desk.go(key)

    assert [type_ for type_, _, _ in desk.said(key)] == ["ACCEPT", "REJECT"]
    assert desk.emails(key) == 2


def test_a_delivery_in_place_of_a_cancelled_one_is_told_as_an_update(desk: Desk) -> None:
    """The customer's order goes on under another number."""
    key = desk.ask()
    desk.ship(key)
    desk.go(key)
    desk.alter(status="cancelled")
    desk.ship(key, 2)
    desk.rest()
    desk.go(key)

    assert desk.said(key) == [("ACCEPT", "LS1", None), ("UPDATE", "LS2", None)]


def test_nothing_is_rejected_whose_delivery_was_given_to_another_order(desk: Desk) -> None:
    """An older one that was cancelled long ago says nothing about the one that the customer was told of."""
    key = desk.ask()
    desk.ship(key, 1, status="cancelled")
    desk.ship(key, 2)
    desk.go(key)
    desk.rest()
    desk.alter(2, number_external="another order")
    desk.go(key)

    assert desk.said(key) == [("ACCEPT", "LS2", None)]
    assert isinstance(desk.verdict(key), Hold)


def test_responses_are_in_the_order_of_their_instants() -> None:
    """Of one second, the whole one is the oldest, though its text has no fraction."""
    stamps = ["2026-03-02T12:00:00.5Z", "2026-03-02T12:00:00Z", "2026-03-02T12:00:01Z"]
    ordered = [one["timestamp"] for one in in_order([{"timestamp": stamp} for stamp in stamps])]

    assert ordered == [stamps[1], stamps[0], stamps[2]]


def test_nothing_is_rejected_while_newer_deliveries_may_be_unread(desk: Desk) -> None:
    """A delivery that nobody has read yet may stand in for the cancelled one."""
    key = desk.ask()
    desk.ship(key, status="cancelled")
    desk.rest()
    desk.with_terms(accounts=(*desk.terms.accounts, "other.logistic.cloud"))
    desk.go(key)

    assert isinstance(desk.verdict(key), Wait)
    assert desk.post.posts == []


@on_both
def test_nothing_is_rejected_whose_delivery_is_read_while_one_decides(desk: Desk) -> None:
    """What was read up to a time is among what one looks at, though another process reads on meanwhile."""
    key = desk.ask()
    desk.ship(key, status="cancelled")
    _read_until(desk, desk.clock.now())
    desk.rest()

    def read_on() -> None:
        desk.ship(key, 2)
        _read_until(desk, desk.clock.now())

    others = iter([read_on])

    def meanwhile(*told: object) -> None:
        if "FROM deliveries" in str(told[2]):
            next(others, lambda: None)()

    assert isinstance(desk.verdict(key), Wait)
    sa.event.listen(desk.database.engine, "after_cursor_execute", meanwhile)
    assert not isinstance(desk.verdict(key), Say)
    assert next(others, None) is None


def _read_until(desk: Desk, moment: datetime) -> None:
    with desk.database.write() as connection:
        connection.execute(sa.update(coverage).values(until=int(moment.timestamp())))


def test_several_deliveries_for_one_customer_order_hold(desk: Desk) -> None:
    """It can have one reference only, and nobody can tell which."""
    key = desk.ask()
    desk.ship(key, 1)
    desk.ship(key, 2)
    desk.go(key)

    assert isinstance(desk.verdict(key), Hold)
    assert desk.said(key) == []


def test_what_somebody_else_accepted_is_left_alone(desk: Desk) -> None:
    """No second ACCEPT, no UPDATE of what others told, and no REJECT of an acceptance under a foreign reference."""
    key = desk.ask()
    desk.twin.respond(key, {"type": "ACCEPT", "reference": "BY-HAND"}, request_number=0)
    desk.settle()
    desk.ship(key)
    desk.go(key)

    assert isinstance(desk.verdict(key), Rest)

    desk.alter(status="cancelled")
    desk.rest()
    desk.go(key)

    assert isinstance(desk.verdict(key), Hold)
    assert desk.emails(key) == 1


@pytest.mark.parametrize("end", ["cancel", "receive"])
def test_nothing_is_said_after_the_end(desk: Desk, end: str) -> None:
    """Neither accepted nor rejected, also where it ended since it was read: the reading comes first."""
    accepted, rejected = desk.ask(), desk.ask()
    desk.ship(accepted)
    desk.ship(rejected, 2, status="cancelled")
    desk.rest()
    for key in (accepted, rejected):
        getattr(desk.twin, end)(key)
        desk.go(key)

    assert desk.post.posts == []


def test_a_return_is_not_answered(desk: Desk) -> None:
    """Goods to be picked up are no delivery of ours."""
    key = desk.ask(type="RETURN")
    desk.ship(key)
    desk.go(key)

    assert desk.post.posts == []


_LOST_AFTER = [PostFault.COMMIT_THEN_DROP, PostFault.COMMIT_THEN_500, PostFault.GATEWAY_TWICE, PostFault.COMMIT_LATE]
# A page that is not barmate's is no answer of barmate's, whatever its status.
_LOST_BEFORE = [
    PostFault.DROP_BEFORE_COMMIT,
    PostFault.THROTTLE_BEFORE_COMMIT,
    PostFault.REFUSE_BEFORE_COMMIT,
    PostFault.FOREIGN_404,
]


@pytest.mark.parametrize("fault", _LOST_AFTER)
@pytest.mark.parametrize("repeatable", [True, False])
def test_an_answer_lost_after_the_commit_is_found(desk: Desk, fault: PostFault, repeatable: bool) -> None:  # noqa: FBT001
    """The reading shows it: nothing is sent again, whatever barmate would make of a second ACCEPT."""
    desk.twin.panel.change({"repeated_accept_refused": repeatable})
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [fault]
    desk.go(key)

    assert desk.states(key) == ["sent"]
    assert len(desk.post.posts) == 1
    assert desk.held(key).status == "ACCEPTED"


def test_the_settle_time_begins_when_the_exchange_is_over(desk: Desk) -> None:
    """No byte leaves after the call has ended, so nothing is gained by waiting for its deadline first."""
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [PostFault.DROP_BEFORE_COMMIT]
    desk.service.advance(key)
    (reply,) = desk.replies(key)

    assert reply.settled_at == reply.changed_at + timedelta(seconds=SETTLE)


@pytest.mark.parametrize("fault", _LOST_BEFORE)
def test_what_barmate_does_not_show_is_a_persons(desk: Desk, fault: PostFault) -> None:
    """It might still take effect later: a second e-mail is worse than a person's look."""
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [fault]
    desk.go(key)
    desk.rest()
    desk.go(key)

    assert desk.states(key) == ["needs_person"]
    assert len(desk.post.posts) == 1
    assert f"waybill barmate resolve {key}" in desk.replies(key)[0].reason


@pytest.mark.parametrize("fault", _LOST_BEFORE)
def test_the_same_bytes_are_sent_again_where_the_operator_allows_it(make: Make, fault: PostFault) -> None:
    """After the settle time and several readings, and three times at most."""
    desk = make(resend=True)
    first, second = desk.ask(), desk.ask()
    desk.ship(first)
    desk.ship(second, 2)
    desk.post.script = [fault, PostFault.NONE, fault, fault, fault]
    desk.go(first)
    desk.go(second)

    assert desk.states(first) == ["sent"]
    assert desk.emails(first) == 1
    assert desk.states(second) == ["needs_person"]
    assert len(set(desk.post.posts)) == 2


def _cancelled(desk: Desk) -> str:
    """A customer order whose only delivery is cancelled for longer than the quiet time."""
    key = desk.ask()
    desk.ship(key, status="cancelled")
    desk.rest()
    return key


@pytest.mark.parametrize("fault", [PostFault.DROP_BEFORE_COMMIT, PostFault.FOREIGN_404])
def test_a_rejection_that_was_lost_is_sent_again_without_a_person(desk: Desk, fault: PostFault) -> None:
    """Of two of them barmate takes one, documented; after three that were lost a person looks."""
    first, second = _cancelled(desk), desk.ask()
    desk.ship(second, 2, status="cancelled")
    desk.rest()
    desk.post.script = [fault, PostFault.NONE, fault, fault, fault]
    desk.go(first)
    desk.go(second)

    assert (desk.states(first), desk.emails(first), desk.held(first).status) == (["sent"], 1, "REJECTED")
    assert (desk.states(second), desk.emails(second)) == (["needs_person"], 0)
    assert [key for key, _ in desk.post.posts] == [first] * 2 + [second] * 3


# Seconds after its request: before the first reading, while readings are made, and long after the repetition.
@pytest.mark.parametrize(
    ("late", "after"),
    [
        (5.0, PostFault.NONE),
        (SETTLE + 70.0, PostFault.NONE),
        (SETTLE + 70.0, PostFault.COMMIT_LATE),
        (86400.0, PostFault.NONE),
        (86400.0, PostFault.COMMIT_LATE),
        (86400.0, PostFault.COMMIT_THEN_DROP),
    ],
)
def test_a_rejection_is_told_once_however_late_it_takes_effect(desk: Desk, late: float, after: PostFault) -> None:
    """Whichever comes first, the other one is refused, and the reading shows what counts."""
    key = _cancelled(desk)
    desk.post.script = [PostFault.COMMIT_LATE, after]
    desk.post.late_seconds = late
    desk.go(key)
    desk.clock.advance(2 * late)
    desk.post.land()
    desk.settle()
    desk.go(key)

    assert desk.emails(key) == 1
    assert desk.states(key)[-1] == "sent"


def test_a_rejection_in_doubt_that_is_not_wanted_any_more_is_a_persons(desk: Desk) -> None:
    """Another delivery has come: whether it can still be accepted depends on what became of the rejection."""
    key = _cancelled(desk)
    desk.post.script = [PostFault.DROP_BEFORE_COMMIT]
    desk.service.advance(key)
    desk.ship(key, 2)
    desk.go(key)

    assert desk.states(key) == ["needs_person"]
    assert len(desk.post.posts) == 1


@pytest.mark.parametrize(("refused", "emails"), [(True, 1), (False, 2)])
def test_a_second_acceptance_is_safe_only_where_barmate_refuses_it(make: Make, *, refused: bool, emails: int) -> None:
    """That is why an ACCEPT is sent again only where the operator says so: nobody documents the switch."""
    desk = make(resend=True)
    desk.twin.panel.change({"repeated_accept_refused": refused})
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [PostFault.COMMIT_LATE]
    desk.post.late_seconds = 86400.0
    desk.go(key)
    desk.clock.advance(86400)
    desk.post.land()

    assert desk.emails(key) == emails


def test_a_second_update_is_never_refused(make: Make) -> None:
    """Whatever the switches: a late one and its repetition are two e-mails, so it too is the operator's word."""
    desk = make(resend=True)
    key = desk.ask()
    desk.ship(key)
    desk.go(key)
    desk.alter(number="LS9")
    desk.post.script = [PostFault.COMMIT_LATE]
    desk.post.late_seconds = 86400.0
    desk.go(key)
    desk.clock.advance(86400)
    desk.post.land()

    assert [type_ for type_, _, _ in desk.said(key)] == ["ACCEPT", "UPDATE", "UPDATE"]


@pytest.mark.parametrize(("refused", "number"), [(True, None), (False, None), (False, "LS9")])
def test_by_itself_neither_is_sent_twice_however_late_it_takes_effect(
    desk: Desk, *, refused: bool, number: str | None
) -> None:
    """A person is asked, and the first reading that shows it needs none any more."""
    desk.twin.panel.change({"repeated_accept_refused": refused})
    key = desk.ask()
    desk.ship(key)
    if number is not None:
        desk.go(key)
        desk.alter(number=number)
    desk.post.script = [PostFault.COMMIT_LATE]
    desk.post.late_seconds = 86400.0
    desk.go(key)
    told = desk.emails(key)
    asked = desk.states(key)[-1]
    desk.clock.advance(86400)
    desk.post.land()
    desk.settle()
    desk.go(key)

    assert asked == "needs_person"
    assert (desk.emails(key), desk.states(key)[-1]) == (told + 1, "sent")


def test_what_was_given_up_for_lost_and_shows_before_it_is_sent_again_is_found(make: Make) -> None:
    """Somebody else's reading shows it in the last moment: it is ours, and nothing is sent."""
    desk = make(resend=True)
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [PostFault.COMMIT_LATE]
    desk.post.late_seconds = 7200.0
    while desk.states(key) != ["wanted"]:
        desk.go(key, rounds=1)
    desk.clock.advance(7200)
    desk.post.land()
    desk.settle()
    desk.go(key)

    assert desk.states(key) == ["sent"]
    assert len(desk.post.posts) == desk.emails(key) == 1


def test_a_person_says_what_came_of_it(desk: Desk) -> None:
    """Sent: it is left at that. Absent: it is said again. Nobody is believed who was not asked."""
    sent, absent = desk.ask(), desk.ask()
    desk.ship(sent)
    desk.ship(absent, 2)
    desk.post.script = [PostFault.DROP_BEFORE_COMMIT, PostFault.DROP_BEFORE_COMMIT]
    desk.go(sent)
    desk.go(absent)
    resolve(desk.database, HOST, sent, Finding.SENT, "told by telephone")
    resolve(desk.database, HOST, absent, Finding.ABSENT, "not at barmate")
    desk.go(sent)
    desk.go(absent)

    assert desk.said(sent) == []
    assert desk.said(absent) == [("ACCEPT", "LS2", None)]
    with pytest.raises(UsageError, match="waits for a person"):
        resolve(desk.database, HOST, absent, Finding.ABSENT, "again")


def test_what_needed_a_person_is_found_when_it_shows_after_all(desk: Desk) -> None:
    """The next reading of the order settles it."""
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [PostFault.DROP_BEFORE_COMMIT]
    desk.go(key)
    desk.twin.respond(key, {"type": "ACCEPT", "reference": "LS1"}, request_number=0)
    desk.clock.advance(60)
    desk.settle()
    desk.go(key)

    assert desk.states(key) == ["sent"]


def test_a_refusal_is_believed_once_readings_agree_and_is_not_repeated(desk: Desk) -> None:
    """Something about the response itself: a person has to look."""
    key = desk.ask()
    desk.ship(key)
    desk.line.barmate.rewrite(key, {"status": "ACCEPTED"})
    desk.line.bend = lambda record: {**record, "status": "REQUESTED"}
    desk.go(key)
    desk.rest()
    desk.go(key)

    assert desk.states(key) == ["refused"]
    assert len(desk.post.posts) == 1
    assert isinstance(desk.verdict(key), Hold)


def test_a_refusal_because_the_customer_was_faster_ends_it(desk: Desk) -> None:
    """The state moved between the reading and the post: read again, decided anew."""
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [PostFault.NONE]
    respond = desk.twin.respond

    def cancelled_first(key: str, body: object, *, request_number: int) -> dict[str, Any]:
        desk.twin.respond = respond  # type: ignore[method-assign]
        desk.twin.cancel(key)
        return respond(key, body, request_number=request_number)

    desk.twin.respond = cancelled_first  # type: ignore[method-assign]
    desk.go(key)

    assert desk.states(key) == ["refused"]
    assert desk.emails(key) == 0


def test_a_token_that_is_not_accepted_stops_all_responses_for_a_while(desk: Desk) -> None:
    """One request in ten minutes tries it again; nothing is given up."""
    keys = [desk.ask() for _ in range(3)]
    for number, key in enumerate(keys, 1):
        desk.ship(key, number)
    desk.post.script = [DENIED, DENIED]
    for key in keys:
        desk.service.advance(key)

    assert len(desk.post.posts) == 1

    for key in keys:
        desk.go(key)

    assert [desk.emails(key) for key in keys] == [1, 1, 1]


def test_what_was_provably_not_sent_is_sent_later(desk: Desk) -> None:
    """No connection, no e-mail: nobody has to look."""
    key = desk.ask()
    desk.ship(key)
    desk.post.script = [NOT_SENT, NOT_SENT]
    desk.go(key)

    assert desk.states(key) == ["sent"]
    assert desk.replies(key)[0].sends == 1


def test_what_changed_while_waiting_for_a_turn_is_not_sent(desk: Desk) -> None:
    """The last word before connecting: it is decided once more."""
    key = desk.ask()
    desk.ship(key)
    desk.post.meanwhile = [lambda: desk.alter(status="cancelled")]
    outcome = desk.service.advance(key)

    assert desk.post.posts == []
    assert "changed" in getattr(outcome, "reason", "")

    desk.go(key)

    assert [type_ for type_, _, _ in desk.said(key)] == ["REJECT"]
    assert desk.states(key) == ["superseded", "sent"]


def test_what_waited_too_long_for_a_turn_is_not_sent(desk: Desk) -> None:
    """No byte leaves after the deadline: somebody else may have taken it up."""
    key = desk.ask()
    desk.ship(key)
    desk.post.meanwhile = [lambda: desk.clock.advance(60)]
    desk.service.advance(key)

    assert desk.post.posts == []

    desk.go(key)

    assert desk.emails(key) == 1


@on_both
def test_of_two_processes_one_sends(desk: Desk) -> None:
    """The slower one finds the row taken up just before it would connect."""
    key = desk.ask()
    desk.ship(key)
    desk.post.meanwhile = [lambda: desk.service.advance(key)]
    desk.service.advance(key)
    desk.go(key)

    assert desk.emails(key) == 1
    assert len(desk.post.posts) == 1
    assert desk.states(key) == ["sent"]


def _work(desk: Desk, keys: list[str], begin: threading.Barrier) -> None:
    """A process that goes through the orders again and again."""
    database = desk.another_database()
    service = desk.service_on(database)
    begin.wait(PATIENCE)
    for _ in range(ROUNDS_AT_ONCE):
        for key in keys:
            # As its task would: what somebody else moved meanwhile is looked at again.
            with contextlib.suppress(LostClaim):
                service.advance(key)
        desk.clock.advance(1.0)
    database.close()


@on_both
def test_two_processes_at_once_say_each_thing_once(desk: Desk) -> None:
    """Both go through the same orders; answers get lost after the commit."""
    keys = [desk.ask() for _ in range(4)]
    for number, key in enumerate(keys, 1):
        desk.ship(key, number)
    desk.post.script = [PostFault.NONE, PostFault.COMMIT_THEN_DROP] * 2
    begin = threading.Barrier(2)
    workers = [threading.Thread(target=_work, args=(desk, keys, begin)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(4 * PATIENCE)
    for key in keys:
        desk.go(key)

    assert [desk.emails(key) for key in keys] == [1, 1, 1, 1]
    # An intent of the slower one may have been made; its last word before connecting ended it.
    assert [[state for state in desk.states(key) if state != "superseded"] for key in keys] == [["sent"]] * 4
    assert len(desk.post.posts) == 4


@on_both
def test_what_a_killed_process_left_is_another_one_s_after_its_end(desk: Desk) -> None:
    """Until then the first one may still be sending: nobody reads, nobody sends."""
    key = desk.ask()
    desk.ship(key)
    desk.die_at = "responding: leaving"
    with pytest.raises(Killed):
        desk.go(key)
    desk.die_at = None
    desk.line.asked.clear()
    database = desk.another_database()
    other = desk.service_on(database)
    (left,) = desk.replies(key)

    early = other.advance(key)
    asked = list(desk.line.asked)
    desk.clock.advance(SEND_SECONDS)
    other.advance(key)
    (taken,) = desk.replies(key)
    database.close()

    assert left.state is ResponseState.SENDING
    assert (getattr(early, "until", None), asked) == (left.deadline, [])
    assert (taken.state, desk.line.asked) == (ResponseState.UNKNOWN, [key])
    assert len(desk.post.posts) == 0


_STEPS = [
    "responding: looked",
    "responding: frozen",
    "responding: leaving",
    "responding: sent",
    "responding: recorded",
    "customers: order read",
    "customers: order recorded",
]


@pytest.mark.parametrize("step", _STEPS)
@pytest.mark.parametrize("resend", [True, False])
def test_a_process_killed_at_any_step_says_it_once(make: Make, step: str, resend: bool) -> None:  # noqa: FBT001
    """Before the connection: sent afterwards. After it: found, or a person's where nobody can know."""
    desk = make(resend=resend)
    key = desk.ask()
    desk.ship(key)
    desk.die_at = step
    with pytest.raises(Killed):
        desk.go(key)
    desk.die_at = None
    desk.restart()
    desk.go(key)

    nobody_knows = step == "responding: leaving" and not resend
    assert desk.emails(key) == (0 if nobody_knows else 1)
    assert desk.states(key) == (["needs_person"] if nobody_knows else ["sent"])


@pytest.mark.parametrize("step", _STEPS)
def test_a_process_killed_at_any_step_rejects_once(desk: Desk, step: str) -> None:
    """It needs no person: what cannot be known is sent again, and taken once."""
    key = _cancelled(desk)
    desk.die_at = step
    with pytest.raises(Killed):
        desk.go(key)
    desk.die_at = None
    desk.restart()
    desk.go(key)

    assert (desk.emails(key), desk.states(key)) == (1, ["sent"])
