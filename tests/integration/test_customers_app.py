"""Barmate in a whole process: the daemon reads it, commands ask about it, and what it refuses is said."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

import settings
from connectors.barmate_records import ResponseType
from tests.barmate_kit import TOKEN, Stage, staged
from tests.cli_kit import Done, Shell
from tests.customer_kit import ACCOUNT as DELIVERED_BY
from tests.customer_kit import CUSTOMER, PURCHASE_ORDER, delivery_row
from tests.local_server import Action, LocalServer, Seen, reply
from tests.order_kit import ACCOUNT
from worker import daemon
from worker.app import App
from worker.app import customers as customers_part
from worker.customers.overview import customers_status
from worker.db.tables import customer_orders, deliveries
from worker.events import OrderKey
from worker.responding import reply_rows
from worker.responding.words import Words
from worker.runtime.progress import LogProgress
from worker.runtime.waiting import Unreachable
from worker.standing import NotFresh
from worker.states import ResponseState


def _empty(seen: Seen) -> Action:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    return reply(200, [], headers={"Date": date, "X-Total": "0", "X-PageSize": "250"})


@pytest.fixture
def warehouse() -> Iterator[LocalServer]:
    """A warehouse without deliveries."""
    server = LocalServer(_empty)
    yield server
    server.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Barmate's twin, with pages of three."""
    with staged(page_size=3) as made:
        yield made


def _barmate(stage: Stage, **more: str) -> dict[str, str]:
    return {
        "BARMATE__BASE_URL": stage.server.url,
        "BARMATE__TOKEN": TOKEN,
        "BARMATE__REQUESTS_PER_SECOND": "200",
        "BARMATE__POLL_SECONDS": "0.3",
        **more,
    }


def _app(folder: Path, warehouse: LocalServer, barmate: dict[str, str]) -> App:
    environment = {
        "STATE_DIR": str(folder / "state"),
        "WEB__PORT": "0",
        "LOGISTIC_CLOUD__BASE_URL": f"{warehouse.url}/api",
        "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "100",
        "LOGISTIC_CLOUD__POLL_SECONDS": "0.2",
        "LOGISTIC_CLOUD__LAG_SECONDS": "0.5",
        **barmate,
    }
    prefixed = {f"WAYBILL_{name}": text for name, text in environment.items()}
    return App(settings.load(environ=prefixed, directory=folder), environ={})


def test_a_run_until_idle_reads_every_customer_order(tmp_path: Path, warehouse: LocalServer, stage: Stage) -> None:
    """It ends once the list was walked and each order read by its id."""
    stage.place(7)
    options = daemon.RunOptions(threads=1, until_idle=True, patience_seconds=5)
    with _app(tmp_path, warehouse, _barmate(stage)) as app:
        status = daemon.run(app, options, LogProgress(app.clock))
        (found,) = app.status().barmate

    assert status == 0
    assert (found.orders, found.unread, found.wanted) == (7, 0, 0)


def test_a_token_that_is_refused_ends_a_run_until_idle_with_its_sentence(
    tmp_path: Path, warehouse: LocalServer, stage: Stage
) -> None:
    """Waiting would not help."""
    options = daemon.RunOptions(threads=1, until_idle=True, patience_seconds=5)
    barmate = _barmate(stage, BARMATE__TOKEN="another")
    with _app(tmp_path, warehouse, barmate) as app, pytest.raises(Unreachable) as raised:
        daemon.run(app, options, LogProgress(app.clock))

    assert "BARMATE__TOKEN" in raised.value.sentence
    assert "another" not in raised.value.sentence


def test_people_are_forgotten_at_the_start_once_the_setting_says_so(
    tmp_path: Path, warehouse: LocalServer, stage: Stage
) -> None:
    """What an earlier process kept goes before anything else is done."""
    stage.place(2)
    with _app(tmp_path, warehouse, _barmate(stage)) as app:
        app.prepare()
        app.customers.poll()
    with _app(tmp_path, warehouse, _barmate(stage, BARMATE__STORE_PERSONAL_DATA="false")) as app:
        app.prepare()
        with app.database.read() as connection:
            kept = connection.execute(sa.select(customer_orders.c.personal)).scalars().all()

    assert kept == [None, None]


def test_customer_orders_are_read_before_sending_by_as_few_requests_as_can_be(
    tmp_path: Path, warehouse: LocalServer, stage: Stage
) -> None:
    """Six of them take two pages of three; without barmate nothing is read."""
    ids = stage.place(6)
    key = OrderKey(DELIVERED_BY, CUSTOMER, PURCHASE_ORDER)
    with _app(tmp_path, warehouse, _barmate(stage)) as app:
        app.prepare()
        app.customers.poll()
        with app.database.write() as connection:
            named = [delivery_row(number) | {"number_external": order} for number, order in enumerate(ids, 1)]
            connection.execute(sa.insert(deliveries), named)
        before = dict(stage.server.truth()["reads"])
        with app.customers.begin_reading(key) as finish:
            finish()
        after = stage.server.truth()["reads"]
    with _app(tmp_path, warehouse, {}) as app, app.customers.begin_reading(key) as finish:
        finish()

    assert {name: after[name] - before[name] for name in before if after[name] != before[name]} == {"list": 2}
    assert stage.server.truth()["reads"] == after


def test_a_pace_that_is_too_slow_for_an_order_is_said_before_it_is_sent(
    tmp_path: Path, warehouse: LocalServer, stage: Stage
) -> None:
    """By the settings: a request in five seconds cannot read two customer orders in ten."""
    ids = stage.place(2)
    slow = _barmate(stage, BARMATE__REQUESTS_PER_SECOND="0.2")
    with _app(tmp_path, warehouse, slow) as app:
        app.prepare()
        with app.database.write() as connection:
            named = [delivery_row(number) | {"number_external": order} for number, order in enumerate(ids, 1)]
            connection.execute(sa.insert(deliveries), named)
        key = OrderKey(DELIVERED_BY, CUSTOMER, PURCHASE_ORDER)
        with pytest.raises(NotFresh, match=r"barmate is asked once in 5\.1 s, so at most 1 fit"):
            app.customers.begin_reading(key).__enter__()


def test_deliveries_of_a_customer_order_are_found_by_an_index(
    tmp_path: Path, warehouse: LocalServer, stage: Stage
) -> None:
    """It is made where barmate is used, for the field that links."""
    with _app(tmp_path, warehouse, _barmate(stage, BARMATE__LINK_BY="number")) as app:
        app.prepare()
        app.prepare()
        with app.database.read() as connection:
            found = {index["name"] for index in sa.inspect(connection).get_indexes(deliveries.name)}

    assert "ix_deliveries_number" in found
    assert "ix_deliveries_number_external" not in found


@pytest.fixture
def shell(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    warehouse: LocalServer,
    stage: Stage,
) -> Shell:
    """A folder with a database, an account and barmate."""
    made = Shell(tmp_path, monkeypatch, capsys)
    made.set(
        LOGISTIC_CLOUD__BASE_URL=f"{warehouse.url}/api",
        LOGISTIC_CLOUD__API_KEY="key-of-the-tests",
        LOGISTIC_CLOUD__REQUESTS_PER_SECOND="100",
        **_barmate(stage),
    )
    with made.database():
        return made


def test_a_poll_by_hand_reads_barmate_alone(shell: Shell, stage: Stage) -> None:
    """By the name of its account; what came of it is said in a sentence."""
    keys = stage.place(4)
    host = stage.server.url.split("/")[2]
    done = shell("enqueue", "poll", "--account", host, "--wait")
    with shell.database() as database, database.read() as connection:
        (status,) = customers_status(connection)

    assert done.status == 0, done.err
    assert f"{host}: customer orders read in 8 requests, 8 with news." in done.out
    assert (status.orders, status.unread) == (len(keys), 0)


def test_a_backfill_leaves_barmate_out(shell: Shell, stage: Stage) -> None:
    """It knows no spans of time; asked for by name, that is said."""
    host = stage.server.url.split("/")[2]
    done = shell("enqueue", "backfill", "--since", "2026-01-01", "--until", "2026-01-02", "--account", host)

    assert done.status == 2
    assert "there is no account" in done.err


def test_a_sweep_reads_the_whole_list(shell: Shell, stage: Stage) -> None:
    """Past known ground, to the end."""
    stage.place(7)
    host = stage.server.url.split("/")[2]
    shell("enqueue", "poll", "--account", host, "--wait")
    before = stage.server.truth()["reads"]["list"]
    done = shell("enqueue", "sweep", "--account", host, "--wait", "--json")

    assert done.status == 0, done.err
    assert stage.server.truth()["reads"]["list"] - before == 3


def test_status_shows_barmate(shell: Shell, stage: Stage) -> None:
    """How many are open, and since when each was read."""
    stage.place(2)
    shell("enqueue", "poll", "--account", stage.server.url.split("/")[2], "--wait")
    (found,) = shell("status", "--json").objects

    assert found["barmate"][0]["open"] == 2
    assert "2 open of 2" in shell("status").out


def test_the_doctor_tries_the_token(shell: Shell, stage: Stage) -> None:
    """By reading the account's settings, which changes nothing."""
    host = stage.server.url.split("/")[2]
    good = shell("doctor").out
    shell.set(BARMATE__TOKEN="another")
    bad = shell("doctor")

    assert f"barmate {host}" in good
    assert "the token is accepted" in good
    assert "the token is accepted" not in bad.out
    assert bad.status == 3 or "401" in bad.out


def test_a_fresh_agreement_reads_barmate_first_and_needs_no_daemon(shell: Shell, stage: Stage) -> None:
    """The list, and each order by its id; what was read in the last minute is not read again."""
    shell.set(BARMATE__POLL_SECONDS="60")
    accepted, cancelled, *_rest = stage.place(5)
    stage.twin.respond(accepted, {"type": "ACCEPT", "reference": "LS1"}, request_number=1)
    stale = shell("barmate", "agreement", "--json")
    before = dict(stage.server.truth()["reads"])
    found = shell("barmate", "agreement", "--fresh", "--json")
    between = dict(stage.server.truth()["reads"])
    with shell.store() as store:
        store.deliver(1, number_external=cancelled, status="completed")
    stage.twin.cancel(cancelled)
    again = shell("barmate", "agreement", "--fresh", "--json")
    after = stage.server.truth()["reads"]

    assert (stale.status, stale.objects) == (0, [])
    assert (found.status, _differing(found)) == (1, [("accepted_there_unknown_here", accepted)])
    assert _more(between, before) == {"list": 4, "one": 5}
    assert again.status == 1
    # The delivery is of an account that the settings do not know, which is its difference.
    assert {order_id for _kind, order_id in _differing(again)} == {accepted, cancelled}
    assert _more(after, between) == {"list": 1, "one": 0}


def _more(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in after.items()}


def _differing(done: Done) -> list[tuple[object, object]]:
    return [(row["kind"], row["customer_order_id"]) for row in done.objects if row["differs"]]


def test_a_fresh_agreement_says_how_it_gets_on(shell: Shell, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of orders take minutes at a request a second; the listing itself stays clean."""
    monkeypatch.setattr(customers_part, "_RUN_SECONDS", 0.001)
    stage.place(3)
    done = shell("barmate", "agreement", "--fresh", "--json")

    assert "customer orders are being read; 2 requests so far" in done.err
    assert all("kind" in row for row in done.objects)


@pytest.mark.parametrize("switches", [{}, {"server_error": 1.0}], ids=["refused", "failing"])
def test_a_fresh_agreement_that_cannot_be_is_none(shell: Shell, stage: Stage, switches: dict[str, float]) -> None:
    """What is held is not shown for fresh: the sentence of barmate, and exit 3."""
    stage.place(1)
    stage.twin.panel.change(switches)
    shell.set(BARMATE__TOKEN=TOKEN if switches else "another")
    done = shell("barmate", "agreement", "--fresh")

    assert (done.status, done.out) == (3, "")
    assert "barmate" in done.err


def test_the_doctor_says_what_is_told_to_customers_and_what_waits(shell: Shell, stage: Stage) -> None:
    """Each in one line, with since when, about which order, and what to do."""
    (key,) = stage.place()
    host = stage.server.url.split("/")[2]
    silent = _responses(shell)
    shell("enqueue", "poll", "--account", host, "--wait")
    words = Words(type=ResponseType.ACCEPT, reference="LS1")
    with shell.database() as database, database.write() as connection:
        now = database.now(connection)
        made = reply_rows.insert(connection, words, host=host, order_id=key, about=None, now=now)
        for step in (ResponseState.SENDING, ResponseState.UNKNOWN, ResponseState.NEEDS_PERSON):
            after = replace(made, state=step, sends=1, deadline=now, settled_at=now, reason="look there")
            made = reply_rows.change(connection, made, after, now)
    shell.set(BARMATE__RESPOND="true", BARMATE__TIME_ZONE="Europe/Zurich")
    told = _responses(shell)
    shell.set(BARMATE__RESPOND_REJECT="true", BARMATE__RESEND_AFTER_ABSENCE="true")
    resent = _responses(shell)

    since = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    waits = f"waiting for a person: 1, the oldest since {since} about customer order {key}: look there"
    assert silent == {"customers are told nothing": "note"}
    assert told["customers are told: acceptances, changes"] == "ok"
    assert told[waits] == resent[waits] == "warning"
    assert "customers are told: acceptances, changes, rejections" in resent
    assert [level for says, level in resent.items() if "second e-mail" in says] == ["note"]


def _responses(shell: Shell) -> dict[str, str]:
    found = shell("doctor", "--json").objects
    return {str(one["says"]): str(one["level"]) for one in found if one["check"] == "responses"}


def test_an_explanation_names_the_customer_order(shell: Shell, stage: Stage) -> None:
    """What each delivery names, how that stands, and when it was read."""
    (key,) = stage.place()
    stage.twin.cancel(key)
    shell("enqueue", "poll", "--account", stage.server.url.split("/")[2], "--wait")
    with shell.store() as store:
        store.deliver(1, number_external=key)
        store.look()
    (found,) = shell("orders", "explain", "PO-1", "--account", ACCOUNT, "--json").objects
    told = shell("orders", "explain", "PO-1").out

    assert found["customer_orders"][0]["gate"] == "blocks"
    assert found["customer_orders"][0]["status"] == "CANCELLED"
    assert f"customer order {key} of delivery 1 is CANCELLED" in told
    assert "lagerist" not in orjson.dumps(found).decode().lower()
