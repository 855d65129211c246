"""The process that prepares pages: `python -m worker.reading.preparing FILE_DESCRIPTOR`.

It knows no secret and no database, and ends with whoever holds the other end of its line, however that one ends.
"""

import gc
import marshal
import os
import signal
import sys
from multiprocessing.connection import Connection

from worker.reading.prepared import prepare

# What it says once it is there.
READY = b"ready"
# How much it gives way to others who want the processor.
_NICE = 5
# The answer where a page cannot be prepared.
NOTHING = b""


def serve(line: Connection) -> None:
    """Prepare page after page until the line is closed: (account, body) in, first rows out."""
    line.send_bytes(READY)
    while True:
        try:
            account, body = marshal.loads(line.recv_bytes())  # noqa: S302 - both ends are this very program
        except EOFError:
            return
        line.send_bytes(answer_to(account, body))


def answer_to(account: str, body: bytes) -> bytes:
    """A page's first rows as `marshal` writes them; NOTHING where it has to be looked at record by record."""
    try:
        rows = prepare(account, body)
    # Whatever is odd about a page is found and told by who looks at its records one by one.
    except Exception:  # noqa: BLE001
        return NOTHING
    return NOTHING if rows is None else marshal.dumps(rows)


def main() -> None:
    """Serve the line that was inherited. Who is asked to end is the process at its other end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Whoever stores is waited for by everybody.
    os.nice(_NICE)
    # It makes no cycles.
    gc.disable()
    with Connection(int(sys.argv[1])) as line:
        serve(line)


if __name__ == "__main__":
    main()
