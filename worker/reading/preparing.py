"""The process that prepares pages: `python -m worker.reading.preparing FILE_DESCRIPTOR`.

It knows no secret and no database, and ends with whoever holds the other end of its line, however that one ends.
"""

import gc
import hashlib
import marshal
import os
import signal
import sys
from pathlib import Path

from worker import columns, events
from worker.reading import first_rows, normalizer, plain, prepared, wire_values
from worker.reading.page_line import PageLine
from worker.reading.prepared import prepare

# How much it gives way to others who want the processor.
_NICE = 5
_DECIDING = (normalizer, columns, events, first_rows, plain, prepared, wire_values)
# Beside the first of them, and imported when it is needed.
_LATER = "wire.py"


def _greeting() -> bytes:
    """What tells programs apart that would prepare a page differently: an upgrade may come between the two."""
    try:
        files = [Path(str(module.__file__)) for module in _DECIDING]
        sources = b"".join(file.read_bytes() for file in [*files, files[0].with_name(_LATER)])
    except OSError:
        # A program that is no files: nothing to go by, so no other process is believed.
        return os.urandom(32)
    return b"ready " + hashlib.sha256(sys.version.encode() + sources).digest()


# What it says once it is there; made when a process begins, since files may change later.
READY = _greeting()


def serve(line: PageLine) -> None:
    """Prepare page after page until the line is closed: (number, account, body) in, (number, first rows) out."""
    try:
        line.send(READY)
        while True:
            number, account, body = marshal.loads(line.receive())  # noqa: S302 - both ends are this very program
            line.send(marshal.dumps((number, first_rows_of(account, body))))
    except OSError:
        # Nobody is at the other end any more.
        return


def first_rows_of(account: str, body: bytes) -> first_rows.FirstRows | None:
    """A page's first rows; None where it has to be looked at record by record, whatever the reason."""
    try:
        return prepare(account, body)
    # What is odd about a page is found and told by who looks at its records one by one.
    except Exception:  # noqa: BLE001
        return None


def main() -> None:
    """Serve the line that was inherited. Who is asked to end is the process at its other end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Whoever stores is waited for by everybody.
    os.nice(_NICE)
    # It makes no cycles.
    gc.disable()
    line = PageLine.inherited(int(sys.argv[1]))
    serve(line)
    line.close()


if __name__ == "__main__":
    main()
