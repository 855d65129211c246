"""Who wants to hear of what: the one table of event types and their subscribers (DESIGN §3)."""

from collections.abc import Callable, Mapping, Sequence

from worker import kinds
from worker.event_log import Subscription
from worker.events import About, EventType
from worker.responding.subjects import CUSTOMER_ORDER_EVENTS, DELIVERY_EVENTS, Subjects

# Events that end here: told to the webhook, if there is one, and to nobody else.
TERMINAL = frozenset(
    {
        EventType.ORDER_BLOCKED,
        EventType.ORDER_CANCELLED,
        EventType.FIRING_CHANGED,
        EventType.COVERAGE_HOLE,
        EventType.COVERAGE_REOPENED,
        EventType.ACCOUNT_STOPPED,
        EventType.ACCOUNT_RECOVERED,
        EventType.ACCOUNT_SKEWED,
        EventType.CREDITS_FROZEN,
    }
)

_Subjects = Callable[[About], Sequence[str]]


def _its_subject(draft: About) -> Sequence[str]:
    return (f"{draft.source}|{draft.subject}",)


def _its_orders(draft: About) -> Sequence[str]:
    return draft.order_subjects


_COMPLETION = Subscription(kinds.COMPLETION, _its_orders)
_FIRING = Subscription(kinds.FIRING, _its_orders)
_MIRROR = Subscription(kinds.MIRROR, _its_subject)

SERVICES: Mapping[EventType, Subscription] = {
    EventType.DELIVERY_APPEARED: _COMPLETION,
    EventType.DELIVERY_CHANGED: _COMPLETION,
    EventType.DELIVERY_VANISHED: _COMPLETION,
    EventType.DELIVERY_RETURNED: _COMPLETION,
    EventType.RECORD_SET_ASIDE: _COMPLETION,
    EventType.CUSTOMER_ORDER_APPEARED: _COMPLETION,
    EventType.CUSTOMER_ORDER_CHANGED: _COMPLETION,
    EventType.CUSTOMER_ORDER_VANISHED: _COMPLETION,
    EventType.CUSTOMER_ORDER_RETURNED: _COMPLETION,
    EventType.ORDER_COMPLETED: _FIRING,
    EventType.ORDER_REOPENED: _FIRING,
    EventType.ORDER_LATE_SIBLING: _FIRING,
}


# What may have to be told to a customer.
ANSWERED = frozenset({*DELIVERY_EVENTS, *CUSTOMER_ORDER_EVENTS})


def subscriptions(*, webhook: bool, answered: Subjects | None = None) -> Mapping[EventType, Sequence[Subscription]]:
    """The table as the event log takes it; the mirror hears everything where a webhook is configured.

    `answered` gives the customer orders that an event is about; None where customers are told nothing.
    """
    mirror = (_MIRROR,) if webhook else ()
    responses = () if answered is None else (Subscription(kinds.RESPOND, answered),)
    return {
        kind: (
            *((SERVICES[kind],) if kind in SERVICES else ()),
            *(responses if kind in ANSWERED else ()),
            *mirror,
        )
        for kind in EventType
    }
