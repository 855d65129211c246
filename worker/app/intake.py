"""Everything that is read: the accounts, and barmate beside them, as jobs and `run --until-idle` see it."""

from datetime import datetime

from worker.app.customers import Customers
from worker.app.reading import Reading
from worker.reading.headway import Tell
from worker.runtime.jobs import Result


class Intake:
    """Asks the one that is meant."""

    def __init__(self, *, accounts: Reading, customers: Customers) -> None:
        self._accounts = accounts
        self._customers = customers

    def names(self) -> tuple[str, ...]:
        """Every account that can be read."""
        host = self._customers.host
        return self._accounts.names() if host is None else (*self._accounts.names(), host)

    def poll(self, account: str) -> Result:
        """Poll once, now. Raises Taken."""
        return self._customers.poll() if self._is_barmate(account) else self._accounts.poll(account)

    def backfill(self, account: str, since: datetime, until: datetime, tell: Tell) -> Result:
        """Certify a span of source time; barmate knows no such spans. Raises ConnectorError."""
        return {} if self._is_barmate(account) else self._accounts.backfill(account, since, until, tell)

    def sweep(self, account: str, tell: Tell) -> Result:
        """Read slowly what polling may have missed. Raises ConnectorError."""
        return self._customers.sweep() if self._is_barmate(account) else self._accounts.sweep(account, tell)

    def caught_up(self) -> bool:
        """Whether everything was read as far as it can be."""
        return self._accounts.caught_up() and self._customers.caught_up()

    def trouble(self) -> str | None:
        """A sentence about an account that cannot be read at present."""
        told = self._accounts.trouble()
        return self._customers.trouble() if told is None else told

    def refusal(self) -> str | None:
        """A sentence about an account that refuses us: waiting does not help."""
        told = self._accounts.refusal()
        return self._customers.refusal() if told is None else told

    def _is_barmate(self, account: str) -> bool:
        # An account of the warehouse may, in theory, be served at the same host: it was there first.
        return account == self._customers.host and account not in self._accounts.names()
