from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from tests.order_kit import ACCOUNT, CREDIT_ORDER, CUSTOMER, NOON
from worker.cli.app import version_of
from worker.cli.in_words import reading
from worker.db.tables import coverage, events, links, switches
from worker.events import OrderKey
from worker.runtime.status import AccountStatus

LINKS = f"purchase_order,credit_order_id,credit_kg\nPO-1,{CREDIT_ORDER},5\n"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in an empty folder."""
    return Shell(tmp_path, monkeypatch, capsys)


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

    assert shell("orders", "import", "links.csv").out == "1 link added, 0 changed, 0 unchanged.\n"
    assert shell("orders", "import", "links.csv").out == "0 links added, 0 changed, 1 unchanged.\n"
    assert shell("orders", "unlink", "PO-1").out == f"PO-1 is no longer linked to {CREDIT_ORDER}.\n"
    assert shell("orders", "unlink", "PO-1").status == 2


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


def test_status_is_one_object(shell: Shell) -> None:
    """The object that monitors read, and the same for people."""
    document = shell("status", "--json").objects[0]

    assert document["idle"] is True
    assert document["webhook"] == "no WAYBILL_WEBHOOK__URL is set: nothing is mirrored"
    assert "idle: yes" in shell("status").out


def test_status_tells_a_person_only_what_there_is(shell: Shell) -> None:
    """States that nothing is in would hide the one that matters."""
    empty = shell("status").out
    with shell.store() as store:
        store.deliver(1)
        store.look()
    told = shell("status").out.splitlines()

    assert "accounts: none was read yet: see WAYBILL_LOGISTIC_CLOUD__BASE_URL" in empty
    assert "orders: 1 unlinked" in told
    assert "firings: none" in told


def test_an_account_is_told_with_all_that_is_wrong_with_it() -> None:
    """How far behind, holes, what is still to be read, and why it stopped."""
    account = AccountStatus(
        account=ACCOUNT, certified_until=NOON, lag_seconds=12.4, holes=1, pending=2, stopped="its key was refused"
    )

    assert reading(account) == "12 s behind · 1 hole · 2 spans to read · stopped: its key was refused"


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
