"""JSON whose numbers stay what was written: a fraction becomes a Decimal, never a float."""

import json
from collections.abc import Iterable
from decimal import Decimal

from connectors.answer import Answer

# Levels of lists and objects: documented answers have nine; what is read recursively must not exhaust the stack.
DEEPEST = 40


def exact_json(answer: Answer) -> object:
    """Return the body as JSON with exact numbers; UnexpectedAnswer when it is not JSON (RFC 8259: no NaN)."""
    try:
        parsed = exact_value(answer.body)
    except ValueError as error:
        detail = f"{answer.described()} is not JSON"
        raise answer.unexpected(detail) from error
    if _is_too_deep(parsed):
        detail = f"{answer.described()} is nested more than {DEEPEST} levels deep"
        raise answer.unexpected(detail)
    return parsed


def exact_value(body: bytes) -> object:
    """Return JSON text as a value with exact numbers; ValueError when it is not JSON, however it is broken."""
    try:
        parsed: object = json.loads(body, parse_float=Decimal, parse_constant=_refused)
    except (ArithmeticError, RecursionError) as error:
        # An exponent beyond all bounds, nesting beyond all bounds.
        raise ValueError(str(error)) from error
    return parsed


def json_text(value: object) -> str:
    """Return what `exact_json` read as JSON text in ASCII, which any database takes; exact numbers become strings."""
    return json.dumps(value, default=str)


def is_storable(value: object) -> bool:
    """Tell whether every text in a JSON value is Unicode without NUL: JSON may hold others, databases cannot."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return storable(text) == text and r"\u0000" not in text


def storable(text: str) -> str:
    """Return the text with every character that no database takes replaced by a question mark."""
    return text.replace("\x00", "?").encode("utf-8", "replace").decode("utf-8")


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refused(constant: str) -> object:
    message = f"{constant} is no JSON"
    raise ValueError(message)
