"""A message as a receiver got it: whether it is ours, and why not. Pure; the same checks as in docs/receiver.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from connectors.webhook_signature import MESSAGE_ID, SENT_AT, SIGNATURE, Signers

# How far the time of sending may be from that of arrival: what the published libraries of Standard Webhooks allow.
TOLERANCE = timedelta(minutes=5)

_NAMES = ("current", "previous")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Headers by lower-case name, and the body byte for byte."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """What it says its event is; '' if it does not."""
        return self.headers.get(MESSAGE_ID, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a receiver may believe the message. `secret` is which one fits: current, previous, or none."""

    fits: bool
    reason: str
    secret: str | None = None
    sent_at: datetime | None = None


def judge(message: Message, signers: Signers, *, at: datetime, logged: bytes | None) -> Judgement:
    """Judge a message that arrived `at` that moment; `logged` is its event's body as our log has it, if it does."""
    missing = [name for name in (MESSAGE_ID, SENT_AT, SIGNATURE) if not message.headers.get(name)]
    if missing:
        return Judgement(fits=False, reason=f"The header {' and '.join(missing)} is missing.")
    sent_at = _instant(message.headers[SENT_AT])
    if sent_at is None:
        return Judgement(fits=False, reason=f"The header {SENT_AT} is no whole number of seconds since 1970.")
    place = _place(message, signers, sent_at, message.body)
    if place is None:
        return Judgement(fits=False, reason=_why_not(message, signers, sent_at, logged), sent_at=sent_at)
    return _in_time(_NAMES[place], sent_at, at)


def _in_time(secret: str, sent_at: datetime, at: datetime) -> Judgement:
    off = at - sent_at
    if abs(off) <= TOLERANCE:
        reason = f"The signature fits, with the {secret} secret."
        return Judgement(fits=True, reason=reason, secret=secret, sent_at=sent_at)
    told = f"{off.total_seconds():.0f} s old" if off > TOLERANCE else f"{-off.total_seconds():.0f} s ahead of the clock"
    reason = (
        f"The signature fits, with the {secret} secret, but the message is {told}: "
        f"a receiver refuses it beyond {TOLERANCE.total_seconds():.0f} s. Say with --at when it arrived."
    )
    return Judgement(fits=False, reason=reason, secret=secret, sent_at=sent_at)


def _why_not(message: Message, signers: Signers, sent_at: datetime, logged: bytes | None) -> str:
    if "v1," not in message.headers[SIGNATURE]:
        return f"The header {SIGNATURE} holds no signature of the scheme v1."
    for told, body in _variants(message.body):
        if _place(message, signers, sent_at, body) is not None:
            return f"The body was changed: {told} the signature fits. Check the bytes as they arrive, before parsing."
    if logged is None:
        return "No signature fits: it was made with another secret, or the body, the id or the time was changed."
    if _place(message, signers, sent_at, logged) is not None:
        return f"The body was changed on its way: the signature fits {message.id} as the log holds it."
    return (
        f"The signature was made with another secret: it does not fit {message.id} as the log holds it either. "
        "Compare WEBHOOK__SECRET here with the receiver's."
    )


def _variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """What editors, shells and parsers do to a body, undone."""
    yield "without its last line break", body.rstrip(b"\r\n")
    yield "with plain line breaks", body.replace(b"\r\n", b"\n")
    try:
        yield "written as compact JSON again", orjson.dumps(orjson.loads(body))
    except orjson.JSONDecodeError:
        return


def _place(message: Message, signers: Signers, sent_at: datetime, body: bytes) -> int | None:
    return signers.which(message.id, sent_at, body, message.headers[SIGNATURE])


def _instant(text: str) -> datetime | None:
    if not (text.isascii() and text.isdigit()):
        return None
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        # A number of a year that no calendar has.
        return None
