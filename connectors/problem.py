"""The problem text of a refusal, whatever shape the server gave it.

Shapes seen or expected: problem details (RFC 9457: title, detail, errors), FastAPI's `detail[{loc, msg}]`,
`message`, `errors[0].detail`; anything else is quoted as it came.
"""

from collections.abc import Iterator, Mapping

import orjson

from connectors.answer import Answer
from connectors.barmate_personal import without_people

# Characters of a problem that fit into one readable sentence.
PROBLEM_CHARACTERS = 300

# Where the words are, in the order in which they are shown.
_KEYS = ("title", "detail", "message", "msg", "error", "errors")


def problem_text(answer: Answer, *, limit: int = PROBLEM_CHARACTERS) -> str:
    """Return the server's words about a refusal on one line, redacted and cut; a plain statement if it said nothing."""
    document = _document(answer.body)
    words = "; ".join(dict.fromkeys(_words(document)))
    told = answer.redactor.text(words) if words else _quoted(answer, document)
    line = " ".join(told.split())[:limit]
    return line if line else "the server gave no reason"  # noqa: FURB110 - "or" is not for defaults


def _quoted(answer: Answer, document: object) -> str:
    """The body as it came; one that shows a record, without what that tells of people."""
    impersonal = without_people(document)
    return answer.kept_text() if impersonal == document else answer.redactor.text(orjson.dumps(impersonal).decode())


def _document(body: bytes) -> object:
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
    elif isinstance(value, Mapping):
        yield from _words_of_mapping(value)


def _words_of_mapping(value: Mapping[str, object]) -> Iterator[str]:
    location = value.get("loc")
    if isinstance(location, list):
        yield f"{'.'.join(map(str, location))}: {value.get('msg')}"
        return
    errors = value.get("errors")
    for key in _KEYS[:-1]:
        yield from _words(value.get(key))
    if isinstance(errors, Mapping):
        for name, told in errors.items():
            yield f"{name}: {' '.join(_words(told))}"
    else:
        yield from _words(errors)
