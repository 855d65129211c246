"""Reading the accounts: one poller each, and the jobs about them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

import structlog

from worker.leases import Leases
from worker.reading.headway import Tell
from worker.reading.poller import Poller, PollReport
from worker.reading.rhythm import Rhythm
from worker.reading.source_clock import is_skewed
from worker.runtime.jobs import Result, Taken
from worker.runtime.keeping import kept

_log = structlog.get_logger(__name__)

# Seconds that an account stays with a process that died while polling it: its work is taken up within a minute.
_LEASE_SECONDS = 45.0


class Reading:
    """The accounts that can be read, and how reading them goes.

    `leases` is None where this process is the only one: then nobody needs to be kept away.
    """

    def __init__(
        self,
        *,
        pollers: Sequence[Poller],
        backfill: Callable[[str, datetime, datetime, Tell], Result],
        sweep: Callable[[str, Tell], Result],
        rhythms: Mapping[str, Rhythm],
        leases: Leases | None,
        wake: Callable[[], None],
        rest: Callable[[], None],
    ) -> None:
        self._pollers: Mapping[str, Poller] = {poller.source.name: poller for poller in pollers}
        self._backfill = backfill
        self._sweep = sweep
        self._rhythms = rhythms
        self._leases = leases
        self._wake = wake
        self._rest = rest
        self._reports: dict[str, PollReport] = {}

    def names(self) -> tuple[str, ...]:
        """Every account that can be read."""
        return tuple(self._pollers)

    def tick(self, account: str) -> float | None:
        """The schedule's poll, passed over while another process is at the account; seconds until the next, if soon."""
        try:
            return self._rhythms[account].after(self._poll(account, force=False))
        except Taken:
            _log.debug("poll passed over", account=account)
            return None

    def poll(self, account: str) -> Result:
        """Poll once, now. Raises Taken."""
        return _document(self._poll(account, force=True))

    def backfill(self, account: str, since: datetime, until: datetime, tell: Tell) -> Result:
        """Certify a span of source time, while polls go on in front. Raises ConnectorError."""
        return self._backfill(account, since, until, tell)

    def sweep(self, account: str, tell: Tell) -> Result:
        """Read slowly what polling may have missed, while polls go on in front. Raises ConnectorError."""
        return self._sweep(account, tell)

    def look_at_waits(self) -> None:
        """Let everybody see which accounts have not answered yet."""
        for poller in self._pollers.values():
            poller.look_at_waits()

    def caught_up(self) -> bool:
        """Whether every account is certified up to its first answer's time, or the rest is a hole already retried."""
        return all(poller.caught_up() for poller in self._pollers.values())

    def trouble(self) -> str | None:
        """A sentence about an account that cannot be read at present."""
        told = (report.error for report in self._reports.values() if report.error is not None)
        return next(told, self.refusal())

    def refusal(self) -> str | None:
        """A sentence about an account that refuses us: waiting does not help."""
        return next((report.stopped for report in self._reports.values() if report.stopped is not None), None)

    def _poll(self, account: str, *, force: bool) -> PollReport:
        with self._alone(account):
            report = self._pollers[account].run_once(force=force)
        self._rest()
        self._told(report)
        self._reports[account] = report
        if report.appeared or report.changed:
            self._wake()
        return report

    def _told(self, report: PollReport) -> None:
        before = self._reports.get(report.account)
        trouble = report.stopped if report.stopped is not None else report.error
        was = None if before is None else before.stopped if before.stopped is not None else before.error
        if trouble is not None and trouble != was:
            _log.warning("account cannot be read", account=report.account, error=trouble)
        if trouble is None and was is not None:
            _log.info("account can be read again", account=report.account)
        if is_skewed(report.skew_seconds) and (before is None or not is_skewed(before.skew_seconds)):
            _log.warning("clocks are apart", account=report.account, seconds=report.skew_seconds)

    @contextmanager
    def _alone(self, account: str) -> Iterator[None]:
        if self._leases is None:
            yield
            return
        with kept(self._leases, f"poll:{account}", _LEASE_SECONDS) as lease:
            if lease is None:
                sentence = f"another process is reading {account}"
                raise Taken(sentence)
            yield


def _document(report: PollReport) -> Result:
    until = report.certified_until
    return {**asdict(report), "certified_until": None if until is None else until.isoformat()}
