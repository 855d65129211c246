"""Making up what customers ask for: every kind of packaging, whole counts and fractional kilograms."""

from __future__ import annotations

import random
from typing import Any, Final

from connectors.simulated.barmate_rules import vessel_count
from connectors.simulated.barmate_words import BY_KG, JsonObject

MOST_ITEMS: Final = 3
MOST_COUNT: Final = 12
# Cents a unit: cheap enough for a lemon, dear enough for a good bottle.
PRICES: Final = (90, 12_000)
RETURN_SHARE: Final = 0.05
SCHEDULED_SHARE: Final = 0.6

_CLUBS: Final = ("Mein Club AG", "Zur Alten Post", "Bar Süd GmbH", "O'Malley's & Söhne")
_BOTTLE: Final = {"size": 7, "unit": "dl", "type": "BO"}
# What a product may be asked for in: the vessel, the bundle, and whether it is ordered by kilograms.
_KINDS: Final[tuple[dict[str, Any], ...]] = (
    {"name": "Gin", "vessel": _BOTTLE, "bundle": {"id": "001", "type": "CT", "size": 6}},
    {"name": "Tonic", "vessel": {"size": 200, "unit": "ml", "type": "BO"}, "bundle": {"type": "BX", "size": 24}},
    {"name": "Rum", "vessel": _BOTTLE, "bundle": None, "order_by": "vessel", "price_per": "vessel"},
    {"name": "Limetten", "vessel": None, "bundle": None, "order_by": BY_KG, "price_per": "kg"},
    {
        "name": "Mineralwasser",
        "vessel": {"size": 0.5, "unit": "l", "type": "BO"},
        "bundle": {"type": "PX", "size": 40, "pallet_bundle": {"type": "CT", "size": 12}},
    },
)


def made_up(chance: random.Random) -> JsonObject:
    """Return what one customer asks for, without id, status and moment."""
    club = chance.randrange(len(_CLUBS))
    asked: JsonObject = {
        "type": "RETURN" if chance.random() < RETURN_SHARE else "DELIVERY",
        "customer": {
            "id": str(12_345 + club),
            "company": _CLUBS[club],
            "address": _address(1),
            "contact": {"name": "Besitzer", "email": f"besitzer@club-{club}.example"},
        },
        "request": {
            "company": _CLUBS[club],
            "customer_id": str(12_345 + club),
            "cost_center": chance.choice((None, "Keller", "Dachbar")),
            "address": _address(42),
            "user": {"name": "Lagerist", "email": f"lagerist@club-{club}.example"},
            "scheduled": _scheduled(chance),
            "items": [_item(kind, chance) for kind in chance.sample(_KINDS, chance.randint(1, MOST_ITEMS))],
        },
    }
    if chance.random() < SCHEDULED_SHARE:
        asked["request"]["message"] = "Vielen Dank!"
    return asked


def _address(number: int) -> JsonObject:
    return {"address1": f"Beispielstrasse {number}", "zip": "8045", "city": "Zürich", "country": "CH"}


def _scheduled(chance: random.Random) -> JsonObject | None:
    if chance.random() >= SCHEDULED_SHARE:
        return None
    day = {"date": f"2026-05-{chance.randint(1, 28):02d}"}
    return chance.choice((day, {**day, "time": "12:30"}))


def _item(kind: dict[str, Any], chance: random.Random) -> JsonObject:
    count = chance.randint(1, MOST_COUNT)
    # Thousandths of a kilogram, as a scale shows them.
    amount = (count * 1000 + chance.randrange(1000)) / 1000 if kind.get("order_by") == BY_KG else count
    return {
        "id": str(1 + _KINDS.index(kind)),
        **kind,
        "count": amount,
        "vessel_count": vessel_count(amount, kind["bundle"]),
        "price": chance.randint(*PRICES),
    }
