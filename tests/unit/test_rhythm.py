"""When an account is polled again."""

from worker.reading.poller import PollReport
from worker.reading.rhythm import Rhythm

QUIET = PollReport(account="a", requests=1)
CHANGED = PollReport(account="a", requests=1, changed=1)
PENDING = PollReport(account="a", requests=30, pending=True)
FAILED = PollReport(account="a", error="it hangs", pending=True)
STOPPED = PollReport(account="a", stopped="no key", pending=True)


def _rhythm(idle: float = 5.0, turn: float = 0.75) -> Rhythm:
    return Rhythm(idle_seconds=idle, turn_seconds=lambda: turn)


def test_an_idle_account_is_polled_at_its_interval() -> None:
    """A quiet poll asks for nothing more."""
    rhythm = _rhythm()

    assert [rhythm.after(QUIET) for _ in range(3)] == [None, None, None]


def test_while_things_change_polls_come_soon_and_then_later_and_later() -> None:
    """Up to the interval; a further change begins anew."""
    rhythm = _rhythm(idle=10)
    reports = [CHANGED, CHANGED, QUIET, QUIET, QUIET, QUIET, CHANGED, QUIET]

    assert [rhythm.after(report) for report in reports] == [1.5, 1.5, 3, 6, None, None, 1.5, 3]


def test_what_is_pending_is_read_at_once() -> None:
    """The budget alone says when."""
    assert _rhythm().after(PENDING) == 0.0


def test_polls_that_come_soon_leave_every_second_turn_to_others() -> None:
    """Where the source allows little, and never sooner than a second; a shorter interval stays what it is."""
    assert _rhythm(turn=1.02).after(CHANGED) == 2.04
    assert _rhythm(turn=0.001).after(CHANGED) == 1.0
    assert _rhythm(idle=0.2).after(CHANGED) is None


def test_an_account_that_cannot_be_read_is_polled_at_its_interval() -> None:
    """Though something is pending; the poller itself waits longer and longer."""
    rhythm = _rhythm()

    assert [rhythm.after(report) for report in (CHANGED, FAILED, QUIET, STOPPED)] == [1.5, None, None, None]
