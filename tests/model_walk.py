"""The walk: every choice of who goes on, what befalls a request, who dies, and how time passes, within a budget.

Depth first, with the digest of every state remembered: a state that was seen is not walked again, but its paths count.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.firing_kit import SETTLE, TIMEOUT
from tests.model_digest import Digest, micros, whole
from tests.model_registry import Reads, Trouble
from tests.model_rules import RESTING, broken_always, broken_at_rest, made_and_not_confirmed, states
from tests.model_world import ARRIVING, Saved, Worker, World
from worker.events import OrderKey
from worker.firing.lock import LEASE_SECONDS
from worker.firing.person import Decision
from worker.runtime.rescan import AGAIN_SECONDS

# How long a suspended worker sleeps, in seconds: past the deadline, past the account's lease.
SLEEPS = (TIMEOUT + 1, LEASE_SECONDS + 1)
# Steps in which a worker works.
_WORK = frozenset({"look", "early", "other", "go"})
# Past everything: whatever was concluded meanwhile was concluded too early.
TOO_LONG = SETTLE * 3


class Step(NamedTuple):
    """One choice: who does what, at which order, met by what."""

    kind: str
    worker: int = 0
    key: OrderKey | None = None
    reads: Reads = Reads.GOOD
    trouble: Trouble = Trouble.NONE
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How often each thing may still happen on one path."""

    # Requests that meet trouble.
    troubles: int = 0
    # Workers that are killed.
    crashes: int = 0
    # Looks whose reads go wrong.
    reads: int = 0
    # Looks of a second worker while another stands still.
    others: int = 0
    # Times that a worker stands still for long.
    sleeps: int = 0
    # Looks although it is not time: a message that came twice.
    early: int = 0
    # Copies that are taken of the database.
    copies: int = 0
    # Changes to the other database: the copy, or the empty one of a second installation.
    swaps: int = 0
    # Decisions of a person that nothing took effect.
    decisions: int = 0

    def after(self, step: Step) -> "Budget":
        """What is left after that step."""
        name = _COSTS.get(step.kind)
        if step.trouble is not Trouble.NONE:
            name = "troubles"
        if step.reads is not Reads.GOOD:
            name = "reads"
        return self if name is None else replace(self, **{name: getattr(self, name) - 1})


_COSTS = {
    "kill": "crashes",
    "sleep": "sleeps",
    "other": "others",
    "early": "early",
    "copy": "copies",
    "swap": "swaps",
    "decide": "decisions",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A worker at a point: where, with all it has seen and was told so far, and since when."""

    seen: str
    since: float


@dataclass(slots=True)
class Node:
    """A state of the model, and how to get there: a saved world without anybody at work, and the steps from it."""

    base: Saved
    trace: tuple[Step, ...]
    budget: Budget
    standing: dict[int, Standing]
    digest: Digest
    story: tuple[Step, ...]
    other: str
    resting: bool


@dataclass(slots=True)
class Found:
    """What the walk came across."""

    states: int = 0
    steps: int = 0
    paths: int = 0
    ends: set[str] = field(default_factory=set)
    deepest: int = 0

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.states} states, {self.steps} steps, {self.paths} paths, deepest {self.deepest}"


class Broken(AssertionError):
    """A rule is broken; the story says how to get there."""


class Walk:
    """Walks one world within a budget."""

    def __init__(
        self,
        world: World,
        budget: Budget,
        *,
        troubles: tuple[Trouble, ...] = tuple(Trouble),
        doubles: bool = False,
        sleeps: tuple[float, ...] = SLEEPS,
        at_end: Callable[[World], str | None] = made_and_not_confirmed,
        most: int | None = None,
    ) -> None:
        self.world = world
        self.found = Found()
        self._budget = budget
        self._troubles = [one for one in troubles if one is not Trouble.NONE]
        self._doubles = doubles
        self._sleeps = sleeps
        self._at_end = at_end
        self._most = most
        self._paths: dict[Digest, int] = {}
        self._open: dict[Digest, bool] = {}
        self._live: Digest | None = None

    def run(self) -> Found:
        """Walk everything. Raises Broken at the first rule that does not hold."""
        root = self._node(base=self.world.save(), trace=(), budget=self._budget, standing={}, story=(), other="")
        self.found.paths = self._walk(root)
        self.found.states = len(self._paths)
        return self.found

    def _walk(self, root: Node) -> int:
        stack: list[tuple[Node, Iterator[Step], list[int]]] = []
        self._enter(root, stack)
        while stack:
            node, steps, paths = stack[-1]
            step = next(steps, None)
            if step is None:
                stack.pop()
                del self._open[node.digest]
                self._leave(node, paths)
                if stack:
                    stack[-1][2].append(self._paths[node.digest])
                continue
            child = self._take(node, step)
            if child.digest in self._open:
                self._circle(child)
                paths.append(1)
            elif child.digest in self._paths:
                paths.append(self._paths[child.digest])
            else:
                self._enter(child, stack)
        return self._paths[root.digest]

    def _enter(self, node: Node, stack: list[tuple[Node, Iterator[Step], list[int]]]) -> None:
        if self._most is not None and len(self._paths) + len(stack) > self._most:
            self._break(node, f"more than {self._most} states")
        self._check(node)
        self._open[node.digest] = node.resting
        stack.append((node, self._choices(node), []))
        self.found.deepest = max(self.found.deepest, len(stack))

    def _leave(self, node: Node, paths: list[int]) -> None:
        if not paths and not node.resting:
            self._break(node, "nobody goes on, and nothing is at rest")
        self._paths[node.digest] = max(1, sum(paths))

    def _circle(self, child: Node) -> None:
        """A state that leads to itself without spending anything: allowed only where everything rests."""
        circle = list(self._open)[list(self._open).index(child.digest) :]
        if not any(self._open[one] for one in circle):
            self._break(child, "this goes on for ever")
        if child.resting:
            self._end(child)

    def _check(self, node: Node) -> None:
        wrong = broken_always(self.world, doubles=self._doubles)
        if wrong is not None:
            self._break(node, wrong)
        if node.resting and not self._due() and self._next() is None:
            self._end(node)

    def _end(self, node: Node) -> None:
        """Nobody would do anything any more, or only look again in vain."""
        self.found.ends.add(" ".join(sorted(states(self.world).values())))
        wrong = broken_at_rest(self.world) or self._at_end(self.world)
        # Whoever looks at the end may change what is there.
        self._live = None
        if wrong is not None:
            self._break(node, wrong)

    def _break(self, node: Node, wrong: str) -> None:
        told = "\n".join(f"  {step}" for step in node.story)
        rows = self.world.raw.execute("SELECT id, state, cause, reason FROM firings").fetchall()
        sentence = f"{wrong}\n{told}\n{rows}\n{self.world.registry.happened()}"
        raise Broken(sentence)

    # -- what can be chosen ------------------------------------------------------------------------------------

    def _choices(self, node: Node) -> Iterator[Step]:
        budget = node.budget
        if node.standing:
            yield from list(self._choices_at_work(node))
            return
        due = self._due()
        quiet = [Reads.GOOD, *(tuple(Reads)[1:] if budget.reads else ())]
        steps = [Step("look", key=key, reads=reads) for key in due for reads in quiet]
        later = self._next()
        if not due and later is not None:
            steps.append(Step("pass", seconds=later))
        if not due and budget.early:
            steps += [Step("early", key=key) for key in self.world.kg]
        if due and self.world.registry.late:
            first = min(one.due for one in self.world.registry.late)
            steps.append(Step("pass", seconds=(first - self.world.clock.now()).total_seconds()))
        yield from steps
        yield from self._rare(node)

    def _choices_at_work(self, node: Node) -> Iterator[Step]:
        budget, workers = node.budget, self.world.workers
        last = node.trace[-1].worker
        for number in sorted(node.standing, key=lambda one: one != last):
            yield Step("go", number)
            if workers[number].at == ARRIVING and budget.troubles:
                yield from (Step("go", number, trouble=trouble) for trouble in self._troubles)
            if budget.crashes:
                yield Step("kill", number)
        if budget.sleeps:
            yield from (Step("sleep", seconds=seconds) for seconds in self._sleeps)
        if budget.others:
            idle = [number for number in range(len(workers)) if number not in node.standing]
            yield from (Step("other", number, key) for number in idle[:1] for key in self.world.kg)

    def _rare(self, node: Node) -> Iterator[Step]:
        budget = node.budget
        if budget.copies:
            yield Step("copy")
        # A request that is on its way while a copy is put in its place is the race that only the registry can stop.
        if budget.swaps and not self.world.registry.late:
            yield Step("swap")
        if budget.decisions and "needs_person" in states(self.world).values() and not self.world.registry.late:
            yield Step("decide")

    def _due(self) -> list[OrderKey]:
        """Orders that somebody looks at now: without a firing, or it is time, or a request is overdue."""
        now = micros(self.world.clock.now())
        looks = {number: min(times, default=None) for number, times in self._looks().items()}
        known = {number: at for number, at in looks.items() if at is not None}
        every = {key: key.purchase_order for key in self.world.kg}
        return [key for key, name in every.items() if name not in looks or known.get(name, now + 1) <= now]

    def _looks(self) -> dict[str, list[int]]:
        """When each firing is looked at, by the relay or by the search for overdue requests."""
        query = (
            "SELECT o.purchase_order, f.look_at, (SELECT max(a.deadline) FROM attempts a WHERE a.firing_id = f.id "
            "AND f.state = 'sending') FROM firings f JOIN orders o ON o.id = f.order_id"
        )
        return {row[0]: [at for at in row[1:] if at is not None] for row in self.world.raw.execute(query)}

    def _next(self) -> float | None:
        """Seconds until somebody would look again; while a dead worker's lease lasts, looking is in vain."""
        now = micros(self.world.clock.now())
        times = [at for looks in self._looks().values() for at in looks]
        (lease,) = self.world.raw.execute("SELECT max(until) FROM leases WHERE until > ?", (now,)).fetchone()
        late = [micros(one.due) for one in self.world.registry.late]
        if not times:
            return None if not late else (min(late) - now) / 1e6
        return (max(min(times), lease or 0) - now) / 1e6

    # -- taking a step -----------------------------------------------------------------------------------------

    def _take(self, node: Node, step: Step) -> Node:
        self.found.steps += 1
        if self._live != node.digest:
            self._put_back(node)
        self._perform(step)
        standing = self._standing(node, step)
        return self._node(
            base=node.base if standing else self.world.save(),
            trace=(*node.trace, step) if standing else (),
            budget=node.budget.after(step),
            standing=standing,
            story=(*node.story, step),
            other=hashlib.sha256(self.world.other).hexdigest() if step.kind in {"copy", "swap"} else node.other,
        )

    def _node(
        self,
        *,
        base: Saved,
        trace: tuple[Step, ...],
        budget: Budget,
        standing: dict[int, Standing],
        story: tuple[Step, ...],
        other: str,
    ) -> Node:
        now = self._now()
        who = sorted((number, one.seen, round(now - one.since, 3)) for number, one in standing.items())
        digest = whole(self.world, [who, repr(budget), other])
        self._live = digest
        found = states(self.world)
        everybody = len(found) == len(self.world.kg)
        resting = everybody and not standing and not self.world.registry.late and set(found.values()) <= RESTING
        return Node(base, trace, budget, standing, digest, story, other, resting)

    def _standing(self, node: Node, step: Step) -> dict[int, Standing]:
        """Who stands where: one who was not told to do anything stands as before."""
        standing: dict[int, Standing] = {}
        for number, worker in enumerate(self.world.workers):
            if worker.at is None:
                continue
            if step.kind in _WORK and step.worker == number:
                standing[number] = Standing(f"{worker.at} {worker.seen.hexdigest()}", self._now())
            else:
                standing[number] = node.standing[number]
        return standing

    def _put_back(self, node: Node) -> None:
        self.world.restore(node.base)
        for step in node.trace:
            self._perform(step)

    def _perform(self, step: Step) -> None:
        worker = self.world.workers[step.worker]
        match step.kind:
            case "look" | "early" | "other":
                self._look(worker, step)
            case "go":
                worker.go_on(step.trouble)
            case "kill":
                worker.kill()
            case "sleep" | "pass":
                self.world.registry.pass_time(step.seconds)
            case "copy":
                self.world.other = self.world.raw.serialize()
            case "swap":
                self.world.swap()
            case "decide":
                self._decide()

    def _look(self, worker: Worker, step: Step) -> None:
        """As the relay does: it moves the time of the next look before it says that somebody should look."""
        if step.key is None:
            return
        now = micros(self.world.clock.now())
        query = (
            "UPDATE firings SET look_at = ? WHERE look_at <= ? AND order_id IN "
            "(SELECT id FROM orders WHERE purchase_order = ?)"
        )
        self.world.raw.execute(query, (now + int(AGAIN_SECONDS * 1e6), now, step.key.purchase_order))
        worker.look(step.key, step.reads)

    def _decide(self) -> None:
        for key in self.world.kg:
            if states(self.world).get(key.purchase_order) == "needs_person":
                self.world.workers[0].parts.person.resolve(key, Decision.ABSENT, because="support says so")

    def _now(self) -> float:
        return self.world.clock.monotonic()
