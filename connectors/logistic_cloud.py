"""logistic.cloud: deliveries, read as raw records.

Source of the facts: logistic.cloud developer docs, root page and resources/deliveries (version v1-beta).
A delivery there means goods inbound to the warehouse. No meaning is given to a record here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from connectors.address import path_to
from connectors.answer import Answer
from connectors.client import HttpClient
from connectors.remedies import remedied
from connectors.verdict import NOT_FOUND

# Rows a page at most (resources/deliveries: pageSize 1..250).
MAX_PAGE_SIZE = 250

_CREDENTIAL = "sent as X-Api-Key; keys expire, and a new one is issued by the logistic.cloud administrator"

# What helps on the list, where a 404 cannot mean a missing record (root page: an unsupported version is a 404).
_LIST_REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        401: f"Check the API key ({_CREDENTIAL}).",
        403: "Give the API key the scope Delivery.Read or Delivery.Write.",
        NOT_FOUND: "Check the base URL: it should look like https://<tenant>.logistic.cloud/api/v1-beta.",
    }
)

_RECORD_REMEDIES: Mapping[int, str] = MappingProxyType(
    {status: remedy for status, remedy in _LIST_REMEDIES.items() if status != NOT_FOUND}
)

_ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQuery:
    """The documented list filters, all of which must hold; None and no ids mean unfiltered.

    Instants must have a zone. They are sent in whole seconds of UTC, rounded outwards, so nothing asked for is lost.
    Whether the server counts the ends in is not documented.
    """

    updated_min: datetime | None = None
    updated_max: datetime | None = None
    created_min: datetime | None = None
    created_max: datetime | None = None
    ids: tuple[int, ...] = ()
    status: str | None = None
    status_inbound: str | None = None
    number: str | None = None
    number_external: str | None = None
    purchase_order: str | None = None
    priority: str | None = None

    def params(self) -> Iterator[tuple[str, str]]:
        """Yield the query parameters as documented; ValueError for an instant without a zone."""
        yield from _given(
            ("updatedAtMin", _floor(self.updated_min)),
            ("updatedAtMax", _ceiling(self.updated_max)),
            ("createdAtMin", _floor(self.created_min)),
            ("createdAtMax", _ceiling(self.created_max)),
            ("ids", ",".join(map(str, self.ids)) if self.ids else None),
            ("status", self.status),
            ("statusInbound", self.status_inbound),
            ("number", self.number),
            ("numberExternal", self.number_external),
            ("numberPurchaseOrder", self.purchase_order),
            ("priority", self.priority),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """One page of raw records in the server's order.

    `total` and `page_size` are X-Total and X-PageSize, None when missing or no integer. `server_time` is the answer's
    Date, `age` its Age in seconds, `turn` the number of the request.
    """

    records: tuple[object, ...]
    total: int | None
    page_size: int | None
    server_time: datetime | None
    age: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadPage:
    """One page as it came: what its headers say, as `DeliveryPage` has it, and a body that nobody looked into yet."""

    answer: Answer = field(repr=False)
    total: int | None
    page_size: int | None
    server_time: datetime | None
    age: int
    turn: int

    @property
    def body(self) -> bytes:
        """The bytes, which are a JSON array of records if all is well."""
        return self.answer.body

    def read(self) -> DeliveryPage:
        """Its records; UnexpectedAnswer when the body is not a JSON array."""
        records = self.answer.json_of_records()
        if not isinstance(records, list):
            detail = f"{self.answer.described()} is not a JSON array of deliveries"
            raise self.answer.unexpected(detail)
        return DeliveryPage(
            records=tuple(records),
            total=self.total,
            page_size=self.page_size,
            server_time=self.server_time,
            age=self.age,
            turn=self.turn,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAnswer:
    """One raw record, or None where the server answered 404: absent or no access (resources/deliveries)."""

    record: Mapping[str, object] | None
    server_time: datetime | None
    age: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTime:
    """What the server's clock showed in the answer to request number `turn`; None when it did not tell."""

    instant: datetime | None
    age: int
    turn: int


class LogisticCloud:
    """One account. All methods raise ConnectorError; records are told apart by whoever reads them."""

    def __init__(self, client: HttpClient) -> None:
        """Use the client, whose headers carry X-Api-Key and whose base URL ends in the version."""
        self._client = client

    def list_deliveries(self, query: DeliveryQuery, *, page: int = 0, page_size: int = MAX_PAGE_SIZE) -> DeliveryPage:
        """Return one page (from 0) of at most `page_size` (1..250) records.

        UnexpectedAnswer when the body is not a JSON array. ValueError for numbers outside what is documented.
        """
        return self.ask_for_deliveries(query, page=page, page_size=page_size).read()

    def ask_for_deliveries(self, query: DeliveryQuery, *, page: int = 0, page_size: int = MAX_PAGE_SIZE) -> UnreadPage:
        """Return what `list_deliveries` returns, to be read later: its body may be anything."""
        params = [*query.params(), *_paging(page, page_size)]
        with remedied(_LIST_REMEDIES):
            answer = self._client.get("/deliveries", params, operation="list deliveries")
        return UnreadPage(
            answer=answer,
            total=answer.headers.whole_number("x-total"),
            page_size=answer.headers.whole_number("x-pagesize"),
            server_time=answer.server_time,
            age=answer.age,
            turn=answer.turn,
        )

    def get_delivery(self, delivery_id: int) -> DeliveryAnswer:
        """Return one record by id; UnexpectedAnswer when it is not a JSON object."""
        path = path_to("deliveries", str(delivery_id))
        with remedied(_RECORD_REMEDIES):
            answer = self._client.get(path, operation="read a delivery", allow={NOT_FOUND})
            return DeliveryAnswer(
                record=None if answer.status == NOT_FOUND else _record(answer),
                server_time=answer.server_time,
                age=answer.age,
                turn=answer.turn,
            )

    def server_time(self) -> ServerTime:
        """Return the server's clock, at the price of reading one row."""
        page = self.list_deliveries(DeliveryQuery(), page_size=1)
        return ServerTime(instant=page.server_time, age=page.age, turn=page.turn)


def whole_second(instant: datetime) -> str:
    """Return an instant as `YYYY-MM-DDTHH:MM:SSZ`, cut to the second; ValueError without a zone."""
    if instant.tzinfo is None:
        message = "an instant without a time zone cannot be asked for; give it one"
        raise ValueError(message)
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _floor(instant: datetime | None) -> str | None:
    return None if instant is None else whole_second(instant)


def _ceiling(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    return whole_second(instant + _ONE_SECOND if instant.microsecond else instant)


def _given(*params: tuple[str, str | None]) -> Iterator[tuple[str, str]]:
    for name, value in params:
        if value is not None:
            yield name, value


def _paging(page: int, page_size: int) -> tuple[tuple[str, str], ...]:
    if page < 0 or not 1 <= page_size <= MAX_PAGE_SIZE:
        message = f"page must be 0 or more and page_size 1 to {MAX_PAGE_SIZE}, not {page} and {page_size}"
        raise ValueError(message)
    return ("page", str(page)), ("pageSize", str(page_size))


def _record(answer: Answer) -> Mapping[str, object]:
    record = answer.json_of_records()
    if not isinstance(record, dict):
        detail = f"{answer.described()} is not a JSON object of a delivery"
        raise answer.unexpected(detail)
    return record
