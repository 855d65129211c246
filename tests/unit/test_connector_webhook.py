"""The webhook: signatures a receiver can check, and outcomes as values."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from connectors.errors import Misconfigured
from connectors.webhook import Delivered, Gone, Outcome, RetryLater, WebhookTarget
from tests.client_kit import Kit
from tests.local_server import Action, Seen, closed_port, reply, reset, serving

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of 32 bytes .....").decode()
BODY = '{"type":"delivery.changed","subject":"ä"}'.encode()


def now() -> datetime:
    """Return the time by which the library judges a stamp."""
    return datetime.now(tz=UTC)


def delivered(*actions: Action, secrets: tuple[str, ...] = (SECRET,)) -> tuple[Outcome, Seen]:
    """Return the outcome of one delivery, and what the receiver saw."""
    with serving(*actions) as server, Kit().client(server.url, headers={}, secrets=secrets) as client:
        target = WebhookTarget(client, secrets=secrets)
        outcome = target.deliver(message_id="evt_1", sent_at=now(), body=BODY)
        return outcome, server.seen[0]


def verify(secret: str | bytes, headers: Mapping[str, str], body: bytes = BODY) -> None:
    """Check the message as a receiver would; WebhookVerificationError when it is not ours."""
    Webhook(secret).verify(body, dict(headers))


def test_a_message_is_signed_for_a_receiver_to_check() -> None:
    """The reference library accepts the signature, and refuses it for other bytes or another secret."""
    outcome, seen = delivered(reply(204, raw=b""))

    assert outcome == Delivered(204)
    assert (seen.method, seen.body, seen.headers["webhook-id"]) == ("POST", BODY, "evt_1")
    assert seen.headers["content-type"] == "application/cloudevents+json"
    verify(SECRET, seen.headers)
    with pytest.raises(WebhookVerificationError):
        verify(SECRET, seen.headers, BODY + b" ")
    with pytest.raises(WebhookVerificationError):
        verify(OTHER, seen.headers)


def test_a_changing_secret_is_good_for_both_sides() -> None:
    """While a secret changes, the message carries a signature of each, so either side may be ahead."""
    _, seen = delivered(reply(200, {}), secrets=(SECRET, OTHER))

    verify(SECRET, seen.headers)
    verify(OTHER, seen.headers)


def test_a_raw_secret_signs_with_its_bytes() -> None:
    """A secret without the prefix is taken as it is."""
    _, seen = delivered(reply(200, {}), secrets=("plain words",))

    verify(b"plain words", seen.headers)


def test_a_secret_may_come_without_padding() -> None:
    """Base64 is read with and without its trailing signs."""
    _, seen = delivered(reply(200, {}), secrets=(SECRET.rstrip("="),))

    verify(SECRET, seen.headers)


@pytest.mark.parametrize("secret", ["whsec_not base64!", "whsec_", "", "  ", "whsec_ä", "whsec_abcde"])
def test_an_unusable_secret_is_named_without_its_value(secret: str) -> None:
    """A secret that cannot sign is told in one sentence that does not hold it."""
    with Kit().client("http://host.invalid") as client, pytest.raises(Misconfigured, match="webhook secret") as caught:
        WebhookTarget(client, secrets=[secret])

    assert "not base64!" not in caught.value.sentence


def test_gone_is_an_outcome_of_its_own() -> None:
    """410 says that nothing more is wanted."""
    assert delivered(reply(410, {}))[0] == Gone(410)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_any_other_no_is_tried_again_later(status: int) -> None:
    """Whatever the receiver's trouble, the schedule of retries decides."""
    outcome, _ = delivered(reply(status, {}, headers={"Retry-After": "9"}))

    assert outcome == RetryLater(f"the receiver answered HTTP {status}", status=status, retry_after=9.0)


def test_a_redirect_is_not_followed() -> None:
    """A signed body goes to the address that was configured and nowhere else."""
    outcome, _ = delivered(reply(307, {}, headers={"Location": "/elsewhere"}))

    assert isinstance(outcome, RetryLater)
    assert "set its target as the URL" in outcome.reason


def test_a_date_to_come_back_counts_from_the_post_where_the_receiver_shows_no_clock() -> None:
    """RFC 9110 knows a date as well; without the receiver's own time ours is the next best."""
    until = format_datetime(now() + timedelta(minutes=10), usegmt=True)
    outcome, _ = delivered(reply(429, {}, headers={"Retry-After": until}))

    assert isinstance(outcome, RetryLater)
    assert outcome.retry_after == pytest.approx(600, abs=30)


@pytest.mark.parametrize(
    ("status", "headers", "asks"),
    [
        (429, {}, True),
        (429, {"Retry-After": "9"}, True),
        (503, {"Retry-After": "9"}, True),
        (503, {}, False),
        (500, {}, False),
    ],
)
def test_some_answers_are_about_the_receiver_as_a_whole(status: int, headers: dict[str, str], asks: bool) -> None:  # noqa: FBT001 - a case
    """429, and 503 with a time to come back."""
    outcome, _ = delivered(reply(status, {}, headers=headers))

    assert isinstance(outcome, RetryLater)
    assert outcome.asks_for_less is asks


def test_a_lost_answer_is_tried_again_later() -> None:
    """The receiver drops repeats by the event's id, so a lost answer costs nothing."""
    outcome, _ = delivered(reset)

    assert isinstance(outcome, RetryLater)
    assert (outcome.status, outcome.retry_after) == (None, None)


def test_an_absent_receiver_is_tried_again_later() -> None:
    """A receiver that is not there is an outcome, not an error."""
    with Kit().client(f"http://127.0.0.1:{closed_port()}", headers={}) as client:
        outcome = WebhookTarget(client, secrets=[SECRET]).deliver(message_id="evt_1", sent_at=now(), body=BODY)

    assert isinstance(outcome, RetryLater)
    assert "no connection" in outcome.reason


def test_a_target_shows_no_secret() -> None:
    """A repr never holds what signs."""
    with Kit().client("http://host.invalid") as client:
        assert SECRET not in repr(WebhookTarget(client, secrets=[SECRET]))
