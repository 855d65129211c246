"""Rows as documents."""

from collections.abc import Iterable
from typing import Any

import orjson
import sqlalchemy as sa

from worker.events import OrderKey

Document = dict[str, object]


def picked(row: sa.Row[Any], names: Iterable[str]) -> Document:
    """The named columns."""
    return {name: getattr(row, name) for name in names}


def decoded(text: str | bytes | None) -> object:
    """Bytes or text that were sent or received, as the JSON they hold; else as text."""
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.decode(errors="replace") if isinstance(text, bytes) else text


def is_of(table: sa.Table, key: OrderKey) -> sa.ColumnElement[bool]:
    """The rows of a table that carry the order's key."""
    return sa.and_(
        table.c.account == key.account,
        table.c.customer_id == key.customer_id,
        table.c.purchase_order == key.purchase_order,
    )
