"""barmate's connector: pages, absent orders, and what an answer to a response proves."""

import json
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.answer import Answer, Headers
from connectors.barmate import Barmate, authorization
from connectors.barmate_outcomes import Denied, NotFound, NotSent, Outcome, Refused, Taken, Unknown, outcome_of
from connectors.barmate_records import CustomerOrder, ResponseType, Scheduled, Unreadable
from connectors.barmate_writes import ItemChange, NewResponse
from connectors.errors import ConnectorError, UnexpectedAnswer
from connectors.errors import NotFound as NotFoundError
from connectors.policy import RetryPolicy
from tests.client_kit import Kit
from tests.local_server import Action, closed_port, reply, reset, serving, silence

EXAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "contract" / "barmate-delivery.json").read_text(encoding="utf-8")
)
TOKEN = "t0ken-of-the-supplier"
HTML = {"Content-Type": "text/html"}
PAGE = b"<html>Sign in</html>"
ONCE = RetryPolicy(attempts=1)


def asked(read: Callable[[Barmate], Any], *actions: Action) -> Any:  # noqa: ANN401 - whatever was read
    """Return what `read` makes of the answers."""
    headers = authorization("token", TOKEN)
    with serving(*actions) as server, Kit().client(server.url, headers=headers, retries=ONCE) as client:
        return read(Barmate(client))


def outcome(action: Action, *, seconds: float = 5.0) -> Outcome:
    """Return what comes of a response that is answered so."""
    body = NewResponse(type=ResponseType.ACCEPT).body()

    def send(account: Barmate) -> Outcome:
        return account.respond("1", body, deadline_seconds=seconds, before_connect=lambda: None)

    answered: Outcome = asked(send, action)
    return answered


def test_one_bad_row_stops_no_other() -> None:
    """A page is read although a row of it cannot be."""
    rows = {"deliveries": [EXAMPLE, {"id": 7}, {**EXAMPLE, "id": 8}]}
    page = asked(lambda account: account.page(), reply(body=rows))

    assert [(type(row), row.id) for row in page.orders] == [
        (CustomerOrder, "123456789"),
        (Unreadable, "7"),
        (CustomerOrder, "8"),
    ]


@pytest.mark.parametrize("end", [{}, {"cursor": None}, {"cursor": ""}])
def test_a_missing_null_or_empty_cursor_ends_the_list(end: dict[str, object]) -> None:
    """All three mean that nothing follows."""
    pages = asked(lambda account: list(account.pages()), reply(body={"deliveries": [], **end}))

    assert [page.next_cursor for page in pages] == [None]


def test_a_cursor_that_comes_twice_is_an_error() -> None:
    """A list that leads in a circle ends, with a sentence."""
    with pytest.raises(UnexpectedAnswer, match="same cursor came twice"):
        asked(lambda account: list(account.pages()), reply(body={"deliveries": [], "cursor": "x"}))


@pytest.mark.parametrize(
    "action",
    [
        reply(body=[]),
        reply(body={}),
        reply(body={"deliveries": None}),
        reply(body={"deliveries": [], "cursor": "\ud800"}),
        reply(raw=b'{"deliveries": ['),
    ],
)
def test_a_list_of_another_shape_is_an_error(action: Action) -> None:
    """What is no list of deliveries says nothing about deliveries."""
    with pytest.raises(UnexpectedAnswer):
        asked(lambda account: account.page(), action)


def test_a_bomb_of_brackets_is_an_error() -> None:
    """Nesting beyond what anybody documents is refused before anything recursive meets it."""
    for depth in (41, 900, 100_000):
        bomb = b'{"deliveries": ' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(UnexpectedAnswer):
            asked(lambda account: account.page(), reply(raw=bomb))


@pytest.mark.parametrize("action", [reply(404, {"message": "Not found"}), reply(404, raw=b"")])
def test_an_unknown_id_is_none(action: Action) -> None:
    """Barmate's own 404 means that there is no such delivery, with a body or without."""
    assert asked(lambda account: account.order("7"), action).order is None


@pytest.mark.parametrize(
    "action", [reply(404, raw=b"<html>Not found</html>", headers=HTML), reply(404, raw=b"404 page not found")]
)
def test_a_foreign_404_proves_nothing(action: Action) -> None:
    """A page of a proxy or of a wrong address never makes a delivery unknown."""
    with pytest.raises(UnexpectedAnswer):
        asked(lambda account: account.order("7"), action)


def test_a_404_of_the_list_is_an_error() -> None:
    """A list cannot be absent: the address is wrong."""
    with pytest.raises(NotFoundError, match="base URL"):
        asked(lambda account: account.page(), reply(404, {"message": "Not found"}))


def test_another_delivery_than_the_one_asked_for_is_an_error() -> None:
    """An answer about somebody else is never taken for ours."""
    with pytest.raises(UnexpectedAnswer, match="another delivery"):
        asked(lambda account: account.order("7"), reply(body=EXAMPLE))


def test_an_id_cannot_leave_its_place() -> None:
    """Whatever an id is made of, it stays one part of the path."""
    with serving(reply(404, {})) as server, Kit().client(server.url, headers={}) as client:
        Barmate(client).order("../account?x=1")

    assert server.seen[0].path == "/deliveries/..%2Faccount%3Fx%3D1"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", Taken),
        (200, b'{"id": 1}', Taken),
        (201, b"{}", Taken),
        (204, b"", Taken),
        (200, b'{"id": 1', Unknown),
        (200, PAGE, Unknown),
        (202, b"{}", Unknown),
        (302, b"", Unknown),
        (400, b'{"message": "no"}', Refused),
        (400, PAGE, Unknown),
        (401, b'{"message": "Unauthorized"}', Denied),
        (403, b"", Denied),
        (404, b'{"message": "Not found"}', NotFound),
        (404, b"", NotFound),
        (404, PAGE, Unknown),
        (408, b"{}", Unknown),
        (409, b"{}", Refused),
        (429, b"{}", Unknown),
        (500, b"{}", Unknown),
        (503, PAGE, Unknown),
    ],
)
def test_an_answer_proves_what_it_proves(status: int, body: bytes, kind: type[Outcome]) -> None:
    """Only an answer of barmate's own shape says that a response was taken, refused or in vain."""
    headers = Headers(HTML.items() if body == PAGE else ())

    assert type(outcome_of(Answer(status=status, body=body, headers=headers))) is kind


def test_a_broken_connection_is_unknown() -> None:
    """Nobody knows what became of it."""
    assert isinstance(outcome(reset), Unknown)


def test_a_refusal_comes_with_barmates_words() -> None:
    """The sentence says what was asked and why not."""
    told = outcome(reply(400, {"message": "A delivery that is CANCELLED cannot get ACCEPT."}))

    assert told == Refused(
        status=400,
        sentence="test system: answer a customer order: HTTP 400: A delivery that is CANCELLED cannot get ACCEPT.",
    )


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_refusal_that_shows_the_record_tells_of_nobody_in_it(status: int) -> None:
    """Its sentence is logged and kept, whether something was said or read."""
    shows = reply(status, {"delivery": EXAMPLE})
    with pytest.raises(ConnectorError) as failed:
        asked(lambda barmate: barmate.order("1"), shows)
    sentences = failed.value.sentence, getattr(outcome(shows), "sentence", "")

    for sentence in sentences:
        assert f"HTTP {status}" in sentence
        assert not [word for word in ("Besitzer", "besitzer", "Beispielstrasse", "8045") if word in sentence]


def test_a_429_says_when_to_come_back() -> None:
    """It may have been taken all the same, so it is unknown."""
    told = outcome(reply(429, {}, headers={"Retry-After": "7"}))

    assert isinstance(told, Unknown)
    assert (told.status, told.retry_after) == (429, 7.0)


def test_silence_until_the_deadline_is_unknown() -> None:
    """Nobody knows what became of it."""
    assert isinstance(outcome(silence, seconds=0.2), Unknown)


def test_a_refused_connection_proves_that_nothing_was_sent() -> None:
    """The same response may be sent later."""
    with Kit().client(f"http://127.0.0.1:{closed_port()}", headers={}) as client:
        told = Barmate(client).respond("1", b"{}", deadline_seconds=5, before_connect=lambda: None)

    assert isinstance(told, NotSent)


def test_a_response_is_sent_once_with_exactly_its_bytes() -> None:
    """No retry inside, whatever comes back; the credential goes with it."""
    body = NewResponse(type=ResponseType.ACCEPT, reference="LS1").body()
    with serving(reply(500, {})) as server, Kit().client(server.url, headers=authorization("token", TOKEN)) as client:
        Barmate(client).respond("A 1", body, deadline_seconds=5, before_connect=lambda: None)

    assert [(seen.method, seen.path, seen.body) for seen in server.seen] == [
        ("POST", "/deliveries/A%201/responses", b'{"type":"ACCEPT","reference":"LS1"}')
    ]
    assert server.seen[0].headers["authorization"] == f"token {TOKEN}"


def test_what_is_said_is_written_as_documented() -> None:
    """Only what is said is there; counts keep their digits; a rejection has no schedule."""
    schedule = Scheduled(date=date(2026, 5, 26), time=time(14, 0))
    items = (ItemChange(id="2", count=Decimal("2.675000000000000000001")), ItemChange(id="3"))
    said = NewResponse(type=ResponseType.UPDATE, reference="LS1", scheduled=schedule, items=items, message="Gerne!")

    assert said.body() == (
        b'{"type":"UPDATE","reference":"LS1","scheduled":{"date":"2026-05-26","time":"14:00"},'
        b'"items":[{"id":"2","count":2.675000000000000000001},{"id":"3"}],"message":"Gerne!"}'
    )
    assert NewResponse(type=ResponseType.REJECT).body() == b'{"type":"REJECT"}'
    with pytest.raises(ValueError, match="no schedule"):
        NewResponse(type=ResponseType.REJECT, scheduled=schedule).body()


@pytest.mark.parametrize("status", [400, 401, 500])
def test_neither_the_token_nor_an_address_gets_into_a_sentence(status: int) -> None:
    """What the server quotes back is masked: the credential, with its scheme and without, and e-mail addresses."""
    told = {"message": f"token {TOKEN} of besitzer@mein-club.ch ({TOKEN})"}
    sentence = getattr(outcome(reply(status, told)), "sentence", "")
    with pytest.raises(ConnectorError) as raised:
        asked(lambda account: account.order("1"), reply(status, told))

    for shown in (sentence, raised.value.sentence):
        assert shown
        assert TOKEN not in shown
        assert "mein-club" not in shown


def test_a_long_text_is_masked_in_no_time() -> None:
    """Looking for e-mail addresses takes a time that grows with the text, not with its square."""
    told = outcome(reply(400, raw=b'{"message": "' + b"a" * 2_000_000 + b'"}'))

    assert isinstance(told, Refused)


def test_the_accounts_settings_show_that_the_token_is_good() -> None:
    """They are read as they are; an answer of another shape shows nothing."""
    settings = asked(lambda account: account.account_settings(), reply(body={"delivery_days": [1]}))

    assert settings.values == {"delivery_days": [1]}
    with pytest.raises(UnexpectedAnswer):
        asked(lambda account: account.account_settings(), reply(body=[]))
