"""barmate Connect: what customers asked the supplier for, and the supplier's responses.

Source of the facts: vendor's pages `api/get-deliveries`, `api/get-delivery`, `api/post-delivery-response` and
`api/get-account-settings-deliveries`. The page on authentication was not found; public clients send
`Authorization: token <token>`. Cursors are opaque and short-lived, so they are never kept between two readings.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from connectors.address import path_to
from connectors.answer import Answer
from connectors.barmate_outcomes import Outcome, is_own, outcome_of, outcome_of_error
from connectors.barmate_records import CustomerOrder, Unreadable
from connectors.barmate_shapes import customer_order
from connectors.client import HttpClient
from connectors.errors import ConnectorError, UnexpectedAnswer
from connectors.exact import exact_json
from connectors.remedies import remedied
from connectors.shape import Fields, ShapeError, shaped
from connectors.verdict import NOT_FOUND

# Pages one reading may ask for: far more than any supplier has; beyond that the cursors lead nowhere.
MAX_PAGES = 10_000

_LISTING = "list customer orders"

_CREDENTIAL = "Check the token of barmate Connect and the word before it (BARMATE__TOKEN, BARMATE__SCHEME)."

# What helps on the list, where a 404 cannot mean a missing record.
_LIST_REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        400: "The cursor may have expired: read again from the top.",
        401: _CREDENTIAL,
        403: _CREDENTIAL,
        NOT_FOUND: "Check the base URL: it should look like https://connect.yourbarmate.com/api.",
    }
)

_RECORD_REMEDIES: Mapping[int, str] = MappingProxyType({401: _CREDENTIAL, 403: _CREDENTIAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page in barmate's order, most recent first; rows have no items, and may come twice while new ones arrive.

    `next_cursor` is None on the last page. `server_time` is the answer's Date, `age` its Age in seconds, `turn` the
    number of the request.
    """

    orders: tuple[CustomerOrder | Unreadable, ...]
    next_cursor: str | None
    server_time: datetime | None
    age: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer:
    """One customer order as it stands, why it cannot be read, or None where barmate knows no such id."""

    order: CustomerOrder | Unreadable | None
    server_time: datetime | None
    age: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """The account's delivery settings as they came: that they came at all shows that the token is good."""

    values: Mapping[str, object]
    server_time: datetime | None
    age: int
    turn: int


class Barmate:
    """One supplier's account. Reads raise ConnectorError; a response ends as a value."""

    def __init__(self, client: HttpClient) -> None:
        """Use the client, whose headers carry `authorization(…)` and whose base URL ends in /api."""
        self._client = client

    def page(self, *, cursor: str | None = None, status: str | None = None) -> OrderPage:
        """GET /deliveries: the newest page, or the one a cursor of this reading leads to; of one status if asked.

        UnexpectedAnswer when the answer is no list; a row of another shape is `Unreadable` and stops no other.
        """
        params = [(name, value) for name, value in (("cursor", cursor), ("status", status)) if value is not None]
        with remedied(_LIST_REMEDIES):
            return _page(self._client.get("/deliveries", params, operation=_LISTING))

    def pages(self, *, status: str | None = None) -> Iterator[OrderPage]:
        """Yield the pages from the top, each when it is asked for.

        UnexpectedAnswer when a cursor comes twice, or when the list does not end.
        """
        seen: set[str] = set()
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self.page(cursor=cursor, status=status)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return
            if cursor in seen:
                raise _endless(self._client, "leads in a circle: the same cursor came twice")
            seen.add(cursor)
        raise _endless(self._client, f"does not end within {MAX_PAGES} pages")

    def order(self, order_id: str) -> OrderAnswer:
        """GET /deliveries/{id}, with items; UnexpectedAnswer for a 404 that is not barmate's, or for another order."""
        with remedied(_RECORD_REMEDIES):
            path = path_to("deliveries", order_id)
            answer = self._client.get(path, operation="read a customer order", allow={NOT_FOUND})
            return OrderAnswer(
                order=_order(answer, order_id),
                server_time=answer.server_time,
                age=answer.age,
                turn=answer.turn,
            )

    def respond(
        self, order_id: str, body: bytes, *, deadline_seconds: float, before_connect: Callable[[], None]
    ) -> Outcome:
        """POST /deliveries/{id}/responses with exactly these bytes (`NewResponse.body()`), at most once; never raises.

        The deadline counts from now, the wait for a turn included. `before_connect` runs last before connecting; what
        it raises passes through, and nothing was sent then. There is no idempotency key: after `Unknown`, read first.
        """
        try:
            answer = self._client.post_once(
                path_to("deliveries", order_id, "responses"),
                body,
                deadline_seconds=deadline_seconds,
                operation="answer a customer order",
                before_connect=before_connect,
            )
        except ConnectorError as error:
            return outcome_of_error(error)
        return outcome_of(answer)

    def account_settings(self) -> AccountSettings:
        """GET /account/settings/deliveries: a read that changes nothing and needs the credential."""
        with remedied(_LIST_REMEDIES):
            answer = self._client.get("/account/settings/deliveries", operation="read the account's settings")
            values = exact_json(answer)
            if not isinstance(values, dict):
                detail = f"{answer.described()} is not a JSON object of settings"
                raise answer.unexpected(detail)
            return AccountSettings(values=values, server_time=answer.server_time, age=answer.age, turn=answer.turn)


def authorization(scheme: str, token: str) -> Mapping[str, str]:
    """Return the header that carries the credential, as `<scheme> <token>`."""
    return {"Authorization": f"{scheme} {token.strip()}"}


def _endless(client: HttpClient, complaint: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(client.system, _LISTING, f"the list {complaint}")


def _page(answer: Answer) -> OrderPage:
    rows, cursor = shaped(answer, exact_json(answer), lambda fields: (fields.items("deliveries"), _cursor(fields)))
    return OrderPage(
        orders=tuple(map(customer_order, rows)),
        next_cursor=cursor,
        server_time=answer.server_time,
        age=answer.age,
        turn=answer.turn,
    )


def _cursor(fields: Fields) -> str | None:
    if not fields.has("cursor"):
        return None
    cursor = fields.opaque_or_blank("cursor")
    if not cursor.isprintable():
        message = "the field cursor has characters that cannot be asked for"
        raise ShapeError(message)
    return None if cursor == "" else cursor


def _order(answer: Answer, order_id: str) -> CustomerOrder | Unreadable | None:
    if answer.status == NOT_FOUND:
        _check_own(answer)
        return None
    value = exact_json(answer)
    if not isinstance(value, dict):
        detail = f"{answer.described()} is not a JSON object of a delivery"
        raise answer.unexpected(detail)
    order = customer_order(value)
    if order.id not in {order_id, None}:
        detail = f"{answer.described()} is about another delivery than the one asked for"
        raise answer.unexpected(detail)
    return order


def _check_own(answer: Answer) -> None:
    if not is_own(answer):
        detail = f"{answer.described()} is not of barmate's shape, so it does not say that the delivery is unknown"
        raise answer.unexpected(detail)
