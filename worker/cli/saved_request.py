"""A request as tools save it: the plain text of HTTP, a JSON object with headers and body, or the body alone."""

import re
from collections.abc import Mapping, Sequence

import orjson

from worker.errors import UsageError
from worker.received import Message

_REQUEST_LINE = re.compile(rb"[A-Z]+ \S+ HTTP/\d")
_HEADER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
# Where tools that save JSON put the body.
_BODIES = ("body", "content", "rawBody", "text")


def parse_request(content: bytes, more_headers: Sequence[str]) -> Message:
    """The message in a file; headers given apart go over those in it. Raises UsageError.

    Understood: a head of `Name: value` lines, an empty line and the body, with or without the request line (what
    proxies, `nc -l` and packet viewers save); a JSON object with `headers` and `body` (what request catchers export).
    """
    headers, body = _parts(content)
    headers = {**headers, **dict(_given(one) for one in more_headers)}
    if not headers:
        sentence = (
            "FILE holds a body only; give its headers with --header 'webhook-id: …', "
            "--header 'webhook-timestamp: …' and --header 'webhook-signature: …'."
        )
        raise UsageError(sentence)
    return Message(headers=headers, body=body)


def _parts(content: bytes) -> tuple[Mapping[str, str], bytes]:
    if _REQUEST_LINE.match(content):
        return _with_head(content.partition(b"\n")[2])
    if _HEADER_LINE.match(content):
        return _with_head(content)
    saved = _saved(content)
    return ({}, content) if saved is None else saved


def _with_head(content: bytes) -> tuple[Mapping[str, str], bytes]:
    end = _END_OF_HEAD.search(content)
    head, body = (content, b"") if end is None else (content[: end.start()], content[end.end() :])
    return dict(_given(line) for line in head.decode("latin-1").splitlines()), body


def _given(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        sentence = f"The header {text!r} is not NAME: VALUE."
        raise UsageError(sentence)
    return name.strip().lower(), value.strip()


def _saved(content: bytes) -> tuple[Mapping[str, str], bytes] | None:
    """Headers and body out of a JSON object of a tool; None where it is anything else."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("headers"), dict | list):
        return None
    found = next((document[name] for name in _BODIES if name in document), "")
    return _pairs(document["headers"]), found.encode() if isinstance(found, str) else orjson.dumps(found)


def _pairs(headers: object) -> Mapping[str, str]:
    """A mapping, whose values may be lists, or a list of objects with name and value."""
    if isinstance(headers, dict):
        return {str(name).lower(): _text(value) for name, value in headers.items()}
    listed = headers if isinstance(headers, list) else []
    return {str(one.get("name", "")).lower(): _text(one.get("value")) for one in listed if isinstance(one, dict)}


def _text(value: object) -> str:
    first = value[0] if isinstance(value, list) and value else value
    return str(first)
