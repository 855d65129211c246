"""The name of this installation: made once, kept in the database, the same for all its processes."""

from collections.abc import Callable

import sqlalchemy as sa

from worker.db import Database
from worker.db.tables import bindings

_NAME = "installation"
# Letters of the name: enough to tell the installations on one Redis apart.
_LETTERS = 12


def name_of(database: Database, identity: Callable[[], str]) -> str:
    """The name, made now if there is none yet. Raises DatabaseUnavailable."""
    with database.write() as connection:
        found = connection.execute(sa.select(bindings.c.value).where(bindings.c.name == _NAME)).scalar_one_or_none()
        if found is not None:
            return str(found)
        made = identity()[:_LETTERS]
        try:
            with connection.begin_nested():
                values = {"name": _NAME, "value": made, "bound_at": database.now(connection)}
                connection.execute(sa.insert(bindings).values(values))
        except sa.exc.IntegrityError:
            # Another process was first by a moment.
            made = connection.execute(sa.select(bindings.c.value).where(bindings.c.name == _NAME)).scalar_one()
        return made
