"""`waybill barmate`: preview, responses, resolve, agreement, as a person and as a script sees them."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.barmate_records import ResponseType
from tests.cli_kit import Shell
from tests.clocks import NOON
from tests.order_kit import NUMBER
from worker import kinds
from worker.db.tables import customer_orders, customer_responses, deliveries, tasks
from worker.responding import reply_rows
from worker.responding.words import Words
from worker.states import ResponseState

HOST, ACCOUNT = "barmate.example", "acme.example"
SETTINGS = {
    "LOGISTIC_CLOUD__BASE_URL": f"https://{ACCOUNT}/api/v1-beta",
    "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
    "BARMATE__BASE_URL": f"https://{HOST}/api",
    "BARMATE__TOKEN": "token-of-the-tests",
    "BARMATE__TIME_ZONE": "Europe/Zurich",
}
WORDS = Words(type=ResponseType.ACCEPT, reference="LS1")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in a folder with a customer order that was read, and an approved delivery for it."""
    shell = Shell(tmp_path, monkeypatch, capsys)
    shell.set(**SETTINGS)
    with shell.database() as database, database.write() as connection:
        connection.execute(sa.insert(customer_orders).values(_order()))
        connection.execute(sa.insert(deliveries).values(_delivery()))
    return shell


def _order() -> dict[str, object]:
    return {
        "host": HOST,
        "id": "77",
        "type": "DELIVERY",
        "status": "REQUESTED",
        "unknown": [],
        "company": "Mein Club",
        "requested_at": NOON,
        "scheduled": {"date": "2026-03-04", "time": None},
        "items": [],
        "responses": [],
        "content_hash": "h",
        "turn": 1,
        "visible": True,
        "joined": True,
        "first_seen_at": NOON,
        "changed_at": NOON,
        "read_at": NOON,
    }


def _delivery() -> dict[str, object]:
    return {
        "account": ACCOUNT,
        "id": 1,
        "customer_id": 1000050,
        "status": "approved",
        "status_inbound": "new",
        "number": "LS1",
        "number_external": "77",
        "purchase_order": None,
        "updated_at": NOON,
        "created_at": NOON,
        "raw": '{"date":"2026-03-04T09:30:00Z"}',
        "content_hash": "h",
        "turn": 1,
        "visible": True,
        "stamp_went_back": False,
        "unrecognised": [],
        "first_seen_at": NOON,
        "changed_at": NOON,
    }


def _doubt(shell: Shell) -> None:
    with shell.database() as database, database.write() as connection:
        reply_rows.insert(connection, WORDS, host=HOST, order_id="77", about=(ACCOUNT, 1), now=NOON)
        values = {
            "state": ResponseState.NEEDS_PERSON,
            "sends": 1,
            "deadline": NOON,
            "settled_at": NOON + timedelta(minutes=5),
            "reason": "no answer",
        }
        connection.execute(sa.update(customer_responses).values(values))


def test_a_preview_shows_what_would_be_said_and_that_it_is_off(shell: Shell) -> None:
    """The body as it would be sent, and nothing about people."""
    (row,) = shell("barmate", "preview", "--json").objects
    told = shell("barmate", "preview")

    assert (row["customer_order_id"], row["verdict"]) == ("77", "off")
    assert row["body"] == {"type": "ACCEPT", "reference": "LS1"}
    assert "Mein Club" not in told.out
    assert told.status == 0


def test_a_preview_says_send_once_it_is_on(shell: Shell) -> None:
    """The setting is all that is missing."""
    shell.set(BARMATE__RESPOND="true")
    (row,) = shell("barmate", "preview", "--json").objects

    assert row["verdict"] == "send"


def test_a_person_settles_a_doubt(shell: Shell) -> None:
    """It is kept with the reason, decided anew by the daemon, and counted by status."""
    _doubt(shell)
    shell.set(BARMATE__RESPOND="true")
    before = shell("status", "--json").objects[0]["responses"]
    done = shell("barmate", "resolve", "77", "--as", "absent", "--because", "not at barmate")
    (row,) = shell("barmate", "responses", "--json").objects
    with shell.database() as database, database.read() as connection:
        waiting = connection.execute(sa.select(tasks.c.subject).where(tasks.c.kind == kinds.RESPOND)).scalars().all()

    assert before["needs_person"] == 1
    assert done.status == 0, done.err
    assert (row["state"], row["reason"]) == ("superseded", "a person says absent: not at barmate")
    assert waiting == ["77"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("resolve", "78", "--as", "sent", "--because", "seen"), "No response to customer order 78 waits for a person"),
        (("resolve", "77", "--as", "sent", "--because", " "), "--because: say why"),
    ],
)
def test_what_nobody_asked_for_is_refused(shell: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    """One sentence with the remedy, and nothing changes."""
    done = shell("barmate", *arguments)

    assert done.status == 2
    assert sentence in done.err


def test_an_agreement_ends_with_what_it_found(shell: Shell) -> None:
    """0 where both sides agree as far as can be compared, 1 where not."""
    agreed = shell("barmate", "agreement", "--days", "100000", "--json")
    still = shell("barmate", "agreement", "--days", "0", "--json")

    assert (agreed.status, [row["kind"] for row in agreed.objects]) == (0, ["not_comparable"])
    assert (still.status, [row["kind"] for row in still.objects]) == (1, ["no_movement", "not_comparable"])


@pytest.mark.parametrize("command", ["preview", "responses", "agreement"])
def test_without_barmate_the_remedy_is_named(shell: Shell, command: str) -> None:
    """Nothing to show where it is not used."""
    shell.unset("BARMATE__BASE_URL", "BARMATE__TOKEN", "BARMATE__TIME_ZONE")
    done = shell("barmate", command)

    assert done.status == 2
    assert "WAYBILL_BARMATE__TOKEN" in done.err


def test_an_explanation_tells_what_the_customer_was_told(shell: Shell) -> None:
    """Beside the customer order that it was said to."""
    _doubt(shell)
    with shell.store() as store:
        store.deliver(7, number_external="77")
        store.look()
    told = shell("orders", "explain", NUMBER).out

    assert "our ACCEPT reference LS1: needs_person, no answer" in told
