"""`waybill dead-letters`: narrowed by what they are about and when; tried again in their order, or dropped."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from tests.order_kit import ACCOUNT, NOON
from tests.runtime_kit import Bench
from worker.db.tables import tasks
from worker.events import EventType
from worker.kinds import COMPLETION, MIRROR
from worker.states import TaskState


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in a folder with six events about three deliveries, mirror tasks given up a minute after each other."""
    shell = Shell(tmp_path, monkeypatch, capsys)
    with _bench(shell) as bench:
        bench.changes(6, deliveries=3)
        with bench.database.write() as connection:
            for place, identity in enumerate(bench.ids(MIRROR)):
                given_up = {"state": TaskState.DISCARDED, "attempts": 12, "error": "the receiver answered HTTP 500"}
                ended = NOON + timedelta(minutes=place)
                mirrored = sa.update(tasks).where(tasks.c.id == identity)
                connection.execute(mirrored.values(ended_at=ended, **given_up))
    return shell


@contextmanager
def _bench(shell: Shell) -> Iterator[Bench]:
    with shell.database() as database:
        yield Bench(database)


def _states(shell: Shell) -> list[str]:
    with _bench(shell) as bench:
        return [bench.task(identity).state for identity in bench.ids(MIRROR)]


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


SUBJECT = "deliveries/1"
SOURCE = "/accounts/acme.example"
SOME: tuple[tuple[tuple[str, ...], list[int]], ...] = (
    (("--kind", MIRROR), [0, 1, 2, 3, 4, 5]),
    (("--kind", COMPLETION), []),
    (("--subject", SUBJECT), [1, 4]),
    (("--subject", f"{SOURCE}/{SUBJECT}"), [1, 4]),
    (("--subject", f"{SOURCE}|{SUBJECT}"), [1, 4]),
    (("--subject", "deliveries/99"), []),
    (("--type", EventType.DELIVERY_APPEARED), [0, 1, 2, 3, 4, 5]),
    (("--type", EventType.DELIVERY_VANISHED), []),
    (("--since", _iso(NOON + timedelta(minutes=4))), [4, 5]),
    (("--until", _iso(NOON)), [0]),
    (("--since", _iso(NOON + timedelta(minutes=1)), "--until", _iso(NOON + timedelta(minutes=4))), [1, 2, 3, 4]),
    (("--since", _iso(NOON + timedelta(minutes=1)), "--subject", SUBJECT, "--kind", MIRROR), [1, 4]),
)


def test_they_are_listed_by_what_they_are_about_and_when_they_were_given_up(shell: Shell) -> None:
    """All conditions hold; both ends of a span are included."""
    with _bench(shell) as bench:
        ids = bench.ids(MIRROR)
    found = [[row["id"] for row in shell("dead-letters", "list", "--json", *options).objects] for options, _ in SOME]

    assert found == [[ids[place] for place in places] for _, places in SOME]


@pytest.mark.parametrize(("options", "places"), SOME[-4:])
def test_what_is_listed_is_what_is_tried_again(shell: Shell, options: tuple[str, ...], places: list[int]) -> None:
    """The same options mean the same dead letters everywhere."""
    retried = shell("dead-letters", "retry", *options)
    waiting = [place for place, state in enumerate(_states(shell)) if state == "waiting"]

    assert retried.out == f"{len(places)} tasks wait again, 0 records parse now.\n"
    assert waiting == places


def test_a_listing_says_what_each_is(shell: Shell) -> None:
    """Scripts rely on the keys."""
    first = shell("dead-letters", "list", "--json", "--limit", "1").objects[0]

    assert {key: first[key] for key in ("kind", "subject", "type", "since", "attempts", "reason")} == {
        "kind": "mirror",
        "subject": f"{SOURCE}|deliveries/0",
        "type": "waybill.delivery.appeared",
        "since": _iso(NOON),
        "attempts": 12,
        "reason": "the receiver answered HTTP 500",
    }


def test_dropped_ones_are_gone_for_good(shell: Shell) -> None:
    """By what fits; the others stay."""
    done = shell("dead-letters", "drop", "--subject", SUBJECT)

    assert (done.status, done.out) == (0, "2 dropped.\n")
    assert _states(shell) == ["discarded", "done", "discarded", "discarded", "done", "discarded"]


def test_all_are_tried_again_where_nothing_is_named(shell: Shell) -> None:
    """With fresh attempts."""
    shell("dead-letters", "retry")
    with _bench(shell) as bench:
        attempts = {bench.task(identity).attempts for identity in bench.ids(MIRROR)}

    assert _states(shell) == ["waiting"] * 6
    assert attempts == {0}


def test_records_have_a_kind_of_their_own(shell: Shell) -> None:
    """They are told apart from tasks, found by account and delivery, and have no event type."""
    with shell.store() as store:
        store.put_aside(delivery_id=7)

    def ids(*options: str) -> list[str]:
        return [row["id"] for row in shell("dead-letters", "list", "--json", *options).objects]

    assert ids("--kind", "record") == ["rec_p1"]
    assert ids("--subject", f"{ACCOUNT}/7") == ["rec_p1"]
    assert "rec_p1" not in ids("--type", EventType.DELIVERY_APPEARED)
    assert "rec_p1" not in ids("--kind", MIRROR)
    assert "rec_p1" not in ids("--since", _iso(NOON + timedelta(seconds=1)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("list", "--kind", "mirrors"), "--kind mirrors is not known; choose one of"),
        (("list", "--type", "delivery"), "--type delivery is not known; choose one of"),
        (("list", "--since", "2026-03-02", "--until", "2026-03-01"), "--since is after --until; swap them."),
        (("retry", "id1", "--kind", "mirror"), "Name ids or narrow by options, not both."),
        (("drop",), "Nothing says which dead letters to drop"),
        (("retry", "nobody"), "There is no dead letter nobody"),
    ],
)
def test_what_cannot_be_meant_is_told_and_changes_nothing(
    shell: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    """One sentence, exit 2."""
    done = shell("dead-letters", *arguments)

    assert done.status == 2
    assert sentence in done.err
    assert _states(shell) == ["discarded"] * 6
