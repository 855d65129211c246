"""The rows of responses, on both databases: one open response an order, one sent of each kind, no change unseen."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.barmate_records import ResponseType
from tests.clocks import NOON, ManualClock
from worker.db import Database
from worker.errors import BrokenInvariant, LostClaim
from worker.responding import reply_rows
from worker.responding.reply_rows import Reply
from worker.responding.words import Words
from worker.states import ResponseState

HOST = "barmate.example"
WORDS = Words(type=ResponseType.ACCEPT, reference="LS1")


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    """An empty database."""
    made = Database(migrated_url, ManualClock())
    yield made
    made.close()


def _insert(connection: sa.Connection, order_id: str = "1", words: Words = WORDS) -> Reply:
    return reply_rows.insert(connection, words, host=HOST, order_id=order_id, about=("acme", 1), now=NOON)


def _to(connection: sa.Connection, reply: Reply, state: ResponseState, **values: object) -> Reply:
    return reply_rows.change(connection, reply, replace(reply, state=state, **values), NOON)  # type: ignore[arg-type]


def _sending(connection: sa.Connection, order_id: str = "1") -> Reply:
    times = {"deadline": NOON, "settled_at": NOON + timedelta(minutes=5)}
    return _to(connection, _insert(connection, order_id), ResponseState.SENDING, sends=1, **times)


def test_an_order_has_one_open_response(database: Database) -> None:
    """Two of them could not be told apart at barmate."""
    with database.write() as connection:
        made = _insert(connection)
        with pytest.raises(LostClaim):
            _insert(connection, words=Words(type=ResponseType.REJECT))

        assert reply_rows.of_orders(connection, HOST, ["1"]) == {"1": [made]}


def test_an_order_is_accepted_once(database: Database) -> None:
    """The database refuses what no code should try."""
    with database.write() as connection:
        _to(connection, _sending(connection), ResponseState.SENT)
        second = _sending(connection)
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            _to(connection, second, ResponseState.SENT)


def test_of_two_at_one_response_the_slower_changes_nothing(database: Database) -> None:
    """A row changes only from the state, the attempts and the end that it was read with."""
    with database.write() as connection:
        made = _insert(connection)
        frozen = reply_rows.change(connection, made, replace(made, deadline=NOON), NOON)
        with pytest.raises(LostClaim):
            _to(connection, made, ResponseState.SUPERSEDED)

        assert _to(connection, frozen, ResponseState.SUPERSEDED).state is ResponseState.SUPERSEDED


def test_an_answer_that_comes_late_counts(database: Database) -> None:
    """Somebody else has begun to look it up meanwhile."""
    with database.write() as connection:
        sending = _sending(connection)
        _to(connection, sending, ResponseState.UNKNOWN)

        assert _to(connection, sending, ResponseState.SENT, sent_at=NOON).state is ResponseState.SENT


def test_no_change_is_made_that_the_table_does_not_list(database: Database) -> None:
    """What was never sent cannot be refused."""
    with database.write() as connection, pytest.raises(BrokenInvariant):
        _to(connection, _insert(connection), ResponseState.REFUSED)


def test_nothing_is_on_its_way_without_an_end(database: Database) -> None:
    """The database refuses it."""
    with database.write() as connection:
        made = _insert(connection)
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            _to(connection, made, ResponseState.SENDING, sends=1)


def test_what_a_dead_process_left_is_looked_up_with_a_new_settle_time(database: Database) -> None:
    """It may have sent it in its last moment."""
    with database.write() as connection:
        _sending(connection)
        later = NOON + timedelta(hours=1)
        taken = reply_rows.take_over(connection, timedelta(minutes=5), later)
        (left,) = reply_rows.of_orders(connection, HOST, ["1"])["1"]

    assert taken == 1
    assert (left.state, left.settled_at) == (ResponseState.UNKNOWN, later + timedelta(minutes=5))


def test_rows_are_counted_listed_and_searched(database: Database) -> None:
    """By state, the newest first, and for the last no to the credential."""
    with database.write() as connection:
        unknown = _to(connection, _sending(connection), ResponseState.UNKNOWN, answer_status=401)
        _insert(connection, "2")
        found = reply_rows.counts(connection)

        assert (found["unknown"], found["wanted"], found["sent"]) == (1, 1, 0)
        assert [reply.order_id for reply in reply_rows.each(connection, HOST)] == ["2", "1"]
        assert reply_rows.denied_at(connection, HOST) == unknown.changed_at
        assert reply_rows.open_orders(connection, HOST, [ResponseState.UNKNOWN]) == ["1"]
