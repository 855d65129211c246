"""The account that everybody reads: the twin of logistic.cloud as a process of its own, without a rate limit.

Started as `python -m benchmarks.reading.account --rows N --order by_id`. Prints one JSON line with its address, then
obeys one JSON object a line on standard input: `{"moving": 3}` rows change at every list request from now on,
`{"requests": true}` counts list requests since the last asking, `{"truth": "FILE"}` writes id and stamp of every row.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from connectors.simulated.clock import SystemClock, stamp
from connectors.simulated.http_server import Reply, Request
from connectors.simulated.story_deliveries import CANCELLED, COMPLETED, STUCK, DeliveryMaker
from connectors.simulated.switches import PageOrder, Panel, WarehouseSwitches
from connectors.simulated.warehouse import FIRST_DELIVERY_ID, Warehouse
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_words import READ_SCOPE, JsonObject

KEY = "benchmark-key"
# Rows are spread evenly over this much of the past, a little less than what waybill reads by default (30 days).
REACH = timedelta(days=29)
# A delivery changes for the last time within this long after it was created.
LONGEST_LIFE = timedelta(days=5)
# The newest rows are this old: older than any look-back, so that nothing but movement makes a difference.
NEWEST = timedelta(minutes=10)
# Orders have three deliveries on average, one in ten deliveries has no purchase order.
ROWS_PER_ORDER = 3
WITHOUT_ORDER = 10
CUSTOMERS = 400
SEED = 7


class MovingAccount(WarehouseServer):
    """A warehouse whose rows may change at every list request."""

    def __init__(self, rows: int, order: PageOrder) -> None:
        """Filled with `rows` deliveries; nothing moves yet."""
        chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
        panel = Panel(WarehouseSwitches(requests_per_second=0, page_order=order))
        warehouse = Warehouse(clock=SystemClock(), chance=chance, panel=panel)
        super().__init__(warehouse, keys={KEY: (READ_SCOPE,)}, chance=chance)
        fill(warehouse, rows, chance)
        self._rows = rows
        self._asked = 0
        self._counted = threading.Lock()
        self.moving = 0

    def answer(self, request: Request) -> Reply:
        """Answer; then let rows move."""
        reply = super().answer(request)
        with self._counted:
            self._asked += 1
            for _ in range(self.moving):
                key = FIRST_DELIVERY_ID + self.chance.randrange(self._rows)
                self.warehouse.change(key, touch)
        return reply

    def asked(self) -> int:
        """Requests since the last time this was asked."""
        with self._counted:
            asked, self._asked = self._asked, 0
            return asked


def fill(warehouse: Warehouse, rows: int, chance: random.Random) -> None:
    """Put deliveries into the warehouse: ids by their creation, stamps by their last change, some days later."""
    now = datetime.now(UTC)
    step = (REACH - LONGEST_LIFE - NEWEST) / rows
    born = [REACH - index * step for index in range(rows)]
    lasted = [LONGEST_LIFE * chance.random() for _ in range(rows)]
    made = list(deliveries(rows, chance))
    # By stamp, so that the twin's index grows at its end.
    for index in sorted(range(rows), key=lambda index: born[index] - lasted[index], reverse=True):
        key, record = made[index]
        created = stamp(now - born[index])
        warehouse.put(key, {**orjson.loads(record), "createdAt": created}, at=now - born[index] + lasted[index])


def deliveries(rows: int, chance: random.Random) -> Iterator[tuple[int, bytes]]:
    """The records as JSON, which is small; without stamps."""
    maker = DeliveryMaker(chance)
    for index in range(rows):
        order = index // ROWS_PER_ORDER
        number = None if index % WITHOUT_ORDER == 0 else f"PO-{order:07d}"
        end = chance.choices((COMPLETED, STUCK, CANCELLED), weights=(80, 15, 5))[0]
        planned = maker.make(customer_id=1_000_000 + order % CUSTOMERS, purchase_order=number, end=end)
        record = {**planned.record, "status": end[0], "statusInbound": end[1]}
        for item in record["lineItems"]:
            item["status"] = end[1]
        yield planned.key, orjson.dumps(record)


def touch(record: JsonObject) -> None:
    """Change something that a reader has to notice."""
    record["note"] = f"touched after {record.get('updatedAt')}"


def obey(account: MovingAccount, command: Mapping[str, Any]) -> dict[str, object]:
    """Do what the line says; what is answered."""
    if "moving" in command:
        account.moving = int(command["moving"])
    if "truth" in command:
        rows = ((row["id"], row["updatedAt"]) for row in account.warehouse.truth()["rows"])
        Path(command["truth"]).write_bytes(orjson.dumps(list(rows)))
    return {"asked": account.asked()} if "requests" in command else {"done": True}


def main() -> None:
    """Serve until standard input ends."""
    told = argparse.ArgumentParser()
    told.add_argument("--rows", type=int, required=True)
    told.add_argument("--order", choices=[order.value for order in PageOrder], default=PageOrder.BY_ID.value)
    given = told.parse_args()
    account = MovingAccount(given.rows, PageOrder(given.order))
    _say({"url": account.start(), "key": KEY})
    for line in sys.stdin:
        _say(obey(account, orjson.loads(line)))
    account.stop()


def _say(content: Mapping[str, object]) -> None:
    sys.stdout.write(orjson.dumps(content).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
