"""The registry account: who we are there, and the markers that we make. Nothing is known without credentials."""

import threading
from collections.abc import Callable

from connectors.isometric import Isometric
from connectors.isometric_records import Supplier
from worker.clock import Clock
from worker.db import Database
from worker.events import OrderKey
from worker.firing.binding import HOST, MARKER_KEY, SUPPLIER, Bindings
from worker.firing.marker import fingerprint, marker

# Who we are does not change; asked again this often, in seconds, so that a swapped token is noticed.
SUPPLIER_SECONDS = 600.0
# While the registry does not let us in, it is asked no more often than this, in seconds.
PROBE_SECONDS = 20.0


class RegistryAccount:
    """One supplier at one registry host, with its marker key."""

    def __init__(
        self, *, database: Database, registry: Isometric | None, host: str, marker_key: str | None, clock: Clock
    ) -> None:
        self._database = database
        self._bindings = Bindings(database)
        self.registry = registry
        self.host = host
        self._marker_key = marker_key
        self._clock = clock
        self._lock = threading.Lock()
        self._supplier: Supplier | None = None
        # When the registry was last asked, and when it last answered as it should; on the clock's monotonic scale.
        self._asked_at: float | None = None
        self._known_at: float | None = None

    @property
    def fingerprint(self) -> str | None:
        """The public fingerprint of the marker key; None without a key."""
        return None if self._marker_key is None else fingerprint(self._marker_key)

    def check_bindings(self) -> None:
        """Refuse a database of another registry host or marker key. Raises NotReady; asks nobody."""
        with self._database.read() as connection:
            self._bindings.check(connection, HOST, self.host)
            if self.fingerprint is not None:
                self._bindings.check(connection, MARKER_KEY, self.fingerprint)

    def require(self) -> Isometric:
        """The connector. Only for use where credentials were checked."""
        if self.registry is None:
            reason = "the registry was asked without credentials"
            raise AssertionError(reason)
        return self.registry

    def supplier(self) -> Supplier:
        """Who we are (GET /supplier, kept for ten minutes). Raises ConnectorError; NotReady for another one."""
        with self._lock:
            if self._supplier is None or self._since(self._known_at) > SUPPLIER_SECONDS:
                self._ask()
            return self.supplier_now()

    def supplier_now(self) -> Supplier:
        """Who we are, as last asked, for use inside a transaction; `supplier` must have been called before."""
        if self._supplier is None:
            reason = "the supplier is not known yet"
            raise AssertionError(reason)
        return self._supplier

    def probe(self) -> bool:
        """Ask who we are, now, unless that was just done; True if the registry answered as it should."""
        with self._lock:
            if self._since(self._asked_at) < PROBE_SECONDS:
                return False
            self._ask()
            return True

    def known_supplier_id(self) -> str | None:
        """The supplier this database is bound to, without asking anybody."""
        with self._database.read() as connection:
            return self._bindings.value(connection, SUPPLIER)

    def marker_of(self, order: OrderKey, ordinal: int, supplier_id: str) -> str | None:
        """The marker of a firing; None without a key."""
        if self._marker_key is None:
            return None
        return marker(self._marker_key, supplier=supplier_id, order=order, ordinal=ordinal)

    def marker_maker(self, supplier_id: str) -> Callable[[OrderKey, int], str] | None:
        """The markers of this supplier as a function; None without a key."""
        key = self._marker_key
        if key is None:
            return None
        return lambda order, ordinal: marker(key, supplier=supplier_id, order=order, ordinal=ordinal)

    def _since(self, moment: float | None) -> float:
        return float("inf") if moment is None else self._clock.monotonic() - moment

    def _ask(self) -> None:
        # Before anybody is asked: our credentials are nothing for a registry that this database does not belong to.
        self.check_bindings()
        self._asked_at = self._clock.monotonic()
        found = self.require().supplier()
        with self._database.write() as connection:
            self._bindings.bind(connection, HOST, self.host)
            self._bindings.bind(connection, SUPPLIER, found.id)
            if self.fingerprint is not None:
                self._bindings.bind(connection, MARKER_KEY, self.fingerprint)
        # Not before all of it went well: a token of somebody else's must not pass for ours at the next call.
        self._supplier, self._known_at = found, self._clock.monotonic()
