"""The composition root: the one place that reads settings and builds everything (with the command line)."""

from worker.app.opening import open_database
from worker.app.root import App

__all__ = ["App", "open_database"]
