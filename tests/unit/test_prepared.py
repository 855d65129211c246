"""Pages prepared for keeping: what is prepared and what is left to a closer look, and the process that does it."""

import marshal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import orjson
import pytest

from tests.vendor_examples import printed_delivery
from worker.reading.page_line import PageLine
from worker.reading.prepared import Prepared, prepare
from worker.reading.preparing import READY, first_rows_of, serve

ACCOUNT = "acme.logistic.cloud"
SEED = printed_delivery()
DEADLINE = 10.0


def _page(*records: object) -> bytes:
    return orjson.dumps(list(records))


def _delivery(key: int, **changes: object) -> dict[str, object]:
    return {**SEED, "id": key, **changes}


@pytest.fixture
def line() -> Iterator[PageLine]:
    """Our end of the line to one who prepares pages."""
    ours, theirs = map(PageLine, socket.socketpair())
    thread = threading.Thread(target=serve, args=(theirs,), daemon=True)
    thread.start()
    yield ours
    ours.close()
    thread.join(DEADLINE)
    theirs.close()
    assert not thread.is_alive()


def test_a_page_is_prepared_in_the_order_of_its_list() -> None:
    """Who is on it, and when each was changed."""
    rows = prepare(ACCOUNT, _page(_delivery(7), _delivery(5, updatedAt="2026-03-01T00:00:00Z")))

    assert rows is not None
    assert Prepared(*rows).ids == [7, 5]
    assert Prepared(*rows).stamps == [1715602269_000_000, 1772323200_000_000]


def test_an_empty_page_is_prepared_as_an_empty_one() -> None:
    """The end of a list is a page too."""
    assert prepare(ACCOUNT, b"[]") == ([], [], [], [], [])


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
    assert first_rows_of(ACCOUNT, body) is None


@pytest.mark.parametrize(("module", "has_them"), [("preparing", False), ("read_page", True)])
def test_who_prepares_pages_starts_without_what_the_worker_has_from_the_start(module: str, has_them: bool) -> None:  # noqa: FBT001
    """A close look is rare, and its models take longest to import; a worker's files may change before it needs them."""
    asked = (
        f"import sys, worker.reading.{module}; print('worker.reading.wire' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert done.stdout.split() == [str(has_them)] * 2


def test_a_line_is_served_page_after_page_until_it_is_closed(line: PageLine) -> None:
    """It says that it is there, and then answers what it is sent, by its number."""
    assert line.receive(DEADLINE) == READY
    for key in (1, 2):
        line.send(marshal.dumps((key, ACCOUNT, _page(_delivery(key)))))
        number, rows = marshal.loads(line.receive(DEADLINE))  # noqa: S302 - of this very test
        assert (number, rows) == (key, prepare(ACCOUNT, _page(_delivery(key))))
    line.send(marshal.dumps((3, ACCOUNT, b"[" * 2000)))
    assert marshal.loads(line.receive(DEADLINE)) == (3, None)  # noqa: S302 - of this very test


def test_a_message_that_does_not_come_whole_in_time_is_trouble() -> None:
    """However long it is, and wherever it stops."""
    ours, theirs = socket.socketpair()
    line = PageLine(ours)
    for begun in (b"", (9).to_bytes(8, "big"), (9).to_bytes(8, "big") + b"half"):
        theirs.sendall(begun)
        with pytest.raises(TimeoutError):
            line.receive(0.05)
    with pytest.raises(TimeoutError):
        line.send(b"x" * 50_000_000, 0.05)
    line.close()
    theirs.close()


@pytest.mark.parametrize("said", [b"", b"\x00", (9).to_bytes(8, "big") + b"half", b"\xff" * 8])
def test_a_line_that_ends_in_the_middle_is_trouble(said: bytes) -> None:
    """Nobody waits for what cannot come."""
    ours, theirs = socket.socketpair()
    line = PageLine(ours)
    theirs.sendall(said)
    theirs.close()
    with pytest.raises(ConnectionError):
        line.receive(DEADLINE)
    line.cut()
    line.close()


def test_a_line_that_is_cut_lets_who_waits_go() -> None:
    """Whoever ends the process does not wait for its patience."""
    ours, theirs = socket.socketpair()
    line, troubles = PageLine(ours), list[str]()

    def wait() -> None:
        try:
            line.receive(DEADLINE)
        except OSError as error:
            troubles.append(type(error).__name__)

    thread = threading.Thread(target=wait)
    thread.start()
    line.cut()
    thread.join(DEADLINE)
    line.close()
    theirs.close()

    assert troubles == ["ConnectionError"]
