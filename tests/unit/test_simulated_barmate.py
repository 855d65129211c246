"""barmate's twin: its switches, its faults, its customers and its webhooks."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.simulated.barmate_hooks import target_of
from connectors.simulated.barmate_orders import made_up
from connectors.simulated.barmate_server import READ_FAULTS, BarmateServer
from connectors.simulated.barmate_story import Deed, customer_steps, customers, rescheduled, without_the_unasked
from connectors.simulated.barmate_words import API_PATH
from connectors.simulated.clock import SteppedClock
from connectors.simulated.control import ControlServer
from connectors.simulated.http_server import Ending, LocalServer, Reply, Request
from connectors.simulated.story import tell
from connectors.simulated.story_words import Kind, StoryPlan
from connectors.simulated.switches import PostFault, SwitchError
from connectors.simulated.systems import BARMATE_TOKEN, Options, Systems
from tests.barmate_kit import TOKEN, build

START = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)
# Seconds until a test that waits for something gives up.
PATIENCE = 10.0
ACCEPT = b'{"type": "ACCEPT", "reference": "LS1"}'


def made(count: int = 1, **switches: object) -> tuple[BarmateServer, SteppedClock, list[str]]:
    """Return a twin that is not served, its clock, and the ids of made up requests a second apart, oldest first."""
    clock = SteppedClock(START)
    server = build(clock, **switches)
    chance = random.Random(1)  # noqa: S311 - repeatable, not secret
    keys = []
    for _ in range(count):
        keys.append(server.barmate.place(made_up(chance)))
        clock.advance(1)
    return server, clock, keys


def get(server: BarmateServer, path: str, **query: str) -> Reply:
    """Read something."""
    headers = {"authorization": f"token {TOKEN}"}
    asked = Request(method="GET", path=API_PATH + path, query=tuple(query.items()), headers=headers, body=b"")
    return server.answer(asked)


def post(server: BarmateServer, key: str, body: bytes = ACCEPT) -> Reply:
    """Send a response."""
    headers = {"authorization": f"token {TOKEN}"}
    path = f"{API_PATH}/deliveries/{key}/responses"
    return server.answer(Request(method="POST", path=path, query=(), headers=headers, body=body))


def listed(server: BarmateServer, **query: str) -> tuple[list[str], str | None]:
    """Return the ids of a page and its cursor."""
    content = json.loads(get(server, "/deliveries", **query).body)
    return [str(row["id"]) for row in content["deliveries"]], content.get("cursor")


def emails(server: BarmateServer, key: str) -> int:
    """How many e-mails a customer got."""
    count: int = server.truth()["emails_by_delivery"].get(key, 0)
    return count


def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("kind", "second"), [("place", ["3", "2"]), ("row", ["2", "1"])])
def test_a_new_row_moves_the_others_where_cursors_are_places(kind: str, second: list[str]) -> None:
    """With the one kind of cursor a row comes twice when something new arrives while paging; with the other not."""
    server, _clock, _keys = made(page_size=2, cursor_kind=kind)
    for key in ("1", "2", "3", "4"):
        server.barmate.place({**made_up(random.Random(1)), "id": key})  # noqa: S311 - repeatable, not secret
    first, cursor = listed(server)
    server.barmate.place({**made_up(random.Random(1)), "id": "5"})  # noqa: S311 - repeatable, not secret

    assert (first, listed(server, cursor=str(cursor))[0]) == (["4", "3"], second)


def test_a_cursor_expires_when_it_is_told_to() -> None:
    """Up to its age the next page, then a 400; one that nobody gave out is a 400 as well."""
    server, clock, _keys = made(5, page_size=2, cursor_seconds=10)
    _first, cursor = listed(server)
    clock.advance(10)
    in_time = get(server, "/deliveries", cursor=str(cursor)).status
    clock.advance(1)

    assert (in_time, get(server, "/deliveries", cursor=str(cursor)).status) == (200, 400)
    assert get(server, "/deliveries", cursor="!").status == 400


@pytest.mark.parametrize(("end", "cursor"), [("absent", "missing"), ("null", None), ("empty", "")])
def test_the_last_page_ends_as_it_is_told_to(end: str, cursor: object) -> None:
    """Documented is a missing cursor; null and an empty one are switches."""
    server, _clock, _keys = made(list_end=end)

    assert json.loads(get(server, "/deliveries").body).get("cursor", "missing") == cursor


def test_a_filter_may_be_unknown() -> None:
    """As in the older copy of the page: everything is listed."""
    known, _clock, _keys = made(3)
    unknown, _clock, keys = made(3, status_filter=False)

    assert listed(known, status="ACCEPTED")[0] == []
    assert listed(unknown, status="ACCEPTED")[0] == keys[::-1]


def test_spellings_are_switches() -> None:
    """Ids as strings, packaging as words, customers without an id in lists, updates shown as acceptances."""
    switches = {"id_as_text": True, "packaging_words": True, "list_customer_id": False, "update_shown": False}
    server, _clock, _keys = made(**switches)
    pallet = {"type": "PX", "size": 40, "pallet_bundle": {"type": "CT", "size": 12}}
    asked = made_up(random.Random(1))  # noqa: S311 - repeatable, not secret
    asked["request"]["items"] = [{"id": "5", "count": 1, "price": 90, "bundle": pallet}]
    key = server.barmate.place(asked)
    post(server, key)
    post(server, key, b'{"type": "UPDATE", "items": [{"id": "5", "count": 2}]}')
    told = json.loads(get(server, f"/deliveries/{key}").body)

    assert told["id"] == key
    assert told["request"]["items"][0]["bundle"]["type"] == "pallet"
    assert told["request"]["items"][0]["bundle"]["pallet_bundle"]["type"] == "carton"
    assert told["responses"][1]["items"][0]["bundle"]["type"] == "pallet"
    assert told["responses"][1]["items"][0]["vessel_count"] == 2 * 40 * 12
    assert [response["type"] for response in told["responses"]] == ["ACCEPT", "ACCEPT"]
    assert json.loads(get(server, "/deliveries").body)["deliveries"][0]["customer"]["id"] is None


@pytest.mark.parametrize(("refused", "status", "count"), [(True, 400, 1), (False, 200, 2)])
def test_a_repeated_accept_is_refused_or_writes_a_second_email(refused: bool, status: int, count: int) -> None:  # noqa: FBT001 - a switch
    """Which of them the vendor does is not known."""
    server, _clock, [key] = made(repeated_accept_refused=refused)
    post(server, key)

    assert post(server, key).status == status
    assert (emails(server, key), len(server.barmate.get(key)["responses"])) == (count, count)


@pytest.mark.parametrize(("success", "fields"), [("empty", None), ("response", "reference"), ("delivery", "customer")])
def test_the_body_of_a_success_is_a_switch(success: str, fields: str | None) -> None:
    """Nothing, the response, or the delivery."""
    server, _clock, [key] = made(success_body=success)
    reply = post(server, key)

    assert reply.status == 200
    assert reply.body == b"" if fields is None else fields in json.loads(reply.body)


@pytest.mark.parametrize(
    ("fault", "status", "ending", "count"),
    [
        (PostFault.NONE, 200, Ending.WHOLE, 1),
        (PostFault.REFUSE_BEFORE_COMMIT, 500, Ending.WHOLE, 0),
        (PostFault.DROP_BEFORE_COMMIT, None, Ending.RESET, 0),
        (PostFault.HANG_BEFORE_COMMIT, None, Ending.RESET, 0),
        (PostFault.COMMIT_THEN_DROP, None, Ending.RESET, 1),
        (PostFault.COMMIT_THEN_500, 500, Ending.WHOLE, 1),
        (PostFault.COMMIT_THEN_HANG, None, Ending.RESET, 1),
        (PostFault.THROTTLE_BEFORE_COMMIT, 429, Ending.WHOLE, 0),
        (PostFault.THROTTLE_AFTER_COMMIT, 429, Ending.WHOLE, 1),
        (PostFault.BROKEN_JSON, 200, Ending.WHOLE, 1),
        (PostFault.GATEWAY_TWICE, 400, Ending.WHOLE, 1),
        (PostFault.FOREIGN_404, 404, Ending.WHOLE, 0),
        (PostFault.FEWER_KG_IN_BODY, 200, Ending.WHOLE, 1),
    ],
)
def test_the_ledger_knows_what_happened_and_what_was_told(
    fault: PostFault, status: int | None, ending: Ending, count: int
) -> None:
    """Whatever the sender meets, the ledger says how often it took effect, and the e-mails are counted."""
    server, _clock, [key] = made(script=[fault])
    reply = post(server, key)
    [entry] = server.truth()["answered"]

    assert (reply.ending, emails(server, key)) == (ending, count)
    assert (entry["status"], entry["commits"], entry["fault"]) == (status, count, fault)
    assert entry["reference"] == ("LS1" if count else None)


def test_a_late_commit_happens_after_the_sender_has_gone() -> None:
    """No answer, and then the response is there after all."""
    server, _clock, [key] = made(script=["commit_late"], late_commit_seconds=0.05)

    assert post(server, key).ending is Ending.RESET
    assert emails(server, key) == 0
    until(lambda: emails(server, key) == 1)


def test_every_read_fault_is_drawn_and_answers_as_it_says() -> None:
    """Each by its own switch, and never on a response."""
    met = {}
    for name in READ_FAULTS:
        switches: dict[str, Any] = {name: 1.0, "slow_seconds": 1.0}
        server, _clock, [key] = made(**switches)
        reply = get(server, f"/deliveries/{key}")
        met[name] = (reply.status, reply.ending.value, reply.delay_seconds)
        assert post(server, key).status == 200

    assert met == {
        "server_error": (500, "whole", 0.0),
        "reset": (200, "reset", 0.0),
        "truncated": (200, "truncated", 0.0),
        "broken": (200, "whole", 0.0),
        "page": (200, "whole", 0.0),
        "foreign_404": (404, "whole", 0.0),
        "throttled": (429, "whole", 0.0),
        "slow": (200, "whole", 1.0),
    }


def test_a_stale_read_shows_what_was() -> None:
    """An answer of five seconds ago: without the newest delivery, and with the status of then."""
    server, clock, keys = made(2)
    clock.advance(10)
    server.barmate.cancel(keys[0])
    new = server.barmate.place(made_up(random.Random(1)))  # noqa: S311 - repeatable, not secret
    server.barmate.panel.change({"stale": 1.0, "stale_seconds": 5.0})

    assert json.loads(get(server, f"/deliveries/{keys[0]}").body)["status"] == "REQUESTED"
    assert listed(server)[0] == keys[::-1]
    assert get(server, f"/deliveries/{new}").status == 404


def test_a_limit_is_kept_where_one_is_set() -> None:
    """The third request of a second gets a 429 with Retry-After."""
    server, _clock, _keys = made(requests_per_second=2)
    replies = [get(server, "/deliveries") for _ in range(3)]

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert ("Retry-After", "1") in replies[2].headers


def test_customers_end_what_is_not_ended() -> None:
    """A request can jump to DELIVERED; what is final stays."""
    server, _clock, [one, two] = made(2)
    server.barmate.receive(one)
    server.barmate.cancel(two)

    assert [server.barmate.get(key)["status"] for key in (one, two)] == ["DELIVERED", "CANCELLED"]
    assert server.barmate.get(two)["cancelled"]["message"]
    for act in (server.barmate.receive, server.barmate.cancel):
        with pytest.raises(ValueError, match="cannot become"):
            act(one)


class Ear(LocalServer):
    """A receiver of webhooks that answers from a script, the last status for ever."""

    def __init__(self, *statuses: int) -> None:
        """Answer with ``statuses``."""
        super().__init__(self._hear)
        self.heard: list[Request] = []
        self._statuses = list(statuses)
        self._lock = threading.Lock()

    def _hear(self, request: Request) -> Reply:
        with self._lock:
            self.heard.append(request)
            return Reply(status=self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0])

    def bodies(self) -> list[dict[str, Any]]:
        """Return what was said."""
        return [json.loads(request.body) for request in self.heard]


@pytest.fixture
def served() -> Iterator[BarmateServer]:
    """A twin that sends webhooks, again after no time."""
    with build(hook_retry_seconds=0.01) as server:
        yield server


def test_a_webhook_is_repeated_with_its_key_until_200_or_201(served: BarmateServer) -> None:
    """Any other answer, also a 204, is sent again; a new event has a new key."""
    with Ear(500, 204, 302, 201) as ear:
        served.hooks.register(target_of({"url": f"{ear.url}/in?x=1", "method": "PUT", "headers": {"X-Ours": "s"}}))
        key = served.barmate.place(made_up(random.Random(1)))  # noqa: S311 - repeatable, not secret
        until(lambda: len(ear.heard) == 4)
        served.barmate.cancel(key)
        until(lambda: len(ear.heard) == 5)
    said = ear.bodies()

    assert {(request.method, request.path, request.query) for request in ear.heard} == {("PUT", "/in", (("x", "1"),))}
    assert {request.headers["x-ours"] for request in ear.heard} == {"s"}
    assert [body["type"] for body in said] == ["request-delivery"] * 4 + ["cancel-delivery"]
    assert len({body["idempotency_key"] for body in said[:4]}) == 1
    assert said[4]["idempotency_key"] != said[0]["idempotency_key"]
    assert [said[0]["data"]["status"], said[4]["data"]["status"]] == ["REQUESTED", "CANCELLED"]
    assert said[0]["data"]["request"]["items"]
    until(lambda: len(served.hooks.as_json()["attempts"]) == 5)
    assert [attempt["status"] for attempt in served.hooks.as_json()["attempts"]] == [500, 204, 302, 201, 201]


def test_basic_credentials_go_with_every_webhook(served: BarmateServer) -> None:
    """As the vendor registers them."""
    with Ear(200) as ear:
        basic = {"type": "basic", "username": "u", "password": "p"}
        served.hooks.register(target_of({"url": ear.url, "authorization": basic}))
        served.barmate.place(made_up(random.Random(1)))  # noqa: S311 - repeatable, not secret
        until(lambda: len(ear.heard) == 1)

    assert ear.heard[0].headers["authorization"] == "Basic dTpw"


def test_webhooks_can_be_lost_repeated_and_shuffled(served: BarmateServer) -> None:
    """Never sent, sent again after a 200, and in any order: each is a switch."""
    with Ear(200) as ear:
        served.barmate.panel.change({"hook_lost": 1.0})
        served.hooks.register(target_of({"url": ear.url}))
        served.barmate.place(made_up(random.Random(1)))  # noqa: S311 - repeatable, not secret
        lost = served.hooks.as_json()["lost"]
        served.barmate.panel.change({"hook_lost": 0.0, "hook_repeated": 1.0, "hooks_shuffled": True})
        served.hooks.stop()
        keys = [served.barmate.place(made_up(random.Random(n))) for n in range(8)]  # noqa: S311 - repeatable, not secret
        served.hooks.start()
        until(lambda: len({body["data"]["id"] for body in ear.bodies()}) == 8)
        until(lambda: len(ear.heard) > len(keys))

    firsts = list(dict.fromkeys(str(body["data"]["id"]) for body in ear.bodies()))
    assert len(lost) == 1
    assert sorted(firsts) == sorted(keys) != firsts


def test_a_webhook_to_nobody_waits_for_its_next_turn(served: BarmateServer) -> None:
    """A dead receiver is tried again, and told once it lives."""
    ear = Ear(200)
    address = ear.start()
    ear.stop()
    served.hooks.register(target_of({"url": address}))
    served.barmate.place(made_up(random.Random(1)))  # noqa: S311 - repeatable, not secret
    until(lambda: None in {attempt["status"] for attempt in served.hooks.as_json()["attempts"]})
    with ear:
        until(lambda: len(ear.heard) == 1)


def test_customers_of_a_story_ask_before_the_goods_come_and_end_with_them() -> None:
    """Each external number is asked for once, before its delivery; equal chances make equal stories."""
    story = tell(StoryPlan(seed=3, deliveries=80, orders=20, seconds=1))
    steps = customer_steps(story.steps, random.Random(1), most=99)  # noqa: S311 - repeatable, not secret
    numbers = {
        step.record["numberExternal"]: step.offset for step in story.steps if step.record and "number" in step.record
    }
    asked = {step.key: step.offset for step in steps if step.deed is Deed.ASK}

    assert set(asked) == {number for number in numbers if number is not None}
    assert all(offset < numbers[key] for key, offset in asked.items())
    assert {step.deed for step in steps} == set(Deed)
    assert len({step.key for step in customer_steps(story.steps, random.Random(1), most=7)}) == 7  # noqa: S311 - repeatable
    assert steps == customer_steps(story.steps, random.Random(1), most=99)  # noqa: S311 - repeatable, not secret


def test_beyond_the_customer_orders_one_delivery_names_what_nobody_asked_for() -> None:
    """A story of any size has as many customer orders as wanted, and one gate that never opens."""
    story = tell(StoryPlan(seed=3, deliveries=80, orders=20, seconds=1))
    steps = without_the_unasked(story.steps, most=7)
    named = [number for step in steps if (number := (step.record or {}).get("numberExternal")) is not None]
    asked = {step.key for step in customer_steps(steps, random.Random(1), most=7)}  # noqa: S311 - repeatable, not secret

    assert len(named) == 8
    assert len(set(named) - asked) == 1
    assert [step.key for step in steps] == [step.key for step in story.steps]


def test_some_goods_come_on_another_day_than_was_told() -> None:
    """The day changes once more before the goods are there, so that customers have something to be told."""
    story = tell(StoryPlan(seed=3, deliveries=80, orders=20, seconds=1, deletions=3))
    steps = rescheduled(story.steps, most=30)
    moved = [step for step in steps if (step.record or {}).get("date") and step.kind is Kind.EDIT]
    ends = {step.key: step.offset for step in steps if step.status in {"completed", "cancelled"}}

    assert moved
    assert all(step.offset < ends[step.key] for step in moved)
    assert list(steps) == sorted(steps, key=lambda step: step.offset)
    assert len(steps) == len(story.steps) + len(moved)


def test_customers_do_everything_in_the_time_of_the_story() -> None:
    """History at once with its own moments, the rest when it is due; who was rejected does nothing more."""
    clock = SteppedClock(START)
    server = build(clock)
    story = tell(StoryPlan(seed=3, deliveries=80, orders=20, seconds=10))
    steps = customer_steps(story.steps, random.Random(1), most=99)  # noqa: S311 - repeatable
    player = customers(steps, server.barmate, clock)
    player.load_history()
    before = server.barmate.truth()["deliveries"]
    player.start()
    for delivery in before[:3]:
        if delivery["status"] == "REQUESTED":
            post(server, str(delivery["id"]), b'{"type": "REJECT"}')
    player.skip(60)
    player.play_due()
    player.stop()

    assert before
    assert all(delivery["request"]["timestamp"] < "2026-05-13T12:00:00" for delivery in before)
    assert player.progress() == {"elapsed_seconds": 60.0, "steps_left": 0, "done": True}
    assert {delivery["status"] for delivery in server.barmate.truth()["deliveries"]} >= {"DELIVERED", "CANCELLED"}


def test_the_control_interface_lets_customers_act() -> None:
    """Placing, cancelling, receiving, rewriting, webhooks, switches and the truth; a mistake is a sentence."""
    plan = StoryPlan(seed=3, deliveries=10, orders=2, seconds=60)
    with Systems(Options(plan=plan)) as systems, ControlServer(systems) as server, httpx.Client() as client:

        def control(path: str, body: object = None) -> httpx.Response:
            url = f"{server.url}{path}"
            return client.get(url) if body is None else client.post(url, json=body)

        told = control("/addresses").json()["barmate"]
        made_keys = [control("/barmate/place", {"seed": seed}).json()["result"]["id"] for seed in range(3)]
        control("/barmate/cancel", {"id": made_keys[0]})
        control("/barmate/receive", {"id": made_keys[1]})
        control("/barmate/rewrite", {"id": made_keys[2], "fields": {"status": "SHIPPED"}})
        refused = [
            control("/barmate/cancel", {"id": made_keys[0]}),
            control("/barmate/cancel", {"id": "nobody"}),
            control("/barmate/hooks", {"url": "http://127.0.0.1:1", "method": "GET"}),
        ]
        hooked = control("/barmate/hooks", {"url": "http://127.0.0.1:1"})
        faults = control("/faults", {"names": "barmate-stale-reads"}).json()["result"]
        control("/outage", {"system": "barmate", "down": True})
        truth = control("/truth/barmate").json()

    statuses = {str(delivery["id"]): delivery["status"] for delivery in truth["deliveries"]}
    assert told["token"] == BARMATE_TOKEN
    assert [statuses[key] for key in made_keys] == ["CANCELLED", "DELIVERED", "SHIPPED"]
    assert [answer.status_code for answer in refused] == [400, 400, 400]
    assert all(answer.json()["message"] for answer in refused)
    assert (hooked.status_code, faults["barmate"]["stale_seconds"]) == (200, 1.0)


def test_a_switch_that_does_not_exist_is_named() -> None:
    """As with the other twins."""
    with pytest.raises(SwitchError, match="'page_sise'"):
        build(page_sise=3)
