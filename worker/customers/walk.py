"""The walk through the list of customer orders: from the top, most recent first, until it reaches known ground.

Known ground is a page that shows only joined rows; rows are joined when the walk that saw them got there, so one that
was cut short stops no later one. Cursors are opaque and may be places in a list that moves: where pages met in unknown
ground, the walk is repeated until it shows nothing between what it saw before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from worker.customers.list_recording import ListRecorder
from worker.customers.source import BarmateSource

# Passes of one walk: the list rarely moves twice in a row; if it does, the next poll walks again.
MAX_PASSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkReport:
    """What a walk did. `joined` is False where the list moved in every pass, or the process is stopping."""

    pages: int = 0
    fresh: int = 0
    joined: bool = False
    unreadable: tuple[str, ...] = ()


@dataclass(slots=True)
class _Pass:
    """One way from the top to known ground; `crossed`: two pages met in unknown ground."""

    ids: list[str]
    pages: int = 0
    fresh: int = 0
    crossed: bool = False
    ended: bool = False
    whole: bool = False


class Walk:
    """Walks through the list of one account."""

    def __init__(
        self, *, source: BarmateSource, recorder: ListRecorder, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._source = source
        self._recorder = recorder
        self._stopping = stopping

    def run(self, *, to_end: bool = False) -> WalkReport:
        """Walk once; `to_end`: past known ground, to the end of the list. Raises ConnectorError."""
        seen: set[str] = set()
        passes: list[_Pass] = []
        unreadable: list[str] = []
        for _ in range(MAX_PASSES):
            made = self._pass(unreadable, to_end=to_end)
            passes.append(made)
            if not made.whole:
                break
            moved = made.crossed if not seen else bool(_between(made.ids, seen))
            seen.update(made.ids)
            if not moved:
                self._recorder.join(sorted(seen), to_end=made.ended)
                return _report(passes, unreadable, joined=True)
        return _report(passes, unreadable, joined=False)

    def _pass(self, unreadable: list[str], *, to_end: bool) -> _Pass:
        made = _Pass(ids=[])
        open_end = False
        for page in self._source.client.pages():
            made.crossed = made.crossed or open_end
            noted = self._recorder.note_page(page)
            made.pages += 1
            made.fresh += noted.fresh
            made.ids += noted.ids
            unreadable += noted.unreadable
            open_end = noted.open_end
            made.ended = page.next_cursor is None
            if made.ended or (noted.known_ground and not to_end):
                made.whole = True
                return made
            if self._stopping():
                return made
        return made


def _between(ids: Sequence[str], seen: set[str]) -> list[str]:
    """What lies between rows that were seen before; what came on top since then is new, and no gap."""
    first = next((place for place, key in enumerate(ids) if key in seen), len(ids))
    return [key for key in ids[first:] if key not in seen]


def _report(passes: Sequence[_Pass], unreadable: Sequence[str], *, joined: bool) -> WalkReport:
    return WalkReport(
        pages=sum(made.pages for made in passes),
        fresh=sum(made.fresh for made in passes),
        joined=joined,
        unreadable=tuple(dict.fromkeys(unreadable)),
    )
