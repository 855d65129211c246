"""`waybill doctor` about the listener: who can reach it, what guards it, and whether what it heard is read."""

from dataclasses import replace
from datetime import timedelta

import pytest

from settings import load
from tests.listener_kit import HOST
from worker.app.listening import Listening
from worker.checkpoints import nothing
from worker.clock import SystemClock
from worker.customers import hints
from worker.customers.hints import Hint
from worker.db import Database
from worker.doctor.finding import Finding, Level
from worker.doctor.listener import LONGEST_WAIT, ListenerCase, examine_listener

GOOD = ListenerCase(account=HOST, host="127.0.0.1", port=8471, secrets=(64,))


def found(case: ListenerCase | None, database: Database) -> list[tuple[Level, str]]:
    """Level and words of every finding."""
    return [(one.level, one.says) for one in _all(case, database)]


def _all(case: ListenerCase | None, database: Database) -> list[Finding]:
    return list(examine_listener(case, database))


def test_a_listener_on_this_machine_with_a_long_secret_is_well(sqlite_database: Database) -> None:
    """The proxy with TLS is beside it."""
    assert [level for level, _ in found(GOOD, sqlite_database)] == [Level.OK]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "waybill.example"])
def test_a_listener_that_others_can_reach_is_warned_of(sqlite_database: Database, host: str) -> None:
    """It speaks plain http: the secret would be read on the way."""
    ((level, says),) = found(replace(GOOD, host=host), sqlite_database)

    assert level is Level.WARNING
    assert says.startswith(f"the listener on {host} speaks plain http")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_has_many_names(sqlite_database: Database, host: str) -> None:
    """All of them stay on this machine."""
    assert [level for level, _ in found(replace(GOOD, host=host), sqlite_database)] == [Level.OK]


def test_a_secret_that_can_be_guessed_is_warned_of_without_being_shown(sqlite_database: Database) -> None:
    """By its length; it is never handed to the doctor."""
    (first, _second) = found(replace(GOOD, secrets=(64, 6)), sqlite_database)

    assert first == (Level.WARNING, "a secret of 6 characters guards them; it can be guessed")


def test_without_a_listener_the_note_says_what_that_means(sqlite_database: Database) -> None:
    """Nothing is wrong: polling sees everything, later."""
    ((level, _),) = found(replace(GOOD, host=None, port=None), sqlite_database)

    assert level is Level.NOTE
    assert found(None, sqlite_database) == []


def test_hints_that_nobody_reads_are_warned_of(sqlite_database: Database) -> None:
    """The web part hears, and nobody else runs."""
    with sqlite_database.write() as connection:
        now = sqlite_database.now(connection)
        for number, age in enumerate((LONGEST_WAIT + timedelta(minutes=1), timedelta(0))):
            hint = Hint(idempotency_key=f"k{number}", order_id="1", type="request-delivery")
            hints.add(connection, HOST, hint, now - age)
    (_ok, (level, says)) = found(GOOD, sqlite_database)

    assert level is Level.WARNING
    assert says.startswith("calls whose order nobody reads: 2, the oldest since ")


def test_what_the_settings_say_is_what_is_examined(sqlite_database: Database) -> None:
    """Lengths, never secrets."""
    given = {
        "BASE_URL": f"https://{HOST}/api",
        "TOKEN": "tok",
        "LISTEN_PORT": "8471",
        "WEBHOOK_HEADER": "X-Secret",
        "WEBHOOK_SECRET": "s" * 64,
    }
    settings = load(environ={f"WAYBILL_BARMATE__{name}": value for name, value in given.items()}).barmate
    listening = Listening(settings=settings, database=sqlite_database, clock=SystemClock(), checkpoint=nothing)

    assert listening.examined == GOOD
