"""Evidence of a small rehearsal in which everything went as it should, to plant discrepancies in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from worker.events import OrderKey
from worker.firing.marker import marker
from worker.rehearsal.evidence import Aside, Evidence, Held, OurFiring, OurOrder, OurReply, Ours
from worker.states import FiringState, ResponseState

CUSTOMER = 1_000_050
KEY = "a marker key for tests only"
DUE, OTHER = "PO1", "PO2"
# The customer order of the delivery of DUE, and when the credit delivery was made.
ASKED = "EXT-1"
MADE = "2026-03-02T12:00:00Z"


def marker_of(purchase_order: str, ordinal: int = 0) -> str:
    """The marker of a firing of that order."""
    return marker(KEY, supplier="spl_1", order=OrderKey("acme", CUSTOMER, purchase_order), ordinal=ordinal)


def record(key: int, purchase_order: str, **fields: object) -> dict[str, Any]:
    """A delivery as the warehouse shows it."""
    return {
        "id": key,
        "customerId": CUSTOMER,
        "number": f"LS{key}",
        "status": "completed",
        "statusInbound": "booked",
        "numberPurchaseOrder": purchase_order,
        "updatedAt": "2026-03-02T12:00:00Z",
        "lineItems": [{"id": 1, "quantity": 3}],
        **fields,
    }


def happened(name: str, purchase_order: str = DUE, *, kg: int = 40, order: str = "ord_1") -> dict[str, Any]:
    """A credit delivery that truly was made."""
    return {
        "credit_delivery_id": name,
        "order_id": order,
        "kg": kg,
        "notes": marker_of(purchase_order),
        "committed_at": MADE,
    }


def evidence() -> Evidence:
    """Two orders, one of them due; a record that does not parse; everything seen, told and delivered."""
    rows = [record(1, DUE), record(2, OTHER), {**record(3, ""), "id": None}]
    return Evidence(
        story={"expected": [_expected(DUE, 40), _expected(OTHER, None)]},
        warehouse={"rows": rows, "versions": {"1": 2, "2": 1, "3": 1}, "removed": [], "requests": 9, "throttled": 0},
        registry=_registry(),
        barmate=_barmate(),
        webhook=_webhook(rows[:2]),
        ours=_ours(rows),
        reconciled=0,
    )


def with_ours(found: Evidence, **changes: Any) -> Evidence:  # noqa: ANN401 - the fields of Ours
    """The same with something else on our side."""
    return replace(found, ours=replace(found.ours, **changes))


def with_firing(found: Evidence, **changes: Any) -> Evidence:  # noqa: ANN401 - the fields of OurFiring
    """The same with something else about our only firing."""
    return with_ours(found, firings=(replace(found.ours.firings[0], **changes),))


def with_happened(found: Evidence, *entries: dict[str, Any]) -> Evidence:
    """The same with other credit deliveries at the registry."""
    delivered = sum(entry["kg"] for entry in entries if entry["order_id"] == "ord_1")
    orders = [{"id": "ord_1", "ordered_kg": 1000, "delivered_kg": delivered}]
    return replace(found, registry={**found.registry, "happened": list(entries), "orders": orders})


def with_webhook(found: Evidence, **changes: Any) -> Evidence:  # noqa: ANN401 - the receiver's truth
    """The same with something else at the receiver."""
    return replace(found, webhook={**found.webhook, **changes})


def asked(key: str, **fields: object) -> dict[str, Any]:
    """What a customer asked for on the first of March."""
    request = {"scheduled": {"date": "2026-03-01"}}
    return {"id": key, "type": "DELIVERY", "status": "REQUESTED", "request": request, "responses": [], **fields}


def told(type_: str, request: int, *, reference: str | None = None, day: str | None = None) -> dict[str, Any]:
    """An e-mail that a request caused, with the day that it said."""
    return {
        "delivery_id": ASKED,
        "type": type_,
        "reference": reference,
        "request_number": request,
        "day": day,
    }


def answered(
    *emails: dict[str, Any],
    order: Mapping[str, Any] | None = None,
    delivery: Mapping[str, Any] | None = None,
    refused_requests: Sequence[int] = (),
) -> Evidence:
    """The same with a customer order that the delivery of DUE names, and these e-mails about it, known to us."""
    responses = [{"scheduled": None if email["day"] is None else {"date": email["day"]}} for email in emails]
    status = "ACCEPTED" if emails else "REQUESTED"
    record_ = {**asked(ASKED, status=status, responses=responses), **(order or {})}
    found = with_barmate(
        evidence(),
        deliveries=[record_],
        emails=list(emails),
        answered=[_post(number) for number in [*(email["request_number"] for email in emails), *refused_requests]],
    )
    return with_ours(
        _named(found, dict(delivery or {})),
        customer_orders={str(record_["id"]): record_["status"]},
        replies=tuple(map(_reply, emails)),
    )


def with_barmate(found: Evidence, **changes: Any) -> Evidence:  # noqa: ANN401 - barmate's truth
    """The same with something else at barmate."""
    return replace(found, barmate={**found.barmate, **changes})


def _named(found: Evidence, changes: dict[str, Any]) -> Evidence:
    """The first delivery, changed and with an external number, on every side."""
    first = {**found.warehouse["rows"][0], "numberExternal": ASKED, "date": "2026-03-02T09:30:00Z", **changes}
    rows = [first, *found.warehouse["rows"][1:]]
    last = {**found.webhook["last"], f"deliveries/{first['id']}": {"delivery": _mirrored(first)}}
    held = tuple(replace(one, record=first) if one.id == first["id"] else one for one in found.ours.deliveries)
    return with_ours(
        with_webhook(replace(found, warehouse={**found.warehouse, "rows": rows}), last=last), deliveries=held
    )


def _post(number: int) -> dict[str, Any]:
    return {"delivery_id": ASKED, "request_number": number, "at": MADE, "commits": 1}


def _reply(email: dict[str, Any]) -> OurReply:
    return OurReply(
        order_id=ASKED,
        type=email["type"],
        reference=email["reference"],
        state=ResponseState.SENT,
        reason="taken",
    )


def _expected(purchase_order: str, kg: int | None) -> dict[str, Any]:
    return {
        "customer_id": CUSTOMER,
        "purchase_order": purchase_order,
        "credit_order_id": None if kg is None else "ord_1",
        "kg": kg,
        "should_deliver": kg is not None,
        "reason": "no link" if kg is None else "",
    }


def _barmate() -> dict[str, Any]:
    hooks = {"attempts": [], "lost": [], "waiting": 0}
    return {"deliveries": [], "emails": [], "answered": [], "hooks": hooks}


def _registry() -> dict[str, Any]:
    return {
        "happened": [happened("dlv_1")],
        "told": [{"status": 200, "kg": 40}],
        "orders": [{"id": "ord_1", "ordered_kg": 1000, "delivered_kg": 40}],
    }


def _webhook(rows: list[dict[str, Any]]) -> dict[str, Any]:
    subjects = {
        f"deliveries/{row['id']}": [{"id": f"evt_{row['id']}", "type": "waybill.delivery.appeared", "valid": True}]
        for row in rows
    }
    last = {f"deliveries/{row['id']}": {"delivery": _mirrored(row)} for row in rows}
    return {
        "subjects": subjects,
        "last": last,
        "invalid": [],
        "out_of_order": [],
        "received": 2,
        "distinct": 2,
        "duplicates": {},
    }


def _mirrored(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": row["status"],
        "status_inbound": row["statusInbound"],
        "purchase_order": row["numberPurchaseOrder"],
    }


def _ours(rows: list[dict[str, Any]]) -> Ours:
    return Ours(
        deliveries=tuple(Held(id=row["id"], record=row, visible=True) for row in rows[:2]),
        set_aside=(Aside(id="r3", record=rows[2]),),
        orders=tuple(
            OurOrder(order=(CUSTOMER, number), state=state, reason="all completed")
            for number, state in ((DUE, "complete"), (OTHER, "unlinked"))
        ),
        firings=(
            OurFiring(
                order=(CUSTOMER, DUE),
                ordinal=0,
                state=FiringState.CONFIRMED,
                reason="the registry has it",
                credit_order_id="ord_1",
                kg=40,
                marker=marker_of(DUE),
                credit_delivery_id="dlv_1",
            ),
        ),
        events={"evt_1": "deliveries/1", "evt_2": "deliveries/2"},
    )
