"""The table of actors: each takes a message and calls one thing."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from connectors.errors import ConnectorError
from worker import kinds
from worker.db import Database
from worker.db.tables import firings, orders
from worker.errors import DatabaseUnavailable
from worker.events import OrderKey
from worker.kinds import Lane
from worker.runtime.broker import Handler, Post
from worker.runtime.closing import nothing_to_close
from worker.runtime.couriers import Couriers
from worker.runtime.rescan import Rescan
from worker.runtime.runner import Runner
from worker.runtime.stopping import Stopped
from worker.work import Close, Later, Outcome

_log = structlog.get_logger(__name__)

# Seconds until a row whose look failed is looked at again: an outage of the source is asked after twice a minute.
_FAILED_SECONDS = 30.0

Look = Callable[[OrderKey, Close], Outcome]


class Looker:
    """Looks at rows without a task: the same service, with nothing to close."""

    def __init__(self, *, database: Database, look: Look, rows: Rescan) -> None:
        self._database = database
        self._look = look
        self._rows = rows

    def run(self, subjects: Sequence[str]) -> None:
        """Look at each; a row that could not be looked at is looked at again."""
        for subject in subjects:
            key = OrderKey.parse(subject)
            with structlog.contextvars.bound_contextvars(subject=subject):
                self._one(key)

    def _one(self, key: OrderKey) -> None:
        try:
            outcome = self._look(key, nothing_to_close)
        except Stopped:
            # The next process takes it up in half a minute, as it does whatever failed.
            outcome = None
        except (ConnectorError, DatabaseUnavailable) as error:
            _log.warning("look failed", error=error.sentence)
            outcome = None
        # One bad row stops nobody; it is logged and looked at again.
        except Exception:  # noqa: BLE001 - the loop goes on
            _log.exception("look failed unexpectedly")
            outcome = None
        self._again(key, outcome)

    def _again(self, key: OrderKey, outcome: Outcome | None) -> None:
        if outcome is not None and not isinstance(outcome, Later):
            return
        with self._database.write() as connection:
            failed = self._database.now(connection) + timedelta(seconds=_FAILED_SECONDS)
            self._rows.look_again(connection, key, failed if outcome is None else outcome.until)


def posts(
    *,
    database: Database,
    runner: Runner,
    couriers: Couriers | None,
    look_at_order: Look,
    look_at_firing: Look,
    then: Callable[[], None],
) -> Sequence[Post]:
    """Every actor with its queue. `then` is called after each message: more may be due now."""
    tasks = [_post(lane.name, lane, runner.run, then) for lane in kinds.LANES if lane not in kinds.MIRROR_LANES]
    at_orders = Looker(database=database, look=look_at_order, rows=Rescan(orders))
    at_firings = Looker(database=database, look=look_at_firing, rows=Rescan(firings))
    looks = [
        _post(kinds.LOOK_AT_ORDERS, kinds.ORDERS_LANE, at_orders.run, then),
        _post(kinds.LOOK_AT_FIRINGS, kinds.FIRING_LANE, at_firings.run, then),
    ]
    mirroring = [] if couriers is None else [_post(lane.name, lane, couriers.hand, then) for lane in kinds.MIRROR_LANES]
    return [*tasks, *looks, *mirroring]


def _post(name: str, lane: Lane, handler: Callable[[Sequence[str]], None], then: Callable[[], None]) -> Post:
    return Post(name=name, queue=lane.name, priority=lane.priority, handler=_followed(handler, then))


def _followed(handler: Callable[[Sequence[str]], None], then: Callable[[], None]) -> Handler:
    def handle(ids: list[str]) -> None:
        try:
            handler(ids)
        except DatabaseUnavailable as error:
            # Nothing is lost: what was claimed is released, what was not is sent again.
            _log.warning("message left", error=error.sentence)
        finally:
            then()

    return handle
