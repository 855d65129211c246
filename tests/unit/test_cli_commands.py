import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from tests.local_server import reply, serving
from tests.order_kit import ACCOUNT, CREDIT_ORDER, CUSTOMER, NOON
from worker.__main__ import guarded
from worker.cli.app import version_of
from worker.db.tables import accounts, coverage, events, links, set_aside, switches, tasks
from worker.events import OrderKey
from worker.states import TaskState

WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ACCOUNT_SETTINGS = {
    "LOGISTIC_CLOUD__BASE_URL": f"https://{ACCOUNT}/api/v1-beta",
    "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
}
LINKS = f"purchase_order,credit_order_id,credit_kg\nPO-1,{CREDIT_ORDER},5\n"


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


def test_a_listing_of_nothing_is_empty_and_makes_the_database(shell: Shell) -> None:
    """One-shot commands need no daemon and no credentials; the schema is made where it is missing."""
    for listing in (("deliveries", "list"), ("events", "list"), ("orders", "list"), ("credits", "list"), ("coverage",)):
        done = shell(*listing, "--json")

        assert (done.status, done.out, done.err) == (0, "", "")
    assert (shell.folder / ".waybill" / "waybill.db").exists()


def test_deliveries_are_listed_with_the_promised_keys(shell: Shell) -> None:
    """Scripts rely on the keys of the listing; it can be narrowed and cut."""
    with shell.store() as store:
        store.deliver(1)
        store.deliver(2, status="onHold")

    everything = shell("deliveries", "list", "--json").objects
    narrowed = shell("deliveries", "list", "--json", "--status", "onHold", "--account", ACCOUNT, "--limit", "1").objects

    assert everything[0] == {
        "account": ACCOUNT,
        "id": 1,
        "customer_id": CUSTOMER,
        "status": "completed",
        "status_inbound": "booked",
        "number": "D1",
        "number_external": None,
        "purchase_order": "PO-1",
        "updated_at": "2026-03-02T12:00:00Z",
        "visible": True,
    }
    assert [row["id"] for row in narrowed] == [2]


def test_orders_are_listed_and_explained(shell: Shell) -> None:
    """The listing says how each order stands; explain shows its link, deliveries and firings."""
    with shell.store() as store:
        store.deliver(1)
        store.link()
        store.look()
        store.fire("confirmed", store.contents())

    listed = shell("orders", "list", "--json").objects
    explained = shell("orders", "explain", "PO-1", "--json").objects[0]
    shown = shell("orders", "explain", "PO-1", "--ordinal", "0")

    assert set(listed[0]) == {
        "account",
        "customer_id",
        "purchase_order",
        "state",
        "reason",
        "deliveries",
        "completed",
        "credit_order_id",
    }
    assert explained["link"]["credit_order_id"] == CREDIT_ORDER
    assert explained["deliveries"][0]["id"] == 1
    assert explained["firings"][0]["credit_delivery_id"] == "dlv_1"
    assert explained["firings"][0]["counted_deliveries"][0]["delivery_id"] == 1
    assert "credit delivery id: dlv_1" in shown.out


def test_a_link_that_means_several_orders_is_explained(shell: Shell) -> None:
    """Explain says why the link does not count."""
    with shell.store() as store:
        store.deliver(1)
        store.deliver(2, customer_id=8)
        store.link()
        store.look()

    explained = shell("orders", "explain", "PO-1", "--customer", str(CUSTOMER), "--json").objects[0]

    assert "does not say" in explained["link"]["ambiguous"]


def test_an_ambiguous_purchase_order_names_the_candidates(shell: Shell) -> None:
    """Which of two orders is meant is for the caller to say."""
    with shell.store() as store:
        for customer in (CUSTOMER, 8):
            store.deliver(customer, customer_id=customer)
            store.look(store_key(customer))

    several = shell("orders", "explain", "PO-1")
    one = shell("orders", "explain", "PO-1", "--customer", "8", "--account", ACCOUNT)
    none = shell("orders", "explain", "PO-1", "--customer", "9")

    assert several.status == 2
    assert several.err == (
        "Several orders have the number 'PO-1'; add one of: "
        f"--account {ACCOUNT} --customer 7; --account {ACCOUNT} --customer 8.\n"
    )
    assert one.status == 0
    assert (none.status, none.err.startswith("There is no order 'PO-1' of that account and customer;")) == (2, True)


def store_key(customer: int) -> OrderKey:
    """The order PO-1 of a customer."""
    return OrderKey(ACCOUNT, customer, "PO-1")


def test_links_are_imported_and_taken_away(shell: Shell) -> None:
    """Importing twice changes nothing the second time; unlinking needs a link."""
    (shell.folder / "links.csv").write_text(LINKS)

    assert shell("orders", "import", "links.csv").out == "1 links added, 0 changed, 0 unchanged.\n"
    assert shell("orders", "import", "links.csv").out == "0 links added, 0 changed, 1 unchanged.\n"
    assert shell("orders", "unlink", "PO-1").out == f"PO-1 is no longer linked to {CREDIT_ORDER}.\n"
    assert shell("orders", "unlink", "PO-1").status == 2


def test_automatic_mode_wants_the_count_of_deliveries_in_a_link(shell: Shell) -> None:
    """The import knows the mode of the settings."""
    (shell.folder / "links.csv").write_text(LINKS)
    shell.set(
        CREDITS__MODE="automatic",
        CREDITS__MARKER_KEY="a-marker-key-of-the-tests",
        CREDITS__SINCE="2026-01-01",
        ISOMETRIC__ACCESS_TOKEN="token-of-the-tests",
        ISOMETRIC__CLIENT_SECRET="secret-of-the-tests",
    )
    done = shell("orders", "import", "links.csv")

    assert done.status == 2
    assert "expected_deliveries" in done.err


def test_events_are_listed_as_cloudevents_newest_last(shell: Shell) -> None:
    """A limit keeps the newest; subject, type and time narrow."""
    with shell.database() as database, database.write() as connection:
        for number in range(3):
            connection.execute(
                sa.insert(events).values(
                    id=f"evt_{number}",
                    source=f"/accounts/{ACCOUNT}",
                    subject=f"deliveries/{number}",
                    type="waybill.delivery.appeared",
                    sequence=1,
                    time=NOON,
                    recorded_at=NOON,
                    data={"number": number},
                )
            )

    newest = shell("events", "list", "--limit", "2", "--json").objects
    by_subject = shell("events", "list", "--subject", "deliveries/1", "--json").objects
    by_whole = shell("events", "list", "--subject", f"/accounts/{ACCOUNT}/deliveries/1", "--json").objects
    none = shell("events", "list", "--type", "waybill.order.completed", "--since", "2026-03-03", "--json").objects

    assert [event["id"] for event in newest] == ["evt_1", "evt_2"]
    assert by_subject == by_whole
    assert by_subject[0]["specversion"] == "1.0"
    assert none == []


def test_coverage_tells_holes_and_checks_for_them(shell: Shell) -> None:
    """`certified` names the proof; `--check` is for scripts and exits with 1 while there is a hole."""
    start = int(NOON.timestamp())
    with shell.database() as database, database.write() as connection:
        for since, state, proof in ((start, "certified", "pass"), (start + 10, "hole", None)):
            values = {"since": since, "until": since + 9, "state": state, "proof": proof}
            connection.execute(sa.insert(coverage).values(account=ACCOUNT, rows=4, requests=2, tries=0, **values))

    listed = shell("coverage", "list", "--json", "--account", ACCOUNT).objects
    holes = shell("coverage", "--json", "--state", "hole").objects

    assert [(row["since"], row["certified"]) for row in listed] == [
        ("2026-03-02T12:00:00Z", "pass"),
        ("2026-03-02T12:00:10Z", None),
    ]
    assert [row["state"] for row in holes] == ["hole"]
    assert shell("coverage", "--check").status == 1
    assert shell("coverage", "list", "--check").status == 1


def test_coverage_without_holes_passes_the_check(shell: Shell) -> None:
    """Nothing found is 0."""
    assert shell("coverage", "--check").status == 0


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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("enqueue", "poll"), "No logistic.cloud account with a key is configured; set WAYBILL_LOGISTIC_CLOUD"),
        (("enqueue", "mirror", "evt_1"), "No receiver is configured, so nothing can be mirrored; set"),
        (("enqueue", "reconcile"), "No registry credentials are configured; set WAYBILL_ISOMETRIC__ACCESS_TOKEN"),
        (("enqueue", "fire", "PO-9"), "There is no order 'PO-9'; `waybill orders list`"),
        (("enqueue", "backfill", "--since", "2026-03-02", "--until", "2026-03-01"), "--until 2026-03-01T00:00:00Z is"),
        (("webhook", "test"), "No receiver is configured; set WAYBILL_WEBHOOK__URL"),
        (("webhook", "enable"), "No receiver is configured; set WAYBILL_WEBHOOK__URL"),
        (("reconcile",), "Reconciling needs registry credentials: set"),
        (("reconcile", "close", "mis_1", "--because", "x"), "There is no open mismatch mis_1;"),
        (("credits", "plan", "PO-9"), "There is no order 'PO-9';"),
        (("credits", "dismiss", "dlv_1"), "dlv_1 is not in the mirrored ledger;"),
        (("orders", "import", "none.csv"), "none.csv cannot be read: No such file or directory."),
        (("run",), "There are no credentials: set WAYBILL_LOGISTIC_CLOUD__BASE_URL"),
        (("scheduler",), "`waybill scheduler` is for several processes: set WAYBILL_DATABASE_URL"),
        (("work",), "`waybill work` is for several processes: set WAYBILL_DATABASE_URL"),
        (("work", "--processes", "2"), "`waybill work` is for several processes: set WAYBILL_DATABASE_URL"),
        (("rehearse", "--faults", "nonsense"), "--faults: "),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_exit_2(
    shell: Shell, arguments: tuple[str, ...], sentence: str
) -> None:
    """The sentence names what is wrong and the remedy; nothing is printed besides."""
    done = shell(*arguments)

    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(sentence)
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("orders", "import"), "Missing argument 'FILE'"),
        (("orders", "list", "--state", "nonsense"), "'nonsense' is not one of 'open'"),
        (("deliveries", "list", "--limit", "0"), "Invalid value for '--limit'"),
        (("enqueue", "backfill", "--since", "soon", "--until", "2026-03-01"), "'soon' is not an instant"),
        (("credits", "resolve", "PO-1", "--because", "x", "--as", "gone"), "'gone' is not one of 'confirmed'"),
    ],
)
def test_a_command_line_that_does_not_fit_is_exit_2(shell: Shell, arguments: tuple[str, ...], complaint: str) -> None:
    """The library's own complaints have the same exit status, and nothing is made on disk."""
    done = shell(*arguments)

    assert done.status == 2
    assert complaint in done.err
    assert not (shell.folder / ".waybill").exists()


def test_an_account_that_is_not_configured_is_refused(shell: Shell) -> None:
    """A misspelt account is told with those there are."""
    shell.set(**ACCOUNT_SETTINGS)
    done = shell("enqueue", "poll", "--account", "other")

    assert done.status == 2
    assert done.err == f"--account: there is no account 'other' with a key; configured are: {ACCOUNT}.\n"


def test_a_settings_file_may_be_named_before_and_behind_the_command(shell: Shell) -> None:
    """`--config FILE` works everywhere; the one behind the command goes first."""
    (shell.folder / "one.toml").write_text('state_dir = "one"\n')
    (shell.folder / "two.toml").write_text('state_dir = "two"\n')

    assert shell("--config", "one.toml", "status").status == 0
    assert (shell.folder / "one" / "waybill.db").exists()
    assert shell("--config", "one.toml", "status", "--config", "two.toml").status == 0
    assert (shell.folder / "two" / "waybill.db").exists()
    assert shell("status", "--config", "none.toml").status == 2


def test_migrations_can_be_switched_off_and_done_by_hand(shell: Shell) -> None:
    """Without MIGRATE_AT_START a command names `db upgrade`, which then makes the schema."""
    shell.set(MIGRATE_AT_START="false")
    before = shell("deliveries", "list")
    upgraded = shell("db", "upgrade")

    assert before.status == 2
    assert before.err.rstrip().endswith("run `waybill db upgrade`.")
    assert upgraded.out.startswith("The database is at revision ")
    assert shell("deliveries", "list").status == 0


def test_a_state_directory_that_cannot_be_made_is_told(shell: Shell) -> None:
    """A file in the way of the folder is one sentence."""
    (shell.folder / ".waybill").write_text("in the way")
    done = shell("deliveries", "list")

    assert done.status == 2
    assert "cannot be made" in done.err


def test_status_is_one_object(shell: Shell) -> None:
    """The object that monitors read, and the same for people."""
    document = shell("status", "--json").objects[0]

    assert document["idle"] is True
    assert document["webhook"] == "no WAYBILL_WEBHOOK__URL is set: nothing is mirrored"
    assert "idle: yes" in shell("status").out


def test_firing_can_be_paused_and_resumed(shell: Shell) -> None:
    """The pause is a switch with its reason; `status` shows it."""
    assert shell("credits", "pause", "--because", "audit").out == "Firing is paused.\n"
    assert shell("status", "--json").objects[0]["off"] == {"pause": "audit"}
    assert shell("credits", "resume").out == "Firing goes on.\n"
    assert shell("status", "--json").objects[0]["off"] == {}


def test_a_frozen_installation_is_thawed_with_a_reason_only(shell: Shell) -> None:
    """After an anomaly somebody has to say why it may go on."""
    with shell.database() as database, database.write() as connection:
        connection.execute(sa.insert(switches).values(name="freeze", on=True, reason="two deliveries", changed_at=NOON))

    assert shell("credits", "resume").status == 2
    assert shell("credits", "resume", "--because", "looked at it").status == 0


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


def test_the_version_is_told(shell: Shell) -> None:
    """`--version` needs no settings."""
    done = shell("--version")

    assert done.status == 0
    assert done.out.startswith("waybill ")


def test_imported_links_are_what_the_file_says(shell: Shell) -> None:
    """The rows in the database are those of the file."""
    (shell.folder / "links.csv").write_text(LINKS)
    shell("orders", "import", "links.csv")

    with shell.database() as database, database.read() as connection:
        row = connection.execute(sa.select(links)).one()
    assert (row.purchase_order, row.credit_order_id, row.credit_kg) == ("PO-1", CREDIT_ORDER, 5)


def _raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_an_internal_error_is_one_sentence_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake of ours shows neither a traceback nor what the values were."""
    status = guarded(_raising(ValueError("secret-value")))
    told = capsys.readouterr().err

    assert status == 4
    assert told == "Internal error (ValueError); with WAYBILL_LOG__LEVEL=debug the log holds the details.\n"


def test_an_interrupted_command_is_exit_130() -> None:
    """As a shell reports what Ctrl-C ended."""
    assert guarded(_raising(KeyboardInterrupt())) == 130


@pytest.mark.parametrize(("code", "status"), [(None, 0), (1, 1), ("a text", 4)])
def test_an_exit_keeps_its_status(code: object, status: int) -> None:
    """Whatever ends the process decides its status."""
    assert guarded(_raising(SystemExit(code))) == status


def test_a_checkout_that_is_not_installed_has_no_version() -> None:
    """The command works without being installed; only its version is not known then."""
    assert version_of("a-package-that-nobody-has") == "(a checkout that is not installed)"


def test_explain_tells_records_that_did_not_parse(shell: Shell) -> None:
    """What blocks an order is in its explanation, and is gone once a person dropped it."""
    with shell.store() as store:
        store.deliver(1)
        store.put_aside()
        store.look()

    blocked = shell("orders", "explain", "PO-1", "--json").objects[0]
    shell("dead-letters", "drop", "rec_p1")
    dropped = shell("orders", "explain", "PO-1", "--json").objects[0]

    assert blocked["records_set_aside"][0]["reason"] == "The field id is missing."
    assert dropped["records_set_aside"] == []
