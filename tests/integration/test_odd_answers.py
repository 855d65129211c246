import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from connectors.simulated.http_server import Ending
from tests.wire_kit import KEY, WireBench, wired
from worker.db import Database
from worker.reading.poller import PollReport
from worker.states import CoverageState

# Deliveries that are there before anything is odd, one a minute.
DELIVERIES = 12


@pytest.fixture
def bench(sqlite_database: Database) -> Iterator[WireBench]:
    """An account with some deliveries, whose answers hold five rows; nothing was read yet."""
    with wired(sqlite_database, page_size=5, lag=20.0) as bench:
        for key in range(1, DELIVERIES + 1):
            bench.put(key, at=bench.clock.now() - timedelta(seconds=120 + 60 * key))
        yield bench


Apply = Callable[[WireBench], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """An odd answer, as it is made, and its one outcome.

    `error`, `stopped` and `hole` are what the poll's report or a hole's reason says of it; all None: it reads well.
    """

    name: str
    apply: Apply
    error: str | None = None
    stopped: str | None = None
    hole: str | None = None
    # What is said where it is so from the first request on; None where that is the same as later.
    at_once: str | None = None


def switched(**switches: object) -> Apply:
    """Set at the warehouse."""
    return lambda bench: bench.warehouse.panel.change(switches)


def headed(name: str, value: str | None) -> Apply:
    """A header says so."""
    return lambda bench: bench.header(name, value)


def rowed(**fields: object) -> Apply:
    """All rows carry these fields."""
    return lambda bench: bench.rows(lambda row: row.update(fields))


def ended(ending: Ending) -> Apply:
    """Connections end so."""
    return lambda bench: setattr(bench.server, "bend", lambda _request, reply: replace(reply, ending=ending))


def written(change: Callable[[bytes], bytes]) -> Apply:
    """The bytes of every answer are changed."""
    return lambda bench: setattr(bench.server, "bend", lambda _request, reply: replace(reply, body=change(reply.body)))


NOT_JSON = "is not JSON"
NOT_AN_ARRAY = "is not a JSON array of deliveries"
INTERRUPTED = "the answer is missing or incomplete"

ODD = (
    Odd(name="truncated body", apply=ended(Ending.TRUNCATED), error=INTERRUPTED),
    Odd(name="reset connection", apply=ended(Ending.RESET), error=INTERRUPTED),
    Odd(name="HTML with 200", apply=switched(odd_answer="html"), error=NOT_JSON, at_once=NOT_JSON),
    Odd(name="empty body", apply=switched(odd_answer="empty"), error=NOT_JSON),
    Odd(name="an object", apply=switched(odd_answer="object"), error=NOT_AN_ARRAY),
    Odd(name="null", apply=switched(odd_answer="null"), error=NOT_AN_ARRAY),
    Odd(name="nested beyond parsing", apply=switched(odd_answer="nested"), error=NOT_JSON),
    Odd(name="gzip garbage", apply=switched(odd_answer="gzip_garbage"), error="the answer cannot be read"),
    Odd(name="a byte order mark", apply=switched(odd_answer="byte_order_mark")),
    Odd(
        name="a redirect",
        apply=switched(odd_answer="redirect"),
        error="redirects are not followed",
        at_once="redirects are not followed",
    ),
    Odd(name="a duplicate row", apply=switched(odd_answer="duplicate_row"), hole="came twice"),
    Odd(name="UTF-16", apply=written(lambda body: body.decode().encode("utf-16")), error=NOT_JSON),
    Odd(name="401", apply=switched(refusal_status=401), stopped="Check the API key", at_once="Check the API key"),
    Odd(name="403", apply=switched(refusal_status=403), stopped="Delivery.Read"),
    Odd(name="404", apply=switched(refusal_status=404), stopped="Check the base URL"),
    Odd(name="400", apply=switched(refusal_status=400), error="HTTP 400"),
    Odd(name="500", apply=switched(refusal_status=500), error="HTTP 500"),
    Odd(name="503", apply=switched(refusal_status=503), error="HTTP 503", at_once="HTTP 503"),
    Odd(name="429", apply=switched(refusal_status=429), error="too many requests"),
    Odd(name="cached", apply=switched(age_seconds=5), error="cache", at_once="no usable Date"),
    Odd(name="no Date", apply=headed("Date", None), error="Date", at_once="no usable Date"),
    Odd(name="a Date that is none", apply=headed("Date", "yesterday"), error="Date"),
    Odd(
        name="a Date of the year 9999",
        apply=headed("Date", "Fri, 31 Dec 9999 23:59:59 GMT"),
        error="Date",
        at_once="no usable Date",
    ),
    Odd(name="no X-Total", apply=switched(x_total=False)),
    Odd(name="X-Total too high", apply=switched(x_total_off=3), hole="X-Total"),
    Odd(name="X-Total too low", apply=switched(x_total_off=-2), hole="X-Total"),
    Odd(name="X-Total that is no number", apply=headed("X-Total", "many")),
    Odd(name="X-Total beyond reading", apply=headed("X-Total", "9" * 5000)),
    Odd(name="X-Total of a billion", apply=headed("X-Total", "1000000000"), hole="X-Total"),
    Odd(name="a clamped page size", apply=switched(page_size_limit=3)),
    Odd(name="a page size of 0", apply=headed("X-PageSize", "0")),
    Odd(name="no page size", apply=headed("X-PageSize", None)),
    Odd(name="rows outside the span", apply=rowed(updatedAt="2020-01-01T00:00:00Z"), error="outside of what was asked"),
)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_an_odd_answer_has_one_outcome(bench: WireBench, odd: Odd, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost or certified falsely, one sentence says what is wrong, no secret is told, and it heals."""
    bench.poll(3)
    odd.apply(bench)
    for key in (50, 51):
        bench.put(key)
    with caplog.at_level(logging.INFO):
        reports = [bench.poll(1, 30.0) for _ in range(4)]
    said = _said(bench, reports, caplog)

    assert bench.unseen() == []
    assert KEY not in said
    assert _Outcome.of(bench, reports).fits(odd)

    bench.heal()

    assert bench.differences() == {}
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd.at_once is not None], ids=lambda odd: odd.name)
def test_an_account_that_answers_oddly_from_the_start_is_shown(bench: WireBench, odd: Odd) -> None:
    """The first request has the same outcomes, and what was wrong is no beginning of coverage."""
    odd.apply(bench)
    reports = [bench.poll(1, 30.0) for _ in range(3)]

    assert odd.at_once is not None
    assert odd.at_once in str(reports)
    assert bench.unseen() == []

    bench.heal()

    assert bench.differences() == {}


@dataclass(frozen=True, slots=True)
class _Outcome:
    errors: str
    stopped: str
    holes: str

    @classmethod
    def of(cls, bench: WireBench, reports: list[PollReport]) -> "_Outcome":
        return cls(
            errors=" ".join(report.error or "" for report in reports).strip(),
            stopped=" ".join(report.stopped or "" for report in reports).strip(),
            holes=" ".join(span.reason or "" for span in bench.spans() if span.state is CoverageState.HOLE),
        )

    def fits(self, odd: Odd) -> bool:
        """Whether it says what it should, and nothing where nothing is to be said."""
        return all(
            not told if wanted is None else wanted in told
            for wanted, told in ((odd.error, self.errors), (odd.stopped, self.stopped))
        ) and (odd.hole is None or odd.hole in self.holes)


def _said(bench: WireBench, reports: list[PollReport], caplog: pytest.LogCaptureFixture) -> str:
    return " ".join([bench.told(), caplog.text, *(str(report) for report in reports)])
