"""barmate's connector against its twin, with every unknown of the vendor's pages both ways."""

import itertools
from decimal import Decimal
from typing import Any

import pytest

from connectors.barmate_outcomes import Denied, NotFound, Refused, Taken, Unknown
from connectors.barmate_records import CustomerOrder, ResponseType
from connectors.barmate_writes import ItemChange, NewResponse
from connectors.errors import Refused as RefusedError
from connectors.errors import Transient, Unauthorized, UnexpectedAnswer
from connectors.policy import RetryPolicy
from connectors.simulated.barmate_server import READ_FAULTS
from connectors.simulated.switches import PostFault
from tests.barmate_kit import Stage, staged

# Every way in which a response can get lost or not, and whether it took effect.
LOST = [
    (PostFault.REFUSE_BEFORE_COMMIT, False),
    (PostFault.DROP_BEFORE_COMMIT, False),
    (PostFault.HANG_BEFORE_COMMIT, False),
    (PostFault.COMMIT_THEN_DROP, True),
    (PostFault.COMMIT_THEN_500, True),
    (PostFault.COMMIT_THEN_HANG, True),
    (PostFault.THROTTLE_BEFORE_COMMIT, False),
    (PostFault.THROTTLE_AFTER_COMMIT, True),
    (PostFault.BROKEN_JSON, True),
    (PostFault.FOREIGN_404, False),
]


def ids(stage: Stage) -> list[str | None]:
    """Return the ids of all pages, as they come."""
    return [order.id for page in stage.account.pages() for order in page.orders]


@pytest.mark.parametrize(
    ("kind", "end", "as_text"), list(itertools.product(["place", "row"], ["absent", "null", "empty"], [False, True]))
)
def test_the_whole_list_is_read_however_it_is_paged(kind: str, end: str, as_text: bool) -> None:  # noqa: FBT001 - a switch
    """Whatever a cursor is, however the list ends and however an id is written: each order once, newest first."""
    with staged(page_size=3, cursor_kind=kind, list_end=end, id_as_text=as_text) as stage:
        keys = stage.place(7)
        found = ids(stage)

        assert found == keys[::-1]
        assert stage.kit.turns.taken == 3


@pytest.mark.parametrize("kind", ["place", "row"])
def test_what_arrives_while_paging_may_come_twice_but_nothing_is_left_out(kind: str) -> None:
    """The reader gets every order that was there when it began."""
    with staged(page_size=3, cursor_kind=kind) as stage:
        keys = stage.place(7)
        found = []
        for page in stage.account.pages():
            found += [order.id for order in page.orders]
            if len(found) < 10:
                stage.place(1)

        assert set(keys) <= set(found)
        assert (len(found) > len(set(found))) is (kind == "place")


def test_an_expired_cursor_is_a_refusal_that_says_what_to_do() -> None:
    """The list is read again from the top."""
    with staged(page_size=2, cursor_seconds=0.0001) as stage:
        stage.place(5)
        with pytest.raises(RefusedError, match="from the top"):
            ids(stage)


def test_a_list_that_leads_in_a_circle_ends() -> None:
    """With a sentence instead of for ever."""
    with staged(page_size=2, cursor_circles=True) as stage:
        stage.place(5)
        with pytest.raises(UnexpectedAnswer, match="in a circle"):
            ids(stage)


@pytest.mark.parametrize("understood", [True, False])
def test_a_filter_that_is_not_understood_is_seen_in_the_rows(understood: bool) -> None:  # noqa: FBT001 - a switch
    """Each row says its status, so that a reader need not trust the filter."""
    with staged(status_filter=understood) as stage:
        keys = stage.place(3)
        stage.twin.cancel(keys[1])
        page = stage.account.page(status="CANCELLED")
        statuses = [order.status for order in page.orders if isinstance(order, CustomerOrder)]

        assert statuses == (["CANCELLED"] if understood else ["REQUESTED", "CANCELLED", "REQUESTED"])


@pytest.mark.parametrize("words", [True, False])
def test_an_order_is_read_as_it_was_made(words: bool) -> None:  # noqa: FBT001 - a switch
    """Fractional kilograms exactly, pallets as such in either spelling, people apart; a list leaves out the items."""
    pallet = {"type": "PX", "size": 40, "pallet_bundle": {"type": "CT", "size": 12}}
    items = [
        {"id": "4", "name": "Limetten", "order_by": "kg", "vessel": None, "bundle": None, "count": 1.675, "price": 90},
        {"id": "5", "name": "Wasser", "vessel": None, "bundle": pallet, "count": 2, "vessel_count": 960, "price": 90},
    ]
    with staged(packaging_words=words) as stage:
        [key] = stage.place()
        stage.twin.rewrite(key, {"request": {**stage.twin.get(key)["request"], "items": items}})
        order = stage.order(key)
        [row] = stage.account.page().orders

        assert order.items is not None
        assert [item.count for item in order.items] == [Decimal("1.675"), Decimal(2)]
        assert order.items[1].bundle is not None
        assert order.items[1].bundle.is_pallet
        assert order.personal.contact is not None
        assert isinstance(row, CustomerOrder)
        assert (row.id, row.items, row.customer) == (order.id, None, order.customer)


@pytest.mark.parametrize("empty", [True, False])
def test_an_unknown_id_is_absent(empty: bool) -> None:  # noqa: FBT001 - a switch
    """Reading and answering alike, with a body and without."""
    with staged(empty_not_found=empty) as stage:
        assert stage.account.order("7").order is None
        assert isinstance(stage.respond("7", ResponseType.ACCEPT), NotFound)


def test_a_wrong_token_is_told_everywhere() -> None:
    """Reads raise with the remedy, a response is denied, and nothing happened."""
    with staged(token="another") as stage:
        [key] = stage.place()
        for read in (stage.account.page, stage.account.account_settings, lambda: stage.account.order(key)):
            with pytest.raises(Unauthorized, match="BARMATE__TOKEN"):
                read()

        assert isinstance(stage.respond(key, ResponseType.ACCEPT), Denied)
        assert stage.emails(key) == 0


@pytest.mark.parametrize("name", READ_FAULTS)
def test_a_fault_of_a_read_is_an_error_and_never_an_absent_order(name: str) -> None:
    """Whatever stands between us and barmate, an order that is there is never taken for unknown."""
    switches: dict[str, Any] = {name: 1.0, "slow_seconds": 0.01, "retry_after": False}
    with staged(**switches) as stage:
        [key] = stage.place()
        if name == "slow":
            assert stage.order(key).id == key
            return
        for read in (stage.account.page, stage.account.account_settings, lambda: stage.account.order(key)):
            with pytest.raises((Transient, UnexpectedAnswer)):
                read()


def test_reads_get_over_faults_that_pass() -> None:
    """Half of the reads fail, and everything is read in the end."""
    with staged(server_error=0.3, reset=0.1, throttled=0.1, retries=RetryPolicy(attempts=12)) as stage:
        keys = stage.place(5)

        assert [stage.order(key).id for key in keys] == keys


@pytest.mark.parametrize("success", ["empty", "response", "delivery"])
@pytest.mark.parametrize("shown", [True, False])
def test_the_life_of_an_order_is_answered(success: str, shown: bool) -> None:  # noqa: FBT001 - a switch
    """ACCEPT, UPDATE and REJECT are taken whatever a success is answered with, and found by their reference."""
    with staged(success_body=success, update_shown=shown) as stage:
        [key] = stage.place()
        [item, *_rest] = stage.twin.get(key)["request"]["items"]
        fewer = NewResponse(
            type=ResponseType.UPDATE, reference="LS1", items=(ItemChange(id=item["id"], count=Decimal(1)),)
        )
        accepted = stage.respond(key, ResponseType.ACCEPT)
        updated = stage.account.respond(key, fewer.body(), deadline_seconds=5, before_connect=lambda: None)
        order = stage.order(key)
        rejected = stage.respond(key, ResponseType.REJECT, "LS2")

        assert [accepted, updated, rejected] == [Taken(status=200)] * 3
        newest = order.response_with("LS1")
        assert newest is not None
        assert newest.type == ("UPDATE" if shown else "ACCEPT")
        assert newest.items[0].count == 1
        assert (order.status, stage.order(key).status, stage.order(key).is_final) == ("ACCEPTED", "REJECTED", True)
        assert stage.emails(key) == 3


def test_a_response_after_the_customer_changed_their_mind_is_refused() -> None:
    """The state moved on between reading and answering; nobody got an e-mail."""
    with staged() as stage:
        cancelled, received = stage.place(2)
        stage.twin.cancel(cancelled)
        stage.twin.receive(received)

        for key in (cancelled, received):
            told = stage.respond(key, ResponseType.ACCEPT)
            assert isinstance(told, Refused)
            assert "cannot get ACCEPT" in told.sentence
            assert stage.emails(key) == 0


@pytest.mark.parametrize(("fault", "took_effect"), LOST)
def test_a_lost_answer_is_unknown_and_reading_tells(fault: PostFault, took_effect: bool) -> None:  # noqa: FBT001 - a switch
    """Only the delivery itself says whether the response is there: by its reference."""
    with staged(script=[fault], hang_seconds=5) as stage:
        [key] = stage.place()
        told = stage.respond(key, ResponseType.ACCEPT, seconds=0.5)
        found = stage.order(key).response_with("LS1")

        assert isinstance(told, Unknown)
        assert (found is not None, stage.emails(key)) == (took_effect, int(took_effect))


@pytest.mark.parametrize(("refused", "kind", "count"), [(True, Refused, 1), (False, Taken, 2)])
def test_a_gateway_that_sends_twice_is_seen_by_reading(refused: bool, kind: type, count: int) -> None:  # noqa: FBT001 - a switch
    """A refusal may mean that it was taken the first time, so even after a no the delivery is read."""
    with staged(script=[PostFault.GATEWAY_TWICE], repeated_accept_refused=refused) as stage:
        [key] = stage.place()
        told = stage.respond(key, ResponseType.ACCEPT)

        assert isinstance(told, kind)
        assert stage.order(key).response_with("LS1") is not None
        assert stage.emails(key) == count
