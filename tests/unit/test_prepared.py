"""Pages prepared for keeping: what is prepared and what is left to a closer look, and the process that does it."""

import marshal
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import orjson
import pytest

from tests.vendor_examples import printed_delivery
from worker.reading.prepared import Prepared, prepare
from worker.reading.preparing import NOTHING, READY, answer_to, serve

ACCOUNT = "acme.logistic.cloud"
SEED = printed_delivery()
DEADLINE = 10.0


def _page(*records: object) -> bytes:
    return orjson.dumps(list(records))


def _delivery(key: int, **changes: object) -> dict[str, object]:
    return {**SEED, "id": key, **changes}


@pytest.fixture
def line() -> Iterator[Connection]:
    """Our end of the line to one who prepares pages."""
    ours, theirs = Pipe()
    thread = threading.Thread(target=serve, args=(theirs,), daemon=True)
    thread.start()
    yield ours
    ours.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_a_page_is_prepared_in_the_order_of_its_list() -> None:
    """Who is on it, and when each was changed."""
    rows = prepare(ACCOUNT, _page(_delivery(7), _delivery(5, updatedAt="2026-03-01T00:00:00Z")))

    assert rows is not None
    assert Prepared(rows).ids == [7, 5]
    assert Prepared(rows).stamps == [1715602269_000_000, 1772323200_000_000]


def test_an_empty_page_is_prepared_as_an_empty_one() -> None:
    """The end of a list is a page too."""
    assert prepare(ACCOUNT, b"[]") == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        b"",
        b'{"deliveries":[]}',
        b"[" + orjson.dumps(SEED),
        b"\xef\xbb\xbf[]",
        _page(_delivery(1), _delivery(2, customerId="none")),
        _page(_delivery(1), "a string"),
        _page(_delivery(1), _delivery(1, status="completed")),
    ],
    ids=["html", "empty", "an object", "cut off", "byte order mark", "does not parse", "no object", "one twice"],
)
def test_whatever_is_odd_is_left_to_a_closer_look(body: bytes) -> None:
    """Only what every first reading looks like is prepared; what else it is, is found and told elsewhere."""
    assert prepare(ACCOUNT, body) is None
    assert answer_to(ACCOUNT, body) == NOTHING


def test_what_cannot_be_prepared_at_all_is_answered_too() -> None:
    """Nobody waits for an answer that does not come."""
    deep = b"[" * 2000 + b"]" * 2000

    assert answer_to(ACCOUNT, deep) == NOTHING


def test_a_line_is_served_page_after_page_until_it_is_closed(line: Connection) -> None:
    """It says that it is there, and then answers what it is sent."""
    assert line.recv_bytes() == READY
    for key in (1, 2):
        line.send_bytes(marshal.dumps((ACCOUNT, _page(_delivery(key)))))
        (row,) = marshal.loads(line.recv_bytes())  # noqa: S302 - of this very test
        assert row == prepare(ACCOUNT, _page(_delivery(key)))[0]  # type: ignore[index]
    line.send_bytes(marshal.dumps((ACCOUNT, b"nothing")))
    assert line.recv_bytes() == NOTHING
