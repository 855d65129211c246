"""Kilograms: exact, rounded down once, or a reason that a person understands."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.order_kit import ACCOUNT, delivery, item, link
from worker.orders.amounts import Missing, calculate
from worker.orders.factors import NO_FACTORS, Factors
from worker.standing import Calculation, DeliveryFacts, LineItem

SUMMED = link(credit_kg=None)
FACTORS = Factors({("", "A", "ST"): Decimal("0.375"), (ACCOUNT, "B", "KG"): Decimal("1.5")}, "f")


def missing(*deliveries: DeliveryFacts) -> str:
    """The reason why there is no amount."""
    found = calculate(SUMMED, deliveries, FACTORS)
    assert isinstance(found, Missing)
    return found.reason


def with_items(*items: LineItem) -> DeliveryFacts:
    """A delivery with these line items."""
    return delivery(1, line_items=items)


def test_a_link_with_kilograms_needs_no_factors() -> None:
    """A stated amount is taken as it stands."""
    assert calculate(link(credit_kg=5), [delivery(line_items=None)], NO_FACTORS) == Calculation(
        kg=5, fixed=True, lines=()
    )


def test_booked_items_of_completed_deliveries_are_summed_and_rounded_down_once() -> None:
    """3 times 0.375 and 3 times 0.375 are 2.25 and so 2, where rounding each would have made 2 times 1."""
    first, second = delivery(1, line_items=(item(3),)), delivery(2, line_items=(item(3),))

    found = calculate(SUMMED, [second, first], FACTORS)

    assert isinstance(found, Calculation)
    assert (found.kg, found.fixed) == (2, False)
    assert [(line.delivery_id, line.quantity, line.kg_per_unit, line.kg) for line in found.lines] == [
        (1, "3", "0.375", "1.125"),
        (2, "3", "0.375", "1.125"),
    ]


def test_cancelled_items_and_cancelled_deliveries_are_left_out() -> None:
    """What was cancelled did not arrive."""
    cancelled = delivery(2, status="cancelled", line_items=None)

    found = calculate(SUMMED, [with_items(item(8), item(99, id=2, status="cancelled")), cancelled], FACTORS)

    assert isinstance(found, Calculation)
    assert found.kg == 3


def test_the_factor_of_the_account_goes_before_the_one_for_all() -> None:
    """An account may have factors of its own."""
    factors = Factors({("", "A", "ST"): Decimal(1), (ACCOUNT, "A", "ST"): Decimal(2)}, "f")

    found = calculate(SUMMED, [with_items(item(4))], factors)

    assert isinstance(found, Calculation)
    assert found.kg == 8


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (delivery(1, line_items=None), "delivery 1 has no line items"),
        (delivery(1, line_items=()), "delivery 1 has no line items"),
        (with_items(item(status="unloading")), "line item 1: its status is unloading, neither booked nor cancelled"),
        (with_items(item(article_number="Z")), "there is no factor for article Z in ST"),
        (with_items(item(unit="KG")), "there is no factor for article A in KG"),
        (with_items(item(unit=None)), "it names no article or no unit"),
        (with_items(item(-1)), "its quantity -1 is negative"),
        (with_items(item(2)), "come to 0.750 kg; at least one whole kilogram is needed"),
        (with_items(item(status="cancelled")), "come to 0 kg"),
    ],
)
def test_what_is_missing_is_named(found: DeliveryFacts, reason: str) -> None:
    """Anything that leaves the amount in doubt holds the order, with a reason."""
    assert reason in missing(found)


def test_a_factor_of_another_account_does_not_count() -> None:
    """Factors that name an account are for that account."""
    elsewhere = delivery(1, account="beta.logistic.cloud", line_items=(item(article_number="B", unit="KG"),))

    assert "no factor for article B in KG" in missing(elsewhere)


@given(
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=8),
    st.decimals(min_value="0.000000000001", max_value="99999", places=12),
)
def test_amounts_are_exact(quantities: list[int], factor: Decimal) -> None:
    """The sum is what exact fractions say, cut to whole kilograms at the end."""
    items = tuple(item(quantity, id=number) for number, quantity in enumerate(quantities))

    found = calculate(SUMMED, [with_items(*items)], Factors({("", "A", "ST"): factor}, "f"))

    exact = sum(Fraction(quantity) * Fraction(factor) for quantity in quantities)
    kg = found.kg if isinstance(found, Calculation) else 0
    assert kg == exact.numerator // exact.denominator
