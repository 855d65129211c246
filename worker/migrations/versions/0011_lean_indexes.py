"""Indexes that follow the order in which rows come, and hold no row that nobody looks for in them.

Tasks name their event by its place in the log, where ids come in an order of their own; the index of tasks that are out
holds no others, and the index of orders no delivery that belongs to none.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OF_ORDERS = ("ix_deliveries_order", "deliveries", ["purchase_order", "customer_id", "account"])
_NUMBERED = sa.text("purchase_order IS NOT NULL")
_OPEN = sa.text("ended_at IS NULL")
_OUT = sa.text("ended_at IS NULL AND (sent_at IS NOT NULL OR token IS NOT NULL)")


def upgrade() -> None:
    """A task whose event is no longer in the log keeps its row, and names none."""
    op.drop_index("ix_deliveries_order", "deliveries")
    op.create_index(*_OF_ORDERS, sqlite_where=_NUMBERED, postgresql_where=_NUMBERED)
    op.drop_index("ix_tasks_sent", "tasks")
    _name_events(sa.Column("event_position", sa.BigInteger()), "position", before="event_id", by="id")
    op.create_index("ix_tasks_out", "tasks", ["state", "sent_at"], sqlite_where=_OUT, postgresql_where=_OUT)


def downgrade() -> None:
    """Put the ids and the indexes back."""
    op.drop_index("ix_tasks_out", "tasks")
    _name_events(sa.Column("event_id", sa.Text()), "id", before="event_position", by="position")
    op.create_index("ix_tasks_sent", "tasks", ["state", "sent_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.drop_index("ix_deliveries_order", "deliveries")
    op.create_index(*_OF_ORDERS)


def _name_events(column: sa.Column[Any], name: str, *, before: str, by: str) -> None:
    """Let tasks name their events in another way, in a column of its own, where they did in the one of `before`."""
    op.add_column("tasks", column)
    events, tasks = (
        sa.table("events", sa.column(name), sa.column(by)),
        sa.table("tasks", sa.column(column.name), sa.column(before)),
    )
    named = sa.select(events.c[name]).where(events.c[by] == tasks.c[before]).scalar_subquery()
    op.execute(sa.update(tasks).values({column.name: named}))
    with op.batch_alter_table("tasks") as batch:
        batch.drop_constraint(f"uq_tasks_{before}_kind_subject", type_="unique")
        batch.create_unique_constraint(f"uq_tasks_{column.name}_kind_subject", [column.name, "kind", "subject"])
        batch.drop_column(before)
