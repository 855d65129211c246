"""Which customer orders an event is about: those that may have to be answered because of it. Pure."""

from collections.abc import Callable, Mapping, Sequence

from worker.customers.linking import LinkBy
from worker.events import About, EventType

DELIVERY_EVENTS = (
    EventType.DELIVERY_APPEARED,
    EventType.DELIVERY_CHANGED,
    EventType.DELIVERY_VANISHED,
    EventType.DELIVERY_RETURNED,
)
CUSTOMER_ORDER_EVENTS = (
    EventType.CUSTOMER_ORDER_APPEARED,
    EventType.CUSTOMER_ORDER_CHANGED,
    EventType.CUSTOMER_ORDER_VANISHED,
    EventType.CUSTOMER_ORDER_RETURNED,
)

# The key of a delivery's document (`worker.reading.delivery_rows`) that names its customer order.
_KEYS: Mapping[LinkBy, str] = {
    LinkBy.NUMBER: "number",
    LinkBy.NUMBER_EXTERNAL: "number_external",
    LinkBy.NUMBER_PURCHASE_ORDER: "purchase_order",
}

Subjects = Callable[[About], Sequence[str]]


def subjects_of(link_by: LinkBy) -> Subjects:
    """What gives the ids of the customer orders that an event is about.

    What an event does not tell, such as the external number before, is found among the rows (`worker.responding.owed`).
    """
    key = _KEYS.get(link_by)

    def subjects(draft: About) -> Sequence[str]:
        if draft.type in CUSTOMER_ORDER_EVENTS:
            return _values(draft.data.get("customer_order"), "id")
        named = (*_values(draft.data.get("delivery"), key), *_values(draft.data.get("previous"), key))
        return tuple(dict.fromkeys(named))

    return subjects


def _values(document: object, key: str | None) -> tuple[str, ...]:
    value = document.get(key) if isinstance(document, Mapping) and key is not None else None
    return (value,) if isinstance(value, str) and value.strip() else ()
