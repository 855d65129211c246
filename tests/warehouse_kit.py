"""The warehouse's twin behind HTTP, in time with this machine."""

import random
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connectors.simulated.clock import SystemClock
from connectors.simulated.switches import Panel, WarehouseSwitches
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_words import READ_SCOPE

KEY = "key-of-the-tests"
_READER: Mapping[str, Collection[str]] = {KEY: (READ_SCOPE,)}


@contextmanager
def served_warehouse(keys: Mapping[str, Collection[str]] = _READER, **switches: Any) -> Iterator[WarehouseServer]:  # noqa: ANN401 - values of switches
    """An empty one without a limit, for the holders of `keys`."""
    chance = random.Random(7)  # noqa: S311 - a reproducible choice
    panel = Panel(WarehouseSwitches(**{"requests_per_second": 0, **switches}))
    kept = Warehouse(clock=SystemClock(), chance=chance, panel=panel)
    with WarehouseServer(kept, keys=keys, chance=chance) as server:
        yield server
