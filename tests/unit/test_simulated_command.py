"""``python -m connectors.simulated`` as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from connectors.simulated import __main__ as command
from connectors.simulated.systems import Options


def test_the_process_prints_its_addresses_and_ends_when_interrupted() -> None:
    """One JSON line when ready, status 0 after a signal."""
    arguments = [sys.executable, "-m", "connectors.simulated", "--deliveries", "5", "--orders", "2", "--hold"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        ready = httpx.get(f"{addresses['control']}/ready").json()
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=10)

    assert ready == {"ready": True}
    assert status == 0


def test_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, with its sentence."""
    assert command.main(["--list-faults"]) == 0
    assert "registry-commit-then-drop" in capsys.readouterr().out


def test_a_wrong_fault_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence that names it, status 2."""
    assert command.main(["--faults", "flood"]) == 2
    assert "'flood'" in capsys.readouterr().err


def test_options_come_from_the_command_line() -> None:
    """Every option reaches what is built."""
    line = "--seed 4 --deliveries 9 --orders 3 --story-seconds 2.5 --requests-per-second 50 --faults bad-records"
    line += " --customer-orders 7 --barmate-port 4712"
    options = command.options_of(command.parser().parse_args([*line.split(), "--control-port", "4711"]))

    assert (options.plan.seed, options.plan.deliveries, options.plan.orders) == (4, 9, 3)
    assert (options.plan.seconds, options.warehouse.requests_per_second) == (2.5, 50.0)
    assert options.faults[0].name == "bad-records"
    assert (options.ports.control, options.ports.barmate, options.customer_orders) == (4711, 4712, 7)


def test_serving_ends_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    """All addresses are printed before anything is waited for."""
    ended = threading.Event()
    ended.set()
    command.serve(Options(), ended, play=True)

    assert set(json.loads(capsys.readouterr().out)) == {"warehouse", "registry", "webhook", "barmate", "control"}
