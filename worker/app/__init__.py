"""The composition root: the one place that reads settings and builds everything (with the command line)."""

from worker.app.root import App, open_database

__all__ = ["App", "open_database"]
