"""logistic.cloud: what is asked, and what is taken from the answers."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.errors import ConnectorError, Forbidden, NotFound, Unauthorized, UnexpectedAnswer
from connectors.logistic_cloud import DeliveryQuery, LogisticCloud, whole_second
from tests.client_kit import SECRET, Kit
from tests.local_server import Action, reply, serving

DATE = "Tue, 15 Nov 1994 08:12:31 GMT"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def list_error(action: Action) -> ConnectorError:
    """Return the error in which listing ends."""
    with serving(action) as server, Kit().client(server.url) as client, pytest.raises(ConnectorError) as caught:
        LogisticCloud(client).list_deliveries(DeliveryQuery())
    return caught.value


def test_a_page_carries_its_records_and_what_the_headers_say() -> None:
    """Records come raw and in order, with the total, the page size, the server's time and the turn."""
    headers = {"X-Total": "7", "X-PageSize": "2", "Date": DATE}
    with serving(reply(200, [{"id": 2}, "odd"], headers=headers)) as server, Kit().client(server.url) as client:
        page = LogisticCloud(client).list_deliveries(DeliveryQuery(), page=3, page_size=2)
        seen = server.seen[0]

    assert page.records == ({"id": 2}, "odd")
    assert (page.total, page.page_size, page.age, page.turn) == (7, 2, 0, 1)
    assert page.server_time == datetime(1994, 11, 15, 8, 12, 31, tzinfo=UTC)
    assert (seen.path, seen.params) == ("/deliveries", [("page", "3"), ("pageSize", "2")])
    assert seen.headers["x-api-key"] == SECRET


@pytest.mark.parametrize("total", ["", "many", "-1", "1.5", "1, 1"])
def test_a_total_that_is_no_number_is_unknown(total: str) -> None:
    """An X-Total that cannot be read is None, never a guess."""
    with serving(reply(200, [], headers={"X-Total": total})) as server, Kit().client(server.url) as client:
        page = LogisticCloud(client).list_deliveries(DeliveryQuery())

    assert (page.total, page.page_size, page.server_time) == (None, None, None)


def test_every_filter_goes_by_its_documented_name() -> None:
    """Each filter becomes its query parameter; several ids are one comma-separated value."""
    query = DeliveryQuery(
        updated_min=NOON,
        updated_max=NOON,
        created_min=NOON,
        created_max=NOON,
        ids=(3, 1),
        status="completed",
        status_inbound="booked",
        number="N",
        number_external="E",
        purchase_order="P&O #1",
        priority="high",
    )
    with serving(reply(200, [])) as server, Kit().client(server.url) as client:
        LogisticCloud(client).list_deliveries(query)
        params = dict(server.seen[0].params)

    assert params == {
        "updatedAtMin": "2026-03-01T12:00:00Z",
        "updatedAtMax": "2026-03-01T12:00:00Z",
        "createdAtMin": "2026-03-01T12:00:00Z",
        "createdAtMax": "2026-03-01T12:00:00Z",
        "ids": "3,1",
        "status": "completed",
        "statusInbound": "booked",
        "number": "N",
        "numberExternal": "E",
        "numberPurchaseOrder": "P&O #1",
        "priority": "high",
        "page": "0",
        "pageSize": "250",
    }


def test_fractions_of_a_second_are_asked_for_outwards() -> None:
    """A span is never asked for smaller than it is."""
    late = NOON + timedelta(microseconds=1)
    params = dict(DeliveryQuery(updated_min=late, updated_max=late).params())

    assert params == {"updatedAtMin": "2026-03-01T12:00:00Z", "updatedAtMax": "2026-03-01T12:00:01Z"}


def test_instants_are_asked_for_in_utc() -> None:
    """An offset is converted; an instant without a zone is a mistake of ours."""
    elsewhere = NOON.astimezone(timezone(timedelta(hours=2)))

    assert whole_second(elsewhere) == "2026-03-01T12:00:00Z"
    with pytest.raises(ValueError, match="without a time zone"):
        whole_second(NOON.replace(tzinfo=None))


@pytest.mark.parametrize(("page", "page_size"), [(-1, 50), (0, 0), (0, 251)])
def test_a_page_outside_the_documented_bounds_is_not_asked_for(page: int, page_size: int) -> None:
    """Page numbers begin at 0, sizes end at 250."""
    with Kit().client("http://host.invalid") as client, pytest.raises(ValueError, match="page_size"):
        LogisticCloud(client).list_deliveries(DeliveryQuery(), page=page, page_size=page_size)


@pytest.mark.parametrize("body", [{"items": []}, None, "text", 3])
def test_anything_but_an_array_is_no_page(body: object) -> None:
    """An envelope nobody documented fails loudly instead of reading as no rows."""
    error = list_error(reply(200, body))

    assert isinstance(error, UnexpectedAnswer)
    assert "not a JSON array" in error.sentence


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (401, Unauthorized, "X-Api-Key"),
        (403, Forbidden, "Delivery.Read or Delivery.Write"),
        (404, NotFound, "Check the base URL"),
    ],
)
def test_a_refused_list_names_the_remedy(status: int, kind: type[ConnectorError], remedy: str) -> None:
    """The sentence says what to check, in the words of this system."""
    error = list_error(reply(status, {"title": "No"}))

    assert type(error) is kind
    assert remedy in error.sentence


def test_a_delivery_is_read_by_its_id() -> None:
    """One record comes raw, with the turn of its reading."""
    with serving(reply(200, {"id": 7}, headers={"Date": DATE})) as server, Kit().client(server.url) as client:
        answer = LogisticCloud(client).get_delivery(7)

    assert (answer.record, answer.turn, answer.age) == ({"id": 7}, 1, 0)
    assert answer.server_time is not None
    assert server.seen[0].path == "/deliveries/7"


def test_a_delivery_that_is_not_visible_is_none() -> None:
    """404 on a record means absent or no access: an answer, not an error."""
    with serving(reply(404, {"title": "Not Found"})) as server, Kit().client(server.url) as client:
        assert LogisticCloud(client).get_delivery(7).record is None


def test_a_record_must_be_an_object() -> None:
    """A list where a record should be is an unexpected answer."""
    with serving(reply(200, [])) as server, Kit().client(server.url) as client, pytest.raises(UnexpectedAnswer):
        LogisticCloud(client).get_delivery(7)


def test_the_servers_time_costs_one_row() -> None:
    """The clock is read from the Date of the smallest page there is."""
    with serving(reply(200, [], headers={"Date": DATE, "Age": "x"})) as server, Kit().client(server.url) as client:
        time = LogisticCloud(client).server_time()

    assert (time.instant, time.age, time.turn) == (datetime(1994, 11, 15, 8, 12, 31, tzinfo=UTC), 1, 1)
    assert dict(server.seen[0].params)["pageSize"] == "1"
