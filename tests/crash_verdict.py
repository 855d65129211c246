"""What must be true after recovery, told from both ledgers: the registry's own and the database's."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connectors.simulated import registry_ledgers
from tests.crash_cases import LESS_KG, Case, Effect, expected
from tests.crash_kit import Stage
from tests.crash_process import KG, SETTLE
from tests.firing_kit import ORDER
from worker.db.tables import attempts, firing_history, firings, pins, readings, switches
from worker.firing.brakes import FREEZE
from worker.states import UNRESOLVED, FiringState

# From the last look at the clock to the other side, on a busy machine.
_ON_ITS_WAY = timedelta(seconds=1)
_ENDS = (FiringState.CONFIRMED, FiringState.NEEDS_PERSON)


class Verdict:
    """Both ledgers after a case, and everything wrong with them."""

    def __init__(self, stage: Stage, case: Case) -> None:
        self._case = case
        registry, told = stage.twin.server.registry, stage.twin.server.ledger.as_json()["told"]
        self._happened = registry_ledgers.happened(registry)
        self._told = told
        with stage.database.read() as connection:
            self._firings = _all(connection, firings)
            self._attempts = _all(connection, attempts)
            self._history = _all(connection, firing_history)
            self._pins = _all(connection, pins)
            self._readings = _all(connection, readings)
            self._frozen = bool(
                connection.execute(sa.select(switches.c.on).where(switches.c.name == FREEZE, switches.c.on)).first()
            )
        stage.database.engine.dispose()

    def complaints(self) -> list[str]:
        """Everything that is not as it must be; empty if all is well."""
        found = [*self._about_all()]
        for firing in self._firings:
            found += [f"{firing['order_id']}: {complaint}" for complaint in self._about(firing)]
        return found

    def evidence(self) -> str:
        """Everything, for the message of a test that failed."""
        parts = (self._firings, self._history, self._attempts, self._readings, self._happened, self._told)
        return "\n--\n".join("\n".join(map(str, part)) for part in parts)

    def _about_all(self) -> Iterator[str]:
        if len(self._firings) != self._case.orders:
            yield f"{len(self._firings)} firings of {self._case.orders} orders"
        delivered = sum(one["kg"] for one in self._happened if one["order_id"] == ORDER)
        if delivered > 1000:
            yield f"{delivered} kg delivered of 1000 kg ordered"
        yield from self._about_times()
        anomaly = self._case.fault.effect in (Effect.DELIVERS_TWICE, Effect.DELIVERS_LESS) and bool(self._anomalies())
        if self._frozen is not anomaly:
            yield f"frozen: {self._frozen}, anomaly: {anomaly}"

    def _about_times(self) -> Iterator[str]:
        unanswered = list(self._attempts)
        for post in self._told:
            own = next((one for one in unanswered if _fits(one, post)), None)
            if own is None:
                yield f"a request came at {post['at']}, of no attempt whose time it was"
            else:
                unanswered.remove(own)
        for step in self._history:
            if step["to_state"] == FiringState.ABSENT:
                ends = [one["deadline"] for one in self._of(self._attempts, step) if one["started_at"] < step["at"]]
                if step["at"] - max(ends) < timedelta(seconds=SETTLE):
                    yield f"absence was believed at {step['at']}, before the settle time was over"

    def _of(self, rows: list[dict[str, Any]], owner: Mapping[str, Any]) -> list[dict[str, Any]]:
        identity = owner["firing_id"] if "firing_id" in owner else owner["id"]
        return [row for row in rows if row["firing_id"] == identity]

    def _anomalies(self) -> list[str]:
        by_marker = Counter(one["notes"] for one in self._happened)
        return [one["notes"] for one in self._happened if by_marker[one["notes"]] > 1 or one["kg"] == LESS_KG]

    def _about(self, firing: Mapping[str, Any]) -> Iterator[str]:
        made = [one for one in self._happened if firing["marker"] is not None and one["notes"] == firing["marker"]]
        state = firing["state"]
        if self._frozen:
            yield from self._about_frozen(firing, made)
            return
        if state not in _ENDS:
            yield f"ended as {state}: {firing['reason']}"
        if self._case.orders == 1 and state not in expected(self._case):
            yield f"ended as {state} instead of {sorted(expected(self._case))}: {firing['reason']}"
        if len(made) > 1:
            yield f"{len(made)} deliveries"
        if (state == FiringState.CONFIRMED) is not (len(made) == 1):
            yield f"{state} with {len(made)} deliveries"
        yield from self._about_record(firing, made)

    def _about_frozen(self, firing: Mapping[str, Any], made: list[dict[str, Any]]) -> Iterator[str]:
        if firing["state"] == FiringState.CONFIRMED and firing["credit_delivery_id"] not in _ids(made):
            yield "confirmed by a delivery that is not its own"
        if firing["state"] == FiringState.CONFIRMED and any(one["kg"] != KG for one in made):
            yield "confirmed by a delivery of other kilograms"
        if firing["state"] not in (*_ENDS, FiringState.HELD):
            yield f"frozen as {firing['state']}: {firing['reason']}"

    def _about_record(self, firing: Mapping[str, Any], made: list[dict[str, Any]]) -> Iterator[str]:
        if made and (made[0]["kg"], made[0]["credit_delivery_id"]) != (KG, firing["credit_delivery_id"]):
            yield f"confirmed by {firing['credit_delivery_id']}, and made was {made[0]}"
        if not firing["reason"]:
            yield "no reason"
        if firing["state"] == FiringState.NEEDS_PERSON and not self._of(self._readings, firing):
            yield "a person is asked without evidence"
        states = [row["to_state"] for row in self._of(self._history, firing)]
        before = [row["from_state"] for row in self._of(self._history, firing)]
        if before != [None, *states[:-1]] or states[-1] != firing["state"]:
            yield f"the history has a gap: {before} to {states}"
        if any(row["active"] for row in self._of(self._pins, firing)) and firing["state"] not in UNRESOLVED:
            yield "batches are reserved for nothing"
        frozen = {row["request_sha256"] for row in self._of(self._attempts, firing)}
        if len(frozen) > 1 + firing["repins"]:
            yield f"{len(frozen)} different requests"


def _fits(attempt: Mapping[str, Any], post: Mapping[str, Any]) -> bool:
    in_time = attempt["started_at"] <= datetime.fromisoformat(post["at"]) <= attempt["deadline"] + _ON_ITS_WAY
    return in_time and bool(attempt["request_sha256"] == post["body_sha256"])


def _all(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    order = list(table.primary_key.columns)
    return [dict(row._mapping) for row in connection.execute(sa.select(table).order_by(*order))]  # noqa: SLF001


def _ids(made: list[dict[str, Any]]) -> list[str]:
    return [one["credit_delivery_id"] for one in made]
