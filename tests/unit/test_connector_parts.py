"""The parts under the connectors: errors, redaction, headers, turns and waits."""

import pickle
from collections.abc import Iterator
from random import Random

import pytest

from connectors import errors, pagination
from connectors.answer import Answer, Headers, http_date
from connectors.errors import ConnectorError, NotConnected, Throttled, UnexpectedAnswer
from connectors.pagination import relay_pages
from connectors.policy import RetryPolicy, Unmetered
from connectors.redaction import Redactor, secret_values
from connectors.remedies import remedied
from connectors.wire import steady_clock


def leaves(kind: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    """Yield the kinds that are raised."""
    if not kind.__subclasses__():
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


@pytest.mark.parametrize("kind", list(leaves(ConnectorError)))
def test_every_error_is_drawn_in_the_tree(kind: type[ConnectorError]) -> None:
    """The picture that people read names every kind there is, each of which can be told and copied."""
    error = kind("acme", "list deliveries", "it broke.", status=500)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert errors.__doc__ is not None
    assert f" {kind.__name__} " in errors.__doc__
    assert error.sentence.startswith("acme: list deliveries: it broke.")
    assert (str(copy), copy.status) == (error.sentence, 500)


def test_a_remedy_for_another_status_leaves_the_error_alone() -> None:
    """Only the status that a remedy was written for gets it."""
    refused = NotConnected("acme", "list", "refused")
    with pytest.raises(NotConnected) as caught, remedied({404: "Look elsewhere."}):
        raise refused

    assert caught.value.remedy == NotConnected.advice


@pytest.mark.parametrize(
    "text",
    ["key=p/w+d x", "p%2Fw%2Bd%20x", "Authorization: Bearer p/w+d", '"q\\"uote"', "bearer abcdef123", "whsec_QUJD+/="],
)
def test_no_spelling_of_a_secret_stays(text: str) -> None:
    """A secret goes whether plain, percent-encoded, JSON-escaped, or merely looking like one."""
    redactor = Redactor(["p/w+d x", "p/w+d", 'q"uote', "", "  "])
    left = redactor.text(text)

    assert not [bit for bit in ("p/w", "p%2F", "uote", "abcdef", "QUJD") if bit in left]
    assert "***" in left
    assert "p/w" not in repr(redactor)


def test_a_user_name_in_an_address_goes() -> None:
    """Credentials before a host are masked though nobody named them."""
    assert Redactor().text("proxy http://me:hush@host:1/x") == "proxy http://***@host:1/x"


@pytest.mark.parametrize("text", ["of jo.d+x@mein-club.ch, who", "<jo@a-b.example.org>", "jo@münchen.de"])
def test_an_e_mail_address_goes(text: str) -> None:
    """It is somebody's, and a refusal may quote it."""
    left = Redactor().text(text)

    assert "***" in left
    assert "jo" not in left
    assert Redactor().text("2 @ 3.50 per kg, x@y") == "2 @ 3.50 per kg, x@y"


def test_only_well_known_headers_are_plain() -> None:
    """A header that nobody listed as plain is a secret, whole and without its scheme."""
    headers = {"Accept": "text/plain", "Authorization": "Bearer abc", "x-new": "n w"}

    assert set(secret_values(headers)) == {"Bearer abc", "abc", "n w", "w"}


def test_headers_are_found_in_any_case_and_joined() -> None:
    """HTTP header names have no case, and a repeated one is a list."""
    headers = Headers([("X-Total", "5"), ("Vary", "a"), ("vary", "b")])

    assert (headers["x-TOTAL"], headers["Vary"], len(headers), list(headers)) == ("5", "a, b", 2, ["x-total", "vary"])
    assert headers.whole_number("X-Total") == 5


@pytest.mark.parametrize("text", [None, "", "yesterday", "Tue, 99 Nov 1994 08:12:31 GMT", "0"])
def test_a_date_that_cannot_be_read_is_unknown(text: str | None) -> None:
    """A broken Date is None, never a guess."""
    assert http_date(text) is None


def test_a_date_without_a_zone_is_utc() -> None:
    """HTTP dates are in UTC whatever they say."""
    moment = http_date("Tue, 15 Nov 1994 08:12:31 -0000")

    assert moment is not None
    assert moment.isoformat() == "1994-11-15T08:12:31+00:00"


def test_a_kept_text_is_redacted_before_it_is_cut() -> None:
    """Cutting first could leave half a secret."""
    answer = Answer(status=200, body=b"12345 secret-value", redactor=Redactor(["secret-value"]))

    assert answer.kept_text(9) == "12345 ***"


def test_waits_grow_and_stay_within_their_bounds() -> None:
    """Full jitter lies between nothing and a doubling ceiling; the last attempt has no wait."""
    policy = RetryPolicy(attempts=9, first_wait=1.0, max_wait=4.0, total=1000.0)
    error = NotConnected("s", "o", "d")
    random = Random(7)  # noqa: S311 - jitter guards nothing
    for attempt, ceiling in enumerate([1.0, 2.0, 4.0, 4.0], start=1):
        waits = [policy.wait(error, attempt=attempt, elapsed=0.0, random=random) for _ in range(50)]
        assert all(wait is not None and 0.0 <= wait <= ceiling for wait in waits)

    assert policy.wait(error, attempt=9, elapsed=0.0, random=random) is None


def test_a_throttled_wait_is_never_shorter_than_asked() -> None:
    """Jitter comes on top of what the server asked for."""
    error = Throttled("s", "o", "d", status=429, retry_after=3.0)
    wait = RetryPolicy().wait(error, attempt=1, elapsed=0.0, random=Random(1))  # noqa: S311 - jitter guards nothing

    assert wait is not None
    assert wait >= 3.0


def test_unmetered_turns_only_count() -> None:
    """A system without a budget still numbers its requests."""
    turns = Unmetered()
    turns.throttled(5.0)

    assert [turns.take(), turns.take()] == [1, 2]


def test_a_list_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cursors that are always new cannot keep a reader for ever."""
    monkeypatch.setattr(pagination, "MAX_PAGES", 3)
    numbers = iter(range(100))

    def fetch(params: pagination.Params) -> Answer:
        del params
        info = f'{{"has_next_page":true,"end_cursor":"{next(numbers)}"}}'
        return Answer(status=200, body=f'{{"nodes":[],"total_count":0,"page_info":{info}}}'.encode())

    with pytest.raises(UnexpectedAnswer, match="does not end"):
        list(relay_pages(fetch))


def test_the_steady_clock_does_not_go_back() -> None:
    """Deadlines are measured on a clock that only moves forward."""
    assert steady_clock() <= steady_clock()
