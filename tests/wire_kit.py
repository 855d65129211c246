"""What tests of odd answers share: the real client, over HTTP, before a warehouse that answers as it is told to."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from connectors.client import HttpClient
from connectors.logistic_cloud import LogisticCloud
from connectors.simulated.http_server import Reply, Request
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_words import READ_SCOPE
from tests.clocks import ManualClock
from tests.reading_kit import ACCOUNT, Bench
from worker.db import Database
from worker.reading.spans import second_of
from worker.states import CoverageState

KEY = "the-key-that-no-sentence-may-show"
# Polls until whatever went wrong has healed: further apart than the longest wait of a hole that was tried a few times.
_HEALING_POLLS = 12
_HEALING_SECONDS = 300.0

Bend = Callable[[Request, Reply], Reply]


def straight(_request: Request, reply: Reply) -> Reply:
    """As it is."""
    return reply


@dataclass(slots=True)
class Turns:
    """Numbers without a budget; remembers what a 429 asked for."""

    taken: int = 0
    wishes: list[float | None] = field(default_factory=list)

    def take(self) -> int:
        """The next number."""
        self.taken += 1
        return self.taken

    def throttled(self, retry_after: float | None) -> None:
        """Remember."""
        self.wishes.append(retry_after)


class BentServer(WarehouseServer):
    """The warehouse, whose answers a test may change on their way."""

    bend: Bend = staticmethod(straight)
    # Called before each answer.
    before: Callable[[], object] = staticmethod(lambda: None)

    def answer(self, request: Request) -> Reply:
        """As the warehouse answers, then bent."""
        self.before()
        return self.bend(request, super().answer(request))


class WireBench(Bench):
    """An account that is read by the real client over a real connection."""

    def __init__(self, database: Database, clock: ManualClock, **options: Any) -> None:  # noqa: ANN401 - as in Bench
        super().__init__(database, clock, requests_per_second=0, **options)
        self.turns = Turns()
        self.server = BentServer(self.warehouse, keys={KEY: [READ_SCOPE]}, chance=random.Random(7))  # noqa: S311
        self._http = HttpClient(
            system=ACCOUNT,
            base_url=self.server.start(),
            headers={"X-Api-Key": KEY},
            turns=self.turns,
            random=random.Random(7),  # noqa: S311
            sleep=clock.sleep,
            clock=clock.monotonic,
        )
        # A request takes a second, as it does at the documented limit.
        self.server.before = lambda: clock.advance(1.0)
        self.source = replace(self.source, client=LogisticCloud(self._http))
        self.restart()

    def close(self) -> None:
        """End the connections."""
        self._http.close()
        self.server.stop()

    def rows(self, change: Callable[[dict[str, Any]], object], *, key: int | None = None) -> None:
        """From now on, every row that is listed (or the one with that id) is changed on its way."""

        def bend(_request: Request, reply: Reply) -> Reply:
            told = orjson.loads(reply.body)
            for row in told if isinstance(told, list) else [told]:
                if key is None or row.get("id") == key:
                    change(row)
            return replace(reply, body=orjson.dumps(told))

        self.server.bend = bend

    def header(self, name: str, value: str | None) -> None:
        """From now on, that header says so, or is missing."""

        def bend(_request: Request, reply: Reply) -> Reply:
            kept = [header for header in reply.headers if header[0].lower() != name.lower()]
            return replace(reply, headers=(*kept, *([] if value is None else [(name, value)])))

        self.server.bend = bend

    def heal(self) -> None:
        """The warehouse answers as it should again, and is polled until nothing is left to be tried again."""
        self.server.bend = straight
        self.warehouse.panel.change({"odd_answer": "none", "refusal_status": 0, "x_total_off": 0, "age_seconds": 0})
        for _ in range(_HEALING_POLLS):
            self.poll(1, _HEALING_SECONDS)
            if len(self.spans()) == 1:
                return

    def unseen(self) -> list[int]:
        """Deliveries whose second is certified although we do not hold them as they are: false certificates."""
        certified = [span.window for span in self.spans() if span.state is CoverageState.CERTIFIED]
        rows = {row["id"]: row for row in self.warehouse.truth()["rows"]}
        held = self.held()
        wrong = []
        for key in self.differences():
            second = second_of(stamp_of(rows[key]))
            known_later = key in held and second_of(held[key].updated_at) > second
            if not known_later and any(window.since <= second <= window.until for window in certified):
                wrong.append(key)
        return wrong

    def told(self) -> str:
        """Everything that was said about it: events, and the reasons of spans."""
        return " ".join(
            [*(str(row.data) for row in self.events()), *(span.reason for span in self.spans() if span.reason)]
        )


@contextmanager
def wired(database: Database, **options: Any) -> Iterator[WireBench]:  # noqa: ANN401 - as in Bench
    """An account read over HTTP, with its connections closed at the end."""
    bench = WireBench(database, ManualClock(), **options)
    try:
        yield bench
    finally:
        bench.close()


def stamp_of(row: dict[str, Any]) -> datetime:
    """A row's `updatedAt`."""
    return datetime.fromisoformat(row["updatedAt"])
