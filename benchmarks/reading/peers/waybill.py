"""waybill itself: the real poller on SQLite, everything written (rows, events, tasks, certificates)."""

from __future__ import annotations

import os
import time

import sqlalchemy as sa

import settings.log
from benchmarks.reading.contract import Run, cpu_seconds, family_peak_mb, peak_mb
from settings import LogLevel, load
from worker.app import App
from worker.db.tables import coverage, deliveries, events, tasks

# Many times more than anybody reaches: the account has no limit.
REQUESTS_PER_SECOND = 1_000
QUERY = "SELECT id, strftime('%Y-%m-%dT%H:%M:%SZ', updated_at / 1000000, 'unixepoch') FROM deliveries"


def main() -> None:
    """Poll until nothing that can be read is pending."""
    run = Run()
    app = App(_settings(run))
    app.prepare()
    (account,) = app.accounts.names()
    run.started()
    while app.accounts.poll(account)["pending"]:
        pass
    # The process that prepares pages: its memory counts while it lives, its processor time once it has ended.
    peak = family_peak_mb()
    app.clients.rest(at_once=True)
    counted = _counted(app)
    run.ended(counted["rows"])
    cpu = cpu_seconds()
    began = time.monotonic()
    for _ in range(run.order.idle_polls):
        app.accounts.poll(account)
    polls = max(1, run.order.idle_polls)
    idle = {"idle_cpu_ms": (cpu_seconds() - cpu) / polls * 1000, "idle_ms": (time.monotonic() - began) / polls * 1000}
    idle["peak_mb"] = max(peak, peak_mb())
    run.tell(database=str(app.database.url.database), query=QUERY, written=counted, **idle)
    app.close()


def _settings(run: Run) -> settings.Settings:
    order = run.order
    os.chdir(order.directory)
    environment = {
        "WAYBILL_STATE_DIR": order.directory,
        "WAYBILL_LOGISTIC_CLOUD__BASE_URL": order.url,
        "WAYBILL_LOGISTIC_CLOUD__API_KEY": order.key,
        "WAYBILL_LOGISTIC_CLOUD__REQUESTS_PER_SECOND": str(REQUESTS_PER_SECOND),
    }
    if order.webhook:
        environment |= {
            "WAYBILL_WEBHOOK__URL": "http://127.0.0.1:9/",
            "WAYBILL_WEBHOOK__SECRET": "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms=",
        }
    settings.log.configure(level=LogLevel.WARNING)
    return load(environ=environment)


def _counted(app: App) -> dict[str, int]:
    tables = {"rows": deliveries, "events": events, "tasks": tasks, "spans": coverage}
    with app.database.read() as connection:
        return {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in tables.items()
        }


if __name__ == "__main__":
    main()
