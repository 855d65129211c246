"""Remedies: what a person can do about an error, said in the words of one system's settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from connectors.errors import ConnectorError


@contextmanager
def remedied(remedies: Mapping[int, str]) -> Iterator[None]:
    """Give an error that passes the remedy for its status, and let it pass."""
    try:
        yield
    except ConnectorError as error:
        if error.status is not None:
            error.remedy = remedies.get(error.status, error.remedy)
        raise
