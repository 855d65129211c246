"""The shadow of a source: what was visible when, compared with what we hold and what we certified."""

from tests.reading_kit import Bench
from worker.reading.spans import Window, second_of
from worker.states import CoverageState


def windows(bench: Bench, state: CoverageState) -> list[Window]:
    """The windows of coverage in that state."""
    return [span.window for span in bench.spans() if span.state is state]


def false_certificates(bench: Bench) -> list[str]:
    """Deliveries whose newest version lies in a certified second although we don't hold it."""
    certified = windows(bench, CoverageState.CERTIFIED)
    held = bench.held()
    wrong = []
    for row in bench.warehouse._true.rows():  # noqa: SLF001 - the shadow of the source knows
        second = int(row.updated)
        known = held.get(row.key)
        if _holds(certified, second) and (known is None or second_of(known.updated_at) != second):
            wrong.append(f"delivery {row.key} at {second}")
    return wrong


def missed(bench: Bench) -> list[int]:
    """Deliveries that we hold otherwise than they are, although no hole says so."""
    rows = {row.key: int(row.updated) for row in bench.warehouse._true.rows()}  # noqa: SLF001
    holes = windows(bench, CoverageState.HOLE)
    return [key for key in bench.differences() if not _holds(holes, rows[key])]


def _holds(spans: list[Window], second: int) -> bool:
    return any(window.since <= second <= window.until for window in spans)
