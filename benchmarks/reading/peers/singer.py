"""A tap made with singer-sdk. Its messages go into SQLite in the same process: no pipe, the best case for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import PageNumberPaginator
from singer_sdk.singerlib.encoding.base import GenericSingerWriter

from benchmarks.reading.contract import PAGE_SIZE, Run
from benchmarks.reading.peers.rows import QUERY, Rows, looking_back

_TEXT = (
    "number",
    "numberExternal",
    "numberPurchaseOrder",
    "status",
    "statusInbound",
    "date",
    "priority",
    "note",
    "createdAt",
)


class _Pages(PageNumberPaginator):
    def has_more(self, response: requests.Response) -> bool:
        return len(response.json()) == PAGE_SIZE


class _Deliveries(RESTStream[int]):
    name = "deliveries"
    path = "/deliveries"
    primary_keys = ("id",)
    replication_key = "updatedAt"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True),
        th.Property("customerId", th.IntegerType),
        th.Property("updatedAt", th.DateTimeType, required=True),
        *(th.Property(name, th.StringType) for name in _TEXT),
        th.Property("attributes", th.ObjectType(additional_properties=True)),
        th.Property("lineItems", th.ArrayType(th.ObjectType(additional_properties=True))),
    ).to_dict()

    @property
    def url_base(self) -> str:
        return str(self.config["url"])

    @property
    def http_headers(self) -> dict[str, str]:
        return {"X-Api-Key": str(self.config["key"])}

    def get_new_paginator(self) -> _Pages:
        return _Pages(start_value=0)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:
        newest = self.get_starting_replication_key_value(context)
        known = newest is not None and newest != self.config["start_date"]
        since = looking_back(newest, self.config["look_back_seconds"]) if known else self.config["start_date"]
        return {"updatedAtMin": since, "page": next_page_token or 0, "pageSize": PAGE_SIZE}


class _Writer(GenericSingerWriter[str, Any]):
    """Takes the tap's messages: records go into the table page by page, other messages are for a target's eyes."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._page: list[dict[str, Any]] = []

    def serialize_message(self, message: Any) -> str:
        return json.dumps(message.to_dict(), default=str)

    def write_message(self, message: Any) -> None:
        record = getattr(message, "record", None)
        if record is not None:
            self._page.append(record)
        if len(self._page) >= PAGE_SIZE:
            self.flush()

    def flush(self) -> None:
        """Store what is left."""
        self._rows.keep(self._page)
        self._page = []


class _Accounts(Tap):
    name = "tap-logistic-cloud"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType, required=True),
        th.Property("key", th.StringType, required=True),
        th.Property("start_date", th.StringType, required=True),
        th.Property("look_back_seconds", th.IntegerType, required=True),
    ).to_dict()

    def discover_streams(self) -> Iterable[_Deliveries]:
        return [_Deliveries(tap=self)]


def main() -> None:
    """Sync once, from the state that the last run left."""
    run = Run()
    order = run.order
    state = Path(order.directory) / "state.json"
    rows = Rows(order.database)
    writer = _Writer(rows)
    tap = _Accounts(
        config={
            "url": order.url,
            "key": order.key,
            "start_date": order.since,
            "look_back_seconds": order.look_back_seconds,
        },
        state=json.loads(state.read_text(encoding="utf-8")) if state.exists() else None,
        message_writer=writer,
    )
    run.started()
    tap.sync_all()
    writer.flush()
    state.write_text(json.dumps(tap.state, default=str), encoding="utf-8")
    run.ended(rows.count())
    run.tell(database=str(order.database), query=QUERY)


if __name__ == "__main__":
    main()
