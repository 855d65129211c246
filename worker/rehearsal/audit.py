"""The whole audit: from evidence to a verdict. Pure."""

from collections.abc import Iterator

from worker.rehearsal.audit_answers import audit_answers, waiting_for_a_person
from worker.rehearsal.audit_changes import audit_changes
from worker.rehearsal.audit_credits import audit_credits, in_doubt
from worker.rehearsal.encore import audit_put_off
from worker.rehearsal.evidence import Evidence
from worker.rehearsal.findings import Finding, Kind, Verdict


def audit(evidence: Evidence) -> Verdict:
    """Compare all sides."""
    findings = (
        *audit_changes(evidence),
        *audit_credits(evidence),
        *audit_answers(evidence),
        *audit_put_off(evidence),
        *_reconciled(evidence),
    )
    return Verdict(findings=tuple(sorted(findings)), notes=tuple(_notes(evidence)))


def _reconciled(evidence: Evidence) -> Iterator[Finding]:
    """Waybill's own comparison must come to the same end; a firing in doubt is a mismatch that it should see."""
    if evidence.reconciled and not in_doubt(evidence):
        sentence = f"`waybill reconcile` ended with {evidence.reconciled}: it sees the ledgers differ"
        yield Finding(Kind.UNEQUAL, "reconcile", sentence)


def _notes(evidence: Evidence) -> Iterator[str]:
    yield from in_doubt(evidence)
    yield from waiting_for_a_person(evidence)
    if evidence.put_off == ():
        yield "no goods could be put off: no customer order that we accepted is open"
    for dead in evidence.ours.dead:
        yield f"dead letter {dead}"
    if evidence.lost_database and evidence.webhook["out_of_order"]:
        yield f"{len(evidence.webhook['out_of_order'])} events of the lost database were overtaken by the new one's"
