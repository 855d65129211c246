import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from tests.local_server import reply, serving
from tests.order_kit import ACCOUNT, CUSTOMER, NOON
from worker.db.tables import accounts, set_aside, switches, tasks
from worker.firing.binding import HOST, Bindings
from worker.states import TaskState

WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ACCOUNT_SETTINGS = {
    "LOGISTIC_CLOUD__BASE_URL": f"https://{ACCOUNT}/api/v1-beta",
    "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in an empty folder."""
    return Shell(tmp_path, monkeypatch, capsys)


def plant_dead_letters(shell: Shell) -> None:
    """A discarded task and a record that does not parse."""
    with shell.store() as store:
        store.put_aside(payload='{"id": "many"}', delivery_id=None)
        with store.database.write() as connection:
            connection.execute(
                sa.insert(tasks).values(
                    id="task-1",
                    kind="mirror",
                    subject="/accounts/acme|deliveries/1",
                    payload={},
                    state="discarded",
                    due_at=NOON,
                    attempts=10,
                    error="the receiver answered HTTP 500",
                    created_at=NOON,
                    ended_at=NOON,
                )
            )


def task_states(shell: Shell) -> dict[str, str]:
    """The state of every task by id."""
    with shell.database() as database, database.read() as connection:
        return {row.id: row.state for row in connection.execute(sa.select(tasks))}


def test_dead_letters_are_listed_tried_again_and_dropped(shell: Shell) -> None:
    """Discarded tasks and records set aside are one list; what still does not parse is told with exit 1."""
    plant_dead_letters(shell)
    listed = shell("dead-letters", "list", "--json").objects
    one = shell("dead-letters", "list", "--limit", "1", "--json").objects

    assert [(row["id"], row["kind"]) for row in listed] == [("task-1", "mirror"), ("rec_p1", "record")]
    assert len(one) == 1

    retried = shell("dead-letters", "retry")

    assert retried.status == 1
    assert retried.out.startswith("1 tasks wait again, 0 records parse now.\n")
    assert task_states(shell) == {"task-1": TaskState.WAITING}
    assert shell("dead-letters", "drop", "rec_p1").out == "1 dropped.\n"
    assert shell("dead-letters", "list", "--json").out == ""


def test_a_discarded_task_can_be_dropped(shell: Shell) -> None:
    """What a person drops is done for good."""
    plant_dead_letters(shell)

    assert shell("dead-letters", "drop", "task-1").status == 0
    assert task_states(shell) == {"task-1": TaskState.DONE}


def test_an_unknown_dead_letter_changes_nothing(shell: Shell) -> None:
    """One wrong id and nothing of the command is done."""
    plant_dead_letters(shell)
    done = shell("dead-letters", "drop", "task-1", "task-2")

    assert done.status == 2
    assert done.err.startswith("There is no dead letter task-2;")
    assert task_states(shell) == {"task-1": TaskState.DISCARDED}


def test_a_record_that_parses_now_becomes_a_delivery(shell: Shell) -> None:
    """After an upgrade that understands it, retrying a record takes it in and looks at its order."""
    record = {
        "id": 5,
        "customerId": CUSTOMER,
        "status": "completed",
        "statusInbound": "booked",
        "number": "D5",
        "numberPurchaseOrder": "PO-1",
        "updatedAt": "2026-03-02T12:00:00Z",
    }
    with shell.store() as store:
        store.put_aside(payload=json.dumps(record), delivery_id=5, account=ACCOUNT)
        plant_account(shell)

    done = shell("dead-letters", "retry", "rec_p1")

    assert (done.status, done.out) == (0, "0 tasks wait again, 1 records parse now.\n"), done.err
    assert [row["id"] for row in shell("deliveries", "list", "--json").objects] == [5]
    with shell.database() as database, database.read() as connection:
        assert connection.execute(sa.select(set_aside.c.closed_at)).scalar_one() is not None


def plant_account(shell: Shell) -> None:
    """The row of the account, as the first poll makes it."""
    with shell.database() as database, database.write() as connection:
        connection.execute(
            sa.insert(accounts).values(
                name=ACCOUNT, start=int(NOON.timestamp()), key_fingerprint="", lag_seconds=60.0, server_time=NOON
            )
        )


@pytest.mark.parametrize(
    "job", [("poll",), ("sweep", "--account", ACCOUNT), ("backfill", "--since", "2026-03-01", "--until", "2026-03-02")]
)
def test_a_job_about_accounts_is_a_task_of_which_the_id_is_printed(shell: Shell, job: tuple[str, ...]) -> None:
    """It is put on the queue without a daemon; the same job waiting already is not doubled."""
    shell.set(**ACCOUNT_SETTINGS)
    first, second = shell("enqueue", *job), shell("enqueue", *job)

    assert first.status == 0, first.err
    assert first.out == second.out
    assert task_states(shell) == {first.out.strip(): TaskState.WAITING}


def test_firing_by_hand_is_a_task_about_the_order(shell: Shell) -> None:
    """`enqueue fire` names the order by its number."""
    with shell.store() as store:
        store.deliver(1)
        store.look()
    done = shell("enqueue", "fire", "PO-1")

    assert done.status == 0, done.err
    assert task_states(shell)[done.out.strip()] == TaskState.WAITING


def test_events_can_be_mirrored_again_by_id_or_span(shell: Shell) -> None:
    """An event that is not in the log, or half a span, is a mistake."""
    shell.set(WEBHOOK__URL="https://example.com/hook", WEBHOOK__SECRET=WEBHOOK_SECRET)
    span = ("--since", "2026-03-01", "--until", "2026-03-02T12:00:00Z")

    assert shell("enqueue", "mirror", *span).status == 0
    assert shell("enqueue", "mirror", "evt_1").err.startswith("There is no event 'evt_1' in the log;")
    assert shell("enqueue", "mirror", "--since", "2026-03-01").err.startswith("Give the id of an event, or --since")
    assert shell("enqueue", "mirror", "evt_1", *span).status == 2


def test_an_account_that_is_not_configured_is_refused(shell: Shell) -> None:
    """A misspelt account is told with those there are."""
    shell.set(**ACCOUNT_SETTINGS)
    done = shell("enqueue", "poll", "--account", "other")

    assert done.status == 2
    assert done.err == f"--account: there is no account 'other' with a key; configured are: {ACCOUNT}.\n"


def test_a_ping_is_posted_signed(shell: Shell) -> None:
    """`webhook test` shows at once whether the receiver takes what we send."""
    with serving(reply(204)) as receiver:
        shell.set(WEBHOOK__URL=receiver.url, WEBHOOK__SECRET=WEBHOOK_SECRET)
        done = shell("webhook", "test")
        (seen,) = receiver.seen

    assert (done.status, done.out) == (0, "The receiver took the ping (HTTP 204).\n")
    assert json.loads(seen.body)["type"] == "waybill.webhook.ping"
    assert seen.headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(("status", "why"), [(500, "the receiver answered HTTP 500"), (410, "410 Gone")])
def test_a_ping_that_is_not_taken_is_exit_3(shell: Shell, status: int, why: str) -> None:
    """The remote system refuses: the sentence says how."""
    with serving(reply(status)) as receiver:
        shell.set(WEBHOOK__URL=receiver.url, WEBHOOK__SECRET=WEBHOOK_SECRET)
        done = shell("webhook", "test")

    assert (done.status, done.out) == (3, "")
    assert why in done.err


def test_the_receiver_can_be_switched_on_again(shell: Shell) -> None:
    """After a 410 events wait until a person enables the receiver."""
    shell.set(WEBHOOK__URL="https://example.com/hook", WEBHOOK__SECRET=WEBHOOK_SECRET)
    with shell.database() as database, database.write() as connection:
        connection.execute(sa.insert(switches).values(name="webhook", on=False, reason="410", changed_at=NOON))

    assert shell("status", "--json").objects[0]["off"] == {"webhook": "410"}
    assert shell("webhook", "enable").out == "The receiver is switched on.\n"
    assert shell("status", "--json").objects[0]["off"] == {}


def test_a_comparison_with_a_foreign_registry_is_refused_before_it_is_a_job(shell: Shell) -> None:
    """A database that belongs to another registry is the caller's mistake: exit 2, and nothing on the queue."""
    shell.set(**ACCOUNT_SETTINGS, ISOMETRIC__ACCESS_TOKEN="token-of-the-tests", ISOMETRIC__CLIENT_SECRET="secret")
    with shell.database() as database, database.write() as connection:
        Bindings(database).bind(connection, HOST, "api.isometric.com")

    done = shell("enqueue", "reconcile", "--wait")

    assert (done.status, task_states(shell)) == (2, {})
    assert "api.isometric.com" in done.err
