"""How firing and the mirror are set up: what is sent, within which limits, and what a lost answer leads to."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import sqlalchemy as sa

from connectors.isometric import Environment, environment_of
from worker import kinds, switches
from worker.db import Database
from worker.db.tables import tasks
from worker.doctor.finding import Finding, note, ok, problem, warning
from worker.doctor.verdicts import Verdict, Way, verdicts
from worker.firing.policy import Mode, Policy
from worker.states import TaskState

CHECK = "firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorCase:
    """The receiver of the settings; None where there is none."""

    url: str | None


def examine_policy(policy: Policy, database: Database) -> Iterator[Finding]:
    """Mode, limits, and resending against what the replay probe found."""
    if policy.mode is Mode.PLAN:
        yield note(
            CHECK, "the mode is plan: nothing is ever sent", "set WAYBILL_CREDITS__MODE once the plans are right"
        )
    else:
        yield ok(CHECK, f"the mode is {policy.mode}")
        if policy.max_kg_per_delivery is None or policy.max_kg_per_day is None:
            says = "a limit per delivery or per day is not set"
            yield note(CHECK, says, "set WAYBILL_CREDITS__MAX_KG_PER_DELIVERY and WAYBILL_CREDITS__MAX_KG_PER_DAY")
    yield _resending(policy, verdicts(database))


def _resending(policy: Policy, found: Mapping[Way, Verdict]) -> Finding:
    accepted = Verdict.ACCEPTED in found.values()
    tested = " and ".join(sorted(way.words for way in found))
    if not policy.resend_after_absence:
        if set(found) == set(Way) and not accepted:
            return note(CHECK, "used batches are refused: WAYBILL_CREDITS__RESEND_AFTER_ABSENCE may be set")
        return ok(CHECK, "what proved absent waits for a person (RESEND_AFTER_ABSENCE is off)")
    if accepted:
        says = "RESEND_AFTER_ABSENCE is on, and the probe found that used batches are accepted again"
        return problem(CHECK, says, "set WAYBILL_CREDITS__RESEND_AFTER_ABSENCE to false")
    if found:
        return ok(CHECK, f"what proved absent is sent again; a batch that was used {tested} is refused")
    says = "RESEND_AFTER_ABSENCE is on, and this database knows of no replay probe"
    if environment_of(policy.host) is Environment.PRODUCTION:
        return note(CHECK, says, "make sure that `doctor --replay-probe` was run in the registry's sandbox")
    return warning(CHECK, says, "run `doctor --replay-probe`, or set WAYBILL_CREDITS__RESEND_AFTER_ABSENCE to false")


def examine_mirror(case: MirrorCase, database: Database) -> Iterator[Finding]:
    """The receiver of events."""
    check = "webhook"
    if case.url is None:
        yield note(
            check,
            "no WAYBILL_WEBHOOK__URL is set: nothing is mirrored",
            "set WAYBILL_WEBHOOK__URL and WAYBILL_WEBHOOK__SECRET",
        )
        return
    with database.read() as connection:
        on = switches.webhook_is_on(connection)
    if not on:
        yield warning(check, "it is off: the receiver answered 410 Gone", "correct it, then `webhook enable`")
    if _in_the_clear(case.url):
        yield warning(check, "events go over plain http", "use an https address")
    if on:
        yield ok(check, "a receiver is set; `webhook test` sends it a ping")
    yield from _left(check, database)


def _left(check: str, database: Database) -> Iterator[Finding]:
    """Events that wait for another try, and those that were given up."""
    mirrored = sa.select(sa.func.count()).where(tasks.c.kind == kinds.MIRROR)
    waiting = mirrored.where(tasks.c.ended_at.is_(None), tasks.c.attempts > 0, tasks.c.state == TaskState.WAITING)
    with database.read() as connection:
        again = connection.execute(waiting).scalar_one()
        given_up = connection.execute(mirrored.where(tasks.c.state == TaskState.DISCARDED)).scalar_one()
    if again:
        says = f"subjects whose next event waits for another try: {again}"
        yield note(check, says, "look at the receiver; `webhook test` shows what it answers")
    if given_up:
        says = f"events that were given up after three days of tries: {given_up}"
        yield warning(check, says, "run `dead-letters list --kind mirror`, then `retry` or `drop` them")


def _in_the_clear(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname in (None, "localhost"):
        return False
    try:
        return not ipaddress.ip_address(str(parts.hostname)).is_loopback
    except ValueError:
        return True
