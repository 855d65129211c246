"""Reading ahead: what comes next is fetched while what came before is being stored."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing comes any more; `error` is what ended it, None where it came to its end."""

    error: BaseException | None


class Ahead(Iterator[T], Generic[T]):
    """What an iterator gives, in its order, taken from it by a thread of its own, up to `most` items ahead.

    What the iterator raises is raised here, after everything that came before it. Close it when done. With 0 there is
    no thread, and nothing is taken before it is asked for.
    """

    def __init__(self, items: Iterator[T], most: int) -> None:
        """Begin to take at once."""
        self._items = items
        self._most = most
        self._room = threading.Semaphore(most)
        self._came: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        # What has come and was not handed on yet, in front of the others.
        self._first: list[T | _End] = []
        self._closed = threading.Event()
        if most:
            threading.Thread(target=self._take, name="ahead", daemon=True).start()

    def comes(self, within: float) -> bool:
        """Whether the next item, or the end, is there within so many seconds."""
        if self._most and not self._first:
            with contextlib.suppress(queue.Empty):
                self._first.append(self._came.get(timeout=within))
        return bool(self._first)

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> T:
        """Return the next item once it is there."""
        if not self._most:
            return next(self._items)
        came = self._first.pop() if self._first else self._came.get()
        if not isinstance(came, _End):
            self._room.release()
            return came
        # Whoever asks again is told the same.
        self._came.put(came)
        if came.error is not None:
            raise came.error
        raise StopIteration

    def close(self) -> None:
        """Take nothing more, once what is on its way has come."""
        self._closed.set()
        self._room.release()
        if not self._most:
            self._end()

    def _take(self) -> None:
        try:
            while self._room.acquire() and not self._closed.is_set():
                self._came.put(next(self._items))
        except StopIteration:
            self._came.put(_End(None))
        # Whatever it is, it belongs to who waits for the next item.
        except BaseException as error:  # noqa: BLE001
            self._came.put(_End(error))
        finally:
            self._end()

    def _end(self) -> None:
        """Whatever the items come from ends what it has under way; called by who takes them, and nobody else."""
        if isinstance(self._items, Generator):
            self._items.close()
