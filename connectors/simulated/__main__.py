"""``python -m connectors.simulated``: the four twins and their control interface, on loopback, in one process."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import orjson

from connectors.simulated import faults as fault_catalogue
from connectors.simulated.control import ControlServer
from connectors.simulated.faults import UnknownFaultError
from connectors.simulated.story_words import StoryPlan
from connectors.simulated.switches import SwitchError, WarehouseSwitches, changed
from connectors.simulated.systems import Options, Ports, Systems

# Status of a command that was called wrongly.
USAGE = 2


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    told = argparse.ArgumentParser(
        prog="python -m connectors.simulated",
        description="Serve logistic.cloud, the Isometric registry, barmate and a webhook receiver as twins. "
        "Prints one JSON line with all addresses when ready, and serves until it is interrupted.",
    )
    told.add_argument("--seed", type=int, default=1, help="what decides everything that happens (default: 1)")
    told.add_argument("--deliveries", type=int, default=200, metavar="N", help="deliveries (default: 200)")
    told.add_argument("--orders", type=int, default=40, metavar="N", help="orders (default: 40)")
    told.add_argument("--linked-share", type=float, default=0.7, metavar="SHARE", help="linked orders (default: 0.7)")
    told.add_argument(
        "--customer-orders", type=int, default=200, metavar="N", help="at barmate, at most (default: 200)"
    )
    told.add_argument("--story-seconds", type=float, default=60.0, metavar="S", help="length (default: 60)")
    told.add_argument("--hold", action="store_true", help="do not begin the story before POST /start")
    told.add_argument("--faults", default="none", metavar="A,B|none|all", help="faults by name (default: none)")
    told.add_argument("--list-faults", action="store_true", help="print the faults and end")
    told.add_argument("--requests-per-second", type=float, metavar="R", help="the warehouse's limit (default: 1)")
    for name in ("warehouse", "registry", "webhook", "barmate", "control"):
        told.add_argument(f"--{name}-port", type=int, default=0, metavar="PORT", help="default: any free port")
    return told


def options_of(given: argparse.Namespace) -> Options:
    """Return what to build; raise :class:`UnknownFaultError` or :class:`SwitchError`."""
    limit: dict[str, Any] = {}
    if given.requests_per_second is not None:
        limit["requests_per_second"] = given.requests_per_second
    return Options(
        plan=StoryPlan(
            seed=given.seed,
            deliveries=given.deliveries,
            orders=given.orders,
            linked_share=given.linked_share,
            seconds=given.story_seconds,
        ),
        customer_orders=given.customer_orders,
        faults=fault_catalogue.chosen(given.faults),
        ports=Ports(
            warehouse=given.warehouse_port,
            registry=given.registry_port,
            webhook=given.webhook_port,
            barmate=given.barmate_port,
            control=given.control_port,
        ),
        warehouse=changed(WarehouseSwitches(), limit),
    )


def serve(options: Options, ended: threading.Event, *, play: bool) -> None:
    """Serve until ``ended`` is set."""
    systems = Systems(options)
    control = ControlServer(systems, port=options.ports.control)
    addresses = {**systems.start(play=play), "control": control.start()}
    sys.stdout.write(orjson.dumps(addresses).decode() + "\n")
    sys.stdout.flush()
    ended.wait()
    control.stop()
    systems.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = parser().parse_args(arguments)
    if given.list_faults:
        sys.stdout.write(fault_catalogue.listing() + "\n")
        return 0
    try:
        options = options_of(given)
    except (UnknownFaultError, SwitchError) as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    serve(options, ended, play=not given.hold)
    return 0


if __name__ == "__main__":
    sys.exit(main())
