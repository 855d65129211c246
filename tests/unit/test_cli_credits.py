from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from tests.clocks import ManualClock
from tests.firing_kit import ORDER, Twin
from tests.order_kit import NOON
from tests.order_store import row
from worker.db.tables import credit_deliveries, firings

MODE = {
    "CREDITS__MARKER_KEY": "a-marker-key-of-the-tests",
    "CREDITS__SINCE": "2026-01-01",
}


@pytest.fixture
def twin() -> Iterator[Twin]:
    """The registry's twin, which has 1000 kg ordered and 1200 kg in batches."""
    twin = Twin(ManualClock())
    yield twin
    twin.server.stop()


@pytest.fixture
def shell(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in a folder with a complete order PO-1, linked with five kilograms."""
    shell = Shell(tmp_path, monkeypatch, capsys)
    shell.know_registry(twin.url)
    with shell.store() as store:
        store.deliver(1)
        store.link(row(credit_order_id=ORDER))
        store.look()
    return shell


def plant_firing(shell: Shell, state: str, **values: object) -> None:
    """Give PO-1 a firing in this state."""
    with shell.store() as store:
        store.fire(state, {})
        with store.database.write() as connection:
            said = {"credit_order_id": ORDER, "kg": 5, "marker": None, "credit_delivery_id": None, **values}
            connection.execute(sa.update(firings).values(**said))


def plant_delivery(shell: Shell, identity: str) -> None:
    """A credit delivery in the mirrored ledger that nobody claims."""
    with shell.database() as database, database.write() as connection:
        connection.execute(
            sa.insert(credit_deliveries).values(
                id=identity,
                credit_order_id=ORDER,
                kg=5,
                notes="by hand",
                delivered_at=NOON,
                attribution="unattributed",
                seen_at=NOON,
            )
        )


def states(shell: Shell) -> list[str]:
    """The states of the firings as they are listed."""
    return [one["state"] for one in shell("credits", "list", "--json").objects]


def test_firings_are_listed_with_the_promised_keys(shell: Shell) -> None:
    """Scripts rely on the keys; a state narrows."""
    plant_firing(shell, "planned", request=None)
    (listed,) = shell("credits", "list", "--json").objects

    assert set(listed) == {
        "account",
        "customer_id",
        "purchase_order",
        "ordinal",
        "credit_order_id",
        "kg",
        "state",
        "reason",
        "credit_delivery_id",
        "attempts",
    }
    assert shell("credits", "list", "--json", "--state", "confirmed").out == ""


def test_a_plan_shows_the_bytes_with_a_placeholder_for_what_is_not_known(shell: Shell) -> None:
    """Without a marker key the marker has a name in its place; nothing is sent."""
    plan = shell("credits", "plan", "PO-1", "--json").objects[0]

    assert "<marker: set WAYBILL_CREDITS__MARKER_KEY>" in plan["request"]
    assert plan["calculation"]["kg"] == 5


def test_a_plan_with_a_key_holds_the_marker_and_sends_nothing(shell: Shell, twin: Twin) -> None:
    """What `plan` prints is what would be sent."""
    shell.set(**MODE)
    done = shell("credits", "plan", "PO-1")

    assert done.status == 0, done.err
    assert "wb1" in done.out
    assert twin.happened() == []


def test_an_approval_outside_of_its_mode_is_refused(shell: Shell) -> None:
    """In plan mode an approval would be a promise that nobody keeps."""
    plant_firing(shell, "planned", request=None)

    assert shell("credits", "approve", "PO-1").err.startswith("The mode is plan:")


def test_a_firing_is_held_and_released(shell: Shell) -> None:
    """A person's hold stays until it is released."""
    plant_firing(shell, "planned", request=None)

    assert shell("credits", "hold", "PO-1", "--because", "ask first").out.startswith("held: ")
    assert states(shell) == ["held"]
    assert shell("credits", "release", "PO-1").out.startswith("released: ")
    assert shell("credits", "release", "PO-1").status == 2


def test_a_firing_that_needs_a_person_is_resolved_with_a_reason(shell: Shell) -> None:
    """`abandoned` frees what was reserved, for ever."""
    plant_firing(shell, "needs_person")
    done = shell("credits", "resolve", "PO-1", "--as", "abandoned", "--because", "the buyer cancelled")

    assert done.status == 0, done.err
    assert states(shell) == ["abandoned"]


def test_a_confirmed_one_names_its_delivery(shell: Shell) -> None:
    """Which credit delivery it is must be said."""
    plant_firing(shell, "needs_person")
    plant_delivery(shell, "dlv_1HANDSBX")
    resolve = ("credits", "resolve", "PO-1", "--as", "confirmed", "--because", "seen there")

    assert shell(*resolve).err == "Name the credit delivery with --delivery dlv_….\n"
    assert shell(*resolve, "--delivery", "dlv_1HANDSBX").status == 0
    assert states(shell) == ["confirmed"]


def test_a_delivery_made_by_hand_is_adopted(shell: Shell) -> None:
    """An order that was delivered by hand is confirmed by that delivery."""
    plant_delivery(shell, "dlv_1HANDSBX")

    assert shell("credits", "adopt", "PO-1", "dlv_1HANDSBX").out.startswith("adopted: ")
    assert states(shell) == ["confirmed"]


def test_a_delivery_that_is_none_of_ours_is_dismissed(shell: Shell) -> None:
    """It holds its credit order no longer."""
    plant_delivery(shell, "dlv_1HANDSBX")

    assert shell("credits", "dismiss", "dlv_1HANDSBX").out == "dlv_1HANDSBX is dismissed.\n"


def test_an_ended_firing_is_supplemented(shell: Shell) -> None:
    """A further delivery is planned under the next ordinal."""
    plant_firing(shell, "confirmed", credit_delivery_id="dlv_1")
    done = shell("credits", "supplement", "PO-1", "--kg", "3", "--because", "one more pallet")

    assert done.status == 0, done.err
    assert states(shell) == ["confirmed", "planned"]
    assert shell("credits", "supplement", "PO-1", "--kg", "0", "--because", "x").status == 2


def test_ledgers_that_agree_are_exit_0(shell: Shell) -> None:
    """Nothing delivered, nothing held: they agree."""
    done = shell("reconcile")

    assert done.status == 0, done.err
    assert done.out.startswith("The ledgers agree: 0 credit deliveries match on 1 credit orders")


def test_a_mismatch_is_a_line_until_a_person_closes_it(shell: Shell, twin: Twin) -> None:
    """A delivery that no firing made is found with exit 1, and stays until closed with a reason."""
    twin.deliver_by_hand(100, 1)
    found = shell("reconcile", "--json")
    (mismatch,) = found.objects

    assert found.status == 1
    assert set(mismatch) == {"id", "kind", "subject", "found_at", "detail"}
    assert shell("reconcile", "close", mismatch["id"], "--because", "made by hand").status == 0
    assert shell("reconcile", "--supplier").status == 0


def test_a_registry_that_refuses_the_token_is_exit_3(shell: Shell) -> None:
    """The sentence names the registry; the token is not in it."""
    shell.set(ISOMETRIC__ACCESS_TOKEN="another-token-of-the-tests")
    done = shell("reconcile")

    assert (done.status, done.out) == (3, "")
    assert "Isometric" in done.err
    assert "another-token" not in done.err


def test_a_job_is_done_here_where_there_is_no_daemon(shell: Shell) -> None:
    """`--wait` needs nobody else: the command does this one job and nothing besides."""
    done = shell("enqueue", "reconcile", "--wait")

    assert done.status == 0, done.err
    assert len(done.out.splitlines()) == 1
