"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970; a naive datetime is a mistake of ours and raises TypeError."""
    return (moment - _EPOCH) // _MICROSECOND


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
        return None if value is None else _EPOCH + timedelta(microseconds=value)
