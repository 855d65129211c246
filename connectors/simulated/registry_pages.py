"""Relay pages: forwards with ``first`` and ``after``, backwards with ``last`` and ``before``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.simulated.registry_trouble import TroubleError, detail

# Nodes a page: the documented default and the largest allowed.
DEFAULT_SIZE = 10
MAX_SIZE = 50

Node = TypeVar("Node")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """Which page; ``backwards`` if only ``last`` or ``before`` was given."""

    size: int
    after: str | None
    before: str | None
    backwards: bool


def parse_page(query: Mapping[str, str]) -> PageQuery:
    """Read the paging parameters; raise :class:`TroubleError` on a size or cursor outside the documented ones."""
    first, last = _size(query, "first"), _size(query, "last")
    backwards = "first" not in query and "after" not in query and ("last" in query or "before" in query)
    return PageQuery(
        size=last if backwards else first,
        after=_cursor(query, "after"),
        before=_cursor(query, "before"),
        backwards=backwards,
    )


def page_of(
    nodes: Sequence[Node], asked: PageQuery, identity: Callable[[Node], str], show: Callable[[Node], object]
) -> dict[str, Any]:
    """Return the page of ``nodes`` as ``PaginatedListResource``."""
    ids = [identity(node) for node in nodes]
    low = 0 if asked.after is None else _place(ids, asked.after, "after") + 1
    high = len(ids) if asked.before is None else _place(ids, asked.before, "before")
    start = max(low, high - asked.size) if asked.backwards else low
    end = max(start, high if asked.backwards else min(high, low + asked.size))
    shown = ids[start:end]
    return {
        "nodes": [show(node) for node in nodes[start:end]],
        "total_count": len(ids),
        "page_info": {
            "has_previous_page": start > 0,
            "start_cursor": cursor(shown[0]) if shown else None,
            "has_next_page": end < len(ids),
            "end_cursor": cursor(shown[-1]) if shown else None,
        },
    }


def cursor(identity: str) -> str:
    """Return the opaque cursor of a node."""
    return base64.urlsafe_b64encode(f"node:{identity}".encode()).decode()


def _size(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, str(DEFAULT_SIZE))
    if not text.lstrip("-").isdigit():
        raise TroubleError(detail(("query", name), "Input should be a valid integer", "int_parsing", text))
    if int(text) <= 0:
        raise TroubleError(detail(("query", name), "Input should be greater than 0", "greater_than", text))
    if int(text) > MAX_SIZE:
        sentence = f"Input should be less than or equal to {MAX_SIZE}"
        raise TroubleError(detail(("query", name), sentence, "less_than_equal", text))
    return int(text)


def _cursor(query: Mapping[str, str], name: str) -> str | None:
    """Return the id inside the cursor, or None if there is none."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return base64.urlsafe_b64decode(text).decode().removeprefix("node:")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TroubleError(detail(("query", name), "Invalid cursor", given=text)) from error


def _place(ids: list[str], identity: str, name: str) -> int:
    try:
        return ids.index(identity)
    except ValueError as error:
        raise TroubleError(detail(("query", name), "Invalid cursor")) from error
