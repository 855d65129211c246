"""The command `waybill`: runs the command line and turns what went wrong into a sentence and an exit status.

Exit status (DESIGN §8): 0 done, 1 done and found something, 2 usage or configuration, 3 a remote system is unreachable
or refuses, 4 internal error.
"""

import os
import sys
from collections.abc import Callable, Sequence

import structlog

import settings.log
from connectors.errors import ConnectorError
from settings import LogLevel, SettingsError
from worker.cli.app import app
from worker.errors import WaybillError

USAGE = 2
REMOTE = 3
INTERNAL = 4
INTERRUPTED = 130

_log = structlog.get_logger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's own) and return the exit status. Nothing escapes."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    # Until a command has read its settings; a set-up that does not exist is told by whoever reads them.
    wanted = os.environ.get("WAYBILL_LOG__LEVEL", "")
    settings.log.configure(level=wanted if wanted in set(LogLevel) else LogLevel.WARNING)
    return guarded(lambda: app(args=arguments, prog_name="waybill"))


def guarded(command: Callable[[], object]) -> int:
    """Call the command; what it raises becomes one sentence on standard error. Returns the exit status."""
    try:
        command()
    except SystemExit as done:
        return _status(done.code)
    except KeyboardInterrupt:
        return INTERRUPTED
    # Whatever it is, a user gets a sentence; the traceback is for who looks for the mistake.
    except Exception as error:  # noqa: BLE001 - the end of the road
        return _explained(error)
    return 0


def _explained(error: Exception) -> int:
    if isinstance(error, SettingsError):
        return _told(USAGE, *error.sentences)
    if isinstance(error, WaybillError):
        return _told(error.exit_status, error.sentence)
    if isinstance(error, ConnectorError):
        return _told(REMOTE, error.sentence)
    return _internal(error)


def _internal(error: Exception) -> int:
    _log.debug("internal error", exc_info=error)
    kind = type(error).__name__
    return _told(INTERNAL, f"Internal error ({kind}); with WAYBILL_LOG__LEVEL=debug the log holds the details.")


def _told(status: int, *sentences: str) -> int:
    for sentence in sentences:
        sys.stderr.write(f"{sentence}\n")
    return status


def _status(code: object) -> int:
    if code is None:
        return 0
    return code if isinstance(code, int) else _told(INTERNAL, str(code))


if __name__ == "__main__":
    sys.exit(main())
