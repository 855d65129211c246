"""The bundled simulators as one process of their own, and what they tell through their control interface."""

import http.client
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from worker.rehearsal.options import Plan
from worker.rehearsal.processes import Child, Processes, ProcessFailed

# Seconds for one answer: the truth about a large story is long.
_ANSWER_SECONDS = 60.0
# What makes the registry's answers true again, so that the last comparison reads what there is.
_CALM: Mapping[str, Mapping[str, float]] = {
    "warehouse": {"server_error": 0.0, "reset": 0.0, "truncated": 0.0, "slow": 0.0, "throttled": 0.0},
    "barmate": {"server_error": 0.0, "reset": 0.0, "truncated": 0.0, "slow": 0.0, "throttled": 0.0, "stale": 0.0},
    "registry": {"read_error": 0.0, "read_stale": 0.0, "read_partial": 0.0, "list_lag_seconds": 0.0},
}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the story is; `elapsed` in seconds."""

    elapsed: float
    steps_left: int

    @property
    def done(self) -> bool:
        """Whether nothing more will happen."""
        return self.steps_left == 0


class Twins:
    """Running simulators. Every method raises ProcessFailed when they do not answer."""

    def __init__(self, child: Child, addresses: Document) -> None:
        self.addresses = addresses
        self._child = child
        self._host = urlsplit(str(addresses["control"])).netloc

    def story(self) -> dict[str, Any]:
        """Links, factors, and what an auditor should find."""
        return self._ask("GET", "/story")

    def begin(self) -> None:
        """Let the story's time flow."""
        self._ask("POST", "/start")

    def progress(self) -> Progress:
        """How far the story is."""
        told = self._ask("GET", "/progress")
        left = int(told["steps_left"]) + int(told["customers"]["steps_left"])
        return Progress(elapsed=float(told["elapsed_seconds"]), steps_left=left)

    def truth(self, system: str) -> dict[str, Any]:
        """What truly happened at `warehouse`, `registry`, `barmate` or `webhook`."""
        return self._ask("GET", f"/truth/{system}")

    def call_at(self, url: str, headers: Mapping[str, str]) -> None:
        """Let barmate call that address from now on, with these headers."""
        self._ask("POST", "/barmate/hooks", {"url": url, "headers": headers})

    def put_off(self, key: int, dates: Sequence[str]) -> None:
        """Give a delivery of the warehouse one day after another."""
        for date in dates:
            self._ask("POST", "/warehouse/change", {"key": key, "fields": {"date": date}})

    def last_words(self) -> str:
        """The end of the simulators' log."""
        return self._child.last_words()

    def calm(self) -> None:
        """Let no more reads fail or lie."""
        self._ask("POST", "/faults", _CALM)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, timeout=_ANSWER_SECONDS)
        try:
            connection.request(method, path, None if body is None else orjson.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
        except OSError as error:
            raise self._failure(path, type(error).__name__) from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise self._failure(path, f"{answer.status} {content.decode(errors='replace')}")
        told: dict[str, Any] = orjson.loads(content)
        return told

    def _failure(self, path: str, what: str) -> ProcessFailed:
        return ProcessFailed(f"The simulators do not answer {path}: {what}.\n{self._child.last_words()}")


def start_twins(processes: Processes, plan: Plan, environment: Mapping[str, str]) -> Twins:
    """Start the simulators and wait until they serve; the story waits for `begin`. Raises ProcessFailed."""
    options = plan.options
    command = [sys.executable, "-m", "connectors.simulated", "--hold"]
    command += ["--seed", str(options.seed), "--deliveries", str(options.deliveries), "--orders", str(options.orders)]
    command += ["--story-seconds", str(plan.story_seconds), "--requests-per-second", str(plan.pace.source_limit)]
    command += ["--customer-orders", str(plan.customer_orders)]
    command += ["--faults", ",".join(plan.twins_faults) if plan.twins_faults else "none"]
    child = processes.start("simulators", command, environment, stdout=subprocess.PIPE)
    line = b"" if child.running.stdout is None else child.running.stdout.readline()
    if not line:
        sentence = f"The simulators did not start.\n{child.last_words()}"
        raise ProcessFailed(sentence)
    return Twins(child, orjson.loads(line))
