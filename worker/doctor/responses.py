"""What is said to customers: which of it the settings allow, what is in doubt, and what waits for a person."""

from collections.abc import Collection, Iterator

from worker.clock import instant_text
from worker.db import Database
from worker.doctor.finding import Finding, note, ok, warning
from worker.responding.terms import Terms
from worker.responding.waiting import waiting
from worker.states import ResponseState

CHECK = "responses"

_UNDER_WAY = (ResponseState.WANTED, ResponseState.SENDING, ResponseState.UNKNOWN)
_RESENT = (
    "an ACCEPT or UPDATE whose answer was lost is sent again (WAYBILL_BARMATE__RESEND_AFTER_ABSENCE): one that takes "
    "effect late is a second e-mail to a customer"
)


def examine_responses(terms: Terms | None, database: Database) -> Iterator[Finding]:
    """Look at our rows alone; nothing is examined where barmate is not used."""
    if terms is None:
        return
    yield from _settings(terms)
    yield from _left(terms.host, database)


def _settings(terms: Terms) -> Iterator[Finding]:
    if not terms.any:
        says = "customers are told nothing"
        yield note(CHECK, says, "look at `barmate preview` before you set WAYBILL_BARMATE__RESPOND")
        return
    said = ["acceptances", "changes"] * terms.respond + ["rejections"] * terms.respond_reject
    yield ok(CHECK, f"customers are told: {', '.join(said)}")
    if not terms.respond:
        return
    if terms.resend_after_absence:
        yield note(CHECK, _RESENT, "set it to false unless no gateway on the way keeps requests for long")
    else:
        yield ok(
            CHECK, "an ACCEPT or UPDATE that barmate does not show waits for a person (RESEND_AFTER_ABSENCE is off)"
        )


def _left(host: str, database: Database) -> Iterator[Finding]:
    under_way = _told(database, host, _UNDER_WAY)
    if under_way is not None:
        yield note(CHECK, f"on their way, or looked for at barmate: {under_way}")
    doubts = _told(database, host, [ResponseState.NEEDS_PERSON])
    if doubts is not None:
        do = "look at barmate, then `barmate resolve ID --as sent` or `--as absent`; `barmate responses` lists them"
        yield warning(CHECK, f"waiting for a person: {doubts}", do)
    refused = _told(database, host, [ResponseState.REFUSED])
    if refused is not None:
        do = "see `barmate responses`; `barmate resolve ID --as absent` has it tried again"
        yield warning(CHECK, f"refused by barmate, about orders that are open: {refused}", do)


def _told(database: Database, host: str, states: Collection[ResponseState]) -> str | None:
    with database.read() as connection:
        found = waiting(connection, host, states)
    if found is None:
        return None
    since = instant_text(found.since.replace(microsecond=0))
    return f"{found.count}, the oldest since {since} about customer order {found.order_id}: {found.reason}"
