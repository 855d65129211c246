"""The filters of ``GET /organisations/{id}/credit_batches``; they intersect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.simulated.registry_model import CreditBatch
from connectors.simulated.registry_trouble import TroubleError, detail

BATCH_STATUSES = ("active", "split", "retired")
# A split batch is shown only to those who ask for it.
DEFAULT_STATUSES = frozenset({"active", "retired"})
_BY_FIELD = ("supplier_id", "project_id", "issuance_id", "delivery_id", "order_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """Which batches, in which direction of their issuance."""

    equal: tuple[tuple[str, str], ...]
    retirement_id: str | None
    statuses: frozenset[str]
    issued_after: datetime | None
    issued_before: datetime | None
    descending: bool

    def takes(self, batch: CreditBatch) -> bool:
        """Tell whether ``batch`` is asked for; both bounds of its issuance are strict."""
        if any(getattr(batch, name) != value for name, value in self.equal) or self.retirement_id is not None:
            return False
        after = self.issued_after is None or batch.issued_at > self.issued_after
        before = self.issued_before is None or batch.issued_at < self.issued_before
        return batch.status in self.statuses and after and before


def parse_batch_filter(query: Iterable[tuple[str, str]]) -> BatchFilter:
    """Read the filters; raise :class:`TroubleError` on a value outside the documented ones. Lists repeat their key."""
    pairs = tuple(query)
    given = dict(pairs)
    _one_of(given, "sort_field", ("issued_at",))
    _one_of(given, "sort_direction", ("asc", "desc"))
    return BatchFilter(
        equal=tuple((name, given[name]) for name in _BY_FIELD if name in given),
        retirement_id=given.get("retirement_id"),
        statuses=_statuses([value for name, value in pairs if name == "status"]),
        issued_after=_instant(given, "issued_after"),
        issued_before=_instant(given, "issued_before"),
        descending=given.get("sort_direction", "desc") == "desc",
    )


def _one_of(given: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> None:
    if name in given and given[name] not in allowed:
        expected = " or ".join(repr(value) for value in allowed)
        raise TroubleError(detail(("query", name), f"Input should be {expected}", "enum", given[name]))


def _statuses(values: list[str]) -> frozenset[str]:
    for index, value in enumerate(values):
        if value not in BATCH_STATUSES:
            sentence = "Input should be 'active', 'split' or 'retired'"
            raise TroubleError(detail(("query", "status", index), sentence, "enum", value))
    if len(set(values)) < len(values):
        raise TroubleError(detail(("query", "status"), "Items should be unique", given=values))
    return frozenset(values) or DEFAULT_STATUSES


def _instant(given: Mapping[str, str], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
    except ValueError as error:
        sentence = "Input should be a valid datetime"
        raise TroubleError(detail(("query", name), sentence, "datetime_parsing", given[name])) from error
    if moment.tzinfo is None:
        sentence = "Input should have timezone info"
        raise TroubleError(detail(("query", name), sentence, "timezone_aware", given[name]))
    return moment
