"""The articles of the simulated supplier, and what one unit of each is worth in kilograms of removed carbon."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Article:
    """An article; ``kg_per_unit`` is None where nobody stated a factor."""

    id: int
    number: str
    unit: str
    kg_per_unit: Decimal | None


_ALL: Final = (
    Article(71_035_893, "A1000-BLUE", "ST", Decimal("0.125")),
    Article(71_035_894, "A1000-RED", "ST", Decimal("0.125")),
    Article(71_035_901, "B200-CASE", "KRT", Decimal("1.5")),
    Article(71_035_902, "B200-PALLET", "PAL", Decimal("4.875")),
    Article(71_035_910, "C31-FLAKES", "KG", Decimal("0.0375")),
    Article(71_035_911, "C32-GRANULATE", "KG", Decimal("0.333333")),
    Article(71_035_920, "D7-BOTTLE", "FL", Decimal("0.2")),
    Article(71_035_921, "D8-BOTTLE", "FL", Decimal("0.07")),
    Article(71_035_930, "E-TÜTE", "ST", Decimal("0.015")),
    Article(71_035_999, "Z-NOFACTOR", "ST", None),
)

ARTICLES: Final = {article.id: article for article in _ALL}
WITH_FACTOR: Final = tuple(article for article in _ALL if article.kg_per_unit is not None)
WITHOUT_FACTOR: Final = tuple(article for article in _ALL if article.kg_per_unit is None)
