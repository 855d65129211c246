"""Facts about an account and its coverage, as drafts of events."""

from datetime import datetime

from worker.clock import instant_text
from worker.events import EventDraft, EventType, account_source
from worker.reading.spans import Window, instant_of


def coverage_draft(name: str, kind: EventType, window: Window, reason: str, now: datetime) -> EventDraft:
    """What happened to a span of source time, and why."""
    return EventDraft(
        source=account_source(name),
        subject="coverage",
        type=kind,
        time=now,
        fingerprint=f"{window.since}-{window.until}",
        data={
            "account": name,
            "since": instant_text(instant_of(window.since)),
            "until": instant_text(instant_of(window.until)),
            "reason": reason,
        },
    )


def account_draft(name: str, kind: EventType, now: datetime, reason: str | None) -> EventDraft:
    """What happened to an account as a whole, and why."""
    return EventDraft(
        source=account_source(name),
        subject="account",
        type=kind,
        time=now,
        fingerprint=now.isoformat(),
        data={"account": name, "reason": reason},
    )
