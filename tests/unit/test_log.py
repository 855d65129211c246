"""What a line of the log looks like, and what never stands in one."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from pydantic import SecretStr

from settings import LogFormat, log
from settings.log import WaybillHandler, configure, register_secrets
from settings.redaction import MASK, Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    # Commands that ran in this process before have secrets of their own.
    monkeypatch.setattr(log._redactor, "_spellings", ())  # noqa: SLF001 - what is registered stays for the process
    yield
    for handler in [handler for handler in root.handlers if isinstance(handler, WaybillHandler)]:
        root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the JSON lines that were written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_a_static_name_with_fields_and_a_utc_instant() -> None:
    """Name, level, logger, instant with Z, and the fields as they were given."""
    stream = io.StringIO()
    configure(format=LogFormat.JSON, stream=stream)
    structlog.get_logger("worker.reading.poller").info("poll.finished", rows=3, account="acme")
    (line,) = lines(stream)

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "poll.finished",
        "rows": 3,
        "account": "acme",
        "level": "info",
        "logger": "worker.reading.poller",
    }


def test_a_library_sentence_is_the_message_of_an_event_named_after_its_logger() -> None:
    """Records of the standard library go the same way."""
    stream = io.StringIO()
    configure(format="json", stream=stream)
    logging.getLogger("dramatiq.worker").warning("Lost %d messages", 2)
    (line,) = lines(stream)

    assert (line["event"], line["message"]) == ("dramatiq.worker", "Lost 2 messages")
    assert (line["level"], line["logger"]) == ("warning", "dramatiq.worker")


def test_talkative_libraries_are_heard_from_warnings_on() -> None:
    """One line per request would drown what matters."""
    stream = io.StringIO()
    configure(format="json", level="debug", stream=stream)
    logging.getLogger("httpx").info("request")
    logging.getLogger("httpx").warning("trouble")

    assert [line["message"] for line in lines(stream)] == ["trouble"]


def test_less_important_events_than_the_level_are_not_written() -> None:
    """The level holds for our events and for libraries."""
    stream = io.StringIO()
    configure(format="json", level="error", stream=stream)
    structlog.get_logger().warning("a.warning")
    logging.getLogger("other").warning("a warning")

    assert not stream.getvalue()


def test_an_unknown_level_or_format_is_refused() -> None:
    """A misspelt word is an error, not a default."""
    with pytest.raises(ValueError, match="verbose"):
        configure(level="verbose")
    with pytest.raises(ValueError, match="xml"):
        configure(format="xml")


@pytest.mark.parametrize(("stream", "console"), [(Terminal(), True), (io.StringIO(), False)])
def test_the_form_follows_the_stream(stream: io.StringIO, console: bool) -> None:  # noqa: FBT001
    """A terminal gets the form for people, everything else JSON lines."""
    configure(stream=stream)
    structlog.get_logger().info("poll.finished")

    assert stream.getvalue().startswith("{") is not console
    assert "poll.finished" in stream.getvalue()


def test_configuring_again_replaces_the_former_set_up() -> None:
    """No line is written twice."""
    first, second = io.StringIO(), io.StringIO()
    configure(format="json", stream=first)
    configure(format="json", stream=second)
    structlog.get_logger().info("once")

    assert not first.getvalue()
    assert len(lines(second)) == 1


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_registered_secret_is_written(form: str) -> None:
    """Events, nested fields, keys, bytes, objects, library messages, and exceptions are masked."""
    stream = io.StringIO()
    configure(format=form, stream=stream)
    secret = "hunter2-of-the-log"
    register_secrets([SecretStr(secret)])
    log = structlog.get_logger()
    name = f"event.{secret}"
    log.info(name, nested={"a": [secret, {secret: 1}]}, raw=secret.encode(), error=ValueError(secret))
    logging.getLogger("other").error("key is %s", secret)
    try:
        int(secret)
    except ValueError:
        log.exception("job.failed")
        logging.getLogger("other").exception("failed")

    assert secret not in stream.getvalue()
    assert stream.getvalue().count("invalid literal for int()") == 2
    assert MASK in stream.getvalue()


def test_an_exception_is_data_in_json() -> None:
    """Type, text and frames can be searched; local variables are left out."""
    stream = io.StringIO()
    configure(format="json", stream=stream)
    try:
        int("x")
    except ValueError:
        structlog.get_logger().exception("job.failed")
    (line,) = lines(stream)

    assert line["exception"][0]["exc_type"] == "ValueError"
    assert "locals" not in line["exception"][0]["frames"][0]


def test_warnings_of_libraries_are_events_too() -> None:
    """Nothing goes past the log to standard error."""
    stream = io.StringIO()
    configure(format="json", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # Catching puts the standard way of showing back, so the log takes it over again.
        logging.captureWarnings(capture=False)
        configure(format="json", stream=stream)
        warnings.warn("old thing", FutureWarning, stacklevel=1)

    assert [line["event"] for line in lines(stream)] == ["py.warnings"]


def test_a_line_that_is_no_common_json_is_written_all_the_same() -> None:
    """Huge numbers and broken texts do not lose the line."""
    stream = io.StringIO()
    configure(format="json", stream=stream)
    structlog.get_logger().info("odd", huge=2**70, text="\ud800")

    assert lines(stream)[0]["huge"] == 2**70


def test_a_secret_is_found_in_its_other_spellings() -> None:
    """Percent-encoded, escaped as by repr, and as the password of an address."""
    redactor = Redactor()
    redactor.register(["a/b c", "back\\slash", SecretStr("postgresql://user:p%40ss@host/db"), ""])

    assert redactor.text("a%2Fb%20c a/b c") == f"{MASK} {MASK}"
    assert redactor.text(repr("back\\slash")) == f"'{MASK}'"
    assert redactor.text("p%40ss p@ss user") == f"{MASK} {MASK} user"


def test_an_address_that_does_not_parse_is_masked_as_a_whole() -> None:
    """A broken address is still a secret."""
    redactor = Redactor()
    redactor.register(["redis://[broken"])

    assert redactor.text("at redis://[broken/") == f"at {MASK}/"


def test_the_longest_secret_is_masked_first() -> None:
    """A secret that contains another leaves nothing of itself."""
    redactor = Redactor()
    redactor.register(["abc"])
    redactor.register(["abcdef"])

    assert redactor.clean(("abcdef", 1, None, True, 2.5)) == [MASK, 1, None, True, 2.5]
