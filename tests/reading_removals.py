"""The conditions of certificates taken out, one at a time: what our code would be if nobody had thought of them."""

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from worker.reading import (
    accounts,
    certificates,
    coverage,
    gathering,
    poller,
    source_clock,
    window_job,
    window_pages,
    windows,
)
from worker.reading.account_source import asked_by
from worker.reading.accounts import Account
from worker.reading.certificates import Judgement, PageShape, judge_parts
from worker.reading.coverage import Proof
from worker.reading.read_page import ReadPage
from worker.reading.recorder import Tally, Then
from worker.reading.spans import Span, Window, instant_of
from worker.reading.tail import Tail
from worker.reading.window_job import Job, WindowDesk

Patch = pytest.MonkeyPatch
_HOUR = timedelta(hours=1)


def _without(patch: Patch, conditions: str, *gone: Callable[..., object]) -> None:
    left = tuple(condition for condition in getattr(certificates, conditions) if condition not in gone)
    patch.setattr(certificates, conditions, left)


def not_from_a_cache(patch: Patch) -> None:
    """An answer of a cache is as good as any."""
    _without(patch, "PAGE_CONDITIONS", certificates.not_from_a_cache)


def within_what_was_asked(patch: Patch) -> None:
    """Nobody looks whether rows lie where they were asked for."""
    _without(patch, "PAGE_CONDITIONS", certificates.within_what_was_asked)


def not_full(patch: Patch) -> None:
    """A full answer is the whole if its count says so."""
    _without(patch, "ANSWER_CONDITIONS", certificates.not_full)


def nobody_twice(patch: Patch) -> None:
    """Rows are counted, not records."""
    _without(patch, "ANSWER_CONDITIONS", certificates.nobody_twice)


def counted(patch: Patch) -> None:
    """A short answer is the whole, whatever its count says."""
    _without(patch, "ANSWER_CONDITIONS", certificates.counted)


def next_page_empty(patch: Patch) -> None:
    """Without a count a short answer is the whole."""
    patch.setattr(certificates, "_followed_by_nothing", lambda *_: None)


def count_before(patch: Patch) -> None:
    """A pass is held against the count of its own first page."""
    add = window_pages._Pass.add  # noqa: SLF001 - what is taken out is private

    def own_count(self: Any, shape: PageShape) -> Judgement | None:  # noqa: ANN401 - private
        self.total = self.total if self.shapes else shape.total
        return add(self, shape)

    patch.setattr(window_pages._Pass, "add", own_count)  # noqa: SLF001


def same_count(patch: Patch) -> None:
    """The counts of later pages are not looked at."""
    patch.setattr(window_pages._Pass, "_moved", lambda *_: None)  # noqa: SLF001
    _without(patch, "PASS_CONDITIONS", certificates.same_count)


def ended(patch: Patch) -> None:
    """A pass ends with as many rows as were counted."""
    add = window_pages._Pass.add  # noqa: SLF001 - what is taken out is private

    def until_counted(self: Any, shape: PageShape) -> Judgement | None:  # noqa: ANN401 - private
        judged = add(self, shape)
        if judged is None and sum(page.rows for page in self.shapes) >= self.total:
            return certificates.judge_pass(self.total, self.shapes, asked_by(self.query))
        return judged

    patch.setattr(window_pages._Pass, "add", until_counted)  # noqa: SLF001
    _without(patch, "PASS_CONDITIONS", certificates.ended)


def everybody(patch: Patch) -> None:
    """Nobody looks who came."""
    patch.setattr(window_pages._Pass, "_moved", lambda *_: None)  # noqa: SLF001
    _without(patch, "PASS_CONDITIONS", certificates.everybody)


def everybody_in_parts(patch: Patch) -> None:
    """The parts are the whole without being added up."""
    _without(patch, "PARTS_CONDITIONS", certificates.everybody_in_parts)


def same_count_after(patch: Patch) -> None:
    """The whole is counted before its parts only."""
    _without(patch, "PARTS_CONDITIONS", certificates.same_count_after)


def count_before_parts(patch: Patch) -> None:
    """The whole is counted after its parts only."""

    def after(total_before: int, found: Collection[str], whole: PageShape, asked: certificates.Asked) -> Judgement:
        return judge_parts(total_before if whole.total is None else whole.total, found, whole, asked)

    patch.setattr(windows, "judge_parts", after)


def begun_anew(patch: Patch) -> None:
    """What came before rows left is counted on."""

    def add(self: gathering._Found, page: ReadPage) -> None:
        self.total = self.total if page.shape.total is None else page.shape.total
        self.identities.update(page.shape.identities)

    patch.setattr(gathering._Found, "add", add)  # noqa: SLF001


def a_second_more(patch: Patch) -> None:
    """What is asked for a window is the window."""

    def exactly(window: Window) -> DeliveryQuery:
        return DeliveryQuery(updated_min=instant_of(window.since), updated_max=instant_of(window.until))

    for module in (window_job, window_pages, windows):
        patch.setattr(module, "query_for", exactly)


def time_from_before(patch: Patch) -> None:
    """A window is closed by the Date of the very answer that should prove it."""
    certified = Tail._certified  # noqa: SLF001 - what is taken out is private

    def by_its_own(self: Tail, plan: Any, page: ReadPage, tally: Tally) -> Then:  # noqa: ANN401 - private
        return certified(self, replace(plan, received=page.server_time), page, tally)

    patch.setattr(Tail, "_certified", by_its_own)


def time_of_the_server(patch: Patch) -> None:
    """Our own clock closes windows too, and it is an hour fast."""
    certified = Tail._certified  # noqa: SLF001 - what is taken out is private

    def by_ours(self: Tail, plan: Any, page: ReadPage, tally: Tally) -> Then:  # noqa: ANN401 - private
        then = certified(self, plan, page, tally)

        def with_our_clock(connection: sa.Connection) -> None:
            then(connection)
            window = Window(plan.since, plan.account.closed_end(self._clock.now() + _HOUR))
            coverage.certify(connection, plan.account.name, window, Proof(kind="ours", rows=0, requests=0))

        return with_our_clock

    patch.setattr(Tail, "_certified", by_ours)


def lag(patch: Patch) -> None:
    """What was stamped can be read at once."""

    def closed_end(_self: Account, server_time: datetime) -> int:
        return math.floor(server_time.timestamp()) - 1

    patch.setattr(Account, "closed_end", closed_end)


def lag_read_again(patch: Patch) -> None:
    """The lag known before the answer counts, whatever the answer tells of it."""
    certified = Tail._certified  # noqa: SLF001 - what is taken out is private

    def by_the_lag_before(self: Tail, plan: Any, page: ReadPage, tally: Tally) -> Then:  # noqa: ANN401 - private
        then = certified(self, plan, page, tally)

        def with_the_old_lag(connection: sa.Connection) -> None:
            now = accounts.find(connection, plan.account.name).lag_seconds
            accounts._set(connection, plan.account.name, lag_seconds=plan.account.lag_seconds)  # noqa: SLF001
            then(connection)
            accounts._set(connection, plan.account.name, lag_seconds=now)  # noqa: SLF001

        return with_the_old_lag

    patch.setattr(Tail, "_certified", by_the_lag_before)


def guard_band(patch: Patch) -> None:
    """What was certified is not read again."""
    plan = Tail._plan  # noqa: SLF001 - what is taken out is private
    patch.setattr(Tail, "_plan", lambda self: replace(plan(self), guard=None))


def reopened_band(patch: Patch) -> None:
    """A late row raises the lag, and what was certified with the old one stays."""
    patch.setattr(coverage, "reopen", lambda *_: False)


def step_back(patch: Patch) -> None:
    """A Date before an earlier one is nothing to worry about."""
    patch.setattr(source_clock, "STEP_BACK", timedelta(days=365))


def overtaken(patch: Patch) -> None:
    """A reading goes on although the time or the lag that it goes by was shown to be wrong."""

    def closed(_self: WindowDesk, connection: sa.Connection, job: Job, window: Window) -> bool:
        account = accounts.find(connection, job.source.name)
        return window.until <= account.closed_end(job.received) - 1

    patch.setattr(WindowDesk, "_closed", closed)


def put_back_unseen(patch: Patch) -> None:
    """Only a Date before an earlier one tells that it was put back."""
    jumped = source_clock._jumped  # noqa: SLF001 - what is taken out is private
    patch.setattr(source_clock, "_jumped", lambda before, skew: max(0, jumped(before, skew)))


def jumped_since(patch: Patch) -> None:
    """Nobody notes when the Date jumped ahead."""
    patch.setattr(source_clock, "_jumped_since", lambda *_: None)


def second_above(patch: Patch) -> None:
    """The second above a window, which is asked for too, may still be open."""
    ready = poller._next_window  # noqa: SLF001 - what is taken out is private

    def one_more(spans: list[Span], closed: int, now: datetime) -> Window | None:
        return ready(spans, closed + 1, now)

    def closed(_self: WindowDesk, connection: sa.Connection, job: Job, window: Window) -> bool:
        return window.until <= accounts.find(connection, job.source.name).closed_end(job.received)

    patch.setattr(poller, "_next_window", one_more)
    patch.setattr(WindowDesk, "_closed", closed)
