"""Every table, with the constraints that keep the promises.

Code asks, constraints refuse. Statements live with the module that owns the rows; this one only says what there is.
Firings, attempts, links and counted deliveries are never pruned (DESIGN §6.1).
"""

from worker.db.schema import metadata
from worker.db.tables.credits import (
    attempts,
    bindings,
    counted_deliveries,
    credit_deliveries,
    firing_changes,
    firing_history,
    firings,
    ledger_reads,
    mismatches,
    pins,
    readings,
)
from worker.db.tables.customers import barmate_accounts, customer_hints, customer_missing, customer_orders
from worker.db.tables.log import events, leases, switches, tasks
from worker.db.tables.orders import links, orders
from worker.db.tables.pacing import budget_waiters, budgets, nights
from worker.db.tables.responses import customer_responses
from worker.db.tables.source import accounts, coverage, deliveries, set_aside
from worker.db.tables.writes import delivery_writes

__all__ = [
    "accounts",
    "attempts",
    "barmate_accounts",
    "bindings",
    "budget_waiters",
    "budgets",
    "counted_deliveries",
    "coverage",
    "credit_deliveries",
    "customer_hints",
    "customer_missing",
    "customer_orders",
    "customer_responses",
    "deliveries",
    "delivery_writes",
    "events",
    "firing_changes",
    "firing_history",
    "firings",
    "leases",
    "ledger_reads",
    "links",
    "metadata",
    "mismatches",
    "nights",
    "orders",
    "pins",
    "readings",
    "set_aside",
    "switches",
    "tasks",
]
