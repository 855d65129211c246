"""Pages that are prepared as by a process of its own, without the process, from a source without HTTP."""

import marshal
from dataclasses import dataclass
from typing import Protocol

import orjson

from connectors.answer import Answer
from connectors.logistic_cloud import DeliveryPage, DeliveryQuery, UnreadPage
from worker.reading.prepared import Prepared
from worker.reading.prepared_pages import PreparedPages
from worker.reading.preparer import Preparer
from worker.reading.preparing import first_rows_of

NOTHING = marshal.dumps(None)


class _Lists(Protocol):
    def list_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> DeliveryPage: ...


@dataclass(slots=True)
class Unread:
    """The lists of a source, each page as the bytes that it came as."""

    lists: _Lists

    def ask_for_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> UnreadPage:
        """One page."""
        found = self.lists.list_deliveries(query, page=page, page_size=page_size)
        return UnreadPage(
            answer=Answer(status=200, body=orjson.dumps(list(found.records)), turn=found.turn),
            total=found.total,
            page_size=found.page_size,
            server_time=found.server_time,
            age=found.age,
            turn=found.turn,
        )


class SameProcess:
    """Does what the other process does, at once and here."""

    def __init__(self) -> None:
        self._answer = NOTHING

    def submit(self, account: str, body: bytes) -> None:
        """Prepare it, as it comes over the line."""
        self._answer = marshal.dumps(first_rows_of(account, body))

    def collect(self) -> Prepared | None:
        """What came of it."""
        answer, self._answer = self._answer, NOTHING
        rows = marshal.loads(answer)  # noqa: S302 - made above
        return None if rows is None else Prepared(*rows)

    def cut(self) -> None:
        """Nobody waits."""

    def end(self) -> None:
        """Nothing is left."""


def long_lists(account: str, lists: _Lists, page_size: int) -> PreparedPages:
    """Every list of a page and more is long."""
    preparer = Preparer(lambda: 0.0, start=SameProcess, cores=2)
    return PreparedPages(account=account, client=Unread(lists), page_size=page_size, preparer=preparer, long=1)
