"""Drawing what happens from a seeded source."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import TypeVar

AnyName = TypeVar("AnyName")


def drawn(shares: Mapping[AnyName, float], chance: random.Random) -> AnyName | None:
    """Return one of ``shares``, each with its probability, or None with what is left of 1.

    Drawn once, so that the probabilities add up.
    """
    draw = chance.random()
    for name, share in shares.items():
        if draw < share:
            return name
        draw -= share
    return None


def shares(switches: object, names: Iterable[str]) -> dict[str, float]:
    """Return the probabilities that ``switches`` give to faults of those names."""
    return {name: getattr(switches, name) for name in names}
