"""The request budget of one API key: numbered turns in lanes, one for all threads, processes and machines."""

from worker.budget.budget import Budget, LaneTurns
from worker.budget.lanes import Lane
from worker.budget.pace import MARGIN, THROTTLED_SECONDS
from worker.budget.rows import PaceInForce, pace_of

__all__ = ["MARGIN", "THROTTLED_SECONDS", "Budget", "Lane", "LaneTurns", "PaceInForce", "pace_of"]
