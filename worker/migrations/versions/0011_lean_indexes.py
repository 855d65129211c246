"""Indexes that follow the order in which rows come, and hold no row that nobody looks for in them.

Tasks name their event by its place in the log, where ids come in an order of their own; the index of tasks that are out
holds no others, and the index of orders no delivery that belongs to none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OF_ORDERS = ("ix_deliveries_order", "deliveries", ["purchase_order", "customer_id", "account"])
_NUMBERED = sa.text("purchase_order IS NOT NULL")
_BY_PLACE, _BY_ID = "uq_tasks_event_position_kind_subject", "uq_tasks_event_id_kind_subject"
_OPEN = sa.text("ended_at IS NULL")
_OUT = sa.text("ended_at IS NULL AND (sent_at IS NOT NULL OR token IS NOT NULL)")


def upgrade() -> None:
    """A task whose event is no longer in the log keeps its row, and names none."""
    op.drop_index("ix_deliveries_order", "deliveries")
    op.create_index(*_OF_ORDERS, sqlite_where=_NUMBERED, postgresql_where=_NUMBERED)
    op.drop_index("ix_tasks_sent", "tasks")
    op.add_column("tasks", sa.Column("event_position", sa.BigInteger(), nullable=True))
    op.execute("UPDATE tasks SET event_position = (SELECT position FROM events WHERE events.id = tasks.event_id)")
    with op.batch_alter_table("tasks") as batch:
        batch.drop_constraint(_BY_ID, type_="unique")
        batch.create_unique_constraint(_BY_PLACE, ["event_position", "kind", "subject"])
        batch.drop_column("event_id")
    op.create_index("ix_tasks_out", "tasks", ["state", "sent_at"], sqlite_where=_OUT, postgresql_where=_OUT)


def downgrade() -> None:
    """Put the ids and the indexes back."""
    op.drop_index("ix_tasks_out", "tasks")
    op.add_column("tasks", sa.Column("event_id", sa.Text(), nullable=True))
    op.execute("UPDATE tasks SET event_id = (SELECT id FROM events WHERE events.position = tasks.event_position)")
    with op.batch_alter_table("tasks") as batch:
        batch.drop_constraint(_BY_PLACE, type_="unique")
        batch.create_unique_constraint(_BY_ID, ["event_id", "kind", "subject"])
        batch.drop_column("event_position")
    op.create_index("ix_tasks_sent", "tasks", ["state", "sent_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.drop_index("ix_deliveries_order", "deliveries")
    op.create_index(*_OF_ORDERS)
