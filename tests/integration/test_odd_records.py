from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from connectors.simulated.http_server import Reply, Request
from tests.wire_kit import WireBench, wired
from worker.db import Database
from worker.db.tables import set_aside
from worker.reading.delivery_rows import facts_of_row
from worker.reading.spans import second_of
from worker.states import CoverageState

# The delivery that comes oddly; the others come as they should.
ODD_ONE = 4
EVERYONE = range(1, 9)


@contextmanager
def read(database: Database) -> Iterator[WireBench]:
    """An account with some deliveries of which one is about to come oddly; all were read before."""
    with wired(database, page_size=5, lag=20.0) as bench:
        for key in EVERYONE:
            bench.put(key, at=bench.clock.now() - timedelta(seconds=120 + 60 * key))
        bench.poll(3)
        yield bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """An odd record, as it is made of the right one, and what becomes of it.

    `held` are columns of the delivery as it is held then, and its line items; `aside` is the reason where it is set
    aside.
    """

    name: str
    change: Callable[[dict[str, Any]], object] = lambda _row: None
    # Of the bytes of the record, where its text is what is odd.
    write: Callable[[bytes], bytes] = lambda body: body
    held: Mapping[str, object] | None = None
    aside: str | None = None


def put(**fields: object) -> Callable[[dict[str, Any]], object]:
    """The row carries these fields."""
    return lambda row: row.update(fields)


def without(*names: str) -> Callable[[dict[str, Any]], object]:
    """The row lacks these fields."""
    return lambda row: [row.pop(name) for name in names]


def nested(levels: int) -> Callable[[bytes], bytes]:
    """An attribute nested so deep."""
    return lambda body: body.replace(b'"attributes":null', b'"attributes":' + b"[" * levels + b"]" * levels)


ITEM = {"id": 1, "status": "booked", "articleNumber": "A", "articleUnit": "PC", "quantity": 1}
KEPT = {"number": "LS4"}

ODD = (
    Odd(name="an unknown status", change=put(status="lost"), held={"status": "lost", "unrecognised": ["status=lost"]}),
    Odd(name="an unknown inbound status", change=put(statusInbound="x"), held={"unrecognised": ["statusInbound=x"]}),
    Odd(name="an unknown priority", change=put(priority="asap"), held={"unrecognised": ["priority=asap"]}),
    Odd(
        name="an unknown item status",
        change=put(lineItems=[{**ITEM, "status": "odd"}]),
        held={"unrecognised": ["lineItems[0].status=odd"]},
    ),
    Odd(name="extra fields", change=put(brand="new", deep={"er": [1, None]}), held=KEPT),
    Odd(name="missing optional fields", change=without("numberExternal", "priority", "createdAt"), held=KEPT),
    Odd(name="missing line items", change=without("lineItems"), held={"line_items": None}),
    Odd(name="null line items", change=put(lineItems=None), held={"line_items": None}),
    Odd(name="a missing customer", change=without("customerId"), aside="customerId is missing"),
    Odd(name="text in an int", change=put(customerId="1000050"), aside="customerId cannot be understood"),
    Odd(name="a quantity that is text", change=put(lineItems=[{**ITEM, "quantity": "1"}]), aside="quantity"),
    Odd(name="an id beyond 64 bits", change=put(id=2**64 - 1), aside="id cannot be understood"),
    Odd(name="an id that is text", change=put(id="four"), aside="id cannot be understood"),
    Odd(name="a stamp in another zone", change=put(updatedAt="2026-03-02T13:00:20+01:00"), held=KEPT),
    Odd(name="a stamp with a fraction", change=put(updatedAt="2026-03-02T12:00:20.123456789Z"), held=KEPT),
    Odd(name="a stamp without a zone", change=put(updatedAt="2026-03-02T12:00:20"), held=KEPT),
    Odd(name="a stamp before all time", change=put(updatedAt="0001-01-01T00:00:00+05:00"), aside="updatedAt"),
    Odd(name="a missing stamp", change=without("updatedAt"), aside="updatedAt is missing"),
    Odd(name="a stamp that is none", change=put(updatedAt="soon"), aside="updatedAt cannot be understood"),
)

# What a database may refuse to keep, so that both are asked.
ODD_TO_KEEP = (
    Odd(name="a NUL in a number", change=put(numberPurchaseOrder="PO\x00"), aside="NUL"),
    Odd(name="half a pair in a note", write=lambda body: body.replace(b'"note":null', b'"note":"\\ud83d"'), held=KEPT),
    Odd(name="Latin-1 in a note", write=lambda body: body.replace(b'"note":null', b'"note":"S\xfcd"'), held=KEPT),
    Odd(name="half a pair in an order", write=lambda body: body.replace(b'"PO1"', b'"PO\\udfff"'), aside="Unicode"),
    Odd(name="Latin-1 in a number", write=lambda body: body.replace(b'"LS4"', b'"LS\xfc"'), aside="Unicode"),
    Odd(name="a stamp of the year 9999", change=put(updatedAt="9999-12-31T23:59:59Z"), held=KEPT),
    Odd(name="nested beyond writing", write=nested(1000), held=KEPT),
    Odd(name="no object", write=lambda _body: b"17", aside="not a JSON object"),
)


def bent(odd: Odd) -> Callable[[Request, Reply], Reply]:
    """An answer in which the delivery comes oddly, in whatever list or alone."""

    def record(row: dict[str, Any]) -> bytes:
        if row["id"] != ODD_ONE:
            return orjson.dumps(row)
        odd.change(row)
        return odd.write(orjson.dumps(row))

    def bend(_request: Request, reply: Reply) -> Reply:
        told = orjson.loads(reply.body)
        if isinstance(told, list):
            return replace(reply, body=b"[" + b",".join(record(row) for row in told) + b"]")
        return replace(reply, body=record(told)) if "id" in told else reply

    return bend


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_an_odd_record_has_one_outcome_and_stops_nobody(sqlite_database: Database, odd: Odd) -> None:
    """It is held as it came, or set aside with the reason; the rest goes on, and it heals once it comes right."""
    with read(sqlite_database) as bench:
        _one_outcome(bench, odd)


@pytest.mark.parametrize("odd", ODD_TO_KEEP, ids=lambda odd: odd.name)
def test_what_a_database_may_refuse_is_kept_or_set_aside_by_both(database: Database, odd: Odd) -> None:
    """Text that is no Unicode, a NUL, an absurd instant: the same on SQLite and on PostgreSQL."""
    with read(database) as bench:
        _one_outcome(bench, odd)


def _held(row: sa.Row[Any], name: str) -> object:
    return facts_of_row(row).line_items if name == "line_items" else getattr(row, name)


def _one_outcome(bench: WireBench, odd: Odd) -> None:
    bench.server.bend = bent(odd)
    for key in (ODD_ONE, 50):
        bench.put(key, status="completed")
    reports = [bench.poll(1, 30.0) for _ in range(3)]
    held = bench.held()

    assert [(report.error, report.stopped, report.holes) for report in reports] == [(None, None, 0)] * 3
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert held[50].status == "completed"
    assert _reasons(bench) == [] if odd.aside is None else odd.aside in _reasons(bench)[0]
    if odd.held is not None:
        assert held[ODD_ONE].status != "approved"
        assert {name: _held(held[ODD_ONE], name) for name in odd.held} == odd.held

    bench.heal()
    bench.put(ODD_ONE, status="completed")
    bench.poll(2, 30.0)

    assert bench.differences() == {}


def _reasons(bench: WireBench) -> list[str]:
    with bench.database.read() as connection:
        return list(connection.execute(sa.select(set_aside.c.reason)).scalars())


def test_a_doubt_that_a_cache_answers_certifies_nothing(sqlite_database: Database) -> None:
    """A stamp that went back is confirmed by id; until a fresh answer comes, its second stays open."""
    with read(sqlite_database) as bench:
        bench.put(ODD_ONE, status="processing")
        bench.poll()
        went_back = bench.clock.now() - timedelta(seconds=10)
        bench.put(ODD_ONE, status="completed", at=went_back)
        bench.server.bend = _aged_by_id
        bench.poll(5, 30.0)
        status, until = bench.held()[ODD_ONE].status, bench.spans()[-1].window.until

        assert (status, until < second_of(went_back)) == ("processing", True)

        bench.heal()

        assert bench.differences() == {}


def _aged_by_id(request: Request, reply: Reply) -> Reply:
    return replace(reply, headers=(*reply.headers, ("Age", "9"))) if request.path.endswith(f"/{ODD_ONE}") else reply
