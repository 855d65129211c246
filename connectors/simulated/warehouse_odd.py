"""Odd answers of the warehouse: what proxies, caches, half-finished releases and mistakes make of a list.

An odd answer carries status 200 where nothing else is said, so that only its content gives it away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

import orjson

from connectors.simulated.http_server import Reply

# Levels of a nested array: deeper than any parser of JSON goes.
NESTED_LEVELS = 200_000
# Bytes of an answer that is too large for a page of 250 deliveries by an order of magnitude.
HUGE_BYTES = 200 * 1024 * 1024

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


class OddAnswer(StrEnum):
    """In which way an answer to a list is odd."""

    NONE = "none"
    HTML = "html"
    EMPTY = "empty"
    OBJECT = "object"
    NULL = "null"
    NESTED = "nested"
    HUGE = "huge"
    GZIP_GARBAGE = "gzip_garbage"
    BYTE_ORDER_MARK = "byte_order_mark"
    REDIRECT = "redirect"
    DUPLICATE_ROW = "duplicate_row"


def _html(reply: Reply) -> Reply:
    return replace(reply, body=_PAGE, headers=_without(reply, "content-type", ("Content-Type", "text/html")))


def _redirect(reply: Reply) -> Reply:
    return replace(
        reply, status=HTTPStatus.FOUND, body=b"", headers=(*reply.headers, ("Location", "https://login.example.com/"))
    )


def _gzip_garbage(reply: Reply) -> Reply:
    return replace(reply, headers=(*reply.headers, ("Content-Encoding", "gzip")))


def _duplicate_row(reply: Reply) -> Reply:
    """Show the first row twice, in the place of the last one."""
    rows = orjson.loads(reply.body)
    return replace(reply, body=orjson.dumps([*rows[:-1], *rows[:1]]))


def _body(make: Callable[[bytes], bytes]) -> Callable[[Reply], Reply]:
    return lambda reply: replace(reply, body=make(reply.body))


_ODDITIES: Mapping[OddAnswer, Callable[[Reply], Reply]] = MappingProxyType(
    {
        OddAnswer.NONE: lambda reply: reply,
        OddAnswer.HTML: _html,
        OddAnswer.EMPTY: _body(lambda _body: b""),
        OddAnswer.OBJECT: _body(lambda body: b'{"data":' + body + b"}"),
        OddAnswer.NULL: _body(lambda _body: b"null"),
        OddAnswer.NESTED: _body(lambda _body: b"[" * NESTED_LEVELS + b"]" * NESTED_LEVELS),
        OddAnswer.HUGE: _body(lambda body: body + b" " * HUGE_BYTES),
        OddAnswer.GZIP_GARBAGE: _gzip_garbage,
        OddAnswer.BYTE_ORDER_MARK: _body(lambda body: b"\xef\xbb\xbf" + body),
        OddAnswer.REDIRECT: _redirect,
        OddAnswer.DUPLICATE_ROW: _duplicate_row,
    }
)


def made_odd(reply: Reply, oddity: OddAnswer) -> Reply:
    """Return the answer to a list as the oddity makes it; an answer that is no list stays as it is."""
    return _ODDITIES[oddity](reply) if reply.status == HTTPStatus.OK else reply


def _without(reply: Reply, name: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (*(header for header in reply.headers if header[0].lower() != name), *more)
