"""Spans of source time in whole seconds, and what is known of each: the pure algebra of coverage (DESIGN §1, §4)."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from worker.states import CoverageState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The closed interval [since, until] of source time, in whole seconds since 1970."""

    since: int
    until: int

    def __post_init__(self) -> None:
        if self.since > self.until:
            sentence = f"a window cannot end ({self.until}) before it begins ({self.since})"
            raise ValueError(sentence)

    @property
    def seconds(self) -> int:
        """How many seconds it holds, both ends counted."""
        return self.until - self.since + 1

    def overlap(self, other: "Window") -> "Window | None":
        """What both hold, if anything."""
        return window_or_none(max(self.since, other.since), min(self.until, other.until))

    def parts(self, count: int) -> list["Window"]:
        """It in at most `count` parts of about the same length, in order of time."""
        count = max(1, min(count, self.seconds))
        edges = [self.since + self.seconds * index // count for index in range(count + 1)]
        return [Window(low, high - 1) for low, high in itertools.pairwise(edges)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A window and what is known of it. `rows` and `requests` are what its proof took; zero where there is none."""

    window: Window
    state: CoverageState
    # Kind of proof: one_answer, pass, filters, or several of them once spans merged.
    proof: str | None = None
    rows: int = 0
    requests: int = 0
    reason: str | None = None
    tries: int = 0
    retry_at: datetime | None = None


def window_or_none(since: int, until: int) -> Window | None:
    """The window, or None where it would hold no second."""
    return Window(since, until) if since <= until else None


def second_of(moment: datetime) -> int:
    """The second of source time that an instant falls into."""
    return (moment - _EPOCH) // _SECOND


def instant_of(second: int) -> datetime:
    """The instant at which a second begins."""
    return _EPOCH + second * _SECOND


def paint(spans: Iterable[Span], new: Span) -> list[Span]:
    """The spans with `new` laid over them: what it covers gives way, neighbours that say the same become one."""
    rest = [piece for span in spans for piece in without(span, new.window)]
    return merged([*rest, new])


def without(span: Span, hole: Window) -> list[Span]:
    """What is left of a span when `hole` is cut out. Its counts stay with the first piece: they can't be told apart."""
    if span.window.overlap(hole) is None:
        return [span]
    left = window_or_none(span.window.since, min(span.window.until, hole.since - 1))
    right = window_or_none(max(span.window.since, hole.until + 1), span.window.until)
    pieces = [replace(span, window=window) for window in (left, right) if window is not None]
    return [*pieces[:1], *(replace(piece, rows=0, requests=0) for piece in pieces[1:])]


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order of time, with neighbours that say the same as one span."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: span.window):
        if result and _same(result[-1], span):
            result[-1] = _joined(result[-1], span)
        else:
            result.append(span)
    return result


def gaps(spans: Sequence[Span], within: Window) -> list[Window]:
    """The parts of `within` that no span says anything about."""
    found: list[Window] = []
    next_second = within.since
    for span in sorted(spans, key=lambda span: span.window):
        gap = window_or_none(next_second, min(span.window.since - 1, within.until))
        found.extend([] if gap is None else [gap])
        next_second = max(next_second, span.window.until + 1)
    last = window_or_none(next_second, within.until)
    return [*found, *([] if last is None else [last])]


def _same(left: Span, right: Span) -> bool:
    return (
        left.window.until + 1 == right.window.since
        and left.state is right.state
        and (left.state is not CoverageState.HOLE or _trouble(left) == _trouble(right))
    )


def _trouble(span: Span) -> tuple[object, ...]:
    # Reasons differ in their particulars; what counts is that they are tried again together.
    return (span.tries, span.retry_at)


def _joined(left: Span, right: Span) -> Span:
    return replace(
        left,
        window=Window(left.window.since, right.window.until),
        proof=_both(left.proof, right.proof),
        rows=left.rows + right.rows,
        requests=left.requests + right.requests,
    )


def _both(left: str | None, right: str | None) -> str | None:
    if left == right or right is None:
        return left
    kinds = {*([] if left is None else left.split("+")), *right.split("+")}
    return "+".join(sorted(kinds))
