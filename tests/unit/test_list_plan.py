"""How many pages of the list spare requests."""

import pytest

from worker.customers.list_plan import Listing, PageSize, pages_worth
from worker.customers.pace import Pace


@pytest.mark.parametrize(
    ("ranks", "rows", "pages"),
    [
        ([], 5, 0),
        ([0], 5, 0),
        ([0, 4], 5, 1),
        ([0, 5], 5, 0),
        ([0, 1, 5, 9], 5, 2),
        ([0, 1, 2, 300], 5, 1),
        ([40, 41, 42, 43], 20, 3),
        ([40, 41, 42], 20, 0),
    ],
)
def test_a_page_is_asked_for_where_it_spares_more_requests_than_it_costs(
    ranks: list[int], rows: int, pages: int
) -> None:
    """The pages above it are paid for too; an order that lies deep goes by its id."""
    assert pages_worth(ranks, rows) == pages


def test_what_a_page_should_have_shown_and_did_not_goes_by_its_id() -> None:
    """Its status has changed, or the list has moved."""
    listing = Listing(status="ACCEPTED", ranks={"a": 0, "b": 1, "c": 7, "d": 8}, done=1)

    assert listing.pages({"b", "c", "d"}, 5) == 1
    assert listing.cost({"b", "c", "d"}, 5) == 2


def test_a_list_that_has_ended_shows_no_more() -> None:
    """Whatever it did not show is asked for by itself."""
    listing = Listing(status="ACCEPTED", ranks={"a": 0, "b": 70}, done=1, ended=True)

    assert (listing.pages({"b"}, 5), listing.cost({"b"}, 5)) == (0, 1)


def test_as_long_as_no_page_was_seen_one_is_worth_asking_for() -> None:
    """Its rows are not documented, and a hundred orders may fit one."""
    listing = Listing(status="ACCEPTED", ranks={str(rank): rank for rank in range(100)})

    assert listing.cost(set(listing.ranks), PageSize().rows) == 1


def test_the_sentence_about_too_many_has_the_numbers_and_the_remedy() -> None:
    """Whoever reads it knows how many, how many fit, and which setting decides."""
    sentence = Pace(seconds=8.5, turn_seconds=lambda: 1.02).too_many(17, 17)

    assert sentence == (
        "customer orders of this order that are open and have to be read anew just before it is sent: 17; that takes "
        "17 requests; barmate is asked once in 1.02 s, so at most 8 fit into the 10 s that readings may be old; raise "
        "WAYBILL_BARMATE__REQUESTS_PER_SECOND if barmate allows it; what customers have received is not read again, "
        "so it also ends as they receive more"
    )
