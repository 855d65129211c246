"""The metadata that every table belongs to, and what their columns and constraints have in common."""

from enum import StrEnum

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts a rowid only for INTEGER, not for BIGINT.
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def one_of(column: str, states: type[StrEnum]) -> sa.CheckConstraint:
    """A constraint that lets only the named states into a column."""
    names = ", ".join(f"'{state.value}'" for state in states)
    return sa.CheckConstraint(f"{column} IN ({names})", name=f"known_{column}")


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> sa.Index:
    """An index over the rows that a condition picks, in the same words on both databases."""
    condition = sa.text(where)
    return sa.Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
