import io
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clocks import NOON, ManualClock
from tests.rehearsal_evidence import answered, evidence, happened, told, with_happened
from worker.errors import UsageError
from worker.rehearsal import report
from worker.rehearsal.audit import audit
from worker.rehearsal.facts import Facts
from worker.rehearsal.fleet import parts
from worker.rehearsal.options import Disturbance, Options, plan
from worker.rehearsal.processes import Processes, ProcessFailed, kill, stop
from worker.rehearsal.progress import ProgressLine
from worker.rehearsal.scene import plain_environment, set_up
from worker.rehearsal.settling import Goal, has_read_all, signature, still_open
from worker.rehearsal.twins import Progress

OVER = Progress(elapsed=10.0, steps_left=0)
SETTLED = Facts(
    events=5,
    orders={"complete": 1},
    firings={"confirmed": 1, "held": 2},
    certified_until=100,
    ended=frozenset({(1, "PO1")}),
)
GOAL = Goal(story_ended=99.5, customers_ended=99.5, to_deliver=frozenset({(1, "PO1")}))
ADDRESSES = {
    "warehouse": {"url": "http://127.0.0.1:7001/api/v1-beta", "read_only_key": "key"},
    "registry": {"url": "http://127.0.0.1:7002/registry/v0", "access_token": "token", "client_secret": "secret"},
    "webhook": {"url": "http://127.0.0.1:7003/hook", "secret": "whsec_x"},
    "barmate": {"url": "http://127.0.0.1:7004", "token": "barmate-token"},
}
STORY = {
    "links": [
        {
            "purchase_order": "PO,8;x",
            "credit_order_id": "ord_1",
            "credit_kg": None,
            "expected_deliveries": None,
            "open_ended": True,
            "customer_id": 7,
        }
    ],
    "factors": [{"article_number": "A", "unit": "ST", "kg_per_unit": "0.5"}],
}


def test_the_same_seed_plans_the_same_disturbances() -> None:
    """What is done to the daemon is decided by the seed."""
    first, again = (plan(Options(seed=3, faults="kill,lost-database")) for _ in range(2))
    other = plan(Options(seed=4, faults="kill,lost-database"))

    assert first.disturbances == again.disturbances
    assert first.disturbances != other.disturbances
    assert {planned.kind for planned in first.disturbances} == set(Disturbance)


def test_all_faults_are_those_of_the_twins_several_kills_and_a_lost_database() -> None:
    """`all` leaves nothing out that waybill gets over by itself."""
    thought = plan(Options(faults="all"))
    kinds = [planned.kind for planned in thought.disturbances]

    assert kinds.count(Disturbance.KILL) == 3
    assert kinds.count(Disturbance.LOSE_DATABASE) == 1
    assert "registry-commit-then-drop" in thought.twins_faults


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    """A mistyped fault is named, and what there is instead."""
    with pytest.raises(UsageError, match=r"'kil'.*kill, lost-database, warehouse-errors"):
        plan(Options(faults="kil"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (Options(deliveries=0), "--deliveries"),
        (Options(orders=0), "--orders"),
        (Options(workers=0), "workers"),
        (Options(redis_url="redis://127.0.0.1/0"), "--database-url"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: Options, named: str) -> None:
    """Each is one sentence that names the option."""
    with pytest.raises(UsageError, match=named):
        plan(options)


def test_resending_is_off_where_the_registry_takes_used_batches_again() -> None:
    """The rehearsed operator allows it only where it is safe."""
    assert plan(Options()).resends
    assert not plan(Options(faults="registry-used-batches-accepted")).resends


def test_the_daemon_is_one_process_or_several_with_redis() -> None:
    """With Redis its parts run by themselves."""
    several = Options(database_url="postgresql://localhost/x", redis_url="redis://127.0.0.1/0", workers=2)

    assert list(parts(Options())) == ["run"]
    assert list(parts(several)) == ["scheduler", "work-1", "work-2", "web"]


def test_the_scene_has_the_operators_files_and_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a waybill or a proxy on this machine reaches the rehearsed daemon."""
    monkeypatch.setenv("WAYBILL_CREDITS__MODE", "plan")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    scene = set_up(plan(Options()), ADDRESSES, STORY, tmp_path, NOON)

    assert scene.environment["WAYBILL_CREDITS__MODE"] == "automatic"
    assert scene.environment["WAYBILL_LOGISTIC_CLOUD__START"] == "2026-03-02T04:00:00+00:00"
    assert "https_proxy" not in scene.environment
    assert scene.account == "127.0.0.1:7001"
    assert scene.links.read_text().splitlines()[1] == '"PO,8;x",ord_1,,,yes,7'


def test_the_scene_answers_customers_and_hears_barmate(tmp_path: Path) -> None:
    """Every rehearsal has barmate: responses are on, and its webhooks have a listener with a secret."""
    scene = set_up(plan(Options()), ADDRESSES, STORY, tmp_path, NOON)
    settings = {name.removeprefix("WAYBILL_BARMATE__"): value for name, value in scene.environment.items()}

    assert scene.barmate == "127.0.0.1:7004"
    assert (settings["RESPOND"], settings["RESPOND_REJECT"], settings["LINK_BY"]) == ("true", "true", "number_external")
    assert scene.hook_url == f"http://127.0.0.1:{settings['LISTEN_PORT']}/barmate"
    assert scene.hook_headers == {settings["WEBHOOK_HEADER"]: settings["WEBHOOK_SECRET"]}


def test_customer_orders_stay_few() -> None:
    """Open ones are read again and again, so a large story must not drown in them."""
    assert plan(Options(deliveries=60)).customer_orders == 21
    assert plan(Options(deliveries=2000)).customer_orders == 100


def test_a_checkout_stays_importable_from_the_scratch_directory() -> None:
    """The processes find waybill although they work elsewhere, and what was on the path stays there."""
    clean = plain_environment({"PYTHONPATH": "/opt/more", "WAYBILL_REDIS_URL": "redis://127.0.0.1/0"})

    assert clean["PYTHONPATH"].endswith(f"{os.pathsep}/opt/more")
    assert "WAYBILL_REDIS_URL" not in clean


def test_a_story_that_goes_on_is_open() -> None:
    """Before its end there is nothing to settle."""
    assert still_open(Progress(elapsed=1.0, steps_left=7), SETTLED, None) == ["the story has 7 changes left"]
    assert not has_read_all(SETTLED, None)


def test_nothing_is_open_once_all_is_read_and_delivered() -> None:
    """Held firings wait for something else and do not keep a rehearsal going."""
    assert still_open(OVER, SETTLED, GOAL) == []
    assert has_read_all(SETTLED, GOAL)


def test_everything_that_is_open_is_named() -> None:
    """What a rehearsal waits for is said in sentences."""
    busy = Facts(
        open_tasks={"mirror": 2},
        orders={"settling": 1},
        firings={"ambiguous": 3},
        certified_until=98,
        ended=frozenset(),
        responses={"sent": 4, "unknown": 2, "needs_person": 1},
        customer_reads=5,
    )

    assert still_open(OVER, busy, GOAL) == [
        "deliveries are certified until 00:01:38 and the story ended at 00:01:39",
        "2 mirror tasks are open",
        "1 orders are settling",
        "3 firings are ambiguous",
        "5 customer orders are to be read",
        "2 responses to customer orders are unknown",
        "1 of 1 orders to be delivered have not come to an end",
    ]
    assert still_open(OVER, Facts(), GOAL)[0].startswith("deliveries are certified not at all")


def test_the_signature_changes_when_anything_moves() -> None:
    """A rehearsal in which nothing moves any more can be told from one that is slow."""
    assert signature(SETTLED) == signature(replace(SETTLED, certified_until=101))
    assert signature(SETTLED) != signature(replace(SETTLED, firings={"confirmed": 2}))


def test_the_report_holds_both_ledgers_and_a_conclusion() -> None:
    """A reader sees at the end whether the ledgers agree."""
    found = evidence()
    told = report.document(plan(Options(faults="kill")), found, audit(found), course())

    assert told["passed"]
    assert told["ledgers"]["happened"] == {"deliveries": 1, "kg": 40} == told["ledgers"]["ours"]
    assert "happened there             1 credit deliveries         40 kg" in report.text(told)
    assert report.text(told).endswith("Nothing was missed, doubled or forgotten; both ledgers agree.\n")


def test_the_report_has_a_line_for_every_discrepancy() -> None:
    """What is wrong is said line by line, and counted."""
    found = with_happened(evidence(), happened("dlv_1"), happened("dlv_2"))
    told = report.document(plan(Options()), found, audit(found), course("2 mirror tasks are open"))
    lines = report.text(told).splitlines()

    assert not told["passed"]
    assert any(line.startswith("doubled: ") for line in lines)
    assert "not settled: 2 mirror tasks are open" in lines
    assert lines[-1] == "The rehearsal failed: 2 discrepancies, 1 things not settled."


def test_a_long_list_of_faults_is_grouped_and_wrapped() -> None:
    """Dozens of faults are read by system, and no line is longer than the terminal."""
    found = evidence()
    lines = report.text(report.document(plan(Options(faults="all")), found, audit(found), course()), columns=90)

    assert "  faults                warehouse: errors, resets, " in lines
    assert "\n                        story: bad-records, unknown-values, deletions\n" in lines
    assert max(map(len, lines.splitlines())) <= 90


def test_the_report_tells_what_customers_were_told() -> None:
    """Customer orders, responses, e-mails and hints have their lines."""
    accept = told("ACCEPT", 1, reference="LS1", day="2026-03-02")
    found = answered(accept, accept)
    lines = report.text(report.document(plan(Options()), found, audit(found), course())).splitlines()

    assert "  customer orders       1 ACCEPTED" in lines
    assert any("2 e-mails, 0 for a person; 0 hints of 0 calls, 0 lost" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "store"),
    [
        (Options(), "SQLite, one process"),
        (Options(database_url="postgresql://localhost/x"), "PostgreSQL, one process"),
        (
            Options(database_url="postgresql://localhost/x", redis_url="redis://127.0.0.1/0"),
            "PostgreSQL and Redis, 2 workers",
        ),
    ],
)
def test_the_report_names_the_store(options: Options, store: str) -> None:
    """A report says on what it was rehearsed, without any address."""
    found = evidence()

    assert report.document(plan(options), found, audit(found), course())["store"] == store


def course(*left: str) -> report.Course:
    """A course of ten seconds."""
    return report.Course(seconds=12.0, settled_after=10.0, disturbed=(), still_open=left)


def test_progress_is_a_line_now_and_then_where_nobody_watches() -> None:
    """A log is not flooded."""
    out, clock = io.StringIO(), ManualClock()
    progress = ProgressLine(out, clock)
    for _ in range(24):
        clock.advance(1.0)
        progress.show(OVER, SETTLED)
    progress.clear()

    assert out.getvalue().count("\n") == 2
    assert "1/1 complete · 1 fired" in out.getvalue()


def test_progress_is_rewritten_on_a_terminal() -> None:
    """A terminal shows one line that changes, and none of it at the end."""
    out = Terminal()
    progress = ProgressLine(out, ManualClock())
    progress.show(Progress(elapsed=1.0, steps_left=3), Facts())
    progress.say("Something.")
    progress.clear()

    assert out.getvalue().startswith("\r\x1b[K   1 s · 3 changes left")
    assert out.getvalue().endswith("\r\x1b[KSomething.\n\r\x1b[K")


def test_progress_never_takes_a_second_line_of_the_terminal() -> None:
    """What is folded cannot be taken away again: the line ends before the edge, however large the counts."""
    out = Terminal()
    ProgressLine(out, ManualClock()).show(Progress(elapsed=1.0, steps_left=10**60), Facts())

    assert len(out.getvalue().removeprefix("\r\x1b[K")) == 79


class Terminal(io.StringIO):
    """Says that somebody watches."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    """Processes with their logs in the test's own folder."""
    return Processes(directory=tmp_path, logs=tmp_path)


def test_no_process_outlives_the_rehearsal(processes: Processes, tmp_path: Path) -> None:
    """Neither a process nor what it started is left behind, whatever ends the rehearsal."""
    script = (
        "import pathlib, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "pathlib.Path('child').write_text(str(child.pid)); time.sleep(60)"
    )
    with suppress(KeyboardInterrupt), processes:
        parent = processes.start("parent", [sys.executable, "-c", script], os.environ)
        grandchild = int(text_of(tmp_path / "child"))
        raise KeyboardInterrupt

    assert parent.status == -signal.SIGKILL
    assert is_gone(grandchild)


def test_a_process_is_ended_politely_and_once(processes: Processes) -> None:
    """Whoever listens ends by itself; killing it again is harmless."""
    with processes:
        child = processes.start("polite", [sys.executable, "-c", "import time; time.sleep(60)"], os.environ)

        assert stop(child) == -signal.SIGTERM
        kill(child)
        assert stop(child) == -signal.SIGTERM


def test_a_command_that_hangs_is_ended(processes: Processes) -> None:
    """A one-shot command has its time."""
    with processes, pytest.raises(ProcessFailed, match="slow did not end within 0 s"):
        processes.finish("slow", [sys.executable, "-c", "import time; time.sleep(60)"], os.environ, seconds=0.1)


def test_the_last_words_of_a_process_are_kept(processes: Processes) -> None:
    """What a process said last explains why it ended."""
    with processes:
        status = processes.finish("loud", [sys.executable, "-c", "raise SystemExit('no!')"], os.environ, seconds=30)

    assert status == 1
    assert processes.log_of("loud") == "no!"
    assert processes.log_of("never started") == ""


def text_of(path: Path) -> str:
    """The content of a file that somebody is about to write."""
    deadline = time.monotonic() + 30
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


def is_gone(process: int) -> bool:
    """Whether a process has ended (a zombie that nobody has collected counts)."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        state = Path(f"/proc/{process}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False
