"""The warehouse's write calls: what is sent, and what each answer means."""

from typing import Any

import pytest

from connectors.logistic_cloud_writes import DeliveryWrites, Denied, NotSent, Outcome, Rejected, Unclear, Written
from tests.client_kit import SECRET, Kit
from tests.local_server import Action, LocalServer, closed_port, reply, reset, serving, silence

RECORD = {"id": 21001206, "number": "LS010328"}
PROBLEM = {
    "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
    "title": "One or more validation errors occurred.",
    "status": 400,
    "errors": {"number": ["is taken", "is odd"], "lineItems[2].quantity": ["must be above 0"]},
    "traceId": "00-1",
}


def _create(server: LocalServer, *, seconds: float = 5.0) -> Outcome:
    with Kit().client(f"{server.url}/api/v1-beta") as client:
        return DeliveryWrites(client).create(b'{"number":"LS010328"}', deadline_seconds=seconds, before_connect=_go)


def _go() -> None:
    pass


def test_the_three_calls_are_those_of_the_page() -> None:
    """Method, path, key, media type and body; an approval has none."""
    with serving(reply(201, RECORD), reply(200, RECORD), reply(204, raw=b"")) as server:
        with Kit().client(f"{server.url}/api/v1-beta") as client:
            writes = DeliveryWrites(client)
            told = [
                writes.create(b'{"a":1}', deadline_seconds=5, before_connect=_go),
                writes.update(21001206, b'{"b":2}', deadline_seconds=5, before_connect=_go),
                writes.approve(21001206, deadline_seconds=5, before_connect=_go),
            ]
        seen = server.seen

    assert [(one.method, one.path, one.body) for one in seen] == [
        ("POST", "/api/v1-beta/deliveries", b'{"a":1}'),
        ("PUT", "/api/v1-beta/deliveries/21001206", b'{"b":2}'),
        ("POST", "/api/v1-beta/deliveries/21001206/approve", b""),
    ]
    assert all(one.headers["x-api-key"] == SECRET for one in seen)
    assert [one.headers.get("content-type") for one in seen] == ["application/json", "application/json", None]
    assert [type(one) for one in told] == [Written] * 3
    assert [one.record for one in told if isinstance(one, Written)] == [RECORD, RECORD, None]


def test_a_problem_is_told_with_everything_it_says_on_one_line() -> None:
    """Title and every field with every word; nothing of its machinery."""
    with serving(reply(400, PROBLEM)) as server:
        told = _create(server)

    assert isinstance(told, Rejected)
    assert told.sentence == (
        "test system: create a delivery: HTTP 400: One or more validation errors occurred.; "
        "number: is taken is odd; lineItems[2].quantity: must be above 0."
    )


def test_a_long_problem_is_not_cut_after_a_few_fields() -> None:
    """A long delivery may be wrong in many lines."""
    errors = {f"lineItems[{place}].articleId": ["The article does not exist."] for place in range(20)}
    with serving(reply(400, {**PROBLEM, "errors": errors})) as server:
        told = _create(server)

    assert isinstance(told, Rejected)
    assert "lineItems[19].articleId" in told.sentence


@pytest.mark.parametrize(
    ("status", "remedy"), [(403, "needs an API key with Delivery.Write"), (401, "Check the API key; keys expire")]
)
def test_a_key_that_may_not_is_told_with_the_remedy(status: int, remedy: str) -> None:
    """The source says so in its own shape: nothing happened."""
    with serving(reply(status, {"title": "Forbidden", "status": status})) as server:
        told = _create(server)

    assert isinstance(told, Denied)
    assert remedy in told.sentence


def test_an_absent_delivery_is_a_no() -> None:
    """404 in the source's own shape: it is not there, or not for this key."""
    with serving(reply(404, {"title": "Not Found"})) as server:
        told = _create(server)

    assert isinstance(told, Rejected)
    assert told.sentence.endswith("The delivery does not exist, or the API key does not see it.")


@pytest.mark.parametrize(
    "action",
    [
        reply(500, PROBLEM),
        reply(503, {}),
        reply(429, {"title": "Too Many Requests"}),
        reply(408, {"title": "Request Timeout"}),
        reply(302, {}, headers={"Location": "/elsewhere"}),
        reply(404, raw=b"<html>not here</html>", headers={"Content-Type": "text/html"}),
        reply(403, raw=b"<html>blocked</html>", headers={"Content-Type": "text/html"}),
        reply(400, {"message": "from a proxy"}),
        reply(201, raw=b'{"id": 2100'),
        reply(201, []),
        reply(201, {"number": "LS010328"}),
        reply(201, {"id": True}),
        reset,
    ],
)
def test_anything_else_leaves_open_whether_it_was_done(action: Action) -> None:
    """No verdict, a foreign page, half an answer, none: whoever wants to know has to look."""
    with serving(action) as server:
        told = _create(server)

    assert isinstance(told, Unclear)
    assert len(server.seen) == 1


def test_an_answer_that_never_comes_ends_at_the_deadline() -> None:
    """The write may have arrived."""
    with serving(silence) as server:
        told = _create(server, seconds=0.2)

    assert isinstance(told, Unclear)
    assert told.status is None


def test_without_a_connection_nothing_was_sent() -> None:
    """The one failure that proves something."""
    with Kit().client(f"http://127.0.0.1:{closed_port()}/api") as client:
        told = DeliveryWrites(client).approve(1, deadline_seconds=2, before_connect=_go)

    assert isinstance(told, NotSent)


def test_what_the_last_word_raises_passes_and_nothing_is_sent() -> None:
    """Whoever lost the right to send says so before the connection is made."""

    class No(Exception):
        pass

    def stop() -> None:
        raise No

    with serving(reply(201, RECORD)) as server, Kit().client(server.url) as client:
        with pytest.raises(No):
            DeliveryWrites(client).create(b"{}", deadline_seconds=2, before_connect=stop)

        assert server.seen == []


def test_nothing_kept_of_an_answer_holds_the_key() -> None:
    """A server may echo what it was sent."""
    echo: dict[str, Any] = {"title": f"Bad key {SECRET}", "detail": SECRET}
    with serving(reply(400, echo)) as server:
        told = _create(server)

    assert isinstance(told, Rejected)
    assert SECRET not in told.sentence + told.kept
