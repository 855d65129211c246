"""How work gets on: a line of the log now and then, a live view on a terminal."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog
from rich.console import Console

from tests.clocks import NOON, ManualClock
from worker.cli.live import LiveProgress, progress_for
from worker.runtime.idleness import Due
from worker.runtime.progress import LogProgress, Rate
from worker.runtime.status import AccountStatus, Status
from worker.states import FiringState, OrderState, TaskState

ACCOUNT = AccountStatus(
    account="acme.example",
    certified_until=NOON - timedelta(seconds=61),
    lag_seconds=61.0,
    holes=2,
    pending=0,
    stopped=None,
)


def _status(*, events: int = 0, waiting: int = 0, account: AccountStatus = ACCOUNT) -> Status:
    return Status(
        at=NOON,
        due=Due(tasks=waiting, orders=0, firings=0),
        tasks={**dict.fromkeys((state.value for state in TaskState), 0), "waiting": waiting},
        orders={**dict.fromkeys((state.value for state in OrderState), 0), "open": 3},
        firings=dict.fromkeys((state.value for state in FiringState), 0),
        accounts=(account,),
        barmate=(),
        responses={},
        set_aside=0,
        events=events,
        webhook="on",
        off={"pause": "by hand"},
    )


def test_changes_a_second_are_counted_between_two_looks() -> None:
    """The first look has nothing to compare with."""
    clock = ManualClock()
    rate = Rate(clock)
    first = rate.of(100)
    clock.advance(10)

    assert (first, rate.of(150)) == (0.0, 5.0)


def test_the_log_says_how_it_gets_on_while_something_does() -> None:
    """States that nothing is in are left out."""
    with structlog.testing.capture_logs() as lines, LogProgress(ManualClock()) as progress:
        progress.show(_status(waiting=7))

    assert lines == [
        {
            "event": "progress",
            "log_level": "info",
            "changes_per_second": 0.0,
            "lag_seconds": {"acme.example": 61.0},
            "tasks": {"waiting": 7},
            "orders": {"open": 3},
            "firings": {},
        }
    ]


def test_a_quiet_daemon_fills_no_log() -> None:
    """Nothing is due and nothing changes: nothing is said."""
    with structlog.testing.capture_logs() as lines, LogProgress(ManualClock()) as progress:
        progress.show(_status())

    assert lines == []


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (ACCOUNT, "61 s behind · 2 holes"),
        (replace(ACCOUNT, stopped="The key is refused."), "61 s behind · 2 holes · stopped: The key is refused."),
        (replace(ACCOUNT, lag_seconds=None, holes=0), "not read yet"),
    ],
)
def test_the_live_view_shows_accounts_tasks_orders_firings_and_what_is_off(account: AccountStatus, said: str) -> None:
    """Compact: a line each."""
    shown = io.StringIO()
    console = Console(file=shown, width=100, force_terminal=True)
    with LiveProgress(ManualClock(), console) as progress:
        progress.show(_status(events=12, waiting=7, account=account))
    text = shown.getvalue()

    assert all(
        words in text
        for words in (said, "12 in all", "7 waiting", "3 open", "firings", "none", "off: pause", "by hand")
    )


@pytest.mark.parametrize(("terminal", "kind"), [(True, LiveProgress), (False, LogProgress)])
def test_a_terminal_gets_the_view_and_everything_else_lines(terminal: bool, kind: type) -> None:  # noqa: FBT001
    """Decided by standard error, where both go."""
    assert isinstance(progress_for(ManualClock(), lambda: terminal), kind)
