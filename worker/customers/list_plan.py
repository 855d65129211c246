"""How many pages of the list spare requests, where orders would else be read one by one by their ids. Pure."""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# Nobody says how many rows a page has: until one was seen, asking for it is worth a request.
_UNKNOWN = 1_000_000


@dataclass(slots=True)
class PageSize:
    """The rows of a full page of the list, as last seen."""

    rows: int = _UNKNOWN


@dataclass(slots=True, kw_only=True)
class Listing:
    """The list of one status. `ranks`: how many rows are expected above each order; `done`: pages that were read."""

    status: str
    ranks: Mapping[str, int]
    done: int = 0
    ended: bool = False

    def pages(self, left: Collection[str], rows: int) -> int:
        """How many pages more are worth asking for, a page having that many rows."""
        return pages_worth(self._ahead(left, rows), rows)

    def cost(self, left: Collection[str], rows: int) -> int:
        """How many requests its orders that are left take."""
        ahead = self._ahead(left, rows)
        pages = pages_worth(ahead, rows)
        passed = sum(order_id in left for order_id in self.ranks) - len(ahead)
        return passed + pages + _beyond(ahead, pages, rows)

    def _ahead(self, left: Collection[str], rows: int) -> list[int]:
        """Ranks below the pages that were read; what those should have shown and did not is read by its id."""
        if self.ended:
            return []
        above = self.done * rows
        ranks = (rank for order_id, rank in self.ranks.items() if order_id in left and rank >= above)
        return sorted(rank - above for rank in ranks)


def pages_worth(ranks: Sequence[int], rows: int) -> int:
    """How many pages from the top take the fewest requests: each is one, and so is each order below them."""
    placed = sorted(ranks)
    return min(range(len(placed) + 1), key=lambda pages: (pages + _beyond(placed, pages, rows), pages))


def _beyond(placed: Sequence[int], pages: int, rows: int) -> int:
    """How many of the sorted ranks lie below so many pages."""
    return len(placed) - bisect_left(placed, pages * rows)
