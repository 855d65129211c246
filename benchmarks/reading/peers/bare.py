"""The measure of everything: httpx and orjson, one page after the other, nothing kept."""

from __future__ import annotations

import httpx
import orjson

from benchmarks.reading.contract import PAGE_SIZE, Run


def main() -> None:
    """Fetch and parse every page."""
    run = Run()
    order, rows, page = run.order, 0, 0
    with httpx.Client(headers={"X-Api-Key": order.key}) as client:
        run.started()
        while True:
            params = {"updatedAtMin": order.since, "page": page, "pageSize": PAGE_SIZE}
            answer = client.get(f"{order.url}/deliveries", params=params).raise_for_status()
            records = orjson.loads(answer.content)
            rows, page = rows + len(records), page + 1
            if len(records) < PAGE_SIZE:
                break
    run.ended(rows)
    run.tell()


if __name__ == "__main__":
    main()
