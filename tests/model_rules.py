"""The rules that hold in every state of the model, and those that hold where it has come to rest."""

import json
from collections import Counter

from tests.model_world import World
from worker.firing.marker import tokens
from worker.reconciler import Reconciler

# A firing may stand here for ever: it has ended, or it says what it waits for.
RESTING = frozenset({"confirmed", "refused", "needs_person", "abandoned", "withdrawn", "held"})

_SHAS = (
    "SELECT f.id, f.repins, count(DISTINCT a.request_sha256), sum(coalesce(a.outcome, '') = 'not_sent') "
    "FROM firings f JOIN attempts a ON a.firing_id = f.id GROUP BY f.id"
)


def states(world: World) -> dict[str, str]:
    """The state of every firing by purchase order."""
    query = "SELECT o.purchase_order, f.state FROM firings f JOIN orders o ON o.id = f.order_id"
    return dict(world.raw.execute(query).fetchall())


def broken_always(world: World, *, doubles: bool = False) -> str | None:
    """The rule that this state breaks; `doubles` where the registry itself makes doubles and we can only see them."""
    happened = world.registry.happened()
    by_marker = Counter(token for one in happened for token in tokens(one.notes))
    if not doubles and any(count > 1 for count in by_marker.values()):
        return "two deliveries carry one marker"
    for order in world.registry.registry.orders():
        if not doubles and world.registry.registry.delivered_kg(order.id) > order.ordered_kg:
            return f"more is delivered to {order.id} than was ordered"
    asked = sorted(world.kg.values())
    if any(tokens(one.notes) and one.kg not in asked for one in happened):
        return "a delivery of ours has other kilograms than its order is worth"
    return _broken_confirmation(world) or _broken_bytes(world)


def _broken_confirmation(world: World) -> str | None:
    truth = {one.id: one for one in world.registry.happened()}
    query = "SELECT credit_delivery_id, kg, credit_order_id, marker FROM firings WHERE state = 'confirmed'"
    for delivery_id, kg, order_id, marker in world.raw.execute(query):
        made = truth.get(delivery_id)
        if made is None or (made.kg, made.order_id) != (kg, order_id):
            return f"a firing is confirmed by {delivery_id}, which is not at the registry as it says"
        if marker is not None and marker not in tokens(made.notes):
            return f"a firing is confirmed by {delivery_id}, which carries another marker"
    return None


def _broken_bytes(world: World) -> str | None:
    for firing_id, repins, different, never_sent in world.raw.execute(_SHAS):
        if different > 1 + repins + never_sent:
            return f"firing {firing_id} sent other bytes although the earlier ones were not proved absent"
    return None


def broken_at_rest(world: World) -> str | None:
    """The rule that is broken although nothing is on its way any more."""
    found = states(world)
    for key in world.kg:
        state = found.get(key.purchase_order)
        if state is None:
            return f"{key.purchase_order} has no firing and was forgotten"
        if state not in RESTING:
            return f"the firing of {key.purchase_order} rests as {state}"
    return None


def made_and_not_confirmed(world: World) -> str | None:
    """A firing whose delivery the registry has, and that rests as anything but confirmed."""
    query = (
        "SELECT state, reason FROM firings WHERE state <> 'confirmed' AND marker IN (SELECT value FROM json_each(?))"
    )
    made = [token for one in world.registry.happened() for token in tokens(one.notes)]
    lost = world.raw.execute(query, (json.dumps(made),)).fetchall()
    return f"the registry has the delivery of a firing that rests as {lost[0]}" if lost else None


def never_found(world: World) -> str | None:
    """A firing whose delivery the registry has, and that the nightly comparison does not find. Changes the world."""
    worker = world.workers[0]
    worker.start_anew()
    Reconciler(database=worker.database, account=worker.parts.account, ledger=worker.parts.ledger).run(supplier=True)
    return made_and_not_confirmed(world)
