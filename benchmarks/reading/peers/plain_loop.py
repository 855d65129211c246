"""A plain loop: httpx and orjson into SQLite, rows only, with a cursor and a look-back."""

from __future__ import annotations

import httpx
import orjson

from benchmarks.reading.contract import PAGE_SIZE, Run
from benchmarks.reading.peers.rows import QUERY, Rows, looking_back


def main() -> None:
    """Read what changed since the newest row we have."""
    run = Run()
    order, page = run.order, 0
    rows = Rows(order.database)
    newest = rows.newest()
    since = order.since if newest is None else looking_back(newest, order.look_back_seconds)
    with httpx.Client(headers={"X-Api-Key": order.key}) as client:
        run.started()
        while True:
            params = {"updatedAtMin": since, "page": page, "pageSize": PAGE_SIZE}
            answer = client.get(f"{order.url}/deliveries", params=params).raise_for_status()
            records = orjson.loads(answer.content)
            rows.keep(records)
            page += 1
            if len(records) < PAGE_SIZE:
                break
    run.ended(rows.count())
    run.tell(database=str(order.database), query=QUERY)


if __name__ == "__main__":
    main()
