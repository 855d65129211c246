"""How much of barmate can be read while a reading is still fresh, and the sentences where that is too little."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.standing import FRESH_SECONDS

_RATE = "WAYBILL_BARMATE__REQUESTS_PER_SECOND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`seconds` that reading anew may take; `turn_seconds` between two requests at the pace in force."""

    seconds: float
    turn_seconds: Callable[[], float]

    def too_many(self, orders: int, needed: int) -> str:
        """A sentence about a number that cannot be read in time, with what helps."""
        turn = self.turn_seconds()
        told = f"customer orders of this order that are open and have to be read anew just before it is sent: {orders}"
        limit = f"that takes {_requests(needed)}; barmate is asked once in {turn:.3g} s, so at most"
        fit = f"{int(self.seconds / turn)} fit into the {FRESH_SECONDS:g} s that readings may be old"
        return f"{told}; {limit} {fit}; {self._remedy()}"

    def too_slow(self, made: int, needed: int) -> str:
        """A sentence about answers that came too late."""
        told = f"barmate answered {_requests(made)} about this order's customer orders"
        late = f"and {max(needed, 1)} more did not fit into the {FRESH_SECONDS:g} s that readings may be old"
        return f"{told}, {late}; it is tried again, and {self._remedy()}"

    def _remedy(self) -> str:
        raise_it = f"raise {_RATE} if barmate allows it"
        return f"{raise_it}; what customers have received is not read again, so it also ends as they receive more"


def _requests(count: int) -> str:
    return f"{count} request" if count == 1 else f"{count} requests"
