"""A declarative source of airbyte-cdk. Its messages go into SQLite in the same process: the best case for it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalogSerializer,
    Type,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from benchmarks.reading.contract import PAGE_SIZE, Order, Run
from benchmarks.reading.peers.rows import QUERY, Rows

STAMP = "%Y-%m-%dT%H:%M:%SZ"
_SCHEMA = {"type": "object", "additionalProperties": True, "properties": {}}


def manifest(order: Order, *, window_end: bool) -> dict[str, Any]:
    """The source in the words of the framework. `window_end`: with the upper bound that its cursor offers."""
    cursor: dict[str, Any] = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "updatedAt",
        "datetime_format": STAMP,
        "start_datetime": {"type": "MinMaxDatetime", "datetime": order.since, "datetime_format": STAMP},
        "start_time_option": _parameter("updatedAtMin"),
        "lookback_window": f"PT{order.look_back_seconds}S",
    }
    if window_end:
        cursor["end_time_option"] = _parameter("updatedAtMax")
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["deliveries"]},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "deliveries",
                "primary_key": ["id"],
                "schema_loader": {"type": "InlineSchemaLoader", "schema": _SCHEMA},
                "incremental_sync": cursor,
                "retriever": _retriever(order),
            }
        ],
    }


def _retriever(order: Order) -> dict[str, Any]:
    return {
        "type": "SimpleRetriever",
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}},
        "requester": {
            "type": "HttpRequester",
            "url_base": order.url,
            "path": "/deliveries",
            "http_method": "GET",
            "request_headers": {"X-Api-Key": order.key},
        },
        "paginator": {
            "type": "DefaultPaginator",
            "page_token_option": _parameter("page"),
            "page_size_option": _parameter("pageSize"),
            "pagination_strategy": {
                "type": "PageIncrement",
                "page_size": PAGE_SIZE,
                "start_from_page": 0,
                "inject_on_first_request": True,
            },
        },
    }


def _parameter(name: str) -> dict[str, str]:
    is_token = name == "page"
    kind = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}
    return kind if not is_token else {**kind, "type": "RequestOption"}


def catalog() -> Any:
    """The one stream, incremental."""
    return ConfiguredAirbyteCatalogSerializer.load(
        {
            "streams": [
                {
                    "stream": {
                        "name": "deliveries",
                        "json_schema": _SCHEMA,
                        "supported_sync_modes": ["full_refresh", "incremental"],
                    },
                    "sync_mode": "incremental",
                    "destination_sync_mode": "append_dedup",
                }
            ]
        }
    )


def main(*, window_end: bool = False) -> None:
    """Read once, from the state that the last run left."""
    run = Run()
    order = run.order
    logging.disable(logging.WARNING)
    file = Path(order.directory) / "state.json"
    state = [AirbyteStateMessageSerializer.load(each) for each in json.loads(file.read_text())] if file.exists() else []
    rows, wanted = Rows(order.database), catalog()
    source = ConcurrentDeclarativeSource(
        catalog=wanted, config={}, state=state, source_config=manifest(order, window_end=window_end)
    )
    run.started()
    last = _stored(source.read(logging.getLogger("airbyte"), {}, wanted, state), rows)
    if last is not None:
        file.write_text(json.dumps([AirbyteStateMessageSerializer.dump(last)], default=str), encoding="utf-8")
    run.ended(rows.count())
    run.tell(database=str(order.database), query=QUERY)


def _stored(messages: Any, rows: Rows) -> AirbyteStateMessage | None:
    page: list[Any] = []
    last: AirbyteStateMessage | None = None
    message: AirbyteMessage
    for message in messages:
        if message.type is Type.RECORD and message.record is not None:
            page.append(message.record.data)
        elif message.type is Type.STATE:
            last = message.state
        if len(page) >= PAGE_SIZE:
            rows.keep(page)
            page = []
    rows.keep(page)
    return last


if __name__ == "__main__":
    main()
