"""`waybill webhook verify`: says of a saved message what a receiver would, and why."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from standardwebhooks import Webhook

from tests.cli_kit import Done, Shell
from tests.runtime_kit import Bench

CURRENT = "whsec_" + base64.b64encode(b"the current secret, 32 bytes ...").decode()
PREVIOUS = "whsec_" + base64.b64encode(b"the previous secret, 32 bytes ..").decode()
FOREIGN = "whsec_" + base64.b64encode(b"a secret of nobody, 32 bytes ...").decode()
BODY = b'{"id":"evt_1","subject":"deliveries/1"}'
SENT = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)
ARRIVED = "2026-05-13T12:00:03Z"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands of a set-up with both secrets."""
    shell = Shell(tmp_path, monkeypatch, capsys)
    shell.set(WEBHOOK__URL="http://127.0.0.1:9/hook", WEBHOOK__SECRET=CURRENT, WEBHOOK__PREVIOUS_SECRET=PREVIOUS)
    return shell


def _headers(secret: str = CURRENT, message_id: str = "evt_1", body: bytes = BODY) -> dict[str, str]:
    """As an independent implementation signs."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(SENT.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, SENT, body.decode()),
    }


def _plain(headers: Mapping[str, str], body: bytes = BODY, *, first: str = "", end: str = "\r\n") -> bytes:
    lines = [first] if first else []
    lines += [f"{name}: {value}" for name, value in {"Host": "receiver", **headers}.items()]
    return (end.join(lines) + 2 * end).encode() + body


def _verify(shell: Shell, content: bytes, *arguments: str, at: str = ARRIVED) -> Done:
    (shell.folder / "saved").write_bytes(content)
    return shell("webhook", "verify", "saved", "--at", at, *arguments)


@pytest.mark.parametrize(
    "saved",
    [
        _plain(_headers()),
        _plain(_headers(), end="\n"),
        _plain(_headers(), first="POST /hook HTTP/1.1"),
        _plain({name.title(): value for name, value in _headers().items()}),
        json.dumps({"method": "POST", "headers": _headers(), "body": BODY.decode()}).encode(),
        json.dumps(
            {"headers": {name: [value] for name, value in _headers().items()}, "content": BODY.decode()}
        ).encode(),
        json.dumps(
            {"headers": [{"name": name, "value": value} for name, value in _headers().items()], "text": BODY.decode()}
        ).encode(),
        json.dumps({"headers": _headers(), "body": json.loads(BODY)}).encode(),
    ],
    ids=["head", "plain line breaks", "request line", "titles", "json", "json lists", "json names", "json parsed"],
)
def test_a_message_that_is_ours_fits_however_it_was_saved(shell: Shell, saved: bytes) -> None:
    """Proxies, `nc -l` and request catchers each save it in their own way."""
    done = _verify(shell, saved)

    assert (done.status, done.out) == (0, "The signature fits, with the current secret.\n")


def test_headers_may_be_given_beside_a_body_alone(shell: Shell) -> None:
    """As a receiver's own log has them."""
    given = [text for name, value in _headers().items() for text in ("--header", f"{name}: {value}")]

    assert _verify(shell, BODY, *given).status == 0


@pytest.mark.parametrize(("secret", "name"), [(CURRENT, "current"), (PREVIOUS, "previous")])
def test_it_says_which_secret_fits(shell: Shell, secret: str, name: str) -> None:
    """While a secret changes, either one may have been used."""
    told = _verify(shell, _plain(_headers(secret)), "--json").objects[0]

    assert told == {
        "fits": True,
        "message_id": "evt_1",
        "secret": name,
        "sent_at": "2026-05-13T12:00:00Z",
        "reason": f"The signature fits, with the {name} secret.",
    }


def test_of_two_signatures_one_that_fits_is_enough(shell: Shell) -> None:
    """As waybill sends while its secret changes; other schemes are passed over."""
    foreign, ours = _headers(FOREIGN), _headers()
    signatures = f"v1a,xyz {foreign['webhook-signature']} {ours['webhook-signature']}"

    assert _verify(shell, _plain({**ours, "webhook-signature": signatures})).status == 0


SPACED = json.dumps(json.loads(BODY), indent=1).encode()


@pytest.mark.parametrize(
    ("saved", "at", "sentence"),
    [
        (_plain(_headers(FOREIGN)), ARRIVED, "No signature fits: it was made with another secret, or the body"),
        (_plain(_headers(), BODY.replace(b"1", b"2")), ARRIVED, "No signature fits"),
        (_plain(_headers(), BODY + b"\n"), ARRIVED, "without its last line break the signature fits"),
        (_plain(_headers(), SPACED), ARRIVED, "written as compact JSON again the signature fits"),
        (_plain(_headers(), b"\xff\xfe"), ARRIVED, "No signature fits"),
        (_plain(_headers()), "2026-05-13T14:00:00Z", "but the message is 7200 s old"),
        (_plain(_headers()), "2026-05-13T11:00:00Z", "but the message is 3600 s ahead of the clock"),
        (_plain({"webhook-id": "evt_1"}), ARRIVED, "webhook-timestamp and webhook-signature is missing"),
        (_plain({**_headers(), "webhook-timestamp": "soon"}), ARRIVED, "no whole number of seconds"),
        (_plain({**_headers(), "webhook-timestamp": "9" * 30}), ARRIVED, "no whole number of seconds"),
        (_plain({**_headers(), "webhook-signature": "v2,abc"}), ARRIVED, "no signature of the scheme v1"),
        (_plain({**_headers(), "webhook-id": "evt_2"}), ARRIVED, "the id or the time was changed"),
    ],
)
def test_a_message_that_is_not_believed_is_told_why(shell: Shell, saved: bytes, at: str, sentence: str) -> None:
    """Exit 1, and what to look at; never a secret."""
    done = _verify(shell, saved, at=at)

    assert done.status == 1
    assert sentence in done.out
    assert not any(secret.removeprefix("whsec_") in done.out + done.err for secret in (CURRENT, PREVIOUS))


@contextmanager
def _logged(shell: Shell) -> Iterator[tuple[str, bytes]]:
    with shell.database() as database:
        event = Bench(database).changes(1)[0]
    yield event.id, orjson.dumps(event.cloud_event())


def test_the_log_tells_a_changed_body_from_another_secret(shell: Shell) -> None:
    """The signature is tried on the event as the log holds it."""
    with _logged(shell) as (identity, body):
        changed = _verify(shell, _plain(_headers(message_id=identity, body=body), b'{"other":1}'))
        foreign = _verify(shell, _plain(_headers(FOREIGN, identity, body), body))

    assert (changed.status, foreign.status) == (1, 1)
    assert f"The body was changed on its way: the signature fits {identity}" in changed.out
    assert "The signature was made with another secret" in foreign.out


def test_a_message_saved_just_now_needs_no_time_of_arrival(shell: Shell) -> None:
    """Without --at it arrived now."""
    now = datetime.now(UTC)
    headers = {**_headers(), "webhook-timestamp": str(int((now - timedelta(seconds=9)).timestamp()))}
    signed = Webhook(CURRENT).sign("evt_1", now - timedelta(seconds=9), BODY.decode())
    (shell.folder / "saved").write_bytes(_plain({**headers, "webhook-signature": signed}))

    assert shell("webhook", "verify", "saved").status == 0


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (BODY, (), "FILE holds a body only; give its headers with --header"),
        (BODY, ("--header", "webhook-id"), "The header 'webhook-id' is not NAME: VALUE."),
        (b"Host: x\nnonsense\n\n{}", (), "The header 'nonsense' is not NAME: VALUE."),
    ],
)
def test_what_cannot_be_checked_is_told(
    shell: Shell, content: bytes, arguments: tuple[str, ...], sentence: str
) -> None:
    """Exit 2: nothing was found out about the message."""
    done = _verify(shell, content, *arguments)

    assert done.status == 2
    assert sentence in done.err


def test_a_file_that_is_not_there_is_told(shell: Shell) -> None:
    """And so is a set-up without a secret."""
    missing = shell("webhook", "verify", "nowhere")
    shell.unset("WEBHOOK__URL", "WEBHOOK__SECRET", "WEBHOOK__PREVIOUS_SECRET")
    without = _verify(shell, _plain(_headers()))

    assert (missing.status, without.status) == (2, 2)
    assert "The file nowhere cannot be read" in missing.err
    assert "set WAYBILL_WEBHOOK__SECRET" in without.err
