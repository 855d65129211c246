"""Conditions bite: with each condition of the certificates a story ends well; taken out, the same story does harm."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import reading_removals as without
from tests import reading_stories as stories
from tests.clocks import ManualClock
from tests.databases import to_newest
from tests.reading_kit import Bench
from tests.reading_stories import LAG, SIZE, Stage
from worker.db import Database


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition taken out, and the story that needs it."""

    taken_out: Callable[[pytest.MonkeyPatch], None]
    story: Callable[[Stage], None]


CONDITIONS = [
    Condition(without.counted, stories.a_server_that_gives_fewer_rows_than_it_says),
    Condition(without.next_page_empty, stories.a_server_that_counts_nothing_and_gives_fewer_rows),
    Condition(without.not_full, stories.a_count_of_the_rows_on_the_page),
    Condition(without.nobody_twice, stories.a_row_in_the_place_of_another),
    Condition(without.not_from_a_cache, stories.a_cache_in_between),
    Condition(without.within_what_was_asked, stories.a_filter_of_another_zone),
    Condition(without.a_second_more, stories.ends_that_are_left_out),
    Condition(without.time_from_before, stories.a_slow_answer),
    Condition(without.time_of_the_server, stories.a_clock_of_ours_that_is_fast),
    Condition(without.lag, stories.a_row_visible_late),
    Condition(without.guard_band, stories.a_row_visible_later_than_the_lag),
    Condition(without.reopened_band, stories.a_row_later_than_the_band),
    Condition(without.lag_read_again, stories.two_late_rows),
    Condition(without.step_back, stories.a_date_an_hour_ahead),
    Condition(without.jumped_since, stories.a_date_ahead_while_rows_come),
    Condition(without.put_back_unseen, stories.a_date_put_back_between_two_polls),
    Condition(without.overtaken, stories.a_date_that_steps_back_in_the_middle),
    Condition(without.count_before, stories.a_row_that_leaves_between_rows_and_count),
    Condition(without.same_count, stories.a_replica_that_is_behind),
    Condition(without.everybody, stories.pages_in_another_order_each_time),
    Condition(without.ended, stories.a_count_with_a_cap),
    Condition(without.everybody_in_parts, stories.a_status_that_nobody_knows),
    Condition(without.same_count_after, stories.a_count_that_is_one_too_low),
    Condition(without.count_before_parts, stories.a_row_that_leaves_after_its_part),
    Condition(without.begun_anew, stories.a_row_that_leaves_a_second_under_gathering),
    Condition(without.second_above, stories.a_row_that_enters_the_second_above),
]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """An account whose answers hold three rows."""
    clock = ManualClock()
    database = Database(f"sqlite:///{tmp_path}/w.db", clock)
    to_newest(database)
    return Stage(Bench(database, clock, page_size=SIZE, lag=LAG))


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.story.__name__)
def test_with_its_condition_a_story_ends_well(stage: Stage, condition: Condition) -> None:
    """Nothing is missed, and no certificate is false."""
    condition.story(stage)

    assert stage.wrong == []


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: f"without {condition.taken_out.__name__}")
def test_without_the_condition_the_story_does_harm(
    stage: Stage, condition: Condition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The condition is what prevents it: nothing else would have."""
    condition.taken_out(monkeypatch)

    condition.story(stage)

    assert stage.wrong != []
