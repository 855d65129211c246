"""The decisions of firing that need neither a database nor a registry."""

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.answer import Answer, Headers
from connectors.errors import Interrupted, NotConnected
from connectors.isometric_records import CreditBatch, CreditDelivery, CreditOrder, Organisation, Supplier
from connectors.pagination import ReadList
from tests.clocks import NOON
from worker.events import OrderKey
from worker.firing import answers
from worker.firing.absence import PinSight, Sight, Verdict, judge, judge_pins, next_reading_at
from worker.firing.answers import About, Asked, Meaning
from worker.firing.binding import mixed_up
from worker.firing.marker import fingerprint, has_fingerprint, marker, notes_with, tokens
from worker.firing.pins import Pin
from worker.firing.plan import Chosen, SeveralProjects, Short, Wanted, choose, request_bytes
from worker.firing.policy import Cause, recheck_at
from worker.states import FIRING_CHANGES

DOCS = Path(__file__).parents[2] / "docs"
KEY = "0123456789abcdef0123456789abcdef"
ORDER = OrderKey("acme.logistic.cloud", 7, "PO-2026/001")
SUPPLIER_ID = "spl_1FJBMMGR3SBXKDME"
US = Organisation(id="org_us", name="Us")
BUYER = Organisation(id="org_buyer", name="Buyer")
MARKER = marker(KEY, supplier=SUPPLIER_ID, order=ORDER, ordinal=0)
ASKED = Asked(credit_order_id="ord_1", kg=300, marker=MARKER)
WANTED = Wanted(kg=300, organisation_id=US.id, project=None, issuance=None)


def batch(identity: str, kg: int, **changes: object) -> CreditBatch:
    """An active batch of ours; its id says how old it is."""
    values: dict[str, object] = {
        "id": identity,
        "status": "active",
        "kg": kg,
        "issued_at": NOON,
        "delivered_at": None,
        "retired_at": None,
        "supplier_id": SUPPLIER_ID,
        "owner": US,
        "project_id": "prj_1",
        "issuance_id": "iss_1",
        "delivery_id": None,
        "parent_id": None,
        "left_child_id": None,
        "right_child_id": None,
        **changes,
    }
    return CreditBatch(**values)  # type: ignore[arg-type]


def credit_delivery(identity: str = "dlv_1", **changes: object) -> CreditDelivery:
    """The delivery that was asked for."""
    values: dict[str, object] = {
        "id": identity,
        "order_id": "ord_1",
        "delivered_at": NOON,
        "supplier_id": SUPPLIER_ID,
        "organisation_id": BUYER.id,
        "kg": 300,
        "notes": MARKER,
        "url": "",
        **changes,
    }
    return CreditDelivery(**values)  # type: ignore[arg-type]


def listed(*nodes: CreditDelivery, total: int | None = None) -> ReadList[CreditDelivery]:
    """A whole list, unless the total says otherwise."""
    count = len(nodes) if total is None else total
    return ReadList(nodes=nodes, first_total_count=count, total_count=count, complete=True, joined=False, turns=(1, 1))


def credit_order(delivered: int) -> CreditOrder:
    """A credit order of 1000 kg."""
    return CreditOrder(
        id="ord_1",
        status="in_progress",
        supplier=Supplier(id=SUPPLIER_ID, organisation=US),
        buyer=BUYER,
        ordered_kg=1000,
        delivered_kg=delivered,
        fulfilled_at=None,
    )


def answer(status: int, document: object = None, *, body: bytes | None = None) -> Answer:
    """An answer with a JSON body, or the bytes given."""
    return Answer(status=status, headers=Headers(), body=orjson.dumps(document) if body is None else body)


def created(**changes: object) -> dict[str, object]:
    """A body of schema Delivery that matches what was asked."""
    return {
        "id": "dlv_1",
        "delivered_at": "2026-03-02T12:00:00Z",
        "order_id": "ord_1",
        "from_supplier": {"id": SUPPLIER_ID},
        "to_organisation": {"id": BUYER.id},
        "credit_batch_size_total": {"credits": 0.3, "credit_kgs": 300},
        "url": "",
        "notes": MARKER,
        **changes,
    }


def refusal(*location: str | int) -> dict[str, object]:
    """HTTPValidationError."""
    return {"detail": [{"loc": list(location), "msg": "no", "type": "value_error"}]}


def test_the_marker_is_made_as_the_documentation_says() -> None:
    """The published vector, computed here from the documented rule alone."""

    def framed(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    def base32(digest: bytes) -> str:
        return base64.b32encode(digest).decode().lower()

    domain, key = b"waybill marker 1", KEY.encode()
    public = base32(hashlib.sha256(framed(domain, b"key", key)).digest())[:8]
    parts = (SUPPLIER_ID.encode(), b"acme.logistic.cloud", b"7", b"PO-2026/001", b"0")
    hashed = base32(hmac.new(key, framed(domain, *parts), "sha256").digest())[:32]

    assert f"wb1{public}{hashed}" == MARKER
    assert f"`{MARKER}`" in (DOCS / "answers.md").read_text()


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 9), st.integers(0, 9))
def test_markers_differ_where_identities_differ(one: str, other: str, first: int, second: int) -> None:
    """Byte for byte: a blank, a case or an ordinal makes another marker."""
    made = [
        marker(KEY, supplier=SUPPLIER_ID, order=OrderKey("a", 7, number), ordinal=ordinal)
        for number, ordinal in ((one, first), (other, second))
    ]

    assert (made[0] == made[1]) == ((one, first) == (other, second))


def test_a_marker_is_searched_as_a_token() -> None:
    """A longer word that holds one is none; punctuation around it does not matter."""
    assert tokens(notes_with("Delivered with care.", MARKER)) == (MARKER,)
    assert tokens(f"({MARKER}), {MARKER}") == (MARKER,)
    assert tokens(f"x{MARKER}") == tokens(f"{MARKER}a") == tokens(MARKER.upper()) == tokens(None) == ()
    assert has_fingerprint(MARKER, fingerprint(KEY))
    assert not has_fingerprint(MARKER, fingerprint("another key of the operator"))


@given(st.lists(st.integers(1, 500), max_size=8), st.integers(1, 2000), st.sets(st.integers(0, 7)))
def test_a_plan_has_exactly_the_kilograms_wanted_or_none(sizes: list[int], kg: int, taken: set[int]) -> None:
    """Kilograms are conserved: nothing reserved, nothing over a batch's size, at most one batch in part."""
    batches = [batch(f"ctb_{number}", size) for number, size in enumerate(sizes)]
    reserved = frozenset(f"ctb_{number}" for number in taken)
    free = {one.id: one.kg for one in batches if one.id not in reserved}

    found = choose(batches, Wanted(kg=kg, organisation_id=US.id, project=None, issuance=None), reserved)

    if isinstance(found, Chosen):
        assert sum(pin.kg for pin in found.pins) == kg
        assert all(0 < pin.kg <= free[pin.batch_id] for pin in found.pins)
        assert sum(pin.kg < free[pin.batch_id] for pin in found.pins) <= 1
    else:
        assert isinstance(found, Short)
        assert found.missing_kg == kg - sum(free.values())


@given(st.permutations([batch("ctb_1", 100), batch("ctb_2", 200), batch("ctb_3", 300)]))
def test_the_order_of_the_list_does_not_change_the_plan(batches: list[CreditBatch]) -> None:
    """The same facts give the same bytes."""
    found = choose(batches, WANTED, frozenset())

    assert isinstance(found, Chosen)
    assert found.pins == (Pin("ctb_1", 100), Pin("ctb_2", 200))
    assert request_bytes("ord_1", "n", found.pins) == (
        b'{"credit_batch_quantities":[{"credit_batch_id":"ctb_1","credit_quantity_kg":100},'
        b'{"credit_batch_id":"ctb_2","credit_quantity_kg":200}],"notes":"n","order_id":"ord_1"}'
    )


@pytest.mark.parametrize(
    "changes",
    [{"status": "split"}, {"status": "retired"}, {"status": "new"}, {"owner": BUYER}, {"delivery_id": "dlv_1"}],
)
def test_an_unusable_batch_pays_for_nothing(changes: dict[str, object]) -> None:
    """Only what is active, ours and undelivered counts."""
    assert choose([batch("ctb_1", 300, **changes)], WANTED, frozenset()) == Short(300, 0)


def test_candidates_of_several_projects_need_a_choice() -> None:
    """Unless the link names a project or an issuance."""
    batches = [batch("ctb_1", 300), batch("ctb_2", 300, project_id="prj_2", issuance_id="iss_2")]
    named = Wanted(kg=300, organisation_id=US.id, project=None, issuance="iss_2")

    assert choose(batches, WANTED, frozenset()) == SeveralProjects(("prj_1", "prj_2"))
    assert choose(batches, named, frozenset()) == Chosen((Pin("ctb_2", 300),), "prj_2")


ANSWERS = [
    (answer(200, created()), Meaning.CONFIRMED),
    (answer(200, created(notes=None)), Meaning.UNKNOWN),
    (answer(200, created(order_id="ord_2")), Meaning.UNKNOWN),
    (answer(200, created(credit_batch_size_total={"credit_kgs": 299})), Meaning.UNKNOWN),
    (answer(200, body=b"<html>"), Meaning.UNKNOWN),
    (answer(201, created()), Meaning.UNKNOWN),
    (answer(422, refusal("body", "credit_batch_quantities", 0)), Meaning.NO),
    (answer(404, refusal("body", "order_id")), Meaning.NO),
    (answer(422, {"message": "no"}), Meaning.FOREIGN),
    (answer(404, body=b"<html>"), Meaning.FOREIGN),
    (answer(422, {"detail": []}), Meaning.FOREIGN),
    (answer(422, {"detail": ["no"]}), Meaning.FOREIGN),
    (answer(401, refusal("body")), Meaning.FOREIGN),
    (answer(403, {}), Meaning.FOREIGN),
    (answer(302, {}), Meaning.FOREIGN),
    (answer(429, refusal("body")), Meaning.UNKNOWN),
    (answer(408, {}), Meaning.UNKNOWN),
    (answer(500, refusal("body")), Meaning.UNKNOWN),
    (answer(503, {}), Meaning.UNKNOWN),
]


@pytest.mark.parametrize(("given_answer", "meaning"), ANSWERS)
def test_each_answer_has_its_meaning(given_answer: Answer, meaning: Meaning) -> None:
    """The table of docs/answers.md."""
    assert answers.of_answer(given_answer, ASKED).meaning is meaning


def test_a_no_says_what_it_is_about() -> None:
    """Under `credit_batch_quantities` it is about the batches."""
    batches = answers.of_answer(answer(422, refusal("body", "credit_batch_quantities", 0)), ASKED)
    order = answers.of_answer(answer(422, refusal("body", "order_id")), ASKED)

    assert (batches.about, order.about) == (About.BATCHES, About.OTHER)
    assert "body.order_id: no" in order.reason


def test_only_a_failed_connect_proves_that_nothing_was_sent() -> None:
    """Every other missing answer is unknown."""
    assert answers.of_error(NotConnected("s", "o", "refused")).meaning is Meaning.NOT_SENT
    assert answers.of_error(Interrupted("s", "o", "reset")).meaning is Meaning.UNKNOWN


SIGHTS = [
    (credit_order(300), listed(credit_delivery()), Sight.FOUND),
    (credit_order(0), listed(credit_delivery(), total=9), Sight.FOUND),
    (credit_order(300), listed(credit_delivery(kg=299)), Sight.DIFFERENT),
    (credit_order(600), listed(credit_delivery(), credit_delivery("dlv_2")), Sight.DIFFERENT),
    (credit_order(100), listed(credit_delivery("dlv_0", kg=100, notes=None)), Sight.NONE),
    (credit_order(100), listed(credit_delivery("dlv_0", kg=100, notes=None), total=2), Sight.INCOMPLETE),
    (credit_order(101), listed(credit_delivery("dlv_0", kg=100, notes=None)), Sight.INCOMPLETE),
    (credit_order(0), listed(), Sight.INCOMPLETE),
    (
        credit_order(150),
        listed(credit_delivery("dlv_0", kg=100, notes=None), credit_delivery("dlv_9", kg=50, notes=None)),
        Sight.DOUBT,
    ),
    (
        credit_order(150),
        listed(credit_delivery("dlv_0", kg=100, notes=None), credit_delivery("dlv_ours", kg=50, notes=None)),
        Sight.NONE,
    ),
]


@pytest.mark.parametrize(("order", "found", "sight"), SIGHTS)
def test_a_reading_shows_what_it_shows(order: CreditOrder, found: ReadList[CreditDelivery], sight: Sight) -> None:
    """A reading counts only if the whole list was read, holds the baseline, and adds up."""
    verdict = judge(
        order, found, asked=ASKED, baseline=frozenset({"dlv_0"}), explained=frozenset({"dlv_0", "dlv_ours"})
    )

    assert verdict.sight is sight
    assert verdict.counts is (sight is not Sight.INCOMPLETE)


def test_an_unfinished_list_does_not_count() -> None:
    """The server claimed a next page that could not be read."""
    cut = replace(listed(), complete=False)

    verdict = judge(credit_order(0), cut, asked=ASKED, baseline=frozenset(), explained=frozenset())

    assert verdict == Verdict(Sight.INCOMPLETE, "0 of 0 deliveries were listed")


PINS = [
    ((batch("ctb_1", 300),), PinSight.UNTOUCHED),
    ((batch("ctb_1", 299),), PinSight.UNCLEAR),
    ((batch("ctb_1", 300, owner=BUYER, delivery_id="dlv_known"),), PinSight.USED_BY_OTHERS),
    ((batch("ctb_1", 300, owner=BUYER, delivery_id="dlv_unknown"),), PinSight.UNCLEAR),
    ((batch("ctb_1", 300, status="retired", retired_at=NOON),), PinSight.USED_BY_OTHERS),
    ((batch("ctb_1", 300, status="split"), batch("ctb_2", 100), batch("ctb_3", 200)), PinSight.UNCLEAR),
    (
        (batch("ctb_1", 300, status="split"), batch("ctb_2", 100, delivery_id="dlv_known"), batch("ctb_3", 200)),
        PinSight.USED_BY_OTHERS,
    ),
]


@pytest.mark.parametrize(("family", "sight"), PINS)
def test_pins_are_untouched_or_used_by_others_or_unclear(family: tuple[CreditBatch, ...], sight: PinSight) -> None:
    """Absence is believed only where nothing about the pinned batches is unexplained."""
    found = judge_pins({"ctb_1": 300}, {"ctb_1": family}, organisation_id=US.id, explained=frozenset({"dlv_known"}))

    assert found is sight


def test_readings_are_spaced_after_the_settle_time() -> None:
    """The first at its end, each next one a third of it later."""
    settled = NOON + timedelta(seconds=300)

    assert next_reading_at(settled, 0, None, 300.0) == settled
    assert next_reading_at(settled, 1, settled, 300.0) == settled + timedelta(seconds=100)


def test_an_id_of_the_other_environment_is_refused() -> None:
    """Sandbox ids on the production host and the other way round; unknown hosts and ids pass."""
    sandbox, production = "ord_1DBVRQDHBSBXWBWP", "ord_1FAN3S3WV1S0B842"

    assert mixed_up(sandbox, "api.isometric.com") is not None
    assert mixed_up(production, "api.sandbox.isometric.com") is not None
    assert mixed_up(sandbox, "api.sandbox.isometric.com") is None
    assert mixed_up(sandbox, "127.0.0.1:8080") is None


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_of_a_hold_is_documented_with_its_time(cause: Cause) -> None:
    """A held firing is looked at again, or the documentation says who lets it go."""
    text = (DOCS / "states.md").read_text()

    assert f"| `{cause}` |" in text
    assert (recheck_at(cause, NOON) is None) == (cause in {Cause.PERSON, Cause.SINCE})


def test_the_documented_arrows_are_the_allowed_changes() -> None:
    """docs/states.md lists every change that the database allows, and no other."""
    arrows = re.findall(r"^\| [a-zA-Z] \| (\w+) \| (\w+) \|", (DOCS / "states.md").read_text(), re.MULTILINE)

    assert sorted(arrows) == sorted((before.value, after.value) for before, after in FIRING_CHANGES)
