"""The scratch directory and what lies in it: the operator's files and the environment of the daemon."""

import csv
import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import worker
from worker.rehearsal.options import Pace, Plan
from worker.web.listener import PATH

# The oldest delivery of a story lies six hours back.
_START_BEFORE = timedelta(hours=8)
# Before anything in a story was completed.
_SINCE = "2000-01-01T00:00:00Z"
_LINK_COLUMNS = (
    "purchase_order",
    "credit_order_id",
    "credit_kg",
    "expected_deliveries",
    "open_ended",
    "customer_id",
)
# Where the goods of the story go; every other setting of a response is decided by the pace.
_TIME_ZONE = "Europe/Zurich"
_HOOK_HEADER = "X-Rehearsal-Secret"
_FACTOR_COLUMNS = ("article_number", "unit", "kg_per_unit")
# Settings of the machine that must not reach the scene: its own waybill, and proxies in front of loopback.
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where everything is."""

    directory: Path
    links: Path
    environment: Mapping[str, str]
    database_url: str
    account: str
    barmate: str
    hook_url: str
    hook_headers: Mapping[str, str]


def plain_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """What a child process inherits: nothing of a waybill set up on this machine, and no proxy."""
    clean = {
        name: value
        for name, value in inherited.items()
        if not name.startswith("WAYBILL_") and name.upper() not in _PROXIES
    }
    # The scratch directory is where the processes work, so a checkout that is not installed has to be named.
    root = str(Path(worker.__file__).resolve().parent.parent)
    known = clean.get("PYTHONPATH")
    return {**clean, "PYTHONPATH": root if not known else os.pathsep.join((root, known)), "NO_PROXY": "*"}


def set_up(plan: Plan, addresses: Document, story: Document, directory: Path, now: datetime) -> Scene:
    """Write the operator's files and say what the daemon's environment is."""
    links, factors = directory / "links.csv", directory / "factors.csv"
    _write(links, _LINK_COLUMNS, [_link_row(link) for link in story["links"]])
    _write(factors, _FACTOR_COLUMNS, story["factors"])
    state = directory / "state"
    own = f"sqlite:///{state / 'waybill.db'}"
    database_url = own if plan.options.database_url is None else plan.options.database_url
    port = _free_port()
    headers = {_HOOK_HEADER: hashlib.sha256(f"barmate {plan.options.seed}".encode()).hexdigest()}
    settings = {
        **_places(plan, state),
        **_systems(plan.pace, addresses, now),
        **_credits(plan, factors),
        **_webhook(addresses),
        **_barmate(plan, addresses["barmate"], port, headers),
    }
    return Scene(
        directory=directory,
        links=links,
        environment={**plain_environment(os.environ), **{f"WAYBILL_{name}": text for name, text in settings.items()}},
        database_url=database_url,
        account=str(addresses["warehouse"]["url"]).split("/")[2],
        barmate=str(addresses["barmate"]["url"]).split("/")[2],
        hook_url=f"http://127.0.0.1:{port}{PATH}",
        hook_headers=headers,
    )


def _places(plan: Plan, state: Path) -> dict[str, str]:
    options = plan.options
    named = {"DATABASE_URL": options.database_url, "REDIS_URL": options.redis_url}
    return {
        "STATE_DIR": str(state),
        "WEB__PORT": "0",
        "LOG__FORMAT": "json",
        "TASKS__LEASE_SECONDS": str(plan.pace.lease),
        **{name: url for name, url in named.items() if url is not None},
    }


def _systems(pace: Pace, addresses: Document, now: datetime) -> dict[str, str]:
    warehouse, registry = addresses["warehouse"], addresses["registry"]
    return {
        "LOGISTIC_CLOUD__BASE_URL": warehouse["url"],
        "LOGISTIC_CLOUD__API_KEY": warehouse["read_only_key"],
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": str(pace.requests_per_second),
        "LOGISTIC_CLOUD__POLL_SECONDS": str(pace.poll),
        "LOGISTIC_CLOUD__LAG_SECONDS": str(pace.lag),
        "LOGISTIC_CLOUD__START": (now.astimezone(UTC) - _START_BEFORE).isoformat(timespec="seconds"),
        "ISOMETRIC__BASE_URL": registry["url"],
        "ISOMETRIC__ACCESS_TOKEN": registry["access_token"],
        "ISOMETRIC__CLIENT_SECRET": registry["client_secret"],
        "ISOMETRIC__TIMEOUT_SECONDS": str(pace.timeout),
        "ISOMETRIC__SETTLE_SECONDS": str(pace.settle),
        "ISOMETRIC__REQUESTS_PER_SECOND": str(pace.requests_per_second),
    }


def _credits(plan: Plan, factors: Path) -> dict[str, str]:
    return {
        "CREDITS__MODE": "automatic",
        "CREDITS__MARKER_KEY": hashlib.sha256(f"rehearsal {plan.options.seed}".encode()).hexdigest(),
        "CREDITS__SINCE": _SINCE,
        "CREDITS__QUIET_SECONDS": str(plan.pace.quiet),
        "CREDITS__FACTORS_FILE": str(factors),
        "CREDITS__RESEND_AFTER_ABSENCE": "true" if plan.resends else "false",
    }


def _webhook(addresses: Document) -> dict[str, str]:
    return {"WEBHOOK__URL": addresses["webhook"]["url"], "WEBHOOK__SECRET": addresses["webhook"]["secret"]}


def _barmate(plan: Plan, barmate: Document, port: int, headers: Mapping[str, str]) -> dict[str, str]:
    ((header, secret),) = headers.items()
    return {
        "BARMATE__BASE_URL": barmate["url"],
        "BARMATE__TOKEN": barmate["token"],
        "BARMATE__LINK_BY": "number_external",
        "BARMATE__POLL_SECONDS": str(plan.pace.barmate_poll),
        "BARMATE__REQUESTS_PER_SECOND": str(plan.pace.barmate_requests),
        "BARMATE__RESPOND": "true",
        "BARMATE__RESPOND_REJECT": "true",
        "BARMATE__QUIET_SECONDS": str(plan.pace.quiet),
        "BARMATE__SETTLE_SECONDS": str(plan.pace.settle),
        # The twin's late responses take effect within a second, far inside of the settle time.
        "BARMATE__RESEND_AFTER_ABSENCE": "true",
        "BARMATE__TIME_ZONE": _TIME_ZONE,
        "BARMATE__LISTEN_PORT": str(port),
        "BARMATE__WEBHOOK_HEADER": header,
        "BARMATE__WEBHOOK_SECRET": secret,
    }


def _free_port() -> int:
    """A port that the daemon can have again after each restart."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _link_row(link: Document) -> dict[str, object]:
    return {**link, "open_ended": "yes" if link["open_ended"] else ""}


def _write(path: Path, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({column: row[column] for column in columns} for row in rows)
