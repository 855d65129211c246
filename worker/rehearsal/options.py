"""What a rehearsal is asked to do, and the pace at which it does it."""

import random
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from connectors.simulated import faults as twins_faults
from connectors.simulated.faults import UnknownFaultError
from worker.errors import UsageError

# Enough for every kind of order and link to occur, and done within half a minute on two cores.
DEFAULT_DELIVERIES = 300
DEFAULT_ORDERS = 60
DEFAULT_SEED = 1
# Fewer would not show that two workers keep out of each other's way.
DEFAULT_WORKERS = 2
# Changes a second that the story aims at: about half of what the embedded database takes on two cores.
_CHANGES_PER_SECOND = 220.0
# Changes of one delivery on its way through the statuses, detours and edits included.
_CHANGES_PER_DELIVERY = 5.0
# Below that a story is over before the first poll.
_SHORTEST_STORY_SECONDS = 8.0
# At the real pace: several polls, windows and pauses, and still over within the hour.
_REAL_STORY_SECONDS = 600.0
# Kills where every fault is wanted: before, while and after most orders are completed.
_MANY_KILLS = 3
# Of so many deliveries one was asked for at barmate, up to so many in all: enough for every course that a customer
# order takes, and few enough that open ones are read again and again beside everything else.
_DELIVERIES_PER_CUSTOMER_ORDER = 3
_MOST_CUSTOMER_ORDERS = 100
# Shares of the story's length: when orders are being delivered (the last ones after its end), and when about half are.
_DELIVERING = (0.5, 1.1)
_HALF_DELIVERED = (0.85, 1.05)
# Share of its part of the time in which a kill falls, so that two never meet.
_APART = 0.8


class Disturbance(StrEnum):
    """What a rehearsal does to the daemon itself."""

    KILL = "kill"  # SIGKILL of a process in the middle, then a restart
    LOSE_DATABASE = "lost-database"  # stopped, the database deleted, started anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A rehearsal. `faults`: a comma list of the twins' faults and of `Disturbance`, or `none`, or `all`.

    Without `database_url` it works on an SQLite file of its own; with `database_url` (PostgreSQL) and `redis_url`
    the daemon runs as several processes, `workers` of them working. Both must be empty.
    """

    seed: int = DEFAULT_SEED
    deliveries: int = DEFAULT_DELIVERIES
    orders: int = DEFAULT_ORDERS
    faults: str = "none"
    real_pace: bool = False
    database_url: str | None = None
    redis_url: str | None = None
    report: Path | None = None
    story_seconds: float | None = None
    keep: bool = False
    workers: int = DEFAULT_WORKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast time passes: the settings that differ between a rehearsal and real life. Seconds, and requests."""

    source_limit: float
    requests_per_second: float
    poll: float
    lag: float
    quiet: float
    settle: float
    timeout: float
    lease: float
    barmate_poll: float
    barmate_requests: float


# The twin's rows are visible within half a second, its late commits and stale lists within a second or two.
COMPRESSED = Pace(
    source_limit=0.0,
    requests_per_second=400.0,
    poll=0.2,
    lag=2.0,
    quiet=1.0,
    settle=3.0,
    timeout=2.0,
    lease=5.0,
    barmate_poll=3.0,
    barmate_requests=100.0,
)
# The defaults of the settings, and the limit that the vendor states.
REAL = Pace(
    source_limit=1.0,
    requests_per_second=1.0,
    poll=5.0,
    lag=60.0,
    quiet=600.0,
    settle=300.0,
    timeout=30.0,
    lease=30.0,
    barmate_poll=60.0,
    barmate_requests=1.0,
)


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """A disturbance `at` a share of the story; `pick` between 0 and 1 chooses the process."""

    at: float
    kind: Disturbance
    pick: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The options, thought through."""

    options: Options
    pace: Pace
    story_seconds: float
    twins_faults: tuple[str, ...]
    disturbances: tuple[Planned, ...]

    @property
    def resends(self) -> bool:
        """Whether an operator could allow resending: only where the registry refuses used batches (DESIGN §6.7)."""
        return "registry-used-batches-accepted" not in self.twins_faults

    @property
    def has_faults(self) -> bool:
        """Whether anything goes wrong, at the simulators or with the daemon."""
        return bool(self.twins_faults or self.disturbances)

    @property
    def customer_orders(self) -> int:
        """How many are placed at barmate, at most."""
        return min(_MOST_CUSTOMER_ORDERS, 1 + self.options.deliveries // _DELIVERIES_PER_CUSTOMER_ORDER)

    @property
    def limit_seconds(self) -> float:
        """When to give up waiting after the beginning: many times what a working daemon needs."""
        waits = 4 * (self.pace.lag + self.pace.quiet + self.pace.settle) + 60.0 * (1 + len(self.disturbances))
        work = 0.15 * self.options.deliveries * (4 if self.twins_faults else 1)
        return 2 * self.story_seconds + waits + work


def plan(options: Options) -> Plan:
    """Think the options through; equal options give equal plans. Raises UsageError naming the option and the remedy."""
    _check(options)
    names = [name.strip() for name in options.faults.split(",") if name.strip()]
    own = {kind.value for kind in Disturbance}
    wanted = set(own) if names == [twins_faults.ALL] else own & set(names)
    chance = random.Random(f"disturbances {options.seed}")  # noqa: S311 - repeatable, not secret
    return Plan(
        options=options,
        pace=REAL if options.real_pace else COMPRESSED,
        story_seconds=_story_seconds(options),
        twins_faults=_twins_faults(",".join(name for name in names if name not in own)),
        disturbances=tuple(sorted(_disturbances(wanted, chance, many=names == [twins_faults.ALL]))),
    )


def _check(options: Options) -> None:
    for name, value in (("--deliveries", options.deliveries), ("--orders", options.orders)):
        if value < 1:
            sentence = f"{name} is {value}; give 1 or more."
            raise UsageError(sentence)
    if options.workers < 1:
        sentence = f"{options.workers} workers do nothing; give 1 or more."
        raise UsageError(sentence)
    if options.redis_url is not None and not (options.database_url or "").startswith("postgresql"):
        sentence = "--redis-url needs --database-url with PostgreSQL; leave it out to rehearse on SQLite."
        raise UsageError(sentence)


def _story_seconds(options: Options) -> float:
    if options.story_seconds is not None:
        return options.story_seconds
    if options.real_pace:
        return _REAL_STORY_SECONDS
    return max(_SHORTEST_STORY_SECONDS, options.deliveries * _CHANGES_PER_DELIVERY / _CHANGES_PER_SECOND)


def _twins_faults(text: str) -> tuple[str, ...]:
    try:
        return tuple(fault.name for fault in twins_faults.chosen(text))
    except UnknownFaultError as error:
        own = ", ".join(Disturbance)
        known = ", ".join(twins_faults.CATALOGUE)
        sentence = f"--faults: {str(error).partition(';')[0]}; give none, all, or some of {own}, {known}."
        raise UsageError(sentence) from error


def _disturbances(wanted: set[str], chance: random.Random, *, many: bool) -> list[Planned]:
    """Moments while orders complete and are delivered; several are spread over that time."""
    found = []
    if Disturbance.KILL in wanted:
        kills = _MANY_KILLS if many else 1
        first, last = _DELIVERING
        width = (last - first) / kills
        moments = [first + index * width + chance.uniform(0, _APART * width) for index in range(kills)]
        found += [Planned(moment, Disturbance.KILL, chance.random()) for moment in moments]
    if Disturbance.LOSE_DATABASE in wanted:
        found.append(Planned(chance.uniform(*_HALF_DELIVERED), Disturbance.LOSE_DATABASE, chance.random()))
    return found
