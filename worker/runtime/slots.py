"""Which posts to a receiver may be out at once. Pure: bookkeeping by tokens and seconds, without threads.

A post is *prompt* until it has lasted a second, then *slow*; one that failed before is *tried again*. Each sort has
places of its own, so subjects whose receiver hangs fill theirs and leave those of the others alone.
"""

from dataclasses import dataclass

# Seconds after which a post no longer counts among the prompt ones: a receiver that is well answers in less.
PROMPT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """How many posts of each sort there may be."""

    # As many as one process can keep busy with a receiver that answers at once.
    prompt: int = 16
    # Each holds a thread that waits, and little else; enough for a tenth of a thousand subjects.
    slow: int = 128
    again: int = 64

    @property
    def first(self) -> int:
        """Posts that are no repeats: prompt and slow ones."""
        return self.prompt + self.slow

    @property
    def quick(self) -> int:
        """Posts of either sort that are out where none is slow."""
        return self.prompt + self.again


PLACES = Places()


class Slots:
    """The posts that are out. Not safe to use from several threads at once."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._first: dict[str, float] = {}
        self._again: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._first) + len(self._again)

    def begin(self, token: str, *, tried: bool, now: float) -> None:
        """One goes out."""
        (self._again if tried else self._first)[token] = now

    def end(self, token: str) -> None:
        """One came back."""
        self._first.pop(token, None)
        self._again.pop(token, None)

    def may_begin(self, *, tried: bool, now: float, allowed: int) -> bool:
        """Whether one more of that sort may go out; `allowed` bounds what is out and not slow, of either sort."""
        prompt = self._prompt(now)
        again = _young(self._again, now)
        if prompt + again >= allowed:
            return False
        return len(self._again) < self._places.again if tried else prompt < self._places.prompt

    def _prompt(self, now: float) -> int:
        """Places that are taken: what is slow beyond the places for it counts as well."""
        young = _young(self._first, now)
        slow = len(self._first) - young
        return young + max(0, slow - self._places.slow)


def _young(posts: dict[str, float], now: float) -> int:
    return sum(now - began < PROMPT_SECONDS for began in posts.values())
