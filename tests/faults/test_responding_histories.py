"""Whatever happens at the warehouse, at barmate, on the wire and to the process: no customer hears one fact twice."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.switches import PostFault
from tests.customer_kit import Killed
from tests.databases import file_to_copy
from tests.responding_kit import DENIED, NOT_SENT, Desk, desk
from worker.db.tables import customer_responses
from worker.responding.decision import Say, Wait
from worker.states import ResponseState

FAULTS = (
    PostFault.NONE,
    PostFault.DROP_BEFORE_COMMIT,
    PostFault.REFUSE_BEFORE_COMMIT,
    PostFault.THROTTLE_BEFORE_COMMIT,
    PostFault.COMMIT_THEN_DROP,
    PostFault.COMMIT_THEN_500,
    PostFault.COMMIT_LATE,
    PostFault.GATEWAY_TWICE,
    DENIED,
    NOT_SENT,
)
STEPS = (
    "responding: looked",
    "responding: frozen",
    "responding: leaving",
    "responding: sent",
    "responding: recorded",
    "customers: order read",
    "customers: order recorded",
)
DATES = ("2026-03-04", "2026-03-05", "2026-03-06")
NUMBERS = ("LS1", "LS2", "LS3")

_deeds = st.one_of(
    st.tuples(st.just("date"), st.sampled_from(DATES)),
    st.tuples(st.just("number"), st.sampled_from(NUMBERS)),
    st.tuples(st.just("status"), st.sampled_from(("approved", "processing", "completed", "draft"))),
    st.tuples(st.just("cancelled"), st.just("")),
    st.tuples(st.just("replaced"), st.just("")),
    st.tuples(st.just("another"), st.just("")),
    st.tuples(st.just("visible"), st.booleans()),
    st.tuples(st.just("customer"), st.sampled_from(("cancel", "receive"))),
    st.tuples(st.just("by hand"), st.sampled_from(("ACCEPT", "UPDATE"))),
    st.tuples(st.just("look"), st.sampled_from((1, 3))),
    st.tuples(st.just("wait"), st.sampled_from((5, 200, 700))),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
    st.tuples(st.just("kill"), st.sampled_from(STEPS)),
)
_stories = st.tuples(
    st.lists(_deeds, max_size=14),
    st.fixed_dictionaries({"update_shown": st.booleans(), "repeated_accept_refused": st.booleans()}),
    st.booleans(),
)
Story = tuple[list[tuple[str, Any]], dict[str, bool], bool]


class Play:
    """One customer order and everything that happens about it."""

    def __init__(self, at: Desk) -> None:
        self.desk = at
        self.key = at.ask()
        self.by_hand = 0
        self._deliveries = 1
        at.ship(self.key)

    def act(self, deed: str, what: Any) -> None:  # noqa: ANN401 - as the deed has it
        """Let it happen."""
        self._acts()[deed](what)

    def end(self) -> None:
        """No more faults: everything comes to rest."""
        self.desk.post.script.clear()
        self.desk.die_at = None
        for _ in range(3):
            self.desk.rest()
            self.desk.settle()
            self.look(80)

    def look(self, rounds: int) -> None:
        """Our side has its turn; a process that dies is followed by another."""
        try:
            self.desk.go(self.key, rounds=rounds)
        except Killed:
            self.desk.die_at = None
            self.desk.restart()

    def _acts(self) -> dict[str, Callable[[Any], object]]:
        at = self.desk
        return {
            "date": lambda date: at.alter(self._deliveries, date=date),
            "number": lambda number: at.alter(self._deliveries, number=number),
            "status": lambda status: at.alter(self._deliveries, status=status),
            "cancelled": lambda _: at.alter(self._deliveries, status="cancelled"),
            "replaced": lambda _: self._replace(),
            "another": lambda _: self._another(),
            "visible": lambda visible: at.alter(self._deliveries, visible=visible),
            "customer": self._customer,
            "by hand": self._respond,
            "look": self.look,
            "wait": at.clock.advance,
            "fault": at.post.script.append,
            "kill": lambda step: setattr(at, "die_at", step),
        }

    def _replace(self) -> None:
        self.desk.alter(self._deliveries, status="cancelled")
        self._another()

    def _another(self) -> None:
        self._deliveries += 1
        self.desk.ship(self.key, self._deliveries)

    def _customer(self, deed: str) -> None:
        try:
            getattr(self.desk.twin, deed)(self.key)
        except RefusedError:
            return

    def _respond(self, type_: str) -> None:
        try:
            self.desk.twin.respond(self.key, {"type": type_, "reference": "BY-HAND"}, request_number=-1)
            self.by_hand += 1
        except RefusedError:
            return


def _check(play: Play, *, resend: bool) -> None:
    at, key = play.desk, play.key
    emails = [one for one in at.twin.truth()["emails"] if one["request_number"] >= 0]
    types = [one["type"] for one in emails]
    replies = at.replies(key)
    sent = [reply for reply in replies if reply.state is ResponseState.SENT]

    assert types.count("ACCEPT") <= 1
    assert types.count("REJECT") <= 1
    assert len(emails) <= len(replies), "an e-mail without an intent"
    assert len(emails) <= len(sent) + sum(reply.in_doubt for reply in replies)
    assert all(one.words != two.words for one, two in pairwise(sent)), "told twice"
    assert resend or all(reply.sends <= 1 for reply in replies if not reply.was_denied)
    _check_rest(play)


def _check_rest(play: Play) -> None:
    """In the end nothing is owed, but to a person."""
    at, key = play.desk, play.key
    replies = at.replies(key)
    assert not any(reply.state in {ResponseState.SENDING, ResponseState.UNKNOWN} for reply in replies)
    if not any(reply.is_open for reply in replies):
        assert not isinstance(at.verdict(key), Say | Wait)


def _play(file: Path, story: Story) -> None:
    deeds, switches, resend = story
    with TemporaryDirectory() as folder, desk(file, Path(folder), resend=resend) as at:
        at.twin.panel.change(switches)
        play = Play(at)
        for deed, what in deeds:
            play.act(deed, what)
        play.end()
        _check(play, resend=resend)


_LOOSE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=20, deadline=None, suppress_health_check=_LOOSE)
@given(story=_stories)
def test_no_history_tells_one_fact_twice(migrated_file: Path, story: Story) -> None:
    """Changes, faults, deaths, other people's hands: each e-mail has its intent, each fact one e-mail."""
    _play(migrated_file, story)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=400, deadline=None, suppress_health_check=_LOOSE)
@given(story=_stories)
def test_no_history_tells_one_fact_twice_however_long_it_is_looked_for(migrated_file: Path, story: Story) -> None:
    """The same, many more of them."""
    _play(migrated_file, story)


@pytest.fixture(scope="module")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    return file_to_copy(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def at(migrated_file: Path, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose barmate takes an ACCEPT as often as it comes, and that sends again what does not show."""
    with desk(migrated_file, tmp_path, resend=True) as made:
        made.twin.panel.change({"repeated_accept_refused": False})
        yield made


@pytest.mark.parametrize(("guarded", "emails"), [(True, 1), (False, 2)])
def test_without_the_reading_first_a_customer_hears_twice(at: Desk, guarded: bool, emails: int) -> None:  # noqa: FBT001
    """Somebody accepted it since it was read."""
    key = at.ask()
    at.ship(key)
    at.twin.respond(key, {"type": "ACCEPT", "reference": "BY-HAND"}, request_number=0)
    service = at.service
    if not guarded:
        service._read_order = lambda _key: None  # noqa: SLF001 - the guard that is taken out
    service.advance(key)

    assert at.emails(key) == emails


@pytest.mark.parametrize(("guarded", "emails"), [(True, 1), (False, 2)])
def test_without_the_intent_a_customer_hears_twice(at: Desk, guarded: bool, emails: int) -> None:  # noqa: FBT001
    """The process dies after sending, and barmate takes the response a little later."""
    key = at.ask()
    at.ship(key)
    at.post.script = [PostFault.COMMIT_LATE]
    at.die_at = "responding: sent"
    with pytest.raises(Killed):
        at.service.advance(key)
    at.die_at = None
    if not guarded:
        with at.database.write() as connection:
            connection.execute(sa.delete(customer_responses))
    at.go(key)
    at.rest()
    at.go(key)

    assert at.emails(key) == emails


@pytest.mark.parametrize(("guarded", "emails"), [(True, 1), (False, 2)])
def test_without_the_settle_time_a_customer_hears_twice(at: Desk, guarded: bool, emails: int) -> None:  # noqa: FBT001
    """What got lost takes effect a little after the answer was lost."""
    key = at.ask()
    at.ship(key)
    at.line.seconds = 0.1
    at.post.script = [PostFault.COMMIT_LATE]
    if not guarded:
        at.with_terms(settle=at.terms.settle * 0)
    at.service.advance(key)
    if not guarded:
        # Nor does the row wait for the end of its own time.
        with at.database.write() as connection:
            connection.execute(sa.update(customer_responses).values(settled_at=at.clock.now()))
    at.go(key)
    at.rest()
    at.go(key)

    assert at.emails(key) == emails


@pytest.mark.parametrize(("guarded", "emails"), [(True, 1), (False, 2)])
def test_sent_again_by_itself_a_customer_hears_twice(at: Desk, guarded: bool, emails: int) -> None:  # noqa: FBT001
    """What got lost takes effect hours later: why RESEND_AFTER_ABSENCE is off."""
    key = at.ask()
    at.ship(key)
    at.post.script = [PostFault.COMMIT_LATE]
    at.post.late_seconds = 7200.0
    at.with_terms(resend_after_absence=not guarded)
    at.go(key)
    at.clock.advance(7200)
    at.post.land()
    at.settle()
    at.go(key)

    assert at.emails(key) == emails
    assert at.states(key) == ["sent"]


@pytest.mark.parametrize(("guarded", "emails"), [(True, 0), (False, 1)])
def test_without_the_last_word_a_customer_hears_what_is_not_so(at: Desk, guarded: bool, emails: int) -> None:  # noqa: FBT001
    """The delivery was cancelled while its acceptance waited for a turn."""
    key = at.ask()
    at.ship(key)
    at.post.meanwhile = [lambda: at.alter(status="cancelled")]
    service = at.service
    if not guarded:
        service._moves.leave = lambda frozen: frozen  # type: ignore[method-assign]  # noqa: SLF001 - taken out
    service.advance(key)

    assert at.emails(key) == emails


def test_the_same_words_from_before_prove_nothing(at: Desk) -> None:
    """A response that got lost is not believed to be there because an older one says the same."""
    key = at.ask()
    at.ship(key, date="2026-03-05")
    at.go(key)
    for date in ("2026-03-06", "2026-03-05"):
        at.alter(date=date)
        at.rest()
        at.post.script = [PostFault.DROP_BEFORE_COMMIT]
        at.go(key)

    assert [day for _, _, day in at.said(key)] == ["2026-03-05", "2026-03-06", "2026-03-05"]
