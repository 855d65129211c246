"""Whether a key may write at logistic.cloud, found out without writing anything.

No call tells a key's scopes, so one is made that cannot change anything: approving delivery 0, which the source was
just asked for and does not have (every id that it shows is far above, so none comes into being there meanwhile). A 403
proves that the scope is missing. Any other no seems to come after the check of scopes, which no document promises.
"""

from connectors.errors import ConnectorError
from connectors.logistic_cloud_writes import WRITE_SCOPE, DeliveryWrites, Denied, Outcome, Rejected
from worker.doctor.finding import Finding, note, ok
from worker.reading.account_source import DeliverySource

# Never given out.
NOBODY = 0
# Seconds for the probe: whoever waits for the doctor waits for this as well.
_SECONDS = 10.0

_COMMANDS = "`waybill deliveries create`, `update` and `approve`"


def examine_write_scope(check: str, source: DeliverySource, writes: DeliveryWrites) -> Finding:
    """One line: it may not write, it seems that it may, or nobody can tell."""
    try:
        known = source.get_delivery(NOBODY)
    except ConnectorError as error:
        return _unknown(check, error.detail.rstrip(". "))
    if known.record is not None:
        return _unknown(check, f"there is a delivery {NOBODY}, which must not be touched")
    return _verdict(check, writes.approve(NOBODY, deadline_seconds=_SECONDS, before_connect=_go))


def _verdict(check: str, outcome: Outcome) -> Finding:
    if isinstance(outcome, Denied):
        says = f"the key may read and not write: {WRITE_SCOPE} is missing, which only {_COMMANDS} need"
        return note(check, says, f"for those, use a key with {WRITE_SCOPE}; for everything else this one is right")
    if isinstance(outcome, Rejected):
        return ok(
            check, f"the key seems to have {WRITE_SCOPE}: a write that cannot be done got past the check of scopes"
        )
    return _unknown(check, "the probe was not answered as documented")


def _unknown(check: str, why: str) -> Finding:
    says = f"whether the key has {WRITE_SCOPE} is not known: {why}"
    return note(check, says, f"only {_COMMANDS} need it; they say so where it is missing")


def _go() -> None:
    """Nothing speaks against the probe any more."""
