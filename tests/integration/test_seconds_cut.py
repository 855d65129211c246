"""A second with more rows than one answer, where a value nobody documented is found by no filter of its field."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from connectors.simulated.switches import PageOrder
from tests.clocks import NOON, ManualClock
from tests.reading_kit import Bench
from worker.db import Database
from worker.reading.normalizer import PRIORITIES
from worker.states import CoverageState


@pytest.mark.parametrize(
    ("status", "inbound", "odd"),
    [
        (("draft", "approved", "completed"), ("new", "unloading", "booked"), {"status": "quarantined"}),
        (("completed",), ("new", "unloading", "booked"), {"statusInbound": "quarantined"}),
    ],
    ids=["status", "inbound status"],
)
def test_an_undocumented_value_makes_no_hole_of_its_second(
    sqlite_database: Database, status: Sequence[str], inbound: Sequence[str], odd: dict[str, str]
) -> None:
    """The other filters prove it: pages in any order would never agree."""
    bench = Bench(sqlite_database, ManualClock(), page_size=5, lag=20, page_order=PageOrder.SHUFFLED)
    for index in range(12):
        plain = {
            "status": status[index % len(status)],
            "statusInbound": inbound[index % 3],
            "priority": PRIORITIES[index % 3],
        }
        bench.put(index + 1, at=NOON - timedelta(seconds=500), **(plain if index else {**plain, **odd}))
    bench.poll(3)

    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert any("filters" in str(span.proof) for span in bench.spans())
