"""`waybill doctor`: each check finds what is wrong and says what to do; the replay probe delivers in a sandbox only."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.simulated.registry_trouble import TroubleError, detail
from connectors.simulated.warehouse_server import WarehouseServer
from tests.cli_kit import Done, Shell
from tests.clocks import NOON
from tests.firing_kit import BUYER, ORDER, Twin
from tests.order_store import row
from tests.warehouse_kit import KEY, served_warehouse
from worker.db.tables import bindings, credit_deliveries, switches
from worker.doctor import replay_probe
from worker.doctor.expiry import expiry, token_expiry, unknown_expiry
from worker.doctor.finding import Level
from worker.doctor.probe_case import require_sandbox
from worker.doctor.queue import examine_queue
from worker.errors import UsageError

PROBE = ("doctor", "--replay-probe", "--credit-order", ORDER)
REALLY = "--yes-deliver-for-real-in-the-sandbox"


@pytest.fixture
def shell(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands that know the registry and nothing else."""
    monkeypatch.setattr(replay_probe, "LOOK_SECONDS", 0.01)
    shell = Shell(tmp_path, monkeypatch, capsys)
    shell.know_registry(twin.url)
    return shell


@pytest.fixture
def warehouse(shell: Shell) -> Iterator[WarehouseServer]:
    """A warehouse's twin, set up as the account, in time with this machine."""
    with served_warehouse() as server:
        shell.set(
            LOGISTIC_CLOUD__BASE_URL=server.url,
            LOGISTIC_CLOUD__API_KEY=KEY,
            LOGISTIC_CLOUD__REQUESTS_PER_SECOND="1000",
        )
        yield server


def lines(done: Done) -> list[dict[str, Any]]:
    """The findings; whatever the exit status."""
    return [json.loads(line) for line in done.out.splitlines()]


def said(done: Done, check: str, level: Level) -> str:
    """What was found by a check at a level, in one text."""
    found = [one for one in lines(done) if (one["check"], one["level"]) == (check, level)]
    return " | ".join(f"{one['says']} → {one['do']}" for one in found)


def test_an_empty_set_up_is_told_what_it_lacks(shell: Shell) -> None:
    """No account is a problem (exit 2); every line says what to do, and nothing is sent anywhere."""
    done = shell("doctor", "--json")

    assert done.status == 2
    assert "LOGISTIC_CLOUD__BASE_URL" in said(done, "accounts", Level.PROBLEM)
    assert "writable" in said(done, "database", Level.OK)
    assert "mode is plan" in said(done, "firing", Level.NOTE)
    assert "supplier spl_1FJBMMGR3SBXKDME" in said(done, "registry", Level.OK)
    assert "nothing is mirrored" in said(done, "webhook", Level.NOTE)
    assert all(one["do"] for one in lines(done))
    assert "token-of-the-tests" not in done.out + done.err


def test_a_set_up_that_is_right_is_exit_0(shell: Shell, twin: Twin, warehouse: WarehouseServer) -> None:
    """Notes are no findings: an account that can be read, in time, and a link to a credit order that exists."""
    del warehouse
    with shell.store() as store:
        store.deliver()
        store.link(row(credit_order_id=ORDER))
        store.look()
    done = shell("doctor", "--json")
    shown = shell("doctor")

    assert done.status == 0, done.out
    assert f"credit order {ORDER} is placed and has 1000 kg left" in said(done, "links", Level.OK)
    assert "each of 1 links has an order" in said(done, "links", Level.OK)
    assert shown.out.startswith("check")
    assert twin.posts() == 0


def test_the_gravest_finding_decides_the_exit_status(shell: Shell, warehouse: WarehouseServer) -> None:
    """A warning is 1, a system that refuses is 3, and what is wrong here is 2, since it may be the cause."""
    shell.set(LOGISTIC_CLOUD__API_KEY_EXPIRES=(datetime.now(UTC) + timedelta(days=20)).isoformat())
    warned = shell("doctor", "--json")
    warehouse.keys.clear()
    refused = shell("doctor", "--json")
    with shell.store() as store:
        store.link(row(credit_order_id="ord_1ZZZZZZZZSBXZZZZ"))
    wrong = shell("doctor", "--json")

    assert (warned.status, refused.status, wrong.status) == (1, 3, 2)
    assert "expires at" in "".join(one["says"] for one in lines(warned) if one["level"] == "warning")
    assert "Check the API key" in "".join(one["do"] for one in lines(refused) if one["level"] == "remote")
    assert "no credit order ord_1ZZZZZZZZSBXZZZZ" in said(wrong, "links", Level.PROBLEM)


def test_a_key_without_the_scope_is_told(shell: Shell, warehouse: WarehouseServer) -> None:
    """403: the scope is named."""
    warehouse.keys.update(dict.fromkeys(warehouse.keys, ()))

    done = shell("doctor", "--json")

    assert done.status == 3
    assert "Delivery.Read" in "".join(one["do"] for one in lines(done) if one["level"] == "remote")


def test_whether_a_key_may_write_is_found_out_without_writing(shell: Shell, warehouse: WarehouseServer) -> None:
    """403 proves that it may not; another no says that it seems so; an odd answer says nothing; nothing is changed."""
    check = f"account {warehouse.url.split('/')[2]}"
    reads = shell("doctor", "--json")
    warehouse.keys.update(dict.fromkeys(warehouse.keys, ("Delivery.Write",)))
    writes = shell("doctor", "--json")
    warehouse.panel.change({"script": ["commit_then_500"]})
    odd = shell("doctor", "--json")
    warehouse.warehouse.put(0, {"id": 0, "status": "draft", "lineItems": []})
    exists = shell("doctor", "--json")

    assert "may read and not write: Delivery.Write is missing" in said(reads, check, Level.NOTE)
    assert "seems to have Delivery.Write" in said(writes, check, Level.OK)
    assert "was not answered as documented" in said(odd, check, Level.NOTE)
    assert "there is a delivery 0, which must not be touched" in said(exists, check, Level.NOTE)
    assert {call["path"].rpartition("/deliveries/")[2] for call in warehouse.posts.truth()} == {"0/approve"}
    assert sum(call["effects"] for call in warehouse.posts.truth()) == 0


def test_clocks_that_differ_and_answers_that_prove_nothing_are_told(shell: Shell, warehouse: WarehouseServer) -> None:
    """A minute of skew, a cache in front, and no X-Total are warnings about the account."""
    warehouse.panel.change({"date_skew_seconds": 60.0, "age_seconds": 7, "x_total": False})

    done = shell("doctor", "--json")

    told = "".join(one["says"] for one in lines(done) if one["level"] == "warning")
    assert done.status == 1
    assert "ahead of ours" in told
    assert "from a cache" in told


def test_environments_that_are_mixed_up_are_a_problem(shell: Shell) -> None:
    """A production id against the sandbox's host is found without asking anybody."""
    shell.set(ISOMETRIC__BASE_URL="https://api.sandbox.isometric.com/registry/v0")
    shell.unset("ISOMETRIC__ACCESS_TOKEN", "ISOMETRIC__CLIENT_SECRET")
    with shell.store() as store:
        store.link(row(credit_order_id="ord_1FAN3S3WV1S0B842"))

    done = shell("doctor", "--json")

    assert done.status == 2
    assert "is a production id and the registry is sandbox" in said(done, "links", Level.PROBLEM)


def test_a_database_of_another_registry_is_a_problem(shell: Shell) -> None:
    """It is bound to the host that it was used with."""
    shell("reconcile", "--supplier")
    shell.set(ISOMETRIC__BASE_URL="http://127.0.0.1:9/registry/v0")

    done = shell("doctor", "--json")

    assert done.status == 2
    assert "belongs to the registry" in said(done, "database", Level.PROBLEM)


def test_a_link_whose_number_differs_in_blanks_or_case_is_told(shell: Shell, warehouse: WarehouseServer) -> None:
    """Numbers count byte for byte; a link that simply waits is only noted."""
    del warehouse
    with shell.store() as store:
        store.deliver()
        store.look()
        store.link(row(purchase_order="po-1 ", credit_order_id=ORDER), row(3, purchase_order="PO-9"))

    done = shell("doctor", "--json")

    assert done.status == 1
    assert "'po-1 ' has no order, but there is an order 'PO-1'" in said(done, "links", Level.WARNING)
    assert "2 of 2 links have no order yet: 'PO-9', 'po-1 '" in said(done, "links", Level.NOTE)


def test_what_stops_firing_is_told(shell: Shell) -> None:
    """A pause that somebody forgot is a warning that names its end."""
    shell("credits", "pause", "--because", "stocktaking")

    assert "paused: stocktaking → `credits resume`" in said(shell("doctor", "--json"), "firing", Level.WARNING)


def test_settings_that_do_not_fit_together_are_lines_too(shell: Shell) -> None:
    """Each mistake is a line, and nothing else is looked at."""
    shell.set(CREDITS__MODE="automatic", WEBHOOK__URL="https://example.org/hook")

    done = shell("doctor", "--json")

    assert done.status == 2
    assert {one["check"] for one in lines(done)} == {"settings"}
    assert "WAYBILL_WEBHOOK__SECRET is missing" in said(done, "settings", Level.PROBLEM)


def test_a_database_that_cannot_be_used_is_told(shell: Shell) -> None:
    """A schema that must not be migrated is a problem with its remedy."""
    shell.set(MIGRATE_AT_START="false")

    done = shell("doctor", "--json")

    assert done.status == 2
    assert "waybill db upgrade" in said(done, "database", Level.PROBLEM)


def test_a_bad_file_of_factors_and_a_receiver_in_the_clear_are_told(shell: Shell, tmp_path: Path) -> None:
    """Both are found without sending anything; a receiver that was switched off as well."""
    (tmp_path / "factors.csv").write_text("nonsense\n")
    shell.set(
        CREDITS__FACTORS_FILE=str(tmp_path / "factors.csv"),
        WEBHOOK__URL="http://hooks.example.org/",
        WEBHOOK__SECRET="whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
    )
    with shell.database() as database, database.write() as connection:
        gone = {"name": "webhook", "on": False, "reason": "410", "changed_at": NOON}
        connection.execute(sa.insert(switches).values(gone))

    done = shell("doctor", "--json")

    assert "factors.csv" in said(done, "factors", Level.PROBLEM)
    assert "plain http" in said(done, "webhook", Level.WARNING)
    assert "410 Gone" in said(done, "webhook", Level.WARNING)


def test_redis_is_looked_at(redis_url: str) -> None:
    """Its policy and its persistence; one that cannot be reached is a remote system that fails."""
    told = {finding.level for finding in examine_queue(redis_url)}
    (nobody,) = examine_queue("redis://:secret@127.0.0.1:1/0")

    assert told <= {Level.OK, Level.NOTE, Level.WARNING}
    assert nobody.level is Level.REMOTE
    assert "secret" not in nobody.says + nobody.do


@pytest.mark.parametrize(
    ("days", "level", "urgency"),
    [
        (-1, Level.PROBLEM, "new one"),
        (5, Level.WARNING, "now"),
        (29, Level.WARNING, "this week"),
        (59, Level.WARNING, "in good time"),
        (90, Level.OK, "nothing"),
    ],
)
def test_credentials_that_end_are_told_in_time(days: int, level: Level, urgency: str) -> None:
    """Sixty, thirty and seven days before, each time more urgently; after that it is a problem."""
    unknown = unknown_expiry("registry", "the access token", "look it up")

    found = expiry("registry", "the access token", NOON + timedelta(days=days), NOON, unknown=unknown)

    assert found.level is level
    assert urgency in found.do
    assert expiry("registry", "the access token", None, NOON, unknown=unknown) is unknown


def test_a_token_says_when_it_ends() -> None:
    """The `exp` of a JSON Web Token; anything else says nothing, and is no mistake."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(NOON.timestamp())}).encode()).decode().rstrip("=")

    assert token_expiry(f"e30.{claims}.c2ln") == NOON
    for other in ("opaque", "a.b.c", "e30.e30.c2ln", "e30.W10.c2ln", "e30.eyJleHAiOiJ4In0.c2ln"):
        assert token_expiry(other) is None


# The replay probe.


def test_the_probe_says_what_it_would_do_and_does_nothing_without_its_confirmation(shell: Shell, twin: Twin) -> None:
    """The batch, the credit order and the exact bytes; exit 2 because the confirmation is missing."""
    done = shell(*PROBE, "--json")

    told = " ".join(one["says"] for one in lines(done))
    assert done.status == 2
    assert f'"order_id":"{ORDER}"' in told
    assert "delivers 1 kg" in told
    assert REALLY in lines(done)[-1]["do"]
    assert twin.posts() == 0


def test_the_probe_finds_that_used_batches_are_refused(shell: Shell, twin: Twin) -> None:
    """Two requests with the same bytes, one delivery; dismissed, remembered, and advised upon."""
    done = shell(*PROBE, "--json", REALLY)
    again = shell(*PROBE, "--json", "--kg", "399", REALLY)
    advised = shell("doctor", "--json")

    assert (done.status, again.status) == (0, 0), done.out + again.out
    assert "used in part is refused" in lines(done)[-1]["says"]
    assert "used as a whole is refused" in lines(again)[-1]["says"]
    assert [one["kg"] for one in twin.happened()] == [1, 399]
    assert twin.posts() == 4
    assert stored(shell) == {"used_batches:part": "refused", "used_batches:whole": "refused"}
    assert attributions(shell) == ["dismissed", "dismissed"]
    assert "RESEND_AFTER_ABSENCE may be set" in said(advised, "firing", Level.NOTE)


def test_the_probe_finds_that_used_batches_are_accepted(shell: Shell, twin: Twin) -> None:
    """Both deliveries are named and dismissed, and resending is a problem from then on."""
    twin.panel.change({"used_batches_refused": False})
    done = shell(*PROBE, "--json", REALLY)
    shell.set(
        CREDITS__MODE="automatic",
        CREDITS__MARKER_KEY="a-marker-key-of-the-tests",
        CREDITS__SINCE="2026-01-01",
        CREDITS__RESEND_AFTER_ABSENCE="true",
    )
    advised = shell("doctor", "--json")

    assert done.status == 2
    assert "accepted again" in lines(done)[-1]["says"]
    assert len(twin.happened()) == 2
    assert attributions(shell) == ["dismissed", "dismissed"]
    assert stored(shell) == {"used_batches:part": "accepted"}
    assert "accepted again" in said(advised, "firing", Level.PROBLEM)


@pytest.mark.parametrize("script", [["commit_then_drop"], ["none", "drop_before_commit"]])
def test_a_probe_whose_answer_was_lost_goes_on_where_it_was(shell: Shell, twin: Twin, script: list[str]) -> None:
    """The same bytes, after a look at what they did: never a third delivery."""
    twin.panel.change({"script": script})
    first = shell(*PROBE, "--json", REALLY)
    other = shell("doctor", "--replay-probe", "--credit-order", ORDER, "--kg", "2", REALLY)
    second = first if first.status == 0 else shell(*PROBE, "--json", REALLY)

    assert second.status == 0, second.out
    assert [one["kg"] for one in twin.happened()][:1] == [1]
    assert stored(shell)["used_batches:part"] == "refused"
    if first.status:
        assert "was begun and not ended" in other.err


def test_a_probe_that_is_refused_itself_decides_nothing(
    shell: Shell, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry's own words are told, and nothing is remembered."""

    def refuse(*_: object, **__: object) -> None:
        raise TroubleError(detail(("body", "order_id"), "Order is under review", given=ORDER))

    monkeypatch.setattr(twin.registry, "deliver", refuse)

    done = shell(*PROBE, "--json", REALLY)

    assert "Order is under review" in lines(done)[-1]["says"]
    assert stored(shell) == {}
    assert twin.happened() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("doctor", "--replay-probe"), "needs --credit-order"),
        (("doctor", "--credit-order", ORDER), "belong to --replay-probe"),
        ((*PROBE, "--kg", "501", REALLY), "needs room for 1002 kg"),
        ((*PROBE, "--kg", "401", REALLY), "No usable batch of the sandbox has 401 kg"),
        (
            ("doctor", "--replay-probe", "--credit-order", "ord_1FAN3S3WV1S0B842", REALLY),
            "only in the registry's sandbox",
        ),
    ],
)
def test_a_probe_that_can_not_be_run_is_one_sentence(
    shell: Shell, twin: Twin, arguments: tuple[str, ...], sentence: str
) -> None:
    """Exit 2, and nothing is sent."""
    done = shell(*arguments)

    assert (done.status, done.out) == (2, "")
    assert sentence in done.err
    assert twin.posts() == 0


def test_the_probe_refuses_production_and_any_host_that_is_not_the_sandbox(shell: Shell, twin: Twin) -> None:
    """Whatever is confirmed: no request leaves for a host that is not known to be a sandbox."""
    for host in ("api.isometric.com", "registry.example.org", "api.sandbox.isometric.com.example.org"):
        shell.set(ISOMETRIC__BASE_URL=f"https://{host}/registry/v0")
        done = shell(*PROBE, REALLY)

        assert done.status == 2
        assert f"{host} is not it" in done.err
    assert twin.posts() == 0


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_this_machine_counts_as_a_sandbox_only_with_ids_of_one(host: str) -> None:
    """What listens here may pass requests on to production: the ids decide."""
    require_sandbox(host, ORDER, BUYER.id)

    for identity in ("ord_1FAN3S3WV1S0B842", "ord_unknown"):
        with pytest.raises(UsageError, match="no id of it"):
            require_sandbox(host, identity)


def test_the_probe_waits_while_firing_is_stopped(shell: Shell, twin: Twin) -> None:
    """A pause stops it as well."""
    shell("credits", "pause")

    assert "no probe either" in shell(*PROBE, REALLY).err
    assert twin.posts() == 0


def stored(shell: Shell) -> dict[str, str]:
    """What the database remembers of probes."""
    with shell.database() as database, database.read() as connection:
        rows = connection.execute(sa.select(bindings).where(bindings.c.name.contains("_")).order_by(bindings.c.name))
        return {row.name: row.value for row in rows if row.name.startswith(("used_", "replay_"))}


def attributions(shell: Shell) -> list[str]:
    """Whose the mirrored credit deliveries are."""
    with shell.database() as database, database.read() as connection:
        return list(connection.execute(sa.select(credit_deliveries.c.attribution)).scalars())
