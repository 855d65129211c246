"""The webhook receiver's twin: signatures, order per subject, and faults."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import orjson
import pytest
from standardwebhooks import Webhook

from connectors.simulated.clock import SteppedClock
from connectors.simulated.receiver import Receiver
from connectors.simulated.receiver_server import FAULTS, ReceiverServer
from connectors.simulated.signatures import Verdict, expected_signature, key_of, verdict
from connectors.simulated.switches import Panel, ReceiverSwitches, changed

SEEDED = random.Random
NOW = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def signed(message_id: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Return the headers an independent implementation sends."""
    signature = Webhook(secret).sign(message_id, NOW, body.decode())
    sent_at = str(int(NOW.timestamp()))
    return {"webhook-id": message_id, "webhook-timestamp": sent_at, "webhook-signature": signature}


def event(sequence: object, subject: str = "s", **data: object) -> bytes:
    """Return a CloudEvents body."""
    return orjson.dumps({"id": f"e{sequence}", "subject": subject, "type": "t", "sequence": sequence, "data": data})


def build(**switches: object) -> Receiver:
    """Return a receiver at NOW."""
    return Receiver(secret=SECRET, clock=SteppedClock(NOW), panel=Panel(changed(ReceiverSwitches(), switches)))


def judge(headers: dict[str, str], body: bytes, *, now: float = 0.0) -> Verdict:
    """Return the verdict at NOW, or ``now`` seconds later."""
    return verdict(headers, body, secret=SECRET, now=NOW.timestamp() + now, tolerance_seconds=300)


def test_a_message_signed_by_an_independent_implementation_is_valid() -> None:
    """The check was written from the description alone and agrees with the published library."""
    assert judge(signed("m1", b"{}"), b"{}") is Verdict.VALID


def test_one_fitting_signature_among_several_is_enough() -> None:
    """While a secret is changed a message carries two; other schemes are ignored."""
    headers = signed("m1", b"{}")
    headers["webhook-signature"] = f"v1a,abc v1,wrong {headers['webhook-signature']}"

    assert judge(headers, b"{}") is Verdict.VALID


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"webhook-id": "other"}, Verdict.WRONG_SIGNATURE),
        ({"webhook-signature": "v1,bm9uZQ=="}, Verdict.WRONG_SIGNATURE),
        ({"webhook-id": ""}, Verdict.MISSING_HEADERS),
        ({"webhook-timestamp": "soon"}, Verdict.MISSING_HEADERS),
        ({"webhook-timestamp": "1"}, Verdict.OUT_OF_TOLERANCE),
    ],
)
def test_anything_else_is_not_valid(change: dict[str, str], found: Verdict) -> None:
    """Each part of the message is covered by the signature."""
    assert judge({**signed("m1", b"{}"), **change}, b"{}") is found


def test_an_old_message_is_out_of_tolerance() -> None:
    """A good signature does not help a replayed message."""
    assert judge(signed("m1", b"{}"), b"{}", now=301) is Verdict.OUT_OF_TOLERANCE


def test_a_secret_that_is_not_base64_counts_as_it_is_written() -> None:
    """Operators type what they like."""
    assert key_of("not base64!") == b"not base64!"
    assert expected_signature("not base64!", "m", "1", b"")


def test_the_truth_tells_repeats_order_and_the_newest_data() -> None:
    """Repeats do not count as disorder; the data of the highest sequence wins."""
    receiver = build()
    for message, sequence in (("m1", 1), ("m3", "3"), ("m2", 2), ("m3", 3), ("m5", 5)):
        body = event(sequence, note=sequence)
        receiver.take(signed(message, body), body)
    truth = receiver.truth()

    assert [entry["id"] for entry in truth["subjects"]["s"]] == ["m1", "m3", "m2", "m3", "m5"]
    assert truth["subjects"]["s"][0] == {"id": "m1", "sequence": 1, "type": "t", "valid": True}
    assert (truth["received"], truth["distinct"], truth["duplicates"]) == (5, 4, {"m3": 2})
    assert (truth["out_of_order"], truth["gaps"]) == (["m2"], {"s": [4]})
    assert truth["last"] == {"s": {"note": 5}}


def test_what_is_not_signed_changes_no_data() -> None:
    """It is kept as invalid and nothing more."""
    receiver = build()
    receiver.take({}, event(1))
    receiver.take({}, b"not json")
    truth = receiver.truth()

    assert [entry["verdict"] for entry in truth["invalid"]] == ["missing_headers", "missing_headers"]
    assert truth["last"] == {}
    assert truth["subjects"][""][0]["sequence"] is None


@pytest.fixture
def server() -> Iterator[ReceiverServer]:
    """A receiver that serves."""
    built = ReceiverServer(build(hang_seconds=0.01), chance=SEEDED(2))
    with built:
        yield built


def post(server: ReceiverServer, body: bytes = b"{}") -> httpx.Response:
    """Send one signed message."""
    return httpx.post(server.url, content=body, headers=signed("m1", body))


def test_a_good_message_is_a_204_and_a_bad_one_a_401(server: ReceiverServer) -> None:
    """The sender learns at once that its signature is wrong."""
    assert post(server).status_code == 204
    assert httpx.post(server.url, content=b"{}").status_code == 401


def test_only_posts_to_the_hook_are_messages(server: ReceiverServer) -> None:
    """Other paths are counted, so that a followed redirect shows."""
    assert httpx.get(server.url).status_code == 405
    assert httpx.post(server.url.replace("/hook", "/elsewhere")).status_code == 404
    assert server.receiver.truth()["answers"] == {"POST /elsewhere": 1}


@pytest.mark.parametrize(
    ("fault", "status"),
    [("server_error", 500), ("throttled", 429), ("unavailable", 503), ("gone", 410), ("redirect", 307)],
)
def test_faults_answer_their_status(fault: str, status: int, server: ReceiverServer) -> None:
    """Each fault is a switch."""
    server.receiver.panel.change({fault: 1.0})

    answer = post(server)

    assert answer.status_code == status
    assert answer.headers.get("Retry-After", "1") == "1"
    assert server.receiver.truth()["answers"] == {fault: 1}


def test_a_message_may_be_taken_and_never_answered(server: ReceiverServer) -> None:
    """A sender that hears nothing cannot know; the receiver has it."""
    server.receiver.panel.change({"hang": 1.0})
    with pytest.raises(httpx.TransportError):
        post(server)

    assert server.receiver.truth()["received"] == 1


def test_a_reset_takes_about_half_of_the_messages(server: ReceiverServer) -> None:
    """A reset says nothing about what the receiver did."""
    server.receiver.panel.change({"reset": 1.0})
    for _ in range(20):
        with pytest.raises(httpx.TransportError):
            post(server)

    assert 0 < server.receiver.truth()["received"] < 20


def test_the_time_to_come_back_may_be_a_date(server: ReceiverServer) -> None:
    """RFC 9110 knows both forms."""
    server.receiver.panel.change({"throttled": 1.0, "retry_after_date": True, "retry_after_seconds": 90})

    assert post(server).headers["Retry-After"] == "Wed, 13 May 2026 12:01:30 GMT"


def test_a_late_answer_is_one_all_the_same(server: ReceiverServer) -> None:
    """The message was taken; whoever waits long enough hears of it."""
    server.receiver.panel.change({"late": 1.0})

    assert post(server).status_code == 200
    assert server.receiver.truth()["received"] == 1


@pytest.mark.parametrize("fault", ["truncated", "endless"])
def test_a_body_may_break_off_or_have_no_end(fault: str, server: ReceiverServer) -> None:
    """The head came whole, and the message was taken."""
    server.receiver.panel.change({fault: 1.0})
    body = event(1)
    most = 1_000_000
    read = 0
    with httpx.stream("POST", server.url, content=body, headers=signed("m1", body)) as answer:
        with contextlib.suppress(httpx.TransportError):
            for chunk in answer.iter_raw():
                read += len(chunk)
                if read > most:
                    break
        status = answer.status_code

    assert status == 200
    assert (read > most) is (fault == "endless")
    assert server.receiver.truth()["received"] == 1


def test_some_subjects_meet_the_faults_and_always_the_same_ones(server: ReceiverServer) -> None:
    """A receiver may fail for some of what it is told and be well for the rest."""
    server.receiver.panel.change({"server_error": 1.0, "subjects": 0.3})

    def statuses() -> list[int]:
        return [post(server, event(1, subject=f"deliveries/{number}")).status_code for number in range(40)]

    first, second = statuses(), statuses()

    assert first == second
    assert 4 < first.count(500) < 24


def test_every_fault_is_a_switch() -> None:
    """The list of faults mirrors the switches."""
    assert all(hasattr(ReceiverSwitches(), name) for name in FAULTS)
