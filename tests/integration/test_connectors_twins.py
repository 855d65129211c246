"""The connectors against the bundled twins, over real HTTP between two processes."""

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.errors import Forbidden, NotFound, Throttled, Unauthorized
from connectors.isometric import BatchFilter, Environment, Isometric, environment_of, parse_delivery
from connectors.logistic_cloud import DeliveryQuery, LogisticCloud
from connectors.policy import RetryPolicy
from connectors.webhook import Delivered, WebhookTarget
from tests.client_kit import Kit

# Seconds to wait for the twins' story: it is told in one.
PATIENCE = 20.0

COMMAND = [sys.executable, "-m", "connectors.simulated", "--deliveries", "40", "--orders", "10", "--story-seconds", "1"]

Addresses = dict[str, Any]


@pytest.fixture(scope="module")
def twins() -> Iterator[Addresses]:
    """Yield the addresses of the twins, served by a process of their own."""
    with subprocess.Popen([*COMMAND, "--requests-per-second", "200"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


@pytest.fixture
def warehouse(twins: Addresses) -> Iterator[LogisticCloud]:
    """Yield the account of the warehouse's twin."""
    with Kit().client(twins["warehouse"]["url"], headers={"X-Api-Key": twins["warehouse"]["api_key"]}) as client:
        yield LogisticCloud(client)


@pytest.fixture
def registry(twins: Addresses) -> Iterator[Isometric]:
    """Yield the account of the registry's twin."""
    told = twins["registry"]
    headers = {"Authorization": f"Bearer {told['access_token']}", "x-client-secret": told["client_secret"]}
    with Kit().client(told["url"], headers=headers) as client:
        yield Isometric(client)


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, or fail."""
    pause = threading.Event()
    deadline = datetime.now(tz=UTC).timestamp() + PATIENCE
    while not condition():
        assert datetime.now(tz=UTC).timestamp() < deadline
        pause.wait(0.05)


def test_deliveries_are_listed_and_read(warehouse: LogisticCloud) -> None:
    """Pages, totals, the server's time and single records come as the twin serves them."""
    until(lambda: (warehouse.list_deliveries(DeliveryQuery(), page_size=1).total or 0) >= 5)
    page = warehouse.list_deliveries(DeliveryQuery(), page_size=3)
    first = page.records[0]
    assert isinstance(first, dict)
    alone = warehouse.get_delivery(first["id"])

    assert (len(page.records), page.page_size) == (3, 3)
    assert page.server_time is not None
    assert alone.record is not None
    assert (alone.record["id"], alone.turn > page.turn) == (first["id"], True)
    assert warehouse.get_delivery(1).record is None
    assert warehouse.list_deliveries(DeliveryQuery(ids=(first["id"],))).total == 1


@pytest.mark.parametrize(
    ("key", "path", "kind"),
    [
        ("wrong", "", Unauthorized),
        ("no_scope_key", "", Forbidden),
        ("api_key", "/v0", NotFound),
    ],
)
def test_a_wrong_set_up_is_told(twins: Addresses, key: str, path: str, kind: type[Exception]) -> None:
    """A wrong key, a missing scope and a wrong version each end in their own error."""
    told = twins["warehouse"]
    url = told["url"].replace("/v1-beta", path) if path else told["url"]
    with Kit().client(url, headers={"X-Api-Key": told.get(key, key)}) as client, pytest.raises(kind):
        LogisticCloud(client).list_deliveries(DeliveryQuery())


def test_the_registry_is_read(registry: Isometric, twins: Addresses) -> None:
    """Who we are, what we own and what we delivered are read in the documented shapes."""
    supplier = registry.supplier()
    owned = registry.organisation_batches(supplier.organisation.id, BatchFilter(statuses=("active",)))

    assert supplier.id == twins["registry"]["supplier_id"]
    assert registry.organisation() == supplier.organisation
    assert environment_of(supplier.id) is Environment.SANDBOX
    assert owned.counts_agree
    assert owned.nodes == tuple(sorted(owned.nodes, key=lambda batch: batch.issued_at))
    assert registry.batch(owned.nodes[0].id) == owned.nodes[0]
    assert registry.supplier_deliveries(supplier.id).complete


def test_a_credit_delivery_is_created_and_found_again(registry: Isometric, twins: Addresses) -> None:
    """The whole way: a batch is split for an order, and every list shows the delivery."""
    story = json.loads(_control(twins, "/story"))
    order = registry.order(next(link["credit_order_id"] for link in story["links"]))
    batch = registry.organisation_batches(order.supplier.organisation.id).nodes[0]
    lines = [{"credit_batch_id": batch.id, "credit_quantity_kg": 1}]
    body = json.dumps({"order_id": order.id, "notes": "wb1-test", "credit_batch_quantities": lines}).encode()
    answer = registry.create_delivery(body, deadline_seconds=10.0, before_connect=lambda: None)
    made = parse_delivery(answer)
    listed = registry.order_deliveries(order.id)

    assert (made.order_id, made.kg, made.notes) == (order.id, 1, "wb1-test")
    assert listed.nodes[0] == made == registry.delivery(made.id)
    assert registry.supplier_deliveries(order.supplier.id, until=lambda entry: entry.id == made.id).joined
    assert registry.delivery_batches(made.id).nodes
    assert registry.batch(batch.id).status == "split"
    assert registry.order(order.id).delivered_kg == order.delivered_kg + 1


def test_the_receiver_takes_a_signed_event(twins: Addresses) -> None:
    """The receiver's own verification accepts what is sent."""
    told = twins["webhook"]
    event = {"specversion": "1.0", "id": "e1", "source": "s", "type": "t", "subject": "u", "sequence": "1", "data": {}}
    with Kit().client(told["url"], headers={}) as client:
        target = WebhookTarget(client, secrets=[told["secret"]])
        outcome = target.deliver(message_id="e1", sent_at=datetime.now(tz=UTC), body=json.dumps(event).encode())

    assert isinstance(outcome, Delivered)


def test_a_warehouse_at_its_limit_says_so() -> None:
    """Asking faster than allowed ends in Throttled, and each 429 is told to the budget."""
    kit = Kit()
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())["warehouse"]
        headers = {"X-Api-Key": told["api_key"]}
        with kit.client(told["url"], headers=headers, retries=RetryPolicy(attempts=5)) as client:
            account = LogisticCloud(client)
            with pytest.raises(Throttled):
                deque((account.server_time() for _ in range(20)), maxlen=0)
        process.terminate()

    assert len(kit.turns.throttlings) >= 5


def _control(twins: Addresses, path: str) -> bytes:
    with Kit().client(twins["control"], headers={}) as client:
        return client.get(path, operation="read the control").body
