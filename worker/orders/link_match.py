"""Which link an order is under: the most specific one, unless it cannot be told. Pure (DESIGN §5, links)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worker.events import OrderKey
from worker.standing import Link


@dataclass(frozen=True, slots=True)
class LinkMatch:
    """The one link of an order, or none; `ambiguous` says why it cannot be told which order the link means."""

    link: Link | None
    ambiguous: str | None = None


def covers(link: Link, key: OrderKey) -> bool:
    """Whether the link speaks of this order: what it does not say, it does not narrow."""
    return (
        link.purchase_order == key.purchase_order
        and link.account in ("", key.account)
        and link.customer_id in (0, key.customer_id)
    )


def best(links: Iterable[Link], key: OrderKey) -> Link | None:
    """The most specific link that covers the order; the account counts more than the customer."""
    covering = [link for link in links if covers(link, key)]
    return max(covering, key=_specificity, default=None)


def match(links: Sequence[Link], key: OrderKey, same_number: Iterable[OrderKey]) -> LinkMatch:
    """The link of an order. `same_number`: every known order with the same purchase order number.

    A link without account or customer holds every order of that number that it covers, once there is more than one.
    """
    covering = [link for link in links if covers(link, key)]
    if not covering:
        return LinkMatch(None)
    chosen = max(covering, key=_specificity)
    if sum(1 for link in covering if _said(link) == _said(chosen)) > 1:
        return LinkMatch(None, "two links speak of this order and neither is more specific; unlink one of them")
    others = sorted({other for other in same_number if covers(chosen, other)} - {key})
    if others and not (chosen.account and chosen.customer_id):
        return LinkMatch(None, _ambiguous(chosen, others))
    return LinkMatch(chosen)


def _said(link: Link) -> int:
    return bool(link.account) + bool(link.customer_id)


def _specificity(link: Link) -> tuple[int, bool]:
    return _said(link), bool(link.account)


def _ambiguous(link: Link, others: Sequence[OrderKey]) -> str:
    missing = " and ".join(
        word for word, said in (("account", link.account), ("customer_id", link.customer_id)) if not said
    )
    other = f"customer {others[0].customer_id} at {others[0].account}"
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return (
        f"the link does not say its {missing}, and {other}{more} has an order of the same number; "
        f"import it again with {missing}"
    )
