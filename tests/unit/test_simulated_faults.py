"""The faults of the twins over real sockets: what a client meets, and what truly happened."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.simulated import faults as fault_catalogue
from connectors.simulated.barmate_switches import BarmateSwitches
from connectors.simulated.control import ControlServer
from connectors.simulated.faults import CATALOGUE, UnknownFaultError, chosen, merged
from connectors.simulated.http_server import LocalServer, Reply, Request
from connectors.simulated.rate import SlidingLimit
from connectors.simulated.story_words import StoryPlan
from connectors.simulated.switches import (
    PostFault,
    ReceiverSwitches,
    RegistrySwitches,
    SwitchError,
    WarehouseSwitches,
    changed,
)
from connectors.simulated.systems import API_KEY, Options, Systems

PLAN = StoryPlan(seed=3, deliveries=40, orders=10, seconds=1)
# Seconds until a test that waits for something gives up.
PATIENCE = 5.0


@pytest.fixture
def systems() -> Iterator[Systems]:
    """All twins without a limit, the story not yet begun."""
    built = Systems(Options(plan=PLAN, warehouse=WarehouseSwitches(requests_per_second=0)))
    built.start(play=False)
    built.player.start()
    built.player.skip(10)
    built.player.play_due()
    yield built
    built.stop()


@pytest.fixture
def control(systems: Systems) -> Iterator[httpx.Client]:
    """The control interface."""
    with ControlServer(systems) as server, httpx.Client(base_url=server.url) as client:
        yield client


def deliveries(systems: Systems) -> httpx.Response:
    """List the first page."""
    return httpx.get(f"{systems.warehouse_server.url}/deliveries", headers={"X-Api-Key": API_KEY})


def client(systems: Systems) -> httpx.Client:
    """Return a client of the registry that gives up soon."""
    credentials = systems.registry_server.credentials
    headers = {"Authorization": f"Bearer {credentials.access_token}", "x-client-secret": credentials.client_secret}
    return httpx.Client(base_url=systems.registry_server.url, headers=headers, timeout=0.5)


def body(systems: Systems, kg: int = 5) -> dict[str, Any]:
    """Return a good body."""
    content = systems.story.registry
    quantities = [{"credit_batch_id": content.batches[0].id, "credit_quantity_kg": kg}]
    return {"order_id": content.orders[0].id, "notes": "wb1token", "credit_batch_quantities": quantities}


def post(systems: Systems, fault: PostFault) -> httpx.Response | None:
    """Post once under ``fault``; None if no answer came."""
    systems.registry_server.registry.panel.change({"script": [fault], "hang_seconds": 1, "late_commit_seconds": 0.05})
    with client(systems) as registry:
        try:
            return registry.post("/deliveries", json=body(systems))
        except httpx.TransportError:
            return None


def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("fault", "status", "committed"),
    [
        (PostFault.NONE, 200, 1),
        (PostFault.REFUSE_BEFORE_COMMIT, 500, 0),
        (PostFault.DROP_BEFORE_COMMIT, None, 0),
        (PostFault.HANG_BEFORE_COMMIT, None, 0),
        (PostFault.COMMIT_THEN_DROP, None, 1),
        (PostFault.COMMIT_THEN_500, 500, 1),
        (PostFault.COMMIT_THEN_HANG, None, 1),
        (PostFault.COMMIT_LATE, None, 1),
        (PostFault.THROTTLE_BEFORE_COMMIT, 429, 0),
        (PostFault.THROTTLE_AFTER_COMMIT, 429, 1),
        (PostFault.BROKEN_JSON, 200, 1),
        (PostFault.FEWER_KG_IN_BODY, 200, 1),
        (PostFault.OTHER_ORDER_IN_BODY, 200, 1),
        (PostFault.GATEWAY_TWICE, 422, 1),
        (PostFault.FOREIGN_404, 404, 0),
    ],
)
def test_the_two_ledgers_tell_apart_what_was_said_and_what_happened(
    fault: PostFault, status: int | None, committed: int, systems: Systems
) -> None:
    """For every fault: the answer the client got, and the deliveries truly made."""
    answer = post(systems, fault)
    until(lambda: len(systems.registry_server.truth()["happened"]) == committed)

    told = systems.registry_server.truth()["told"][-1]
    assert (None if answer is None else answer.status_code) == told["status"] == status
    assert told["fault"] == fault


def test_every_fault_of_a_post_is_tested_and_has_a_name() -> None:
    """The catalogue mirrors the faults the twin knows."""
    names = {f"registry-{fault.value.replace('_', '-')}" for fault in PostFault if fault is not PostFault.NONE}

    assert names <= set(CATALOGUE)


def test_a_wrong_answer_differs_from_what_happened(systems: Systems) -> None:
    """The body names fewer kilograms, another order, or is no JSON."""
    fewer, other = post(systems, PostFault.FEWER_KG_IN_BODY), post(systems, PostFault.NONE)
    truth = systems.registry_server.truth()["happened"][0]

    assert fewer is not None
    assert fewer.json()["credit_batch_size_total"]["credit_kgs"] == truth["kg"] - 1
    assert fewer.json()["id"] == truth["credit_delivery_id"]
    assert other is not None
    assert other.status_code == 422


def test_a_refusal_is_told_as_it_is_whatever_fault_is_drawn(systems: Systems) -> None:
    """A body that is changed under way is changed only if it was a success."""
    post(systems, PostFault.NONE)
    answer = post(systems, PostFault.OTHER_ORDER_IN_BODY)

    assert answer is not None
    assert answer.status_code == 422


def test_probabilities_of_posts_add_up(systems: Systems) -> None:
    """With a whole probability every POST meets the fault; without one none does."""
    systems.registry_server.registry.panel.change({"post_faults": {"foreign_404": 0.0, "refuse_before_commit": 1.0}})
    with client(systems) as registry:
        answer = registry.post("/deliveries", json=body(systems))
        systems.registry_server.registry.panel.change({"post_faults": {}})
        good = registry.post("/deliveries", json=body(systems))

    assert (answer.status_code, good.status_code) == (500, 200)


def test_a_late_commit_can_be_stamped_early(systems: Systems) -> None:
    """It then sorts among deliveries that clients have long read."""
    systems.registry_server.registry.panel.change({"late_stamp": "early"})
    post(systems, PostFault.COMMIT_LATE)
    until(lambda: bool(systems.registry_server.truth()["happened"]))

    made = systems.registry_server.truth()["happened"][0]
    assert made["delivered_at"] < made["committed_at"]


def test_reads_can_fail_lag_or_lack_rows(systems: Systems) -> None:
    """Errors, stale state and partial pages are switches; ``total_count`` shows that rows are missing."""
    owner = systems.story.registry.supplier.organisation.id
    panel = systems.registry_server.registry.panel
    with client(systems) as registry:
        registry.post("/deliveries", json=body(systems))
        panel.change({"read_error": 1.0})
        failed = registry.get("/supplier").status_code
        panel.change({"read_error": 0.0, "read_stale": 1.0, "stale_seconds": 60})
        stale = registry.get("/deliveries").json()
        panel.change({"read_stale": 0.0, "read_partial": 1.0})
        partial = registry.get(f"/organisations/{owner}/credit_batches").json()
        panel.change({"read_partial": 0.0, "list_lag_seconds": 60, "lag_covers_orders": True})
        order = registry.get(f"/orders/{systems.story.registry.orders[0].id}").json()

    assert failed == 500
    assert stale["total_count"] == 0
    assert len(partial["nodes"]) == 5 < partial["total_count"]
    assert order["status"] == "placed"


def test_the_registry_can_have_a_limit(systems: Systems) -> None:
    """None is documented; with the switch the second request is a 429."""
    systems.registry_server.registry.panel.change({"requests_per_second": 0.1, "retry_after": False})
    with client(systems) as registry:
        statuses = [registry.get("/supplier").status_code for _ in range(2)]

    assert statuses == [200, 429]


@pytest.mark.parametrize(("fault", "statuses"), [("server_error", {500, 503}), ("throttled", {429}), ("slow", {200})])
def test_the_warehouse_answers_its_faults(fault: str, statuses: set[int], systems: Systems) -> None:
    """A problem, a throttle without need, or just a late answer."""
    systems.warehouse_server.panel.change({fault: 1.0, "slow_seconds": 0.01, "retry_after": True})
    answer = deliveries(systems)

    assert answer.status_code in statuses
    assert answer.headers.get("Retry-After") == ("1" if fault == "throttled" else None)


@pytest.mark.parametrize("fault", ["reset", "truncated"])
def test_the_warehouse_breaks_off(fault: str, systems: Systems) -> None:
    """A client notices that an answer is missing or cut."""
    systems.warehouse_server.panel.change({fault: 1.0})

    with pytest.raises(httpx.TransportError):
        deliveries(systems)


def test_the_documented_limit_is_kept_per_key(systems: Systems) -> None:
    """The second request within a second is a 429; the truth counts it."""
    systems.warehouse_server.panel.change({"requests_per_second": 1})

    assert [deliveries(systems).status_code for _ in range(2)] == [200, 429]
    assert systems.warehouse_server.traffic.throttled == 1


def test_headers_can_be_missing_or_wrong(systems: Systems) -> None:
    """No ``X-Total``, an ``Age``, a ``Date`` that is off: all are switches."""
    true_date = deliveries(systems).headers["Date"]
    systems.warehouse_server.panel.change({"x_total": False, "age_seconds": 7, "date_skew_seconds": 86400})
    answer = deliveries(systems)

    assert "X-Total" not in answer.headers
    assert answer.headers["Age"] == "7"
    assert answer.headers["Date"][:3] != true_date[:3]


def test_a_sliding_limit_forgets() -> None:
    """Refused requests cost nothing; after the span there is room again; 0 is no limit."""
    limit = SlidingLimit()
    waits = [limit.admit("k", at, 2) for at in (0.0, 0.1, 0.2, 1.0)]

    assert waits[0] == waits[1] == waits[3] == 0.0
    assert waits[2] == pytest.approx(0.775)
    assert limit.admit("k", 0.0, 0) == 0.0


def test_faults_are_chosen_by_name() -> None:
    """A comma list, none, or all that heal by themselves."""
    assert chosen("none") == ()
    assert [fault.name for fault in chosen("bad-records, webhook-gone")] == ["bad-records", "webhook-gone"]
    assert all(fault.heals for fault in chosen("all"))
    with pytest.raises(UnknownFaultError, match="no fault 'flood'"):
        chosen("flood")
    assert all(name in fault_catalogue.listing() for name in CATALOGUE)


def test_every_fault_sets_switches_that_exist() -> None:
    """Each name in the catalogue can be turned on; probabilities of POST faults are merged, not replaced."""
    faults = tuple(CATALOGUE.values())
    registry = changed(RegistrySwitches(), merged(faults, "registry"))
    barmate = changed(BarmateSwitches(), merged(faults, "barmate"))

    assert changed(WarehouseSwitches(), merged(faults, "warehouse")) != WarehouseSwitches()
    assert changed(ReceiverSwitches(), merged(faults, "webhook")) != ReceiverSwitches()
    assert len(registry.post_faults) == len(PostFault) - 1
    about_credits = {PostFault.FEWER_KG_IN_BODY, PostFault.OTHER_ORDER_IN_BODY}
    assert set(barmate.post_faults) == set(registry.post_faults) - about_credits
    assert barmate.broken > 0


@pytest.mark.parametrize("changes", [{"flood": 1}, {"page_order": "odd"}, {"x_total": 1}, {"reset": True}])
def test_a_bad_switch_is_named(changes: dict[str, Any]) -> None:
    """A typing mistake must not silently test nothing."""
    with pytest.raises(SwitchError, match=next(iter(changes))):
        changed(WarehouseSwitches(), changes)


def test_a_stopped_server_can_be_started_again_at_its_address() -> None:
    """An outage ends where it began; stopping twice is harmless; an odd status is no obstacle."""
    server = LocalServer(lambda _request: Reply(status=299))
    with server:
        first = httpx.get(server.url).status_code
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)
    with server:
        again = httpx.head(server.url).status_code

    assert (first, again) == (299, 299)


def test_a_request_that_breaks_off_is_none() -> None:
    """A sender that dies in the middle of a body has not asked for anything."""
    asked: list[Request] = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(status=200)

    with LocalServer(answer) as server:
        address = urlsplit(server.url)
        with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=10) as sender:
            sender.sendall(b"POST /hook HTTP/1.1\r\nContent-Length: 9\r\n\r\n{half")
            sender.shutdown(socket.SHUT_WR)
            answered = sender.recv(100)

    assert answered == b""
    assert asked == []


def test_stopping_ends_a_hanging_answer() -> None:
    """No thread waits for a client that waits for nothing."""
    server = LocalServer(lambda _request: Reply(status=200, delay_seconds=0.3))
    server.start()
    with httpx.stream("GET", server.url, timeout=5) as answer:
        pass
    server.stop()

    assert answer.status_code == 200


def test_stopping_ends_connections_that_are_kept_open() -> None:
    """A client that keeps its connection learns that the server is gone."""
    server = LocalServer(lambda _request: Reply(status=200))
    server.start()
    with httpx.Client() as kept:
        kept.get(server.url)
        server.stop()

        with pytest.raises(httpx.TransportError):
            kept.get(server.url)


def test_a_fault_of_the_twin_itself_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """What a twin does not expect must not look like a fault that was asked for."""

    def broken(_request: Request) -> Reply:
        sentence = "the twin is broken"
        raise RuntimeError(sentence)

    with LocalServer(broken) as server, pytest.raises(httpx.TransportError):
        httpx.get(server.url)

    assert "the twin is broken" in capfd.readouterr().err


def test_all_twins_start_and_stop_together() -> None:
    """As a context manager they serve inside and are gone outside."""
    with Systems(Options(plan=PLAN)) as systems:
        inside = deliveries(systems).status_code
    with pytest.raises(httpx.ConnectError):
        deliveries(systems)

    assert inside == 200


def test_switches_with_faults_of_posts_can_be_told(control: httpx.Client, systems: Systems) -> None:
    """Which POSTs fail is told by plain names, also in the answer to a change of something else."""
    systems.panels()["registry"].change({"post_faults": {"broken_json": 0.5}})
    answer = control.post("/faults", json={"registry": {"read_error": 0.0}})

    assert answer.json()["result"]["registry"]["post_faults"] == {"broken_json": 0.5}
    assert control.get("/switches").json()["registry"]["post_faults"] == {"broken_json": 0.5}


def test_control_tells_the_truth(control: httpx.Client, systems: Systems) -> None:
    """Every GET answers; the ledgers are those of the servers."""
    deliveries(systems)
    post(systems, PostFault.NONE)
    paths = ("/ready", "/addresses", "/story", "/progress", "/switches")
    told = {path: control.get(path).json() for path in paths}
    truth = {system: control.get(f"/truth/{system}").json() for system in ("warehouse", "registry", "webhook")}

    assert told["/addresses"]["warehouse"]["url"] == systems.warehouse_server.url
    assert told["/progress"]["done"] is True
    assert set(told["/switches"]) == {"warehouse", "registry", "webhook", "barmate"}
    assert (len(truth["warehouse"]["rows"]), truth["warehouse"]["requests"]) == (40, 1)
    assert len(truth["registry"]["happened"]) == 1
    assert truth["webhook"]["received"] == 0


def test_control_changes_the_course_of_things(control: httpx.Client, systems: Systems) -> None:
    """Switches, rows, deliveries by hand and outages can be set while clients are at work."""
    answers = [
        control.post("/faults", json={"warehouse": {"reset": 0.5}, "registry": {"script": ["commit_late"]}}),
        control.post("/faults", json={"names": "webhook-errors"}),
        control.post("/start"),
        control.post("/advance", json={"seconds": 5}),
        control.post("/warehouse/put", json={"key": 77, "record": {"id": 77, "lineItems": []}}),
        control.post("/warehouse/change", json={"key": 77, "fields": {"note": "x"}}),
        control.post("/registry/deliver", json=body(systems)),
        control.post("/outage", json={"system": "warehouse", "down": True}),
    ]
    with pytest.raises(httpx.ConnectError):
        deliveries(systems)
    back = control.post("/outage", json={"system": "warehouse", "down": False})
    control.post("/warehouse/remove", json={"key": 77})

    assert [answer.status_code for answer in [*answers, back]] == [200] * 9
    assert systems.warehouse_server.panel.now.reset == 0.5
    assert systems.registry_server.registry.panel.now.script == (PostFault.COMMIT_LATE,)
    assert systems.receiver_server.receiver.panel.now.server_error > 0
    assert answers[5].json()["result"]["note"] == "x"
    assert answers[6].json()["result"]["credit_delivery_id"].startswith("dlv_")
    assert control.get("/truth/warehouse").json()["removed"][-1] == 77


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/faults", {"warehouse": {"flood": 1}}, 400),
        ("/faults", {"moon": {"flood": 1}}, 400),
        ("/faults", {"names": "flood"}, 400),
        ("/advance", {}, 400),
        ("/advance", {"seconds": "soon"}, 400),
        ("/registry/deliver", {}, 400),
        ("/nowhere", {}, 404),
    ],
)
def test_control_names_mistakes(path: str, content: object, status: int, control: httpx.Client) -> None:
    """A test that steers wrongly should fail at the steering."""
    answer = control.post(path, json=content)

    assert answer.status_code == status
    assert answer.json()["message"]
