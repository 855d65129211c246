"""Firing: takes an order's firings as far as they can go now. One small function for each state (DESIGN §6)."""

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa

from connectors.errors import ConnectorError, Forbidden, Transient, Unauthorized
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.errors import BrokenInvariant, NotReady
from worker.events import OrderKey
from worker.firing.account import RegistryAccount
from worker.firing.brakes import CREDENTIALS, Brakes
from worker.firing.freezing import Freezing, Frozen
from worker.firing.ledger import Ledger
from worker.firing.lock import AccountLock
from worker.firing.overdue import Overdue
from worker.firing.policy import Cause, Hold
from worker.firing.preparing import Again, PinsGone, Prepared, Preparing, WarehouseTrouble
from worker.firing.recording import Recording
from worker.firing.repeating import Repeating
from worker.firing.resolving import Resolving
from worker.firing.rows import FiringRow, FiringRows, Overtaken
from worker.firing.sending import BEFORE_FREEZE, FROZEN, RECORDED, Sending
from worker.firing.unsent import Unsent
from worker.states import UNRESOLVED, FiringState
from worker.work import Close, Done, Outcome

# What was known of the order became a row, or the row said so already.
SETTLED = "firing: settled"
# The account's lock is ours; nothing was read under it yet.
LOCKED = "firing: locked"
# A look at an ambiguous firing, and the decision about an absent one, are committed.
LOOK_COMMITTED = "firing: look committed"
ABSENCE_DECIDED = "firing: absence decided"
# A request that nobody answered for any more was made ambiguous by us.
TAKEN_OVER = "firing: taken over"
# Everything is as far as it goes now; the task is not closed yet.
CLOSING = "firing: closing"

# One call takes at most so many steps; a firing that could go on is looked at again at once.
MAX_STEPS = 12
# The account's lock is with somebody else, in seconds.
LOCKED_SECONDS = 0.3
# A read that failed is tried again after this long, in seconds: the connector has retried already.
TROUBLE_SECONDS = 5.0
# What a person must change is not asked for every few seconds.
REFUSED_SECONDS = 60.0

# The share of the time it has waited already that a firing waits before the next look.
PATIENCE = 10.0
_NO_CREDENTIALS = "it cannot be reconciled without registry credentials"


class Firing:
    """The service behind the `firing` and `fire` tasks, and behind every firing whose time to be looked at has come."""

    def __init__(
        self,
        *,
        database: Database,
        rows: FiringRows,
        brakes: Brakes,
        account: RegistryAccount,
        ledger: Ledger,
        unsent: Unsent,
        preparing: Preparing,
        freezing: Freezing,
        sending: Sending,
        recording: Recording,
        resolving: Resolving,
        repeating: Repeating,
        overdue: Overdue,
        lock: AccountLock,
        checkpoint: Checkpoint,
    ) -> None:
        self._database = database
        self._rows = rows
        self._brakes = brakes
        self._account = account
        self._ledger = ledger
        self._unsent = unsent
        self._preparing = preparing
        self._freezing = freezing
        self._sending = sending
        self._recording = recording
        self._resolving = resolving
        self._repeating = repeating
        self._overdue = overdue
        self._lock = lock
        self._checkpoint = checkpoint
        self._steps: dict[FiringState, Callable[[FiringRow], FiringRow | None]] = {
            FiringState.HELD: self._held,
            FiringState.PLANNED: self._settled,
            FiringState.WITHDRAWN: self._settled,
            FiringState.ARMED: self._armed,
            FiringState.SENDING: self._sending_still,
            FiringState.AMBIGUOUS: self._ambiguous,
            FiringState.ABSENT: self._absent,
        }

    def advance(self, key: OrderKey, close: Close) -> Outcome:
        """Take the order's firings as far as they go now, then close the task: what is left is in their rows."""
        for firing in self._firings(key):
            self._advance(firing)
        self._checkpoint(CLOSING)
        with self._database.write() as connection:
            close(connection)
        return Done()

    def _firings(self, key: OrderKey) -> list[FiringRow]:
        """The order's firings; the first one is created if the order is due for it."""
        with self._database.read() as connection:
            found = self._rows.of_order(connection, key)
        if any(firing.ordinal == 0 for firing in found):
            return found
        # A lost database may hold this order's delivery already, waiting for the order to be known.
        self._ledger.match_again()
        self._unsent.begin(key)
        with self._database.read() as connection:
            return self._rows.of_order(connection, key)

    def _advance(self, firing: FiringRow) -> None:
        try:
            self._walk(firing)
        except Overtaken as overtaken:
            self._look_again(firing, LOCKED_SECONDS, str(overtaken))
        except sa.exc.IntegrityError:
            # Somebody else was first by a moment, and the database let only one.
            self._look_again(firing, LOCKED_SECONDS)
        except BrokenInvariant as broken:
            with self._database.write() as connection:
                self._brakes.freeze(connection, f"{firing.name}: {broken}")
        except (Unauthorized, Forbidden) as error:
            self._shut_out(firing, error)
        except (Transient, WarehouseTrouble) as error:
            self._look_again(firing, TROUBLE_SECONDS, error.sentence)
        except (ConnectorError, NotReady) as error:
            self._look_again(firing, REFUSED_SECONDS, error.sentence)

    def _walk(self, firing: FiringRow) -> None:
        current: FiringRow | None = firing
        for _ in range(MAX_STEPS):
            step = None if current is None else self._steps.get(current.state)
            if current is None or step is None:
                return
            current = step(current)

    def _settled(self, firing: FiringRow) -> FiringRow | None:
        settled = self._settle(firing)
        return settled if settled.state is FiringState.ARMED else None

    def _settle(self, firing: FiringRow) -> FiringRow:
        settled = self._unsent.settle(firing)
        self._checkpoint(SETTLED)
        return settled

    def _sending_still(self, firing: FiringRow) -> FiringRow | None:
        taken = self._overdue.take_over(firing)
        self._checkpoint(TAKEN_OVER)
        return taken

    def _held(self, firing: FiringRow) -> FiringRow | None:
        if firing.cause == Cause.UNATTRIBUTED:
            self._ledger.match_again()
        if firing.cause == Cause.CREDENTIALS:
            self._knock()
        settled = self._settle(firing)
        if settled.state is FiringState.HELD:
            return self._try(settled)
        return settled if settled.state is FiringState.ARMED else None

    def _armed(self, firing: FiringRow) -> FiringRow | None:
        settled = self._settle(firing)
        return self._try(settled) if settled.state is FiringState.ARMED else None

    def _try(self, firing: FiringRow) -> FiringRow | None:
        """Read, freeze and send, if the firing may."""
        ready = self._unsent.ready(firing)
        if ready is None or not self._unsent.may_try(firing, ready):
            return None
        return self._under_lock(firing, lambda: self._preparing.fresh(firing, ready))

    def _under_lock(
        self, firing: FiringRow, prepare: Callable[[], Prepared | Hold | Again | PinsGone]
    ) -> FiringRow | None:
        with self._lock.held() as held:
            if held is None:
                self._look_again(firing, LOCKED_SECONDS)
                return None
            self._checkpoint(LOCKED)
            prepared = prepare()
            if not isinstance(prepared, Prepared):
                return self._not_now(firing, prepared)
            self._checkpoint(BEFORE_FREEZE)
            frozen = self._freezing.freeze(firing, prepared, held)
        return self._send(frozen)

    def _send(self, frozen: Frozen) -> FiringRow | None:
        self._checkpoint(FROZEN)
        reply = self._sending.send(frozen)
        recorded = self._recording.record(frozen, reply)
        self._checkpoint(RECORDED)
        # Back to armed means that no connection was made: it waits as its row says.
        return recorded if recorded.state is FiringState.AMBIGUOUS else None

    def _not_now(self, firing: FiringRow, found: Hold | Again | PinsGone) -> FiringRow | None:
        if isinstance(found, Again):
            self._look_again(firing, found.seconds, found.reason)
            return None
        if firing.state is FiringState.ABSENT:
            return self._not_again(firing, found)
        if isinstance(found, Hold):
            self._unsent.hold(firing, found)
        return None

    def _not_again(self, firing: FiringRow, found: Hold | PinsGone) -> FiringRow | None:
        if isinstance(found, PinsGone) or found.cause is Cause.CREDIT_ORDER:
            return self._repeating.not_again(firing, found)
        self._look_again(firing, REFUSED_SECONDS, found.reason)
        return None

    def _ambiguous(self, firing: FiringRow) -> FiringRow | None:
        if self._account.registry is None:
            self._look_again(firing, REFUSED_SECONDS, _NO_CREDENTIALS)
            return None
        resolved = self._resolving.resolve(firing)
        self._checkpoint(LOOK_COMMITTED)
        return self._continued(firing, resolved)

    def _absent(self, firing: FiringRow) -> FiringRow | None:
        if self._account.registry is None:
            self._look_again(firing, REFUSED_SECONDS, _NO_CREDENTIALS)
            return None
        decided = self._repeating.decide(firing)
        self._checkpoint(ABSENCE_DECIDED)
        if decided.state is not FiringState.ABSENT:
            return self._continued(firing, decided)
        self._knock_if_shut_out()
        ready = self._repeating.ready(decided)
        if ready is None:
            self._look_again(decided, REFUSED_SECONDS)
            return None
        return self._under_lock(decided, lambda: self._preparing.again(decided, ready))

    def _continued(self, before: FiringRow, after: FiringRow | None) -> FiringRow | None:
        """Go on at once only where the state changed: a reading waits for its time."""
        return None if after is None or after.state is before.state else after

    def _knock(self) -> None:
        """See whether the registry lets us in again; if it does, everything held for that goes on."""
        if self._account.registry is None or not self._account.probe():
            return
        with self._database.write() as connection:
            self._brakes.release(connection, CREDENTIALS, "GET /supplier answers as it should")

    def _knock_if_shut_out(self) -> None:
        """A resend waits for this brake as a held firing does, and there may be no held firing that would knock."""
        with self._database.read() as connection:
            shut_out = self._brakes.on(connection, CREDENTIALS) is not None
        if shut_out:
            self._knock()

    def _shut_out(self, firing: FiringRow, error: ConnectorError) -> None:
        """401 or 403: holds everything until GET /supplier answers as it should again."""
        with self._database.write() as connection:
            self._brakes.put_on(connection, CREDENTIALS, error.sentence)
        # What was never sent becomes held at the next look; what is in doubt waits until we are let in.
        seconds = REFUSED_SECONDS if firing.state in UNRESOLVED else LOCKED_SECONDS
        self._look_again(firing, seconds, error.sentence)

    def _look_again(self, firing: FiringRow, seconds: float, reason: str | None = None) -> None:
        """Look again after that long, or a tenth of the time it has stood there: what lasts is asked less often."""
        with self._database.write() as connection:
            current = self._rows.load(connection, firing.id, lock=True)
            if current.state not in self._steps:
                return
            now = self._database.now(connection)
            waited = (now - current.changed_at).total_seconds() / PATIENCE
            look_at = now + timedelta(seconds=max(seconds, min(waited, REFUSED_SECONDS)))
            # What somebody else made of it meanwhile has a reason of its own.
            said = current.reason if reason is None or current.state is not firing.state else reason
            self._rows.note(connection, current, look_at=look_at, reason=said)
