from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from tests.order_kit import ACCOUNT, NOON
from worker.db.tables import accounts, coverage
from worker.reading.accounts import find

START = int(NOON.timestamp())
SETTINGS = {
    "LOGISTIC_CLOUD__BASE_URL": f"https://{ACCOUNT}/api/v1-beta",
    "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in an empty folder."""
    return Shell(tmp_path, monkeypatch, capsys)


def plant(shell: Shell, *spans: Mapping[str, object], lag: float = 60.0) -> None:
    """An account whose coverage consists of these spans, one after the other, and a sweep that found two."""
    report = {"findings": [{"delivery_id": 3, "why": "late"}], "vanished": 1, "unread": []}
    account = {"name": ACCOUNT, "start": START, "key_fingerprint": "", "lag_seconds": lag}
    with shell.database() as database, database.write() as connection:
        connection.execute(sa.insert(accounts).values(**account, swept_at=NOON, sweep_report=report))
        since = START
        for span in spans:
            seconds = int(str(span["seconds"]))
            values = {"rows": 4, "requests": 2, "tries": 0, **span, "since": since, "until": since + seconds - 1}
            del values["seconds"]
            connection.execute(sa.insert(coverage).values(account=ACCOUNT, **values))
            since += seconds


CERTIFIED = {"seconds": 3600, "state": "certified", "proof": "one_answer+pass"}
HOLE = {
    "seconds": 10,
    "state": "hole",
    "reason": "The rows of one second kept moving.",
    "tries": 3,
    "retry_at": NOON + timedelta(hours=2),
}
PENDING = {"seconds": 86400, "state": "pending", "reason": "The API key was changed."}


def test_the_screen_says_what_was_proved_and_why_a_hole_is_one(shell: Shell) -> None:
    """Its length, how often it was tried, when it is tried again; the last line answers whether anything is missing."""
    plant(shell, CERTIFIED, HOLE, PENDING)
    lines = shell("coverage").out.splitlines()

    assert lines[0].split()[-1] == "why"
    assert "1 h" in lines[1]
    assert "one answer, pass" in lines[1]
    assert "Tried 3 times, again from 2026-03-02T14:00:00Z on. The rows of one second kept moving." in lines[2]
    assert "The API key was changed." in lines[3]
    assert lines[-1] == (
        f"{ACCOUNT}: without a gap until 2026-03-02T12:59:59Z; 1 hole of 10 s; "
        "tried again from 2026-03-02T14:00:00Z on; 1 span of 1 d to be read (lag 60 s)."
    )


def test_where_all_is_certified_there_is_nothing_to_explain(shell: Shell) -> None:
    """No column about trouble, and exit 0 of the check."""
    plant(shell, CERTIFIED)
    done = shell("coverage", "--check")

    assert done.status == 0
    assert done.out.splitlines()[0].split()[-1] == "requests"
    assert done.out.splitlines()[-1] == f"{ACCOUNT}: without a gap until 2026-03-02T12:59:59Z (lag 60 s)."


def test_the_keys_of_a_span_stay(shell: Shell) -> None:
    """Scripts rely on them."""
    plant(shell, CERTIFIED, HOLE)
    certified, hole = shell("coverage", "--json").objects

    assert list(certified)[:7] == ["account", "since", "until", "state", "certified", "rows", "requests"]
    assert (certified["seconds"], certified["certified"]) == (3600, "one_answer+pass")
    assert (hole["tries"], hole["retry_at"]) == (3, "2026-03-02T14:00:00Z")


def test_the_check_is_about_the_account_that_was_named(shell: Shell) -> None:
    """Another account's hole is not its own."""
    plant(shell, CERTIFIED, HOLE)

    assert shell("coverage", "--check", "--account", ACCOUNT).status == 1
    assert shell("coverage", "--check", "--account", "other").status == 0


def test_an_account_that_was_never_read_is_told(shell: Shell) -> None:
    """An empty table would say nothing."""
    assert shell("coverage").out.endswith(
        "Nothing was read yet: `waybill run` reads, `waybill doctor` says what it takes.\n"
    )


def test_the_lag_is_put_back_by_hand(shell: Shell) -> None:
    """To the setting, with what it was; an account that is not configured is a mistake."""
    plant(shell, CERTIFIED, lag=240.0)

    assert shell("coverage", "reset-lag").err.startswith("No logistic.cloud account is configured;")

    shell.set(**SETTINGS)
    done = shell("coverage", "reset-lag")
    with shell.database() as database, database.read() as connection:
        lag = find(connection, ACCOUNT).lag_seconds

    assert (done.status, done.out) == (0, f"{ACCOUNT}: the lag is 60 s again (it was 240 s).\n")
    assert lag == 60.0
    assert shell("coverage", "reset-lag").out == f"{ACCOUNT}: the lag is 60 s.\n"
    assert shell("coverage", "reset-lag", "--account", "other").status == 2


def test_the_last_sweep_is_in_the_status(shell: Shell) -> None:
    """Whoever looks in the morning sees what the night found."""
    plant(shell, CERTIFIED)
    (account,) = shell("status", "--json").objects[0]["accounts"]

    assert (account["swept_at"], account["sweep"]["vanished"]) == ("2026-03-02T12:00:00.000Z", 1)
    assert "swept 2026-03-02T12:00:00Z: 2 not seen by polling" in shell("status").out


@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        ("2026-03-02", "2026-03-01", "is before --since"),
        ("2999-01-01", "2999-01-02", "lies in the future"),
        ("0001-01-01", "2026-01-02", "is before 1970"),
        ("yesterday", "2026-01-02", "is not an instant"),
        ("2026-01-01T10:00", "2026-01-02", "names no time zone"),
    ],
)
def test_a_range_that_makes_no_sense_is_told_and_nothing_is_queued(
    shell: Shell, since: str, until: str, why: str
) -> None:
    """One sentence that names the option, exit 2."""
    shell.set(**SETTINGS)
    done = shell("enqueue", "backfill", "--since", since, "--until", until)

    assert done.status == 2
    assert why in " ".join(done.err.split())
    assert done.out == ""
