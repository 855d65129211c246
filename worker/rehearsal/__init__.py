"""The rehearsal: the whole daemon as real processes, against the bundled simulators, with an audit at the end."""

from worker.rehearsal.options import Options
from worker.rehearsal.rehearsal import run

__all__ = ["Options", "run"]
