"""Writing at the warehouse: what comes of a write, in every way it can end."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from connectors.errors import NotConnected
from connectors.simulated.http_server import Reply, Request
from connectors.simulated.switches import PostFault
from tests.writing_kit import ITEM, READ_ONLY, Desk, desk, ended, lost, no
from worker.checkpoints import nothing
from worker.db.tables import delivery_writes, tasks
from worker.states import TaskState, WriteAction, WriteState
from worker.work import Done
from worker.writing.finishing import RECORDED


def test_a_created_delivery_is_in_the_event_log_at_once(each_desk: Desk) -> None:
    """It is read back through the usual reading, and the task tells its id."""
    queued = each_desk.create()

    assert ended(each_desk.work(queued)) == "done"
    (row,) = each_desk.rows(number="LS010328")
    assert (row["status"], row["note"], row["lineItems"][0]["quantity"]) == ("draft", "Unload with care!", 5000)
    assert [event.subject for event in each_desk.bench.events("waybill.delivery.appeared")] == [
        f"deliveries/{row['id']}"
    ]
    assert (each_desk.told["state"], each_desk.told["delivery_id"], each_desk.told["differs"]) == (
        "done",
        row["id"],
        [],
    )


def test_asking_twice_creates_once(quick_desk: Desk) -> None:
    """A number that is there with the same content is done; nothing is sent."""
    quick_desk.work(quick_desk.create())
    again = quick_desk.create()

    assert ended(quick_desk.work(again)) == "done"
    assert quick_desk.write(again).reason == "already so; nothing was sent."
    assert len(quick_desk.calls) == 1


def test_the_same_write_that_is_still_open_is_not_asked_for_twice(each_desk: Desk) -> None:
    """A command that was killed and is given again goes on with its intent."""
    first, second = each_desk.create(), each_desk.create()
    other = each_desk.create(note="other")

    assert first == second
    assert other != first


def test_an_open_write_whose_task_was_dropped_gets_a_new_one(quick_desk: Desk) -> None:
    """An intent never stays without somebody to do it."""
    first = quick_desk.create()
    with quick_desk.bench.database.write() as connection:
        connection.execute(sa.update(tasks).values(state=TaskState.DONE, ended_at=quick_desk.clock.now()))
    second = quick_desk.create()

    assert second.write == first.write
    assert second.task != first.task


def test_a_number_that_is_taken_is_refused_before_anything_is_sent(quick_desk: Desk) -> None:
    """Another content under the same number is a person's mistake, named by field."""
    quick_desk.work(quick_desk.create())

    reason = no(quick_desk.work(quick_desk.create(note="other", numberPurchaseOrder="X")))

    assert "which differs in note, numberPurchaseOrder" in reason
    assert len(quick_desk.calls) == 1


def test_a_refusal_is_told_field_by_field_and_leaves_nothing(quick_desk: Desk) -> None:
    """Problem details become one sentence, with everything that was complained of."""
    items = [{"articleId": 5, "quantity": 1}, {"articleId": 6, "quantity": 1}]
    queued = quick_desk.create(lineItems=items)

    reason = no(quick_desk.work(queued))

    assert "HTTP 400" in reason
    assert "lineItems[0].articleId: The article does not exist." in reason
    assert "lineItems[1].articleId: The article does not exist" in reason
    assert quick_desk.write(queued).state is WriteState.REFUSED
    assert quick_desk.rows() == []


def test_a_key_that_may_only_read_is_told_which_one_is_needed(quick_desk: Desk) -> None:
    """403: nothing happened, and the remedy is said."""
    queued = quick_desk.create()

    assert no(quick_desk.work(queued, key=READ_ONLY)).endswith("This needs an API key with Delivery.Write.")
    assert quick_desk.write(queued).state is WriteState.REFUSED


def test_a_write_that_no_connection_was_made_for_may_be_sent_again_at_once(quick_desk: Desk) -> None:
    """Provably nothing was sent: no settle time, no doubt."""
    queued = quick_desk.create()
    url = quick_desk.server.url
    quick_desk.server.stop()
    with pytest.raises(NotConnected):
        quick_desk.service(nothing).advance(queued.write, 1, quick_desk.close)
    write = quick_desk.write(queued)

    assert (write.state, write.sends) == (WriteState.ASKED, 0)

    assert quick_desk.server.start() == url
    assert ended(quick_desk.work(queued)) == "done"


def test_what_was_refused_because_a_gateway_sent_it_twice_is_done(sqlite_url: str) -> None:
    """The second answer says that the number is taken: by us."""
    with desk(sqlite_url, duplicate_numbers_refused=True) as at:
        queued = at.create()
        at.script(PostFault.GATEWAY_TWICE)

        assert ended(at.work(queued)) == "done"
        assert at.write(queued).reason == "created; the answer was lost."
        assert len(at.rows(number="LS010328")) == 1


def test_two_deliveries_with_the_number_are_told_whoever_made_them(quick_desk: Desk) -> None:
    """A source that takes a number twice, and a gateway that sends twice: nobody finds out by accident."""
    queued = quick_desk.create()
    quick_desk.script(PostFault.GATEWAY_TWICE)

    assert ended(quick_desk.work(queued)) == "done"
    assert "2 deliveries have the number" in quick_desk.write(queued).reason
    assert quick_desk.told["differs"]


@pytest.mark.parametrize("clears", [True, False])
def test_an_update_changes_what_it_names_and_nothing_else(sqlite_url: str, clears: bool) -> None:  # noqa: FBT001
    """Whether the source clears what is omitted or not: the whole head is sent."""
    with desk(sqlite_url, put_clears_omitted=clears, null_items_clear_drafts=True) as at:
        known = at.draft("LS7", numberExternal="EX7", numberPurchaseOrder="PO7", priority="high")
        before = at.rows(number="LS7")[0]
        queued = at.ask(WriteAction.UPDATE, {"note": "Mind the step."}, known)

        assert ended(at.work(queued)) == "done"
        after = at.rows(number="LS7")[0]
        same = before.keys() - {"note", "lineItems", "updatedAt", "attributes"}
        assert {name: after[name] for name in same} == {name: before[name] for name in same}
        assert after["note"] == "Mind the step."
        assert [(item["quantity"], item["note"]) for item in after["lineItems"]] == [(5000, "Look twice.")]
        assert at.told["differs"] == []


def test_an_approved_delivery_keeps_its_line_items_while_its_head_changes(quick_desk: Desk) -> None:
    """`lineItems: null` goes with it; a file with line items is refused before anything is sent."""
    known = quick_desk.draft("LS8", status="approved")
    head = quick_desk.ask(WriteAction.UPDATE, {"note": "later"}, known)
    items = quick_desk.ask(WriteAction.UPDATE, {"lineItems": [ITEM]}, known)

    assert ended(quick_desk.work(head)) == "done"
    assert "line items can be changed in a draft only" in no(quick_desk.work(items))
    assert len(quick_desk.rows(number="LS8")[0]["lineItems"]) == 1
    assert len(quick_desk.calls) == 1


@pytest.mark.parametrize("refuses", [True, False])
def test_approving_twice_approves_once(sqlite_url: str, refuses: bool) -> None:  # noqa: FBT001
    """Whether the source would refuse the second or not: it is not sent."""
    with desk(sqlite_url, approve_twice_refused=refuses) as at:
        known = at.draft("LS9")

        assert ended(at.work(at.ask(WriteAction.APPROVE, {}, known))) == "done"
        assert ended(at.work(at.ask(WriteAction.APPROVE, {}, known))) == "done"
        assert [call["path"].endswith("/approve") for call in at.calls] == [True]


def test_a_write_that_cannot_be_read_back_is_done_all_the_same(quick_desk: Desk) -> None:
    """The next poll will show it; the person is not told that it failed."""
    queued = quick_desk.create()

    def fail_afterwards(_number: int) -> None:
        if quick_desk.calls:
            raise lost()

    quick_desk.bench.client.before = fail_afterwards

    assert ended(quick_desk.work(queued)) == "done"
    assert quick_desk.told["state"] == "done"


def test_a_write_whose_end_was_recorded_before_its_process_died_is_closed(quick_desk: Desk) -> None:
    """A refusal stays one; only a person who retries it begins anew."""
    queued = quick_desk.create(lineItems=[{"articleId": 5, "quantity": 1}])
    first = no(quick_desk.work(queued))

    assert no(quick_desk.service(nothing).advance(queued.write, 2, quick_desk.close)) == first
    assert len(quick_desk.calls) == 1


def test_what_the_source_shows_otherwise_than_asked_is_told(quick_desk: Desk) -> None:
    """Done, but not as wanted: a person should know."""
    queued = quick_desk.create()

    def bend(name: str) -> None:
        if name == RECORDED:
            known = int(quick_desk.rows(number="LS010328")[0]["id"])
            quick_desk.bench.warehouse.change(known, lambda row: row.update(note="cut"))

    outcome = quick_desk.service(bend).advance(queued.write, 1, quick_desk.close)

    assert isinstance(outcome, Done)
    assert quick_desk.write(queued).reason == "created, but the warehouse shows otherwise: note."
    assert quick_desk.told["differs"] == ["note"]


def test_a_write_of_an_account_that_is_gone_is_given_up_with_the_reason(quick_desk: Desk) -> None:
    """As is one that nobody knows."""
    queued = quick_desk.create()
    with quick_desk.bench.database.write() as connection:
        connection.execute(sa.update(delivery_writes).values(account="gone.logistic.cloud"))

    assert "gone.logistic.cloud is not in the settings" in no(quick_desk.work(queued))
    assert "There is no write" in no(quick_desk.service(nothing).advance("nobody", 1, quick_desk.close))


def test_an_answer_about_another_delivery_is_not_believed(quick_desk: Desk) -> None:
    """It is looked up like one that was lost."""
    known = quick_desk.draft("LS13")
    queued = quick_desk.ask(WriteAction.UPDATE, {"note": "ours"}, known)
    perform = quick_desk.server.posts._perform  # noqa: SLF001 - the twin answers about something else

    def other(request: Request) -> Reply:
        reply = perform(request)
        return replace(reply, body=reply.body.replace(str(known).encode(), b"99"))

    quick_desk.server.posts._perform = other  # noqa: SLF001

    assert ended(quick_desk.work(queued)) == "done"
    assert quick_desk.write(queued).reason == "updated; the answer was lost."
    assert quick_desk.effects == 1
