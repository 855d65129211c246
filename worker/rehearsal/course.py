"""The course of a rehearsal: the story runs and the daemon is disturbed, until all is settled or the time is up."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from worker.clock import Clock
from worker.db import Database
from worker.rehearsal import facts as reading
from worker.rehearsal.audit_gates import blocked
from worker.rehearsal.facts import Facts, Order, Watched
from worker.rehearsal.fleet import Fleet
from worker.rehearsal.options import Disturbance, Plan, Planned
from worker.rehearsal.processes import ProcessFailed
from worker.rehearsal.scene import Scene
from worker.rehearsal.settling import Goal, has_read_all, signature, still_open
from worker.rehearsal.store import lose
from worker.rehearsal.twins import Progress, Twins

# Seconds between two looks.
_LOOK_SECONDS = 0.5
# Seconds between two times that waits are cut short, once all was read.
_HURRY_SECONDS = 4.0
# Seconds without any change, once all was read, after which nothing more comes: longer than a task stays with a worker
# that was killed (worker.tasks.RESEND_SECONDS).
_STALL_SECONDS = 45.0

# Seconds after which the story begins even if the source was not read: the audit will tell why.
_FIRST_POLL_SECONDS = 60.0

# Seconds that a busy machine may make the story late; more means that the simulators no longer tell it.
_STORY_OVERDUE_SECONDS = 60.0

Say = Callable[[Progress, Facts], None]


@dataclass(slots=True)
class State:
    """What the course has come to so far. Seconds are those of the clock's `monotonic`."""

    began: float
    moved: float
    hurried: float
    goal: Goal | None = None
    seen: tuple[object, ...] = ()
    disturbed: list[str] = field(default_factory=list)
    left: list[Planned] = field(default_factory=list)


class Watch:
    """Looks again and again, and acts when it is time."""

    def __init__(
        self, *, plan: Plan, scene: Scene, twins: Twins, fleet: Fleet, database: Database, clock: Clock, say: Say
    ) -> None:
        self._plan = plan
        self._scene = scene
        self._twins = twins
        self._fleet = fleet
        self._database = database
        self._clock = clock
        self._say = say
        self._watched = Watched(account=scene.account, barmate=scene.barmate)
        now = clock.monotonic()
        self.state = State(began=now, moved=now, hurried=now, left=list(plan.disturbances))

    def until_polled(self) -> None:
        """Wait until the daemon has read the source once, so that the story does not begin without it."""
        while not reading.has_polled(self._database, self._scene.account):
            self._fleet.check()
            if self._clock.monotonic() - self.state.began > _FIRST_POLL_SECONDS:
                return
            self._clock.sleep(_LOOK_SECONDS)

    def until_settled(self) -> list[str]:
        """Watch until nothing is open; returns what still is when nothing moves any more or the time is up.

        Raises ProcessFailed when the daemon ends by itself.
        """
        while True:
            self._fleet.check()
            progress = self._twins.progress()
            self._require_in_time(progress)
            self._disturb(progress)
            self._note_the_end(progress)
            ended_at = None if self.state.goal is None else self.state.goal.customers_ended
            facts = reading.look(self._database, self._watched, ended_at)
            self._say(progress, facts)
            left = still_open(progress, facts, self.state.goal)
            if not left or self._is_over(facts):
                return left
            self._clock.sleep(_LOOK_SECONDS)

    def until_settled_again(self) -> list[str]:
        """As before, after something was changed just now, with all the time that there was."""
        now = self._clock.monotonic()
        self.state.began = self.state.moved = now
        if self.state.goal is not None:
            self.state.goal = replace(self.state.goal, story_ended=self._clock.now().timestamp())
        return self.until_settled()

    def _require_in_time(self, progress: Progress) -> None:
        overdue = progress.elapsed - self._plan.story_seconds
        if not progress.done and overdue > _STORY_OVERDUE_SECONDS:
            sentence = f"The story should have ended {overdue:.0f} s ago: {self._twins.last_words()}"
            raise ProcessFailed(sentence)

    def _note_the_end(self, progress: Progress) -> None:
        if progress.done and not self.state.left and self.state.goal is None:
            now = self._clock.now().timestamp()
            self.state.goal = Goal(story_ended=now, customers_ended=now, to_deliver=self._to_deliver())

    def _to_deliver(self) -> frozenset[Order]:
        """What the story expects and no customer order forbids."""
        story, twins = self._twins.story(), self._twins
        expected = frozenset(
            (order["customer_id"], order["purchase_order"]) for order in story["expected"] if order["should_deliver"]
        )
        return expected - blocked(twins.truth("warehouse"), twins.truth("barmate")).keys()

    def _is_over(self, facts: Facts) -> bool:
        """Whether waiting longer is of no use; cuts waits short on the way there."""
        now, state = self._clock.monotonic(), self.state
        found = signature(facts)
        if found != state.seen:
            state.seen, state.moved = found, now
        if not self._plan.options.real_pace and has_read_all(facts, state.goal):
            self._hurry(now)
            if now - state.moved > _STALL_SECONDS:
                return True
        return now - state.began > self._plan.limit_seconds

    def _hurry(self, now: float) -> None:
        if now - self.state.hurried > _HURRY_SECONDS:
            reading.hurry(self._database)
            self.state.hurried = now

    def _disturb(self, progress: Progress) -> None:
        while self.state.left and progress.elapsed >= self.state.left[0].at * self._plan.story_seconds:
            planned = self.state.left.pop(0)
            where = f"at {progress.elapsed:.1f} s"
            if planned.kind is Disturbance.KILL:
                self.state.disturbed.append(f"SIGKILL of {self._fleet.kill_one(planned.pick)} {where}")
            else:
                self._lose_database()
                self.state.disturbed.append(f"database deleted {where}")

    def _lose_database(self) -> None:
        """Stop, delete, and do what an operator does then: import the links again and start."""
        self._fleet.stop()
        lose(self._database)
        self._fleet.import_links()
        self._fleet.start()
