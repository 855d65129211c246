"""Telling a story: one seed decides every delivery, every step, every credit order and every expectation."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from connectors.simulated.articles import WITH_FACTOR
from connectors.simulated.story_credits import CreditMaker
from connectors.simulated.story_orders import OrderMaker
from connectors.simulated.story_steps import StepMaker
from connectors.simulated.story_words import FactorRow, Step, Story, StoryPlan


def tell(plan: StoryPlan) -> Story:
    """Return the story of ``plan``; equal plans give equal stories."""
    chance = random.Random(f"story {plan.seed}")  # noqa: S311 - repeatable, not secret
    maker = OrderMaker(plan, chance)
    orders, loose, planted = maker.orders(), maker.loose(), maker.planted()
    steps = StepMaker(plan.seconds, chance)
    schedule = [step for order in orders for step in steps.of_order(order)]
    schedule += steps.of_loose(loose) + steps.of_planted(delivery for delivery, _why in planted)
    schedule = without_the_gone(schedule, steps.vanishing(loose[: plan.deletions]))
    credit = CreditMaker(orders, chance)
    return Story(
        plan=plan,
        steps=tuple(sorted(schedule, key=lambda step: step.offset)),
        registry=credit.content(),
        links=credit.links(),
        factors=factors(),
        expected=credit.expected(),
        planted=tuple(why for _delivery, why in planted),
    )


def without_the_gone(schedule: Sequence[Step], vanishing: Sequence[Step]) -> list[Step]:
    """Return both, without what would happen to a delivery after it vanished."""
    gone = {step.key: step.offset for step in vanishing}
    return [*(step for step in schedule if step.offset < gone.get(step.key, math.inf)), *vanishing]


def factors() -> tuple[FactorRow, ...]:
    """Return the factors an operator would write down."""
    return tuple(
        FactorRow(article_number=article.number, unit=article.unit, kg_per_unit=str(article.kg_per_unit))
        for article in WITH_FACTOR
    )


def as_json(story: Story) -> dict[str, Any]:
    """Return what an operator writes down and what an auditor should find; the schedule stays untold."""
    return {
        "plan": asdict(story.plan),
        "steps": len(story.steps),
        "links": [asdict(row) for row in story.links],
        "factors": [asdict(row) for row in story.factors],
        "expected": [asdict(row) for row in story.expected],
        "planted": [asdict(row) for row in story.planted],
        "supplier_id": story.registry.supplier.id,
        "organisation_id": story.registry.supplier.organisation.id,
    }
