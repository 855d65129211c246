"""The benchmark of a first reading: what it counts is what is there."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.reading import growth, losses
from benchmarks.reading.account import KEY, MovingAccount
from benchmarks.reading.first_reading import Reading, as_rows
from benchmarks.reading.lineup import BARE, PEERS, Peer, is_there
from benchmarks.reading.losses import Losses
from benchmarks.reading.telling import table
from connectors.simulated.switches import PageOrder

ROWS = 600


@pytest.fixture
def account() -> Iterator[MovingAccount]:
    """A small account, served."""
    account = MovingAccount(ROWS, PageOrder.BY_ID)
    account.start()
    yield account
    account.stop()


def _page(account: MovingAccount, number: int) -> httpx.Response:
    params = {"page": number, "pageSize": 250}
    return httpx.get(f"{account.url}/deliveries", params=params, headers={"X-Api-Key": KEY})


def test_the_account_has_the_rows_that_were_asked_for_and_counts_requests(account: MovingAccount) -> None:
    """Everybody reads the same rows, and requests are counted by the account, not by who makes them."""
    pages = [_page(account, number) for number in range(3)]

    assert [len(page.json()) for page in pages] == [250, 250, 100]
    assert pages[0].headers["X-Total"] == str(ROWS)
    assert len({row["id"] for page in pages for row in page.json()}) == ROWS
    assert account.asked() == 3
    assert account.asked() == 0


def test_rows_move_only_while_they_are_told_to(account: MovingAccount) -> None:
    """Three rows change at every request of the second table, and none afterwards."""
    account.moving = 3
    _page(account, 0)
    account.moving = 0
    changed = [row for row in account.warehouse.truth()["rows"] if str(row["note"]).startswith("touched")]
    _page(account, 1)

    assert 1 <= len(changed) <= 3
    assert changed == [row for row in account.warehouse.truth()["rows"] if str(row["note"]).startswith("touched")]


def test_a_row_was_created_before_it_changed_for_the_last_time(account: MovingAccount) -> None:
    """Stamps are as an account has them: not all alike, and not in the order of ids."""
    rows = account.warehouse.truth()["rows"]
    stamps = [row["updatedAt"] for row in rows]

    assert all(row["createdAt"] <= row["updatedAt"] for row in rows)
    assert len(set(stamps)) > ROWS / 2
    assert stamps != sorted(stamps)


def test_losses_are_counted_against_the_account_as_it_is(tmp_path: Path) -> None:
    """A row that is not held is missed, one that is held with another stamp is stale."""
    database = tmp_path / "rows.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE deliveries (id, updated_at)")
        connection.executemany("INSERT INTO deliveries VALUES (?, ?)", [(1, "a"), (2, "b"), (9, "z")])

    lacking = losses.compared({1: "a", 2: "newer", 3: "c"}, database, "SELECT id, updated_at FROM deliveries")
    assert lacking == (1, 1)


def test_a_peer_that_is_not_installed_is_missing_and_no_error() -> None:
    """The benchmark goes on with who is there."""
    nowhere = Peer(name="nobody", module="nobody", stores="rows", python=Path("/nowhere/python"))
    unheard_of = Peer(name="nobody", module="nobody", stores="rows", needs="a_library_nobody_wrote")

    assert not is_there(nowhere)
    assert not is_there(unheard_of)


def test_the_tables_say_what_was_measured() -> None:
    """A table a person reads has a line a peer, and ratios against the bare fetch and the smaller account."""
    small = _reading(1_000, 0.5)
    large = _reading(10_000, 4.0)

    assert "| waybill | everything | 5 / 4 | 2,000 | 0.40 |" in table(as_rows([small]))
    assert "| 10,000 | 5 / 4 | 4.0 | 8.00 |" in table(growth.as_rows([small, large]))
    lost = Losses(peer="plain loop", order="by_id", requests=81, missed=7, stale=2)
    assert "7 + 2 (81)" in table(losses.as_rows([lost]))
    assert PEERS[0].name == BARE


def _reading(rows: int, seconds: float) -> Reading:
    return Reading(
        peer="waybill",
        stores="everything",
        rows=rows,
        requests=5,
        minimum=4,
        startup_seconds=0.5,
        seconds=seconds,
        ratio=0.4,
        cpu_seconds=0.3,
        peak_mb=100.0,
        idle_cpu_ms=5.0,
    )
