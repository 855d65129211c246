"""The twins as servers on loopback, with a small story that is already over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.simulated.story_words import StoryPlan
from connectors.simulated.switches import WarehouseSwitches
from connectors.simulated.systems import API_KEY, Options, Systems
from tests.vendor_examples import printed_delivery

HERE = Path(__file__).parent
# The contract is about shapes; the limit has tests of its own.
UNLIMITED = WarehouseSwitches(requests_per_second=0)


@pytest.fixture
def systems() -> Iterator[Systems]:
    """All twins, started, with every delivery at its end."""
    built = Systems(Options(plan=StoryPlan(seed=7, deliveries=60, orders=20, seconds=1), warehouse=UNLIMITED))
    built.start()
    built.player.skip(10)
    built.player.play_due()
    yield built
    built.stop()


@pytest.fixture
def registry(systems: Systems) -> Iterator[httpx.Client]:
    """A client with both credentials."""
    credentials = systems.registry_server.credentials
    headers = {"Authorization": f"Bearer {credentials.access_token}", "x-client-secret": credentials.client_secret}
    with httpx.Client(base_url=systems.registry_server.url, headers=headers) as client:
        yield client


@pytest.fixture
def warehouse(systems: Systems) -> Iterator[httpx.Client]:
    """A client with a key for reading and writing."""
    with httpx.Client(base_url=systems.warehouse_server.url, headers={"X-Api-Key": API_KEY}) as client:
        yield client


@pytest.fixture(scope="session")
def openapi() -> dict[str, Any]:
    """The registry's published description."""
    content: dict[str, Any] = json.loads((HERE / "isometric-registry-openapi.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def example() -> dict[str, Any]:
    """The delivery printed on the vendor's page."""
    return printed_delivery()
