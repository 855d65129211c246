"""Jobs asked for by hand (`waybill enqueue …`) or by the night's schedule: each is a task, done like any other.

A job's subject is an account's name, or ALL; a firing's is the order's key. Backfills of several ranges go on at once,
so theirs is the range, and the account stands in the payload. What came of a job is kept with its task.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from connectors.errors import ConnectorError
from worker import kinds
from worker.db import Database
from worker.errors import UsageError
from worker.events import OrderKey
from worker.reading.headway import Tell
from worker.runtime.closing import Closing, nothing_to_close
from worker.runtime.headways import Headways
from worker.runtime.runner import Service
from worker.tasks import Claim
from worker.work import Close, Done, GiveUp, Later, Outcome

# The subject of a job about every account.
ALL = "all"

Result = Mapping[str, object]

# Seconds until a job is tried again that another process is in the way of.
_TAKEN_SECONDS = 2.0


class Taken(Exception):
    """Another process is at this account; the message names it."""


class Accounts(Protocol):
    """What can be done about accounts. Methods raise `connectors.errors.ConnectorError`."""

    def names(self) -> tuple[str, ...]:
        """Every account that can be read."""
        ...

    def poll(self, account: str) -> Result:
        """Poll once, now."""
        ...

    def backfill(self, account: str, since: datetime, until: datetime, tell: Tell) -> Result:
        """Certify a span of source time."""
        ...

    def sweep(self, account: str, tell: Tell) -> Result:
        """Read slowly what polling may have missed."""
        ...


Look = Callable[[OrderKey, Close], Outcome]


class Jobs:
    """The services of the kinds in `kinds.JOBS`."""

    def __init__(
        self,
        *,
        database: Database,
        accounts: Accounts,
        headways: Headways,
        reconcile: Callable[[bool], Result],
        mirror_one: Callable[[str], int],
        mirror_between: Callable[[datetime, datetime], int],
        look_at_order: Look,
        look_at_firing: Look,
        write: Service,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._headways = headways
        self._reconcile = reconcile
        self._mirror_one = mirror_one
        self._mirror_between = mirror_between
        self._look_at_order = look_at_order
        self._look_at_firing = look_at_firing
        self._write = write

    def services(self) -> Mapping[str, Service]:
        """The table of kind and service."""
        return {
            kinds.POLL: self._job(lambda claim: self._each(claim, self._accounts.poll)),
            kinds.SWEEP: self._job(self._sweep),
            kinds.BACKFILL: self._job(self._backfill),
            kinds.RECONCILE: self._job(lambda claim: self._reconcile(bool(claim.payload.get("supplier", False)))),
            kinds.MIRROR_AGAIN: self._job(self._mirror_again),
            kinds.FIRE: self._fire,
            kinds.WRITE: self._write,
        }

    def _job(self, work: Callable[[Claim], Result]) -> Service:
        def run(claim: Claim, closing: Closing) -> Outcome:
            try:
                result = work(claim)
            except Taken as taken:
                return self._later(str(taken))
            with self._database.write() as connection:
                closing(connection, result)
            return Done()

        return run

    def _later(self, reason: str) -> Later:
        with self._database.read() as connection:
            until = self._database.now(connection) + timedelta(seconds=_TAKEN_SECONDS)
        return Later(until=until, reason=reason, counted=False)

    def _each(self, claim: Claim, work: Callable[[str], Result]) -> Result:
        """The work for each account that is meant; one that cannot be read is told once the others are done."""
        results: dict[str, object] = {}
        troubles: list[ConnectorError] = []
        for name in self._meant(str(claim.payload.get("account", claim.subject))):
            try:
                result = work(name)
            except ConnectorError as trouble:
                troubles.append(trouble)
            else:
                # Not every account knows every job: barmate has no spans of time to be certified.
                results |= {name: result} if result else {}
        if troubles:
            raise troubles[0]
        return results

    def _meant(self, subject: str) -> tuple[str, ...]:
        names = self._accounts.names()
        if subject == ALL:
            return names
        if subject not in names:
            sentence = f"There is no account {subject} with a key; configured are: {', '.join(names) or 'none'}."
            raise UsageError(sentence)
        return (subject,)

    def _backfill(self, claim: Claim) -> Result:
        since, until = _instant(claim.payload, "since"), _instant(claim.payload, "until")
        headway = self._headways.of
        return self._each(claim, lambda name: self._accounts.backfill(name, since, until, headway(claim, name)))

    def _sweep(self, claim: Claim) -> Result:
        return self._each(claim, lambda name: self._accounts.sweep(name, self._headways.of(claim, name)))

    def _mirror_again(self, claim: Claim) -> Result:
        event = claim.payload.get("event")
        if event is not None:
            return {"events": self._mirror_one(str(event))}
        return {"events": self._mirror_between(_instant(claim.payload, "since"), _instant(claim.payload, "until"))}

    def _fire(self, claim: Claim, closing: Closing) -> Outcome:
        key = OrderKey.parse(claim.subject)
        looked = self._look_at_order(key, nothing_to_close)
        return looked if isinstance(looked, GiveUp) else self._look_at_firing(key, closing)


def _instant(payload: Mapping[str, Any], field: str) -> datetime:
    return datetime.fromisoformat(str(payload[field]))
