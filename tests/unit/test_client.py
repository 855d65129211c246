"""The client: its retries, its verdicts and its silence about secrets."""

from collections.abc import Iterator
from random import SystemRandom

import httpx
import pytest

from connectors.client import HttpClient, user_agent
from connectors.errors import (
    ConnectorError,
    Forbidden,
    Misconfigured,
    NotFound,
    Refused,
    ServerFault,
    Throttled,
    Unauthorized,
    UnexpectedAnswer,
)
from connectors.exchange import FOREIGN, KINDS
from connectors.policy import RetryPolicy
from tests.client_kit import SECRET, Kit
from tests.local_server import Action, LocalServer, reply, serving


@pytest.fixture
def kit() -> Kit:
    """Return a fresh kit."""
    return Kit()


def failure(kit: Kit, *actions: Action) -> ConnectorError:
    """Return the error in which one read ends."""
    with serving(*actions) as server, kit.client(server.url) as client, pytest.raises(ConnectorError) as caught:
        client.get("/things", operation="read things")
    return caught.value


def test_a_read_carries_the_credential_and_returns_what_came(kit: Kit) -> None:
    """A read sends the configured headers and the parameters in order, and returns status, body and turn."""
    with serving(reply(200, [1, 2], headers={"Date": "Tue, 15 Nov 1994 08:12:31 GMT", "Age": "3"})) as server:
        with kit.client(f"{server.url}/api/") as client:
            answer = client.get("/things", [("b", "2+2"), ("a", "ä")], operation="read things")
        seen = server.seen[0]

    assert (seen.path, seen.params) == ("/api/things", [("b", "2+2"), ("a", "ä")])
    assert (seen.headers["x-api-key"], seen.headers["user-agent"]) == (SECRET, user_agent())
    assert (answer.status, answer.json(), answer.turn, answer.age) == (200, [1, 2], 1, 3)
    assert answer.server_time is not None
    assert answer.server_time.isoformat() == "1994-11-15T08:12:31+00:00"


def test_every_attempt_takes_a_turn_of_its_own(kit: Kit) -> None:
    """A retried read takes one turn per request, and the answer carries the turn of its own request."""
    with serving(reply(503), reply(500), reply(200, {})) as server, kit.client(server.url) as client:
        answer = client.get("/things", operation="read things")

    assert (answer.turn, kit.turns.taken, len(kit.waits)) == (3, 3, 2)
    assert [seen.status for seen in kit.observed] == [503, 500, 200]
    assert [seen.turn for seen in kit.observed] == [1, 2, 3]


def test_a_read_gives_up_after_the_attempts_allowed(kit: Kit) -> None:
    """The last error of a bounded series of attempts is raised."""
    error = failure(kit, reply(503, {"title": "Down for a moment"}))

    assert isinstance(error, ServerFault)
    assert kit.turns.taken == RetryPolicy().attempts
    assert "Down for a moment" in error.sentence


def test_a_throttled_read_waits_as_long_as_the_server_asks(kit: Kit) -> None:
    """Retry-After is honoured as the least wait, and the budget learns of it."""
    with serving(reply(429, headers={"Retry-After": "7"}), reply(200, {})) as server, kit.client(server.url) as client:
        client.get("/things", operation="read things")

    assert kit.turns.throttlings == [7.0]
    assert 7.0 <= kit.waits[0] <= 8.0


def test_a_throttled_read_without_a_hint_waits_a_second_at_least(kit: Kit) -> None:
    """Without Retry-After the wait follows the documented budget of about one request a second."""
    with serving(reply(429), reply(200, {})) as server, kit.client(server.url) as client:
        client.get("/things", operation="read things")

    assert kit.turns.throttlings == [None]
    assert 1.0 <= kit.waits[0] <= 2.0


def test_a_wish_beyond_the_ceiling_is_left_to_the_caller(kit: Kit) -> None:
    """A Retry-After that is too long for one call ends the read, with the wish on the error."""
    error = failure(kit, reply(429, headers={"Retry-After": "3600"}))

    assert isinstance(error, Throttled)
    assert (error.retry_after, kit.turns.taken, kit.waits) == (3600.0, 1, [])


@pytest.mark.parametrize("wish", ["999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wish_for_years_is_an_hour(kit: Kit, wish: str) -> None:
    """A mistake of the server, or malice, does not end the reading for good."""
    headers = {"Date": "Tue, 15 Nov 1994 08:12:31 GMT", "Retry-After": wish}
    error = failure(kit, reply(429, headers=headers))

    assert isinstance(error, Throttled)
    assert error.retry_after == 3600.0


def test_a_date_in_retry_after_is_measured_by_the_servers_clock(kit: Kit) -> None:
    """A Retry-After date counts from the answer's own Date."""
    headers = {"Date": "Tue, 15 Nov 1994 08:12:31 GMT", "Retry-After": "Tue, 15 Nov 1994 09:12:31 GMT"}
    error = failure(kit, reply(429, headers=headers))

    assert isinstance(error, Throttled)
    assert error.retry_after == 3600.0


def test_no_attempt_begins_after_the_total_time(kit: Kit) -> None:
    """A retry that would begin after the total time allowed is not made."""
    policy = RetryPolicy(total=0.0, first_wait=5.0)
    with (
        serving(reply(500)) as server,
        kit.client(server.url, retries=policy) as client,
        pytest.raises(ServerFault),
    ):
        client.get("/things", operation="read things")

    assert kit.turns.taken == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Unauthorized), (403, Forbidden), (404, NotFound), (400, Refused), (409, Refused), (422, Refused)],
)
def test_a_permanent_no_is_not_repeated(kit: Kit, status: int, kind: type[ConnectorError]) -> None:
    """A 4xx that only a person can change is raised at once, as its own kind."""
    error = failure(kit, reply(status, {"title": "No"}))

    assert type(error) is kind
    assert (error.status, kit.turns.taken) == (status, 1)


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504])
def test_a_plea_for_patience_is_a_server_fault(kit: Kit, status: int) -> None:
    """5xx, 408 and 425 ask for the same request again."""
    assert isinstance(failure(kit, reply(status)), ServerFault)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(kit: Kit, status: int) -> None:
    """A redirect would carry the credential elsewhere; it is an unexpected answer."""
    error = failure(kit, reply(status, headers={"Location": "/elsewhere"}))

    assert isinstance(error, UnexpectedAnswer)
    assert kit.turns.taken == 1


def test_a_page_is_not_a_missing_record(kit: Kit) -> None:
    """A 404 in HTML comes from something else than the interface, so it is unexpected even where 404 is allowed."""
    page = reply(404, raw=b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})
    with serving(page) as server, kit.client(server.url) as client, pytest.raises(UnexpectedAnswer):
        client.get("/things", operation="read things", allow={404})


def test_an_allowed_status_is_returned(kit: Kit) -> None:
    """A status that the caller knows to handle comes back as an answer."""
    with serving(reply(404, {"title": "Not Found"})) as server, kit.client(server.url) as client:
        assert client.get("/things", operation="read things", allow={404}).status == 404


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"a":', b"NaN"])
def test_an_answer_that_is_not_json_is_unexpected(kit: Kit, raw: bytes) -> None:
    """Reading JSON from anything else names the answer, not its content."""
    with serving(reply(200, raw=raw)) as server, kit.client(server.url) as client:
        answer = client.get("/things", operation="read things")
        with pytest.raises(UnexpectedAnswer, match="is not JSON") as caught:
            answer.json()

    assert caught.value.sentence.startswith("test system: read things: the answer (HTTP 200, application/json")


def test_an_answer_beyond_the_limit_is_unexpected(kit: Kit) -> None:
    """A body larger than allowed is not read to its end."""
    with (
        serving(reply(200, raw=b" " * 2000)) as server,
        kit.client(server.url, max_body_bytes=1000) as client,
        pytest.raises(UnexpectedAnswer, match="larger than 1000 bytes"),
    ):
        client.get("/things", operation="read things")


def test_a_write_is_not_repeated(kit: Kit) -> None:
    """A write that fails for a moment is left to the caller."""
    with serving(reply(503)) as server, kit.client(server.url) as client, pytest.raises(ServerFault):
        client.send("PUT", "/things/1", {"a": 1}, operation="replace a thing")

    assert (kit.turns.taken, server.seen[0].body) == (1, b'{"a":1}')
    assert server.seen[0].headers["content-type"] == "application/json"


def test_a_write_may_have_no_body(kit: Kit) -> None:
    """None sends no body and no content type."""
    with serving(reply(204, raw=b"")) as server, kit.client(server.url) as client:
        answer = client.send("POST", "/things/1/approve", None, operation="approve a thing")

    assert (answer.status, server.seen[0].body) == (204, b"")
    assert "content-type" not in server.seen[0].headers


def test_an_echoed_secret_stays_out_of_everything_kept(kit: Kit) -> None:
    """A server that echoes the credential does not put it into an error, an excerpt, an observation or a repr."""
    echo = {"title": f"bad key {SECRET}", "detail": "Bearer abcdefghijkl"}
    error = failure(kit, reply(401, echo))
    with serving(reply(200, echo)) as server, kit.client(server.url) as client:
        answer = client.get("/things", operation=f"read {SECRET}")
        texts = [
            error.sentence,
            repr(error),
            answer.kept_text(),
            repr(answer.headers),
            repr(client),
            *map(str, kit.observed),
        ]

    assert not [text for text in texts if SECRET in text or "abcdefghijkl" in text]
    assert "bad key ***" in error.sentence


def test_a_problem_is_told_in_the_servers_words(kit: Kit) -> None:
    """FastAPI's list of details is told field by field, on one line."""
    detail = [{"loc": ["body", "order_id"], "msg": "unknown\norder", "type": "value_error"}]
    error = failure(kit, reply(422, {"detail": detail}))

    assert error.detail == "HTTP 422: body.order_id: unknown order"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"title": "Invalid", "errors": {"number": ["too long", "blank"]}}, "Invalid; number: too long blank"),
        ({"message": "no"}, "no"),
        ({"errors": [{"detail": "used"}]}, "used"),
        ({}, "{}"),
        (["a", 1], "a"),
    ],
)
def test_a_problem_of_any_shape_is_told(kit: Kit, body: object, told: str) -> None:
    """Each shape seen in the wild yields its words."""
    assert failure(kit, reply(400, body)).detail == f"HTTP 400: {told}"


def test_a_refusal_without_words_says_so(kit: Kit) -> None:
    """An empty refusal does not end in an empty sentence."""
    assert "gave no reason" in failure(kit, reply(400, raw=b"")).sentence


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "acme",
        "ftp://host",
        "http://",
        "https://u:p@host",
        "https://host/?a=1",
        "https://host/#a",
        "http://h:x",
        "//h",
    ],
)
def test_a_base_url_that_cannot_be_used_is_named(kit: Kit, base_url: str) -> None:
    """A mistake in the address is told before anything is sent, without quoting what may be a password."""
    with pytest.raises(Misconfigured, match="the base URL must") as caught:
        kit.client(base_url)

    assert "u:p" not in caught.value.sentence


@pytest.mark.parametrize("value", ["", " ", "a\nb", "ä", "a\x00"])
def test_a_header_that_cannot_be_sent_is_named_without_its_value(kit: Kit, value: str) -> None:
    """A secret with a line break in it is told by the header's name."""
    with pytest.raises(Misconfigured, match="the header X-Api-Key must be printable") as caught:
        kit.client("http://host", headers={"X-Api-Key": value})

    assert repr(value) not in caught.value.sentence


def test_an_unusable_proxy_is_told_without_its_password(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of an unknown kind in the environment is a mistake in the setup."""
    monkeypatch.setenv("ALL_PROXY", "gopher://user:hush@proxy:1")

    with pytest.raises(Misconfigured, match="the proxy named by") as caught:
        kit.client("http://host")
    assert "hush" not in caught.value.sentence


def test_missing_certificate_authorities_are_told(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of authorities that is not there is a mistake in the setup."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authorities.pem")

    with pytest.raises(Misconfigured, match="SSL_CERT_FILE"):
        kit.client("http://host")


def foreign_exceptions() -> Iterator[type[Exception]]:
    """Yield every exception class that httpx publishes."""
    for name in httpx.__all__:
        member = getattr(httpx, name)
        if isinstance(member, type) and issubclass(member, Exception):
            yield member


@pytest.mark.parametrize("kind", list(foreign_exceptions()))
def test_every_exception_of_httpx_has_a_meaning(kind: type[Exception]) -> None:
    """Each class is caught at the door, and it or a base of it is mapped; transport failures are mapped by name."""
    concrete = issubclass(kind, httpx.TransportError) and not kind.__subclasses__()

    assert issubclass(kind, FOREIGN)
    assert (kind in KINDS) if concrete else any(base in KINDS for base in kind.__mro__)


def test_a_client_calls_itself_by_name() -> None:
    """The user agent starts with the product's name."""
    assert user_agent().startswith("waybill/")


def test_the_default_waits_are_real(kit: Kit) -> None:
    """A client built without a sleep still works."""
    with serving(reply(200, {})) as server:
        client = HttpClient(
            system="test system",
            base_url=server.url,
            headers={},
            turns=kit.turns,
            random=SystemRandom(),
        )
        with client:
            assert client.get("/", operation="read").json() == {}


def test_a_local_server_counts_connections(kit: Kit) -> None:
    """The test's own server sees every request once."""
    with serving(reply(200, {})) as server, kit.client(server.url) as client:
        client.get("/", operation="read")

    assert isinstance(server, LocalServer)
    assert server.connections == 1
