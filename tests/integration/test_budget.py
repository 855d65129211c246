"""The request budget: numbered turns in lanes, never faster than the limit, one for all."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
import sqlalchemy as sa

from connectors.errors import NotConnected
from connectors.policy import Observation
from connectors.simulated.rate import SlidingLimit
from tests.virtual_time import VirtualTime
from worker.budget import MARGIN, THROTTLED_SECONDS, Budget, Lane, LaneTurns, pace_of
from worker.clock import SystemClock
from worker.db import Database
from worker.runtime.stopping import Stopped

# Seconds that a request takes in these tests.
_REQUEST = 0.3
NAME = "key"


@dataclass(slots=True)
class World:
    """A server with a limit, and whoever asks it: each process has a budget of its own over one database."""

    database: Database
    time: VirtualTime
    rate: float = 1.0
    # The part of that rate which the server allows.
    allowed: float = 1.0
    limit: SlidingLimit = field(default_factory=SlidingLimit)
    # Who asked when, in the order of asking, with the number of the turn.
    asked: list[tuple[str, float, int]] = field(default_factory=list)
    # What the server answers: a status, or None for no answer at all.
    answers: Callable[[], int | None] = lambda: 200
    seeds: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    def process(self) -> Budget:
        """The budget as one more process has it."""
        return Budget(
            self.database,
            name=NAME,
            requests_per_second=self.rate,
            sleep=self.time.sleep,
            clock=self.time,
            random=Random(next(self.seeds)),  # noqa: S311
            system="the warehouse",
        )

    def request(self, who: str, turns: LaneTurns) -> int | None:
        """Take a turn, ask, and tell the budget what came of it, as the client does."""
        turn = turns.take()
        at = self.time.monotonic()
        self.asked.append((who, at, turn))
        refused = self.limit.admit(NAME, at, self.rate * self.allowed)
        status = self.answers()
        self.time.sleep(_REQUEST)
        status = 429 if refused else status
        if status == 429:
            turns.throttled(None)
        turns.observed(_observation(status))
        return status

    def goes_on(self, who: str, turns: LaneTurns, *, until: float, pause: float = 0.0) -> Callable[[], None]:
        """Somebody who asks again and again, until so many seconds have passed."""
        end = self.time.monotonic() + until

        def ask() -> None:
            while self.time.monotonic() < end:
                self.request(who, turns)
                self.time.sleep(pause)

        return ask

    def times(self, who: str) -> list[float]:
        """When somebody asked."""
        return [at for name, at, _ in self.asked if name == who]


def _observation(status: int | None) -> Observation:
    return Observation(
        system="s",
        operation="o",
        method="GET",
        status=status,
        seconds=_REQUEST,
        bytes=0,
        turn=0,
        error=None if status is not None else "Interrupted",
    )


@pytest.fixture
def world(sqlite_database: Database) -> Iterator[World]:
    """A world in which time is virtual."""
    time = VirtualTime()
    database = Database(sqlite_database.url.render_as_string(), time)
    # Nothing here asks what a power failure leaves.
    sa.event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    yield World(database=database, time=time)
    database.close()


def _gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(times)]


def _processes(world: World, *, shared: bool) -> Callable[[], Budget]:
    """One budget for all callers, or a process for each."""
    one = world.process()
    return world.process if shared else lambda: one


several = pytest.mark.parametrize("shared", [False, True], ids=["one process", "several processes"])


def test_turns_are_numbered_and_spaced(world: World) -> None:
    """The first turn is free, each further one comes a little over a second later; none of it is answered 429."""
    turns = world.process().lane(Lane.POLL)
    world.time.run(lambda: [world.request("a", turns) for _ in range(300)])
    took = world.asked[-1][1] - world.asked[0][1]

    assert [turn for _, _, turn in world.asked] == list(range(1, 301))
    assert world.limit.refused == 0
    assert took <= 299 * 1.1
    assert min(_gaps(world.times("a"))) >= MARGIN - 1e-6


def test_two_processes_never_get_the_same_turn(database: Database) -> None:
    """On either database, in blocks or one by one: the number of a turn orders observations, whoever made them."""
    budgets = [
        Budget(
            database,
            name=NAME,
            requests_per_second=rate,
            sleep=SystemClock().sleep,
            clock=SystemClock(),
            random=Random(seed),  # noqa: S311
        )
        for seed, rate in enumerate((200.0, 1e5, 1e5))
    ]
    taken: list[int] = []
    threads = [
        threading.Thread(target=lambda b=budget: taken.extend([b.take() for _ in range(15)]))
        for budget in budgets
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(taken)) == len(taken) == 90


def test_numbers_go_on_above_those_of_every_key_that_a_system_had(database: Database) -> None:
    """A key is changed, and perhaps changed back: what was seen with one is overwritten by what is seen later."""

    def turn(key: str, system: str = "the warehouse") -> int:
        budget = Budget(
            database,
            name=f"{system} {key}",
            requests_per_second=1e5,
            sleep=SystemClock().sleep,
            clock=SystemClock(),
            random=Random(1),  # noqa: S311
            system=system,
        )
        return budget.take()

    turns = [turn(key) for key in ("old", "old", "new", "old", "new", "third")]

    assert turns == sorted(set(turns))
    assert turn("old", "another_system") == 1


def test_what_is_left_of_a_block_is_not_used_later(world: World) -> None:
    """A number from an hour ago would be lower than that of what others have asked since."""
    world.rate = 100.0
    one, other = world.process(), world.process()
    turns: list[int] = []

    def life() -> None:
        for budget in (one, one, other, one):
            turns.append(budget.take())
            world.time.sleep(1.5 if len(turns) > 1 else 0.0)

    world.time.run(life)

    assert turns[1] == turns[0] + 1
    assert turns == sorted(turns)


def test_a_429_ends_the_block_that_was_taken_at_the_old_pace(world: World) -> None:
    """However short the wait that the server wishes for: the turns behind it come slower."""
    world.rate = 100.0
    budget = world.process()
    times: list[float] = []

    def life() -> None:
        budget.take()
        budget.throttled(0.05)
        for _ in range(5):
            budget.take()
            times.append(world.time.monotonic())

    world.time.run(life)

    assert min(_gaps(times)) >= 1.2 * MARGIN / world.rate


def test_a_poll_goes_before_another_process_s_backfill(database: Database) -> None:
    """On either database, by its real clock: few turns are given between a poll's coming and its own."""
    polling, filling = [
        Budget(
            database,
            name=NAME,
            requests_per_second=3.9,
            sleep=SystemClock().sleep,
            clock=SystemClock(),
            random=Random(seed),  # noqa: S311
        )
        for seed in range(2)
    ]
    given: list[int] = []
    done = threading.Event()

    def fill() -> None:
        while not done.is_set():
            given.append(filling.take(Lane.BACKGROUND))

    threads = [threading.Thread(target=fill) for _ in range(3)]
    for thread in threads:
        thread.start()
    waited: list[int] = []
    for _ in range(4):
        before = max(given, default=0)
        waited.append(polling.take(Lane.POLL) - before)
    done.set()
    for thread in threads:
        thread.join()

    assert max(waited) <= 4
    assert len(set(given)) == len(given)


@several
def test_the_order_of_turns_is_the_order_of_requests(world: World, *, shared: bool) -> None:
    """Whoever asks in whichever lane: a later request has a higher number."""
    process = _processes(world, shared=shared)
    lanes = (Lane.POLL, Lane.FIRING, Lane.BACKGROUND, Lane.BACKGROUND)
    world.time.run(
        *(
            world.goes_on(f"{place}", process().lane(lane), until=120, pause=place * 0.7)
            for place, lane in enumerate(lanes)
        )
    )
    turns = [turn for _, _, turn in world.asked]

    assert turns == sorted(set(turns))
    assert world.limit.refused == 0
    assert len(turns) >= 120 / 1.1


@several
def test_readings_for_firing_get_every_second_turn(world: World, *, shared: bool) -> None:
    """While any wait, whoever else does; polls go before backfill."""
    process = _processes(world, shared=shared)
    firing = process()
    world.time.run(
        world.goes_on("poll", process().lane(Lane.POLL), until=100),
        world.goes_on("firing", firing.lane(Lane.FIRING), until=100),
        world.goes_on("firing", firing.lane(Lane.FIRING), until=100),
        world.goes_on("backfill", process().lane(Lane.BACKGROUND), until=100),
    )
    counts = Counter(who for who, at, _ in world.asked if 10 < at - 1000 < 100)

    assert abs(counts["firing"] - counts["poll"]) <= 4
    assert counts["firing"] >= 40
    assert counts["backfill"] <= 4


@several
def test_readings_before_sending_have_every_turn(world: World, *, shared: bool) -> None:
    """Eight of them are over within the ten seconds that they may be old, whoever else waits; then the others go on."""
    process = _processes(world, shared=shared)
    sending = process().lane(Lane.SENDING)
    took: list[float] = []

    def send() -> None:
        world.time.sleep(20.4)
        began = world.time.monotonic()
        for _ in range(8):
            world.request("sending", sending)
        took.append(world.time.monotonic() - began)

    world.time.run(
        send,
        world.goes_on("poll", process().lane(Lane.POLL), until=60),
        world.goes_on("firing", process().lane(Lane.FIRING), until=60),
        world.goes_on("backfill", process().lane(Lane.BACKGROUND), until=60),
    )
    after = [who for who, at, _ in world.asked if world.times("sending")[-1] < at < 1055]

    assert took[0] <= 8.5 + 0.3
    assert {"poll", "firing"} <= set(after[:4])


@several
def test_a_poll_waits_two_turns_at_most_while_a_backfill_of_hours_runs(world: World, *, shared: bool) -> None:
    """And the backfill has all the turns that polls leave."""
    process = _processes(world, shared=shared)
    polls = process().lane(Lane.POLL)
    waited: list[float] = []

    def poll() -> None:
        for _ in range(60):
            world.time.sleep(4.37)
            began = world.time.monotonic()
            world.request("poll", polls)
            waited.append(world.times("poll")[-1] - began)

    backfill = process().lane(Lane.BACKGROUND)
    world.time.run(poll, world.goes_on("backfill", backfill, until=300), world.goes_on("sweep", backfill, until=300))
    turns = len(world.asked)

    assert max(waited) <= 2 * MARGIN
    assert turns >= 300 / 1.1
    assert world.limit.refused == 0


@several
def test_backfills_at_once_share_fairly(world: World, *, shared: bool) -> None:
    """They take turns about, however long each waits between two requests."""
    process = _processes(world, shared=shared)
    world.time.run(
        *(world.goes_on(name, process().lane(Lane.BACKGROUND), until=120) for name in ("one", "two", "three"))
    )
    counts = Counter(who for who, _, _ in world.asked)

    assert max(counts.values()) - min(counts.values()) <= 3
    assert sum(counts.values()) >= 120 / 1.1


def test_a_waiting_process_that_dies_blocks_nobody_for_long(world: World) -> None:
    """It is forgotten within seconds."""
    dying, living = world.process(), world.process()
    sleep = world.time.sleep

    def die() -> None:
        def killed(_seconds: float) -> None:
            raise Stopped

        sleep(20)
        dying._sleep = killed  # noqa: SLF001 - a process that is killed while it waits for its turn
        with pytest.raises(Stopped):
            dying.take(Lane.POLL)

    world.time.run(die, world.goes_on("backfill", living.lane(Lane.BACKGROUND), until=60))

    assert max(_gaps(world.times("backfill"))) < 10
    assert len(world.times("backfill")) > 50


def test_a_429_slows_everybody_and_the_pace_comes_back(world: World) -> None:
    """Each makes turns a quarter slower, to a quarter of the pace at most; every quiet minute takes a step back."""
    first, other = world.process(), world.process()

    def life() -> None:
        world.request("a", first.lane(Lane.POLL))
        for _ in range(12):
            first.throttled(7.0)
            world.time.sleep(10)
        world.time.sleep(-world.time.monotonic() % 1)
        for _ in range(5):
            world.request("slow", other.lane(Lane.POLL))
        world.time.sleep(600)
        for _ in range(5):
            world.request("again", other.lane(Lane.POLL))

    world.time.run(life)

    assert min(_gaps(world.times("slow"))) >= 4 * MARGIN - 0.01
    assert max(_gaps(world.times("again"))) < 1.2 * MARGIN


def test_the_pace_in_force_can_be_read(world: World) -> None:
    """By anybody: it is in the database."""
    budget = world.process()
    world.time.run(lambda: world.request("a", budget.lane(Lane.POLL)))
    budget.throttled(None)
    budget.take()
    with world.database.read() as connection:
        pace = pace_of(connection, NAME, world.time.now())
        unknown = pace_of(connection, "nobody", world.time.now())

    assert pace is not None
    assert (round(pace.requests_per_second, 3), pace.slowed) == (0.8, 1.25)
    assert unknown is None
    assert budget.turn_seconds == MARGIN * 1.25


def test_a_wish_of_the_server_is_honoured_by_everybody(world: World) -> None:
    """Without one, our own guess is a little more than the documented second, and never the same."""
    first, other = world.process(), world.process()
    guesses: list[float] = []

    def life() -> None:
        world.request("a", first.lane(Lane.POLL))
        first.throttled(30.0)
        told = world.time.monotonic()
        world.request("b", other.lane(Lane.FIRING))
        guesses.append(world.times("b")[-1] - told)
        for _ in range(3):
            other.throttled(None)
            told = world.time.monotonic()
            world.request("c", first.lane(Lane.POLL))
            guesses.append(world.times("c")[-1] - told)

    world.time.run(life)

    assert guesses[0] >= 30.0
    assert all(THROTTLED_SECONDS <= guess <= 4 * THROTTLED_SECONDS for guess in guesses[1:])
    assert len(set(guesses)) == 4


def test_a_server_that_allows_less_than_the_settings_say_is_learnt(world: World) -> None:
    """Half of what is set: the pace goes down and stays near, so that few are refused."""
    world.allowed = 0.5
    turns = world.process().lane(Lane.BACKGROUND)
    world.time.run(world.goes_on("a", turns, until=600))
    answered = len(world.asked) - world.limit.refused

    assert world.limit.refused <= 0.1 * len(world.asked)
    assert answered >= 0.75 * 300


@several
def test_in_an_outage_one_asks_and_afterwards_nobody_stampedes(world: World, *, shared: bool) -> None:
    """After a few failures in a row the others wait for one; when it is answered all go on, turn by turn."""
    process = _processes(world, shared=shared)
    down = [True]
    out, most = [0], [0]

    def answer() -> int | None:
        return None if down[0] else 200

    world.answers = answer

    def caller(turns: LaneTurns, name: str) -> Callable[[], None]:
        def ask() -> None:
            for _ in range(200):
                if world.time.monotonic() > 1320:
                    return
                try:
                    world.request(name, turns)
                except NotConnected:
                    # As a task that comes again.
                    world.time.sleep(5)

        return ask

    def heal() -> None:
        world.time.sleep(200)
        most[0], out[0] = len(world.asked), 0
        down[0] = False

    lanes = [Lane.POLL, Lane.FIRING, Lane.BACKGROUND, Lane.BACKGROUND]
    world.time.run(heal, *(caller(process().lane(lane), f"{place}") for place, lane in enumerate(lanes)))
    times = [at for _, at, _ in world.asked]
    after = [at for at in times if at > 1200]

    assert most[0] < 40
    assert after[0] - 1200 < 50
    assert min(_gaps(times)) >= MARGIN - 1e-6
    assert len(after) >= (1320 - after[0]) / 1.1
    assert world.limit.refused == 0


@pytest.mark.parametrize("lane", [Lane.FIRING, Lane.SENDING])
def test_in_an_outage_orders_hold_no_threads(world: World, lane: Lane) -> None:
    """Their tasks come again; polls wait, and who finds out is let through."""
    world.answers = lambda: None
    budget = world.process()
    waited: list[float] = []

    def life() -> None:
        for _ in range(6):
            world.request("a", budget.lane(Lane.POLL))
        began = world.time.monotonic()
        with pytest.raises(NotConnected, match="warehouse"):
            budget.take(lane)
        waited.append(world.time.monotonic() - began)
        world.time.sleep(60)
        budget.take(lane)

    world.time.run(life)

    assert waited[0] <= 2.0


def test_one_who_asks_in_an_outage_and_dies_is_not_waited_for(world: World) -> None:
    """Longer than a client waits for a silent server, nobody is."""
    world.answers = lambda: None
    budget, other = world.process(), world.process()

    def life() -> None:
        for _ in range(4):
            world.request("a", budget.lane(Lane.POLL))
        budget.take()
        began = world.time.monotonic()
        other.take()
        waited.append(world.time.monotonic() - began)

    waited: list[float] = []
    world.time.run(life)

    assert 30 < waited[0] < 40


@pytest.mark.parametrize("seconds", [-3600.0, -365 * 86400.0, 3600.0])
def test_a_clock_that_jumps_stops_nobody(world: World, seconds: float) -> None:
    """Turns go on at their pace, and what a server wished for is kept, at most twice over."""
    budget = world.process()

    def life() -> None:
        turns = budget.lane(Lane.POLL)
        for _ in range(3):
            world.request("a", turns)
        world.time.step(seconds)
        for _ in range(3):
            world.request("a", turns)
        other = world.process().lane(Lane.POLL)
        turns.throttled(20.0)
        world.time.step(seconds)
        world.request("b", turns)
        for _ in range(2):
            world.request("c", other)

    world.time.run(life)
    waited = world.times("b")[0] - world.times("a")[-1]

    assert max(_gaps(world.times("a"))) < 2.1 * MARGIN
    assert 20 <= waited < 43
    assert world.times("c")[-1] - world.times("b")[0] < 6
    assert world.limit.refused == 0


@pytest.mark.parametrize(("rate", "commits", "statements"), [(1.0, 1.0, 2.0), (1000.0, 0.05, 0.1)])
def test_a_turn_is_one_commit_at_most(world: World, rate: float, commits: float, statements: float) -> None:
    """Two statements where nobody else is about; where many a second are allowed, numbers come in blocks."""
    world.rate = rate
    turns = world.process()
    counts: Counter[str] = Counter()
    turns.take()
    sa.event.listen(world.database.engine, "commit", lambda _connection: counts.update(["commit"]))
    sa.event.listen(
        world.database.engine, "before_cursor_execute", lambda *told: counts.update([str(told[2]).split()[0]])
    )
    world.time.run(lambda: [turns.take() for _ in range(200)])
    spent = counts["SELECT"] + counts["UPDATE"] + counts["INSERT"] + counts["DELETE"]

    assert counts["commit"] <= commits * 200
    assert spent <= statements * 200
