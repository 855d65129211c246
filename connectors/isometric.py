"""The Isometric registry: credit orders, credit deliveries and credit batches, typed.

Source of the facts: Isometric registry OpenAPI v0 (paths named in each docstring); docs.isometric.com for meaning.
Both headers go with every request: `Authorization: Bearer <token>` and `x-client-secret` (docs, authentication).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from connectors.address import path_to
from connectors.answer import Answer
from connectors.client import HttpClient
from connectors.isometric_records import (
    CreditBatch,
    CreditDelivery,
    CreditOrder,
    Organisation,
    Supplier,
    credit_batch,
    credit_delivery,
    credit_order,
    organisation,
    supplier,
)
from connectors.pagination import Params, ReadList, read_list
from connectors.remedies import remedied
from connectors.shape import Fields, T, read, shaped

_REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        401: "Check the access token (it expires a year after its creation) and the client secret; both belong to one "
        "environment.",
        403: "Check that the access token belongs to the supplier's organisation.",
        404: "Check the id, and that it belongs to the environment of the base URL.",
    }
)

# The environment shows in the id: characters 10 to 12 after the underscore (observed, not documented).
_ENVIRONMENT = re.compile(r"[a-z]{3}_.{9}(SBX|1S0)")


class Environment(StrEnum):
    """Where an id or a host seems to belong: enough for a warning, too little for a decision."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"
    UNKNOWN = "unknown"


_MARKS = MappingProxyType({"SBX": Environment.SANDBOX, "1S0": Environment.PRODUCTION})
_HOSTS = MappingProxyType(
    {
        "api.sandbox.isometric.com": Environment.SANDBOX,
        "api.isometric.com": Environment.PRODUCTION,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilter:
    """Filters of an organisation's batches, all of which must hold; the server leaves out `split` unless asked."""

    project_id: str | None = None
    issuance_id: str | None = None
    order_id: str | None = None
    delivery_id: str | None = None
    statuses: tuple[str, ...] = ()

    def params(self) -> Iterator[tuple[str, str]]:
        """Yield the query parameters, oldest batch first; several statuses are repeated keys."""
        named = {
            "project_id": self.project_id,
            "issuance_id": self.issuance_id,
            "order_id": self.order_id,
            "delivery_id": self.delivery_id,
        }
        yield from ((name, value) for name, value in named.items() if value is not None)
        yield from (("status", status) for status in self.statuses)
        yield from (("sort_field", "issued_at"), ("sort_direction", "asc"))


class Isometric:
    """One registry account. All methods raise ConnectorError; UnexpectedAnswer names a field of the wrong shape."""

    def __init__(self, client: HttpClient) -> None:
        """Use the client, whose headers carry both credentials and whose base URL ends in /registry/v0."""
        self._client = client

    def order(self, order_id: str) -> CreditOrder:
        """GET /orders/{id}."""
        return self._one(path_to("orders", order_id), "read a credit order", credit_order)

    def order_deliveries(
        self, order_id: str, *, until: Callable[[CreditDelivery], bool] | None = None
    ) -> ReadList[CreditDelivery]:
        """GET /orders/{id}/deliveries, newest first, whole or up to a known one."""
        path = path_to("orders", order_id, "deliveries")
        return self._list(path, "list the deliveries of a credit order", credit_delivery, until=until)

    def delivery(self, delivery_id: str) -> CreditDelivery:
        """GET /deliveries/{id}."""
        return self._one(path_to("deliveries", delivery_id), "read a credit delivery", credit_delivery)

    def delivery_batches(self, delivery_id: str) -> ReadList[CreditBatch]:
        """GET /deliveries/{id}/credit_batches: its original batches, in one answer; they may be split by now."""
        path = path_to("deliveries", delivery_id, "credit_batches")
        with remedied(_REMEDIES):
            return _unpaged(self._client.get(path, operation="list the batches of a credit delivery"))

    def supplier_deliveries(
        self, supplier_id: str, *, until: Callable[[CreditDelivery], bool] | None = None
    ) -> ReadList[CreditDelivery]:
        """GET /suppliers/{id}/deliveries, newest first, whole or up to a known one."""
        path = path_to("suppliers", supplier_id, "deliveries")
        return self._list(path, "list the deliveries of a supplier", credit_delivery, until=until)

    def organisation_batches(self, organisation_id: str, filters: BatchFilter | None = None) -> ReadList[CreditBatch]:
        """GET /organisations/{id}/credit_batches: owned by it or retired for it, oldest `issued_at` first."""
        path = path_to("organisations", organisation_id, "credit_batches")
        chosen = BatchFilter() if filters is None else filters
        params = tuple(chosen.params())
        return self._list(path, "list the batches of an organisation", credit_batch, params=params)

    def batch(self, batch_id: str) -> CreditBatch:
        """GET /credit_batches/{id}."""
        return self._one(path_to("credit_batches", batch_id), "read a credit batch", credit_batch)

    def organisation(self) -> Organisation:
        """GET /organisation: whose access token this is."""
        return self._one("/organisation", "read our organisation", organisation)

    def supplier(self) -> Supplier:
        """GET /supplier: the supplier of the access token."""
        return self._one("/supplier", "read our supplier", supplier)

    def create_delivery(self, body: bytes, *, deadline_seconds: float, before_connect: Callable[[], None]) -> Answer:
        """POST /deliveries with exactly these bytes, at most once; irreversible, and without an idempotency key.

        Any answer is returned, whatever its status: its meaning is the caller's to decide. Raises NotConnected only
        if provably nothing was sent, Interrupted otherwise; what `before_connect` raises passes through.
        """
        return self._client.post_once(
            "/deliveries",
            body,
            deadline_seconds=deadline_seconds,
            operation="create a credit delivery",
            before_connect=before_connect,
        )

    def _one(self, path: str, operation: str, reader: Callable[[Fields], T]) -> T:
        with remedied(_REMEDIES):
            return read(self._client.get(path, operation=operation), reader)

    def _list(
        self,
        path: str,
        operation: str,
        reader: Callable[[Fields], T],
        *,
        params: Params = (),
        until: Callable[[T], bool] | None = None,
    ) -> ReadList[T]:
        def fetch(page_params: Params) -> Answer:
            return self._client.get(path, page_params, operation=operation)

        with remedied(_REMEDIES):
            return read_list(fetch, reader, params=params, until=until)


def parse_delivery(answer: Answer) -> CreditDelivery:
    """Read the delivery from an answer of `create_delivery`; UnexpectedAnswer when it has another shape."""
    return read(answer, credit_delivery)


def environment_of(id_or_host: str) -> Environment:
    """Return the environment that an id (`ord_…SBX…`, `ord_…1S0…`) or a host points to."""
    if id_or_host in _HOSTS:
        return _HOSTS[id_or_host]
    found = _ENVIRONMENT.match(id_or_host)
    return Environment.UNKNOWN if found is None else _MARKS[found.group(1)]


def _unpaged(answer: Answer) -> ReadList[CreditBatch]:
    nodes, total = read(answer, lambda fields: (fields.items("nodes"), fields.integer("total_count")))
    return ReadList(
        nodes=tuple(shaped(answer, node, credit_batch) for node in nodes),
        first_total_count=total,
        total_count=total,
        complete=True,
        joined=False,
        turns=(answer.turn, answer.turn),
    )
