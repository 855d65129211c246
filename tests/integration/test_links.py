"""Links as rows: import, freeze, unlink."""

import pytest
import sqlalchemy as sa

from tests.order_kit import ACCOUNT, CUSTOMER, NOON, NUMBER
from tests.order_store import KEY, OrderStore, row
from worker.db import Database
from worker.db.tables import links, orders
from worker.errors import UsageError
from worker.orders.link_row import LinkRow
from worker.orders.links import ImportReport


@pytest.fixture
def store(database: Database) -> OrderStore:
    """An empty database of orders."""
    return OrderStore(database)


def unlink(store: OrderStore, number: str = NUMBER, *, account: str | None = None, customer: int | None = None) -> None:
    """Take a link away."""
    with store.database.write() as connection:
        store.links.unlink(connection, number, account=account, customer_id=customer, now=NOON)


def count(store: OrderStore) -> int:
    """How many links there are."""
    with store.database.read() as connection:
        return len(list(store.links.all(connection)))


def refused(store: OrderStore, *rows: LinkRow) -> str:
    """The sentence with which an import is refused."""
    with pytest.raises(UsageError) as caught:
        store.link(*rows)
    return caught.value.sentence


def test_importing_twice_changes_nothing(store: OrderStore) -> None:
    """The second import of a file finds everything as it is."""
    file = (row(batches=("ctb_1", "ctb_2"), note="for you"), row(3, purchase_order="PO-2", customer_id=9))

    first, second = store.link(*file), store.link(*file)

    assert first == ImportReport(added=2, changed=0, unchanged=0)
    assert second == ImportReport(added=0, changed=0, unchanged=2)


def test_an_import_updates_what_it_names_and_leaves_others_alone(store: OrderStore) -> None:
    """A file is not the whole truth: links that it does not name stay."""
    store.link(row(), row(3, purchase_order="PO-2"))

    report = store.link(row(credit_kg=8))

    assert report == ImportReport(added=0, changed=1, unchanged=0)
    with store.database.read() as connection:
        amounts = {link.purchase_order: link.credit_kg for link in store.links.all(connection)}
    assert amounts == {"PO-1": 8, "PO-2": 5}


def test_a_changed_link_has_its_orders_looked_at(store: OrderStore) -> None:
    """An order that waits for a link is looked at as soon as the link is there; one that is unchanged is not."""
    store.deliver()
    assert store.look()[0] == "unlinked"

    store.link()
    touched = store.order().look_at
    with store.database.write() as connection:
        connection.execute(sa.update(orders).values(look_at=None))
    store.link()

    assert touched is not None
    assert store.order().look_at is None


@pytest.mark.parametrize("state", ["armed", "sending", "ambiguous", "absent", "needs_person", "confirmed", "abandoned"])
def test_a_link_is_frozen_once_its_firing_is_armed(store: OrderStore, state: str) -> None:
    """The row is named and nothing of the file is taken; the row as it was does no harm."""
    store.deliver()
    store.link()
    store.look()
    store.fire(state, store.contents())

    sentence = refused(store, row(2, purchase_order="PO-2"), row(3, credit_kg=8))

    assert f"line 3, column purchase_order: the link of PO-1 is frozen because its firing is {state}" in sentence
    assert count(store) == 1
    assert store.link(row(2, purchase_order="PO-2"), row(3)).added == 1


@pytest.mark.parametrize("state", ["held", "planned", "withdrawn", "refused"])
def test_a_link_may_change_while_nothing_is_promised(store: OrderStore, state: str) -> None:
    """Before a firing is armed, and after the registry refused it, its link can still be mended."""
    store.deliver()
    store.link()
    store.look()
    store.fire(state, {})

    assert store.link(row(credit_kg=8)).changed == 1


def test_a_new_link_that_would_take_over_a_frozen_order_is_refused(store: OrderStore) -> None:
    """More specific would win, so it changes what an armed firing stands on; a looser one would not."""
    store.deliver()
    store.link(row(account=ACCOUNT))
    store.look()
    store.fire("confirmed", {})

    sentence = refused(store, row(account=ACCOUNT, customer_id=CUSTOMER, credit_kg=8))

    assert "the link of PO-1 is frozen" in sentence
    assert store.link(row(credit_kg=8)).added == 1


def test_the_link_of_a_delivery_found_by_its_marker_can_come_back(store: OrderStore) -> None:
    """After a lost database the firing may be adopted before the links are imported: the file is taken whole."""
    store.deliver()
    store.look()
    store.fire("confirmed", {})

    assert store.link().added == 1


def test_unlinking_takes_the_link_away_and_has_its_orders_looked_at(store: OrderStore) -> None:
    """A complete order without its link is unlinked, and says that it is complete no more."""
    store.deliver()
    store.link()
    assert store.look()[0] == "complete"

    unlink(store)

    assert store.order().look_at is not None
    assert store.look()[0] == "unlinked"
    assert store.types() == ["completed", "reopened"]


def test_unlinking_is_refused_where_it_is_not_clear_or_not_allowed(store: OrderStore) -> None:
    """No such link, several of them, or a frozen one: a sentence each, and nothing is changed."""
    store.link(row(account=ACCOUNT), row(3, customer_id=CUSTOMER))
    with pytest.raises(UsageError, match=r"There is no such link of PO-9"):
        unlink(store, "PO-9")
    with pytest.raises(UsageError, match=r"Several links have the number PO-1: account acme"):
        unlink(store)
    unlink(store, customer=0, account=ACCOUNT)
    store.deliver()
    store.look()
    store.fire("armed", {})
    with pytest.raises(UsageError, match=r"The link of PO-1 is frozen: its firing is armed"):
        unlink(store)

    assert count(store) == 1


def test_a_link_that_a_frozen_order_does_not_stand_on_can_be_taken_away(store: OrderStore) -> None:
    """The order stands on its more specific link."""
    store.link(row(), row(3, account=ACCOUNT, customer_id=CUSTOMER))
    store.deliver()
    store.look()
    store.fire("confirmed", {})

    unlink(store, account="")

    assert count(store) == 1


def test_a_loose_link_is_not_found_for_an_order_whose_number_others_have_too(store: OrderStore) -> None:
    """Deliveries that nobody looked at yet count: the reading before firing may just have found them."""
    store.link()
    store.deliver(1)
    store.deliver(2, customer_id=8)

    with store.database.read() as connection:
        found = store.links.find(connection, KEY)

    assert found.link is None
    assert found.ambiguous is not None


def test_a_record_set_aside_can_make_a_loose_link_ambiguous(store: OrderStore) -> None:
    """What could be read of it names another customer with the same number."""
    store.link()
    store.deliver(1)
    store.put_aside(customer_id=8)

    with store.database.read() as connection:
        assert store.links.find(connection, KEY).ambiguous is not None


def test_many_links_are_imported_in_parts(store: OrderStore) -> None:
    """A file may hold more links than a statement takes values."""
    file = [row(line, purchase_order=f"PO-{line}") for line in range(900)]

    assert store.link(*file).added == 900
    assert store.link(*file).unchanged == 900
    with store.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(links)).scalar_one() == 900
