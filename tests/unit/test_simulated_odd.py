"""Odd answers of the warehouse's twin: what a client gets for each, and that only lists are odd."""

import random
from collections.abc import Iterator

import httpx
import orjson
import pytest

from connectors.simulated.clock import SystemClock
from connectors.simulated.http_server import Reply
from connectors.simulated.switches import Panel, SwitchError, WarehouseSwitches, changed
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_odd import HUGE_BYTES, OddAnswer, made_odd
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_words import READ_SCOPE

KEY = {"X-Api-Key": "key"}
ROWS = [{"id": 1}, {"id": 2}, {"id": 3}]


@pytest.fixture
def server() -> Iterator[WarehouseServer]:
    """Three deliveries, no limit."""
    panel = Panel(WarehouseSwitches(requests_per_second=0))
    warehouse = Warehouse(clock=SystemClock(), chance=random.Random(1), panel=panel)  # noqa: S311
    for row in ROWS:
        warehouse.put(row["id"], row)
    with WarehouseServer(warehouse, keys={"key": [READ_SCOPE]}, chance=random.Random(2)) as server:  # noqa: S311
        yield server


def listed(server: WarehouseServer, **params: int) -> httpx.Response:
    """The list of deliveries."""
    return httpx.get(f"{server.url}/deliveries", headers=KEY, params=params)


@pytest.mark.parametrize(
    ("oddity", "begins"),
    [
        ("html", b"<!DOCTYPE html>"),
        ("object", b'{"data":[{'),
        ("null", b"null"),
        ("nested", b"[[[[["),
        ("byte_order_mark", b"\xef\xbb\xbf[{"),
    ],
)
def test_a_list_is_answered_in_the_odd_way_that_was_set(server: WarehouseServer, oddity: str, begins: bytes) -> None:
    """With status 200, so that only the content gives it away; one record alone is answered as ever."""
    server.panel.change({"odd_answer": oddity})
    answer = listed(server)
    alone = httpx.get(f"{server.url}/deliveries/2", headers=KEY)

    assert (answer.status_code, answer.content[: len(begins)]) == (200, begins)
    assert alone.json()["id"] == 2


def test_the_share_of_odd_answers_is_a_switch(server: WarehouseServer) -> None:
    """Some, drawn from the seed; none at all where nothing odd is set."""
    server.panel.change({"odd_answer": "empty", "odd_share": 0.5})
    lengths = [len(listed(server).content) for _ in range(30)]

    assert 5 < lengths.count(0) < 25


def test_a_duplicate_row_stands_in_the_place_of_another() -> None:
    """So the count is right and a row is missing: the oddity that only distinct ids find."""
    reply = made_odd(Reply(status=200, body=orjson.dumps(ROWS)), OddAnswer.DUPLICATE_ROW)

    assert [row["id"] for row in orjson.loads(reply.body)] == [1, 2, 1]


def test_a_huge_answer_is_one_of_200_megabytes() -> None:
    """JSON still, and an error stays what it is."""
    reply = Reply(status=200, body=b"[]")

    assert len(made_odd(reply, OddAnswer.HUGE).body) == HUGE_BYTES + 2
    assert made_odd(Reply(status=500, body=b"x"), OddAnswer.HUGE).body == b"x"


def test_gzip_garbage_and_redirects_say_what_they_are(server: WarehouseServer) -> None:
    """A body that does not unpack; an address somewhere else."""
    server.panel.change({"odd_answer": "gzip_garbage"})
    with pytest.raises(httpx.DecodingError):
        listed(server)
    server.panel.change({"odd_answer": "redirect"})

    assert listed(server).headers["Location"] == "https://login.example.com/"


def test_page_size_count_and_refusal_are_switches(server: WarehouseServer) -> None:
    """The server gives fewer rows than asked and says so, miscounts, or refuses whatever it is asked."""
    server.panel.change({"page_size_limit": 2, "x_total_off": -5})
    answer = listed(server, pageSize=3)
    server.panel.change({"refusal_status": 503})

    assert (len(answer.json()), answer.headers["X-PageSize"], answer.headers["X-Total"]) == (2, "2", "0")
    assert listed(server).status_code == 503


def test_an_oddity_nobody_knows_is_refused() -> None:
    """The sentence names the switch."""
    with pytest.raises(SwitchError, match="odd_answer"):
        changed(WarehouseSwitches(), {"odd_answer": "mysterious"})
