"""`waybill deliveries create`, `update`, `approve`, `writes`: beside a daemon, without one, killed in the middle."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from connectors.simulated.warehouse_query import parse_filter
from connectors.simulated.warehouse_server import WarehouseServer
from tests.cli_kit import Done, Shell, command_line, plain_environment, prefixed, run_to_end, waybill
from tests.local_server import closed_port
from tests.runtime_kit import eventually
from tests.warehouse_kit import KEY, served_warehouse
from tests.writing_kit import NEW
from worker.checkpoints import KILL_AT
from worker.db.tables import tasks
from worker.writing.service import SENT

SIGKILLED = -9


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in an empty folder."""
    return Shell(tmp_path, monkeypatch, capsys)


@pytest.fixture
def twin(shell: Shell) -> Iterator[WarehouseServer]:
    """The warehouse's twin, set up as the only account."""
    with served_warehouse({KEY: ("Delivery.Write",), "reader": ("Delivery.Read",)}) as server:
        shell.set(**_settings(server))
        yield server


def _settings(server: WarehouseServer) -> dict[str, str]:
    return {
        "LOGISTIC_CLOUD__BASE_URL": server.url,
        "LOGISTIC_CLOUD__API_KEY": KEY,
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "1000",
        "LOGISTIC_CLOUD__LAG_SECONDS": "1",
    }


def _file(shell: Shell, content: object) -> str:
    (shell.folder / "file.json").write_text(json.dumps(content), encoding="utf-8")
    return "file.json"


def _rows(twin: WarehouseServer) -> list[dict[str, Any]]:
    return [orjson.loads(body) for body in twin.warehouse.find(parse_filter([("pageSize", "250")])).bodies]


def _lines(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_draft_is_created_changed_and_approved_by_hand(shell: Shell, twin: WarehouseServer) -> None:
    """Each command tells what came of it, and what we hold shows it at once."""
    created = shell("deliveries", "create", _file(shell, NEW), "--json")
    known = str(_lines(created)[0]["delivery_id"])
    updated = shell("deliveries", "update", known, _file(shell, {"note": "Mind the step."}))
    approved = shell("deliveries", "approve", known)
    again = shell("deliveries", "approve", known)

    assert [done.status for done in (created, updated, approved, again)] == [0, 0, 0, 0], created.err + updated.err
    assert updated.out == f"update id {known} (delivery {known}): done: updated.\n"
    assert again.out == f"approve id {known} (delivery {known}): done: already so; nothing was sent.\n"
    (row,) = _rows(twin)
    assert (row["status"], row["note"], row["number"]) == ("approved", "Mind the step.", "LS010328")
    (held,) = shell("deliveries", "list", "--json").objects
    assert (held["id"], held["status"]) == (row["id"], "approved")
    told = [(one["action"], one["state"], one["sends"]) for one in shell("deliveries", "writes", "--json").objects]
    assert told == [("create", "done", 1), ("update", "done", 1), ("approve", "done", 1), ("approve", "done", 0)]


def test_a_list_goes_on_after_one_that_is_refused(shell: Shell, twin: WarehouseServer) -> None:
    """Each is told as it ends; one that cannot be created is exit 3 and a dead letter, and holds up no other."""
    wrong = [{"articleId": 1, "quantity": 1}]
    content = [{**NEW, "number": "A"}, {**NEW, "number": "B", "lineItems": wrong}, {**NEW, "number": "C"}]
    done = shell("deliveries", "create", _file(shell, content))

    assert done.status == 3
    assert [line.split(":")[0].partition(" (")[0] for line in done.out.splitlines()] == [
        "1/3 create number A",
        "2/3 create number B",
        "3/3 create number C",
    ]
    assert "lineItems[0].articleId: The article does not exist" in done.err
    assert len(done.err.splitlines()) == 1
    assert [row["number"] for row in _rows(twin)] == ["A", "C"]
    assert len(shell("dead-letters", "list", "--json").objects) == 1


def test_a_mistake_in_the_file_sends_nothing(shell: Shell, twin: WarehouseServer) -> None:
    """Exit 2, with the field named."""
    done = shell("deliveries", "create", _file(shell, {**NEW, "lineItems": [{"articleId": 1, "quantity": "5"}]}))

    assert done.status == 2
    assert done.err == "Nothing of file.json was sent: lineItems[0].quantity must be a whole number.\n"
    assert twin.posts.truth() == []


def test_a_dry_run_shows_the_call_and_sends_nothing(shell: Shell, twin: WarehouseServer) -> None:
    """The exact body, or why nothing would be sent; exit 1 where it could not be done."""
    twin.warehouse.put(7, {"id": 7, **NEW, "status": "approved", "statusInbound": "new", "number": "HELD"})
    create = shell("deliveries", "create", _file(shell, NEW), "--dry-run", "--json")
    update = shell("deliveries", "update", "7", _file(shell, {"lineItems": []}), "--dry-run", "--json")
    approve = shell("deliveries", "approve", "7", "--dry-run", "--json")
    head = shell("deliveries", "update", "7", _file(shell, {"note": "later"}), "--dry-run", "--json")

    assert [done.status for done in (create, update, approve, head)] == [0, 1, 0, 0], create.err
    assert (_lines(head)[0]["request"], _lines(head)[0]["body"]["note"]) == ("PUT /deliveries/7", "later")
    assert _lines(head)[0]["body"]["lineItems"] is None
    assert (_lines(create)[0]["request"], _lines(create)[0]["body"]) == ("POST /deliveries", NEW)
    assert "line items can be changed in a draft only" in _lines(update)[0]["reason"]
    assert _lines(approve)[0]["verdict"] == "there"
    assert twin.posts.truth() == []
    assert shell("deliveries", "writes", "--json").out == ""


def test_what_the_source_shows_otherwise_is_exit_1(shell: Shell, twin: WarehouseServer) -> None:
    """A gateway that sends twice, and a source that takes a number twice: somebody has to know."""
    twin.panel.change({"script": ["gateway_twice"]})
    done = shell("deliveries", "create", _file(shell, NEW))

    assert done.status == 1
    assert "2 deliveries have the number" in done.out
    assert len(_rows(twin)) == 2


def test_a_key_that_may_only_read_is_exit_3_with_the_remedy(shell: Shell, twin: WarehouseServer) -> None:
    """The scope is named."""
    shell.set(LOGISTIC_CLOUD__API_KEY="reader")
    done = shell("deliveries", "create", _file(shell, NEW))

    assert done.status == 3
    assert "This needs an API key with Delivery.Write." in done.err
    assert _rows(twin) == []


def test_an_unreachable_source_is_exit_3_and_the_rest_stays_on_the_queue(shell: Shell) -> None:
    """Nothing was sent; nothing is lost, and asking again goes on with the same intents."""
    shell.set(LOGISTIC_CLOUD__BASE_URL=f"http://127.0.0.1:{closed_port()}/api", LOGISTIC_CLOUD__API_KEY=KEY)
    shell.set(LOGISTIC_CLOUD__REQUESTS_PER_SECOND="1000")
    content = _file(shell, [{**NEW, "number": "A"}, {**NEW, "number": "B"}])
    done = shell("deliveries", "create", content)
    shell("deliveries", "create", content, "--no-wait")

    assert done.status == 3
    assert "stays on the queue and is tried again. 1 more are on the queue" in done.err
    assert [one["state"] for one in shell("deliveries", "writes", "--json").objects] == ["asked", "asked"]


def test_the_account_must_be_known(shell: Shell) -> None:
    """Without a key, with a wrong name, or with several accounts, one sentence says what to do."""
    file = _file(shell, NEW)
    none = shell("deliveries", "approve", "5")
    shell.set(LOGISTIC_CLOUD__BASE_URL="https://a.logistic.cloud/api/v1-beta", LOGISTIC_CLOUD__API_KEY=KEY)
    wrong = shell("deliveries", "create", file, "--account", "b.logistic.cloud")
    shell.unset("LOGISTIC_CLOUD__BASE_URL", "LOGISTIC_CLOUD__API_KEY")
    tables = [f'[[accounts]]\nbase_url = "https://{name}.logistic.cloud/api"\napi_key = "{KEY}"\n' for name in "ab"]
    (shell.folder / "waybill.toml").write_text("".join(tables), encoding="utf-8")
    several = shell("deliveries", "create", file)

    assert [done.status for done in (none, wrong, several)] == [2, 2, 2], several.err
    assert "No logistic.cloud account with a key" in none.err
    assert "there is no account 'b.logistic.cloud' with a key" in wrong.err
    assert "--account: say at which account" in several.err


def test_a_command_that_was_killed_over_its_request_creates_nothing_twice(shell: Shell, twin: WarehouseServer) -> None:
    """The request took effect, the process died before it knew: given again, the delivery is found."""
    file = _file(shell, NEW)
    environment = {**plain_environment(), **prefixed(_settings(twin)), KILL_AT: SENT}
    killed = run_to_end(command_line(["deliveries", "create", file]), environment, shell.folder)
    again = waybill(shell.folder, "deliveries", "create", file, settings=_settings(twin))

    assert killed.returncode == SIGKILLED
    assert (again.status, again.err) == (0, "")
    assert "done: created; the answer was lost." in again.out
    assert len(_rows(twin)) == len(twin.posts.truth()) == 1
    assert len(shell("deliveries", "writes", "--json").objects) == 1


def test_a_daemon_does_what_was_put_on_the_queue(shell: Shell, twin: WarehouseServer) -> None:
    """`--no-wait` only asks; beside a daemon a command waits for it."""
    asked = shell("deliveries", "create", _file(shell, NEW), "--no-wait", "--json")
    daemon = subprocess.Popen(
        command_line(["run"]),
        cwd=shell.folder,
        env={**plain_environment(), **prefixed({**_settings(twin), "WEB__PORT": str(closed_port())})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        made = eventually(lambda: len(_rows(twin)) == 1)
        known = str(_rows(twin)[0]["id"])
        approved = shell("deliveries", "approve", known, "--json")
    finally:
        daemon.terminate()
        daemon.wait()

    assert (asked.status, _lines(asked)[0]["state"]) == (0, "asked")
    assert made
    assert (approved.status, _lines(approved)[0]["state"]) == (0, "done")
    assert [row["status"] for row in _rows(twin)] == ["approved"]
    with shell.database() as database, database.read() as connection:
        owners = connection.execute(sa.select(tasks.c.state).where(tasks.c.kind == "write")).scalars().all()
    assert owners == ["done", "done"]
