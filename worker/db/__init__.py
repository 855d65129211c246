"""The database: tables, column types, engine and transaction scope."""

from worker.db.database import Database, for_update

__all__ = ["Database", "for_update"]
