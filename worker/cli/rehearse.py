"""`waybill rehearse`: the whole daemon against the bundled simulators."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from worker import rehearsal
from worker.rehearsal.options import (
    DEFAULT_DELIVERIES,
    DEFAULT_ORDERS,
    DEFAULT_SEED,
    DEFAULT_WORKERS,
    Options,
)

Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Equal seeds tell equal stories.")]
Deliveries = Annotated[int, typer.Option("--deliveries", metavar="N", help="Deliveries in the story.")]
Orders = Annotated[int, typer.Option("--orders", metavar="N", help="Orders in the story.")]
Faults = Annotated[str, typer.Option("--faults", metavar="LIST", help="none, all, or names separated by commas.")]
RealPace = Annotated[bool, typer.Option("--real-pace", help="Do not compress time.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", metavar="URL", help="An empty PostgreSQL database.")]
RedisUrl = Annotated[str | None, typer.Option("--redis-url", metavar="URL", help="An empty Redis.")]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the report as JSON.")]
StorySeconds = Annotated[
    float | None, typer.Option("--story-seconds", min=1, metavar="S", help="How long the story is told.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the scratch directory with all logs.")]
Workers = Annotated[int, typer.Option("--workers", metavar="N", help="Worker processes, with PostgreSQL and Redis.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(rehearse)


def rehearse(
    *,
    seed: Seed = DEFAULT_SEED,
    deliveries: Deliveries = DEFAULT_DELIVERIES,
    orders: Orders = DEFAULT_ORDERS,
    faults: Faults = "none",
    real_pace: RealPace = False,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    report: Report = None,
    story_seconds: StorySeconds = None,
    keep: Keep = False,
    workers: Workers = DEFAULT_WORKERS,
) -> None:
    """Run the whole daemon against the bundled simulators and check both ledgers at the end.

    Needs no settings and touches nothing of yours. Exit 0 only if nothing was missed, doubled or forgotten.
    """
    options = Options(
        seed=seed,
        deliveries=deliveries,
        orders=orders,
        faults=faults,
        real_pace=real_pace,
        database_url=database_url,
        redis_url=redis_url,
        report=report,
        story_seconds=story_seconds,
        keep=keep,
        workers=workers,
    )
    raise typer.Exit(rehearsal.run(options, sys.stdout))
