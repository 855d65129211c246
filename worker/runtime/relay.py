"""The relay: from due rows to messages. It sends again what nobody finished, so the broker may lose what it likes."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog

from worker import kinds, outbox, switches
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.db.tables import firings, orders
from worker.errors import DatabaseUnavailable
from worker.kinds import Lane
from worker.outbox import DueTask
from worker.runtime.broker import BrokerUnavailable
from worker.runtime.leadership import Leadership
from worker.runtime.rescan import Hinted, Rescan
from worker.runtime.slots import PLACES

_log = structlog.get_logger(__name__)

# Seconds between two looks while there is work, and while there has been none for some looks.
BUSY_SECONDS = 0.04
IDLE_SECONDS = 0.5
# Seconds to wait for a database or a broker that failed.
_TROUBLE_SECONDS = 2.0
# Messages of a lane that are out at once, for each eight threads. Firings, orders and jobs together leave a thread to
# the mirror's messages, which only claim: the posts have threads of their own.
_MESSAGES: Mapping[str, int] = {"firing": 2, "orders": 2, "responses": 1, "jobs": 1, "long_jobs": 2}
_THREADS = 8
# Where the number of workers is not known (Redis): two workers' worth.
_SHARED = 2
_SHARED_THREADS = _SHARED * _THREADS
# Events that wait in a process for a place to be posted from: what is posted between two looks of the relay.
_AHEAD = 100
_POSTS: Mapping[str, int] = {kinds.MIRROR_LANE.name: PLACES.first + _AHEAD, kinds.MIRROR_TRIED_LANE.name: PLACES.again}

_PER_MESSAGE: Mapping[str, int] = {lane.name: lane.per_message for lane in kinds.LANES}

Send = Callable[[str, Sequence[str]], None]
Limits = Mapping[str, int]


def limits_of(threads: int | None) -> Limits:
    """How many ids of each lane may be out at once: for this process's threads, or for whoever listens (None)."""
    many = _SHARED_THREADS if threads is None else threads
    workers = _SHARED if threads is None else 1
    return {
        **{name: max(1, most * many // _THREADS) * _PER_MESSAGE[name] for name, most in _MESSAGES.items()},
        **{name: most * workers for name, most in _POSTS.items()},
    }


@dataclass(frozen=True, slots=True)
class _Look:
    """What to hint at without a task: the table of rows, the actor, and the lane whose bound it shares."""

    actor: str
    lane: Lane
    rows: Rescan


_LOOKS = (
    _Look(kinds.LOOK_AT_FIRINGS, kinds.FIRING_LANE, Rescan(firings)),
    _Look(kinds.LOOK_AT_ORDERS, kinds.ORDERS_LANE, Rescan(orders)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What is due: rows by actor, tasks by lane."""

    now: datetime
    expired: bool
    rows: Mapping[str, list[Hinted]]
    tasks: Mapping[str, list[DueTask]]

    @property
    def nothing(self) -> bool:
        return not (self.expired or any(self.rows.values()) or any(self.tasks.values()))


class Relay:
    """Sends due tasks and due rows, within the bounds of what may be out at once."""

    def __init__(
        self,
        *,
        database: Database,
        send: Send,
        leadership: Leadership,
        limits: Limits,
        mirroring: Callable[[], bool],
        checkpoint: Checkpoint,
    ) -> None:
        """`mirroring`: whether this process may post events just now."""
        self._database = database
        self._send = send
        self._leadership = leadership
        self._limits = limits
        self._mirroring = mirroring
        self._checkpoint = checkpoint
        self._hinted: dict[str, list[Hinted]] = {look.actor: [] for look in _LOOKS}

    @property
    def outstanding(self) -> int:
        """Rows that were hinted at and that nobody has looked at yet, as of the last run."""
        return sum(len(hinted) for hinted in self._hinted.values())

    def run_once(self) -> int:
        """Send what is due, if this process is the one that acts; how many ids went out.

        Raises DatabaseUnavailable and BrokerUnavailable; nothing is lost by either.
        """
        if not self._leadership.acts():
            return 0
        found = self._find()
        if found.nothing:
            return 0
        with self._database.write() as connection:
            if found.expired:
                outbox.release_expired(connection, found.now)
            for look in _LOOKS:
                look.rows.move_on(connection, found.rows[look.actor])
            outbox.mark_sent(connection, [task for tasks in found.tasks.values() for task in tasks], found.now)
        return self._send_all(found)

    def _find(self) -> _Found:
        """What is due, in a view that holds up no writer."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            rows = {look.actor: self._rows_due(connection, now, look) for look in _LOOKS}
            out = outbox.in_flight(connection, now)
            return _Found(
                now=now,
                expired=outbox.has_expired(connection, now),
                rows=rows,
                tasks={lane.name: self._tasks_due(connection, now, lane, out) for lane in self._lanes(connection)},
            )

    def _tasks_due(
        self, connection: sa.Connection, now: datetime, lane: Lane, out: Counter[tuple[str, bool]]
    ) -> list[DueTask]:
        on_their_way = sum(many for (kind, tried), many in out.items() if lane.takes(kind, tried=tried))
        room = self._limits[lane.name] - on_their_way - self._hinted_in(lane)
        return outbox.due(connection, now, room, lane.kinds, tried=lane.tried) if room > 0 else []

    def _rows_due(self, connection: sa.Connection, now: datetime, look: _Look) -> list[Hinted]:
        unseen = self._hinted[look.actor] = look.rows.unseen(connection, self._hinted[look.actor])
        # Half the lane: the other half is for tasks, so that neither waits for the other.
        room = max(1, self._limits[look.lane.name] // 2) - len(unseen)
        return look.rows.due(connection, now, room) if room > 0 else []

    def _send_all(self, found: _Found) -> int:
        messages: list[tuple[str, list[str]]] = []
        for look in _LOOKS:
            rows = found.rows[look.actor]
            self._hinted[look.actor] += rows
            # Several firings of one order are one look.
            messages += _in_messages(look.lane, look.actor, list(dict.fromkeys(row.subject for row in rows)))
        for lane in kinds.LANES:
            messages += _in_messages(lane, lane.name, [task.id for task in found.tasks.get(lane.name, [])])
        for actor, ids in messages:
            self._send(actor, ids)
        self._checkpoint("relay: sent")
        return sum(len(ids) for _, ids in messages)

    def _hinted_in(self, lane: Lane) -> int:
        return sum(len(self._hinted[look.actor]) for look in _LOOKS if look.lane is lane)

    def _lanes(self, connection: sa.Connection) -> list[Lane]:
        mirrors = self._mirroring() and switches.webhook_is_on(connection)
        return [lane for lane in kinds.LANES if mirrors or lane not in kinds.MIRROR_LANES]


def _in_messages(lane: Lane, actor: str, ids: Sequence[str]) -> list[tuple[str, list[str]]]:
    return [(actor, list(ids[start : start + lane.per_message])) for start in range(0, len(ids), lane.per_message)]


class RelayLoop:
    """Runs the relay until it is stopped: quick while there is work, slow while there is none, at once when woken."""

    def __init__(self, relay: Relay, *, beat: Callable[[str], None]) -> None:
        self._relay = relay
        self._beat = beat
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Run in a thread of its own."""
        self._thread.start()

    def wake(self) -> None:
        """There may be work now."""
        self._woken.set()

    def stop(self) -> None:
        """End that thread."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait = BUSY_SECONDS
        while not self._stopped.is_set():
            wait = self._step(wait)
            if self._woken.wait(wait):
                self._woken.clear()
                # Many may call at once; each would otherwise cost a look of its own.
                self._stopped.wait(BUSY_SECONDS)

    def _step(self, waited: float) -> float:
        try:
            sent = self._relay.run_once()
        except DatabaseUnavailable as error:
            _log.warning("relay waits for the database", error=error.sentence)
            return _TROUBLE_SECONDS
        except BrokerUnavailable as error:
            _log.warning("relay waits for the queue", error=str(error))
            return _TROUBLE_SECONDS
        # Without the relay nothing gets on: whatever this was, the next look comes.
        except Exception:  # noqa: BLE001 - the loop goes on
            _log.exception("relay failed unexpectedly")
            return _TROUBLE_SECONDS
        self._beat("relay")
        return BUSY_SECONDS if sent else min(IDLE_SECONDS, waited * 2)
