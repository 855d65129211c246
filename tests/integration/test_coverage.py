"""Coverage as rows: intervals merge, so that the table stays small for ever."""

import random
from datetime import timedelta

import sqlalchemy as sa

from tests.clocks import NOON
from tests.reading_kit import ACCOUNT
from worker.db import Database
from worker.reading import coverage
from worker.reading.coverage import Proof
from worker.reading.spans import Window
from worker.states import CoverageState

QUARTER = 6 * 3600
YEAR = 365 * 4


def certify(connection: sa.Connection, window: Window, kind: str, rows: int = 1) -> None:
    """A proof of so many rows in one request."""
    coverage.certify(connection, ACCOUNT, window, Proof(kind=kind, rows=rows, requests=1))


def quarter(index: int) -> Window:
    """What one of four polls a day covers."""
    return Window(index * QUARTER, (index + 1) * QUARTER - 1)


def test_a_year_of_polls_with_holes_is_few_rows(sqlite_database: Database) -> None:
    """Every fortieth poll leaves a hole that is proved later: the table never grows beyond a few."""
    most = 0
    with sqlite_database.write() as connection:
        for index in range(YEAR):
            if index % 40 == 0:
                retry_at = NOON + timedelta(hours=index)
                coverage.mark_hole(connection, ACCOUNT, quarter(index), reason="moved", tries=1, retry_at=retry_at)
            else:
                certify(connection, quarter(index), "one_answer")
            if index % 40 == 4:
                certify(connection, quarter(index - 4), "pass", rows=600)
            most = max(most, len(coverage.spans(connection, ACCOUNT)) if index % 8 == 0 else 0)
        (span,) = coverage.spans(connection, ACCOUNT)

    assert most <= 3
    assert span.window == Window(0, YEAR * QUARTER - 1)
    assert span.proof == "one_answer+pass"
    assert (span.rows, span.requests) == (YEAR - 37 + 37 * 600, YEAR)


def test_a_backfill_from_both_ends_is_one_span_in_the_end(sqlite_database: Database) -> None:
    """In whatever order windows are proved, neighbours merge, and sums and kinds of proof are kept."""
    order = list(range(500))
    random.Random(1).shuffle(order)  # noqa: S311
    with sqlite_database.write() as connection:
        coverage.want(connection, ACCOUNT, Window(0, 500 * QUARTER - 1))
        for index in order:
            certify(connection, quarter(index), "pass" if index % 2 else "filters", rows=index)
        (span,) = coverage.spans(connection, ACCOUNT)

    assert (span.state, span.proof) == (CoverageState.CERTIFIED, "filters+pass")
    assert (span.rows, span.requests) == (sum(order), 500)


def test_what_is_certified_without_a_gap_is_told_as_of_one_moment(database: Database) -> None:
    """Who asks while another process certifies what lies behind a gap hears of the gap, or of neither."""
    with database.write() as connection:
        certify(connection, quarter(0), "pass")
    others = iter([lambda: _behind_a_gap(database)])

    def meanwhile(*told: object) -> None:
        if "coverage" in str(told[2]):
            next(others, lambda: None)()

    with database.read() as connection:
        sa.event.listen(connection, "after_cursor_execute", meanwhile)
        until = coverage.certified_until(connection, ACCOUNT, 0)

    assert until == quarter(0).until
    with database.read() as connection:
        assert coverage.front(connection, ACCOUNT) == quarter(2).until


def _behind_a_gap(database: Database) -> None:
    with database.write() as connection:
        coverage.want(connection, ACCOUNT, quarter(1))
        certify(connection, quarter(2), "one_answer")
