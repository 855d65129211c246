"""Which link an order is under."""

from tests.order_kit import ACCOUNT, CUSTOMER, NUMBER, link
from worker.events import OrderKey
from worker.orders.link_match import match

OURS = OrderKey(ACCOUNT, CUSTOMER, NUMBER)
ANOTHER_CUSTOMER = OrderKey(ACCOUNT, 8, NUMBER)
ANOTHER_ACCOUNT = OrderKey("beta.logistic.cloud", CUSTOMER, NUMBER)


def test_a_link_without_account_and_customer_is_for_the_only_order_of_its_number() -> None:
    """What a link does not say, it does not narrow."""
    loose = link()

    assert match([loose], OURS, [OURS]).link == loose


def test_numbers_are_compared_byte_for_byte() -> None:
    """A number in other letters or with a blank is another number."""
    assert match([link(purchase_order="po-1"), link(purchase_order="PO-1 ")], OURS, []).link is None


def test_a_loose_link_holds_every_order_of_its_number_once_there_is_more_than_one() -> None:
    """It cannot be told which of them is meant, so none is."""
    both = [OURS, ANOTHER_CUSTOMER]

    matches = [match([link()], key, both) for key in both]

    assert [found.link for found in matches] == [None, None]
    assert matches[0].ambiguous == (
        "the link does not say its account and customer_id, and customer 8 at acme.logistic.cloud has an order of the "
        "same number; import it again with account and customer_id"
    )


def test_a_link_that_names_the_customer_is_still_loose_between_accounts() -> None:
    """Two accounts can have the same customer number."""
    found = match([link(customer_id=CUSTOMER)], OURS, [OURS, ANOTHER_ACCOUNT])

    assert found.link is None
    assert found.ambiguous is not None
    assert "does not say its account," in found.ambiguous


def test_a_link_is_not_held_by_orders_that_it_does_not_cover() -> None:
    """A link that names the account asks only about that account's orders."""
    named = link(account=ACCOUNT)

    assert match([named], OURS, [OURS, ANOTHER_ACCOUNT]).link == named


def test_the_more_specific_link_wins() -> None:
    """An order with a link of its own is not held by a loose one, but the loose one still holds the others."""
    loose, exact = link(id=1), link(id=2, account=ACCOUNT, customer_id=CUSTOMER)
    both = [OURS, ANOTHER_CUSTOMER]

    assert match([loose, exact], OURS, both).link == exact
    assert match([loose, exact], ANOTHER_CUSTOMER, both).ambiguous is not None


def test_two_links_that_are_equally_specific_hold_the_order() -> None:
    """One names the account, the other the customer: nobody can say which was meant."""
    found = match([link(id=1, account=ACCOUNT), link(id=2, customer_id=CUSTOMER)], OURS, [OURS])

    assert found.link is None
    assert found.ambiguous is not None
