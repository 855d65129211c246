"""Pages of barmate's list: opaque cursors that may expire, and rows that come again when new ones arrive."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from connectors.simulated import barmate_views as views
from connectors.simulated.barmate import Barmate
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.barmate_switches import BarmateSwitches, CursorKind, ListEnd
from connectors.simulated.barmate_words import STATUSES, JsonObject

_CIRCLE: Final = "Y2lyY2xl"

Rows = list[tuple[int, JsonObject]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """Where the next page begins: after so many rows, or below a row's place; made at a moment in seconds."""

    skip: int
    below: int
    made: float

    def written(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.skip, self.below, self.made])).decode()


def page(barmate: Barmate, query: Mapping[str, str], *, at: datetime | None) -> JsonObject:
    """Return one page as it stands, or stood ``at`` a moment; raise :class:`RefusedError` on a bad parameter."""
    switches = barmate.panel.now
    now = barmate.clock.now().timestamp()
    rows = _asked(barmate.newest_first(at=at), query, switches)
    cursor = _parsed(query.get("cursor", ""), now, switches)
    start = _start(rows, cursor, switches)
    shown = rows[start : start + switches.page_size]
    content: JsonObject = {"deliveries": [views.row(record, switches) for _place, record in shown]}
    if start + len(shown) < len(rows):
        following = _Cursor(skip=start + len(shown), below=shown[-1][0], made=now)
        return {**content, "cursor": _CIRCLE if switches.cursor_circles else following.written()}
    ends: dict[ListEnd, JsonObject] = {
        ListEnd.ABSENT: {},
        ListEnd.NULL: {"cursor": None},
        ListEnd.EMPTY: {"cursor": ""},
    }
    return {**content, **ends[switches.list_end]}


def _asked(rows: Rows, query: Mapping[str, str], switches: BarmateSwitches) -> Rows:
    wanted = query.get("status")
    if wanted is None or not switches.status_filter:
        return rows
    if wanted not in STATUSES:
        sentence = f"status must be one of {', '.join(STATUSES)}."
        raise RefusedError(sentence)
    return [(place, record) for place, record in rows if record["status"] == wanted]


def _start(rows: Rows, cursor: _Cursor | None, switches: BarmateSwitches) -> int:
    if cursor is None:
        return 0
    if switches.cursor_kind is CursorKind.PLACE:
        return cursor.skip
    return sum(place >= cursor.below for place, _record in rows)


def _parsed(text: str, now: float, switches: BarmateSwitches) -> _Cursor | None:
    if text in {"", _CIRCLE}:
        return None
    try:
        skip, below, made = orjson.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError) as error:
        sentence = "cursor is invalid."
        raise RefusedError(sentence) from error
    if 0 < switches.cursor_seconds < now - made:
        sentence = "cursor has expired."
        raise RefusedError(sentence)
    return _Cursor(skip=skip, below=below, made=made)
