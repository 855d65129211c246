"""What a person is told of a job that was waited for, and when the exit status says that something was found."""

from worker import kinds
from worker.cli.job_results import has_findings, sentences

READ = {"rows": 1, "requests": 2, "appeared": 1, "changed": 0}
SPAN = {"since": "2026-01-01T00:00:00+00:00", "until": "2026-01-02T00:00:00+00:00"}
SWEPT = {**READ, "returned": 0, "vanished": 0, "findings": [], "unread": []}


def test_a_poll_says_what_it_read_and_how_far_it_is_certified() -> None:
    """Nothing found is no finding."""
    told = {"a": {**READ, "certified_until": None}, "b": {**READ, "certified_until": SPAN["until"]}}

    assert sentences(kinds.POLL, told) == [
        "a: 1 row in 2 requests, 1 new, 0 changed; nothing certified yet.",
        "b: 1 row in 2 requests, 1 new, 0 changed; certified until 2026-01-02T00:00:00Z.",
    ]
    assert not has_findings(kinds.POLL, told)


def test_a_backfill_says_what_it_could_not_prove() -> None:
    """A hole is a finding, and the sentence says where the reason stands."""
    whole, holed = {"a": {**READ, **SPAN, "holes": 0}}, {"a": {**READ, **SPAN, "holes": 3}}

    assert sentences(kinds.BACKFILL, whole) == [
        "a: 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z is certified: 1 row in 2 requests, 1 new, 0 changed."
    ]
    assert "3 seconds of it could not be proved" in sentences(kinds.BACKFILL, holed)[1]
    assert (has_findings(kinds.BACKFILL, whole), has_findings(kinds.BACKFILL, holed)) == (False, True)


def test_a_sweep_says_of_each_delivery_why_polling_had_not_seen_it() -> None:
    """What came from elsewhere can not steer the terminal."""
    found = {"a": {**SWEPT, "vanished": 1, "findings": [{"delivery_id": 7, "why": "late\x1b[2J"}], "unread": ["busy"]}}

    assert sentences(kinds.SWEEP, found) == [
        "a: 1 row in 2 requests: 1 new, 0 changed, 0 returned, 1 no longer visible.",
        "  delivery 7: late\ufffd[2J",
        "  not read completely: busy",
    ]
    assert (has_findings(kinds.SWEEP, {"a": SWEPT}), has_findings(kinds.SWEEP, found)) == (False, True)


def test_other_jobs_speak_for_themselves() -> None:
    """A mirrored event is seen at the receiver."""
    assert sentences(kinds.MIRROR_AGAIN, {"events": 3}) == []
    assert not has_findings(kinds.MIRROR_AGAIN, {"events": 3})
