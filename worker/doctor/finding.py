"""A finding: what was looked at, how it stands, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from connectors.errors import ConnectorError

NOTHING = "nothing"


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"  # worth knowing; nothing is wrong
    WARNING = "warning"  # works now, and will give trouble
    PROBLEM = "problem"  # the configuration or the database has to be changed
    REMOTE = "remote"  # a system outside cannot be reached, or refuses


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the examination."""

    check: str
    level: Level
    says: str
    do: str = NOTHING

    def document(self) -> dict[str, object]:
        """As the command lists it."""
        return {"check": self.check, "level": self.level.value, "says": self.says, "do": self.do}


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, says=says)


def note(check: str, says: str, do: str = NOTHING) -> Finding:
    """Worth knowing."""
    return Finding(check=check, level=Level.NOTE, says=says, do=do)


def warning(check: str, says: str, do: str) -> Finding:
    """Trouble to come."""
    return Finding(check=check, level=Level.WARNING, says=says, do=do)


def problem(check: str, says: str, do: str) -> Finding:
    """Something has to be changed."""
    return Finding(check=check, level=Level.PROBLEM, says=says, do=do)


def remote(check: str, error: ConnectorError) -> Finding:
    """A system outside does not answer as it should."""
    do = error.remedy or "try again later; if it lasts, ask whoever runs that system"
    return Finding(check=check, level=Level.REMOTE, says=f"{error.operation}: {error.detail.rstrip('. ')}", do=do)


def exit_status(found: Iterable[Finding]) -> int:
    """0 nothing found, 1 warnings, 2 something has to be changed here, 3 a system outside fails; the gravest counts.

    What is wrong here comes before what is wrong outside: it may be the cause.
    """
    levels = {finding.level for finding in found}
    for level, status in ((Level.PROBLEM, 2), (Level.REMOTE, 3), (Level.WARNING, 1)):
        if level in levels:
            return status
    return 0
