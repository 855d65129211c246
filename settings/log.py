"""The log: one chain for our own events and for those of the libraries, to one stream.

An event is a static name with fields; a library's sentence becomes the field `message` of an event named after
its logger. Instants are ISO 8601 in UTC with `Z`. Registered secrets are masked in everything that is written.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, TextIO

import orjson
import structlog
from structlog.processors import ExceptionRenderer, TimeStamper
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer

from settings.groups import LogFormat, LogLevel
from settings.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import SecretStr
    from structlog.typing import EventDict, Processor, WrappedLogger

# Libraries that narrate every request, job, worker or statement; their warnings are enough.
TALKATIVE = ("alembic", "apscheduler", "dramatiq", "httpcore", "httpx", "uvicorn.access")

_redactor = Redactor()


class WaybillHandler(logging.StreamHandler[TextIO]):
    """The one handler that `configure` puts in place, so that it can be told from those of others."""


def register_secrets(values: Iterable[SecretStr | str]) -> None:
    """Mask these values in everything that is logged from now on."""
    _redactor.register(values)


def configure(
    *,
    format: LogFormat | str | None = None,  # noqa: A002 - the setting's name
    level: LogLevel | str = LogLevel.INFO,
    stream: TextIO | None = None,
) -> None:
    """Set up the log of this process; calling it again replaces the former set-up.

    `format` None means console on a terminal, else json; `stream` None means standard error, since standard
    output belongs to what commands print. Raises ValueError for a format or level that does not exist.
    """
    target = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping()[LogLevel(level).upper()]
    chosen = _format_for(target) if format is None else LogFormat(format)
    structlog.configure(
        processors=[*_shared(), ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _route_libraries(_handler(target, chosen), threshold)


def _format_for(stream: TextIO) -> LogFormat:
    return LogFormat.CONSOLE if stream.isatty() else LogFormat.JSON


def _handler(stream: TextIO, form: LogFormat) -> WaybillHandler:
    handler = WaybillHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[
                _name_foreign,
                ProcessorFormatter.remove_processors_meta,
                *_last(form, colours=stream.isatty()),
            ],
        )
    )
    return handler


def _route_libraries(handler: WaybillHandler, threshold: int) -> None:
    root = logging.getLogger()
    for former in [former for former in root.handlers if isinstance(former, WaybillHandler)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _last(form: LogFormat, *, colours: bool) -> list[Processor]:
    # Exceptions become text or data before the masking, and never with local variables: those hold secrets.
    if form is LogFormat.JSON:
        frames = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
        return [frames, _redact, structlog.processors.JSONRenderer(serializer=_to_json)]
    console = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    return [structlog.processors.format_exc_info, _redact, console]


def _name_foreign(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if not event["_from_structlog"]:
        event["message"] = event["event"]
        event["event"] = event["_record"].name
    return event


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: _redactor.clean(value) for key, value in event.items()}


def _to_json(event: object, **_: object) -> str:
    try:
        return orjson.dumps(event).decode()
    except orjson.JSONEncodeError:
        # Numbers beyond 64 bits and broken texts: rare, and no reason to lose the line.
        return json.dumps(event, default=str)
