"""Which events a decision about an order gives rise to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.events import EventDraft, EventType, account_source
from worker.standing import Standing
from worker.states import OrderState

_ON_ENTERING = {OrderState.BLOCKED: EventType.ORDER_BLOCKED, OrderState.CANCELLED: EventType.ORDER_CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """How the order stood at the last decision."""

    state: OrderState
    content_hash: str


def drafts(before: Before, standing: Standing, *, late: Sequence[int], server_now: datetime) -> list[EventDraft]:
    """What happened between two decisions; nothing where the same facts were decided again.

    `late`: deliveries that appeared, changed or went away after sending began.
    """
    types = _types(before, standing)
    made = [_draft(kind, standing, server_now) for kind in types]
    if late and before.content_hash != standing.content_hash:
        made.append(_draft(EventType.ORDER_LATE_SIBLING, standing, server_now, late=list(late)))
    return made


def _types(before: Before, standing: Standing) -> list[EventType]:
    was = before.state
    types: list[EventType] = []
    if was is OrderState.COMPLETE and standing.state is not OrderState.COMPLETE:
        types.append(EventType.ORDER_REOPENED)
    if standing.state in _ON_ENTERING and was is not standing.state:
        types.append(_ON_ENTERING[standing.state])
    if standing.state is OrderState.COMPLETE and before != Before(
        state=standing.state, content_hash=standing.content_hash
    ):
        # Complete on other terms (its link changed before anything was sent) is news to firing as well.
        types.append(EventType.ORDER_COMPLETED)
    return types


def _draft(kind: EventType, standing: Standing, server_now: datetime, **more: object) -> EventDraft:
    key = standing.key
    return EventDraft(
        source=account_source(key.account),
        subject=key.subject,
        type=kind,
        time=server_now if standing.completed_at is None else standing.completed_at,
        fingerprint=standing.content_hash,
        data={
            "account": key.account,
            "customer_id": key.customer_id,
            "purchase_order": key.purchase_order,
            "state": standing.state.value,
            "reason": standing.reason,
            "deliveries": [delivery.id for delivery in standing.deliveries],
            "contents": {str(delivery.id): delivery.content_hash for delivery in standing.deliveries},
            "content_hash": standing.content_hash,
            "credit_order_id": None if standing.link is None else standing.link.credit_order_id,
            **more,
        },
        orders=(key,),
    )
