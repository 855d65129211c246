"""A pipeline of dlt into SQLite (its SQLAlchemy destination) with an incremental cursor and its `lag`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

from benchmarks.reading.contract import PAGE_SIZE, Order, Run

# dlt keeps a dataset as a database of its own, in a file beside the one that it is told.
DATASET = "account"
# The name of a column as dlt's normalizer writes it.
COUNT = "SELECT count(*) FROM deliveries"
QUERY = "SELECT id, strftime('%Y-%m-%dT%H:%M:%SZ', updated_at) FROM deliveries"


def deliveries(order: Order) -> Any:
    """The resource: merged by id, from the newest stamp on less the look-back."""

    @dlt.resource(name="deliveries", primary_key="id", write_disposition="merge")
    def rows(
        newest: dlt.sources.incremental[str] = dlt.sources.incremental(  # noqa: B008 - how dlt takes its cursor
            "updatedAt", initial_value=order.since, lag=order.look_back_seconds
        ),
    ) -> Iterator[list[Any]]:
        client = RESTClient(
            base_url=order.url,
            auth=APIKeyAuth(name="X-Api-Key", api_key=order.key, location="header"),
            paginator=PageNumberPaginator(base_page=0, page_param="page", total_path=None, stop_after_empty_page=True),
        )
        yield from client.paginate(
            "/deliveries", params={"updatedAtMin": newest.start_value, "pageSize": PAGE_SIZE}, data_selector="$"
        )

    return rows


def main() -> None:
    """Extract, normalize and load once."""
    run = Run()
    order = run.order
    file = Path(order.directory) / "main.sqlite"
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{file}"),
        dataset_name=DATASET,
        pipelines_dir=order.directory,
    )
    resource = deliveries(order)
    run.started()
    pipeline.run(resource)
    database = _file_with_rows(Path(order.directory))
    with sqlite3.connect(database) as connection:
        run.ended(int(connection.execute(COUNT).fetchone()[0]))
    run.tell(database=str(database), query=QUERY)


def _file_with_rows(directory: Path) -> Path:
    for file in sorted(directory.glob("*.sqlite")) + sorted(directory.glob("*.db")):
        with sqlite3.connect(file) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").fetchone():
                return file
    sentence = "dlt left no table of deliveries"
    raise FileNotFoundError(sentence)


if __name__ == "__main__":
    main()
