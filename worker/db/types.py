"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from worker.columns import instant_of_micros, micros


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant, kept as whole microseconds since 1970 in UTC.

    An integer because SQLite has no time type: comparison and arithmetic are then the same in both databases.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds since 1970; a naive datetime is a mistake of ours and raises TypeError."""
        del dialect
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The aware instant."""
        del dialect
        return None if value is None else instant_of_micros(value)
