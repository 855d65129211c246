"""barmate as its readers see it: whose account it is, what is asked of it, and what the operator decided about it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from connectors.barmate import OrderAnswer, OrderPage
from connectors.barmate_records import CustomerOrder
from connectors.errors import UnexpectedAnswer
from worker.customers.documents import personal_document
from worker.customers.linking import LinkBy


class CustomerOrders(Protocol):
    """What is needed of `connectors.barmate.Barmate`. Methods raise `connectors.errors.ConnectorError`."""

    def pages(self, *, status: str | None = None) -> Iterator[OrderPage]:
        """The list from the top, most recent first, each page when it is asked for; of one status if asked."""
        ...

    def order(self, order_id: str) -> OrderAnswer:
        """One customer order by its id, or that there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BarmateSource:
    """One supplier's account; `host` is its name, as that of a logistic.cloud account is its host.

    `token_fingerprint` (see `worker.reading.accounts.fingerprint_of`) tells when the token was changed.
    """

    host: str
    client: CustomerOrders = field(repr=False)
    token_fingerprint: str
    link_by: LinkBy
    store_personal_data: bool


def refuse_cached(host: str, operation: str, age: int) -> None:
    """Raise UnexpectedAnswer for an answer from a cache: it says nothing about how things stand."""
    if age > 0:
        system, detail = f"barmate {host}", f"the answer is {age} s old and comes from a cache"
        raise UnexpectedAnswer(system, operation, detail)


def personal_column(source: BarmateSource, order: CustomerOrder) -> dict[str, object] | None:
    """What is kept about people: nothing where the settings say so."""
    return personal_document(order.personal) if source.store_personal_data else None
