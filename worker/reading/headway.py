"""How far a long reading has come: what it has done of what it expects, told after every request."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Headway:
    """What is `done` of `all`, in units of one kind (rows, seconds or requests); requests made and rows read so far.

    An expectation, never a proof: rows come and go while they are read.
    """

    done: float
    all: float
    requests: int
    rows: int

    @property
    def share(self) -> float:
        """What is done, between 0 and 1; 1 where there was nothing to do."""
        return 1.0 if self.all <= 0 else max(0.0, min(1.0, self.done / self.all))


# Hears of it; what it raises ends the reading, which goes on from there when it is asked for again.
Tell = Callable[[Headway], None]
