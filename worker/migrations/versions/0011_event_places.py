"""Tasks name their event by its place in the log, and the index of those that are out holds no others.

Ids of events come in an order of their own, and the index over them was a sixth of what storing wrote.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_BY_PLACE, _BY_ID = "uq_tasks_event_position_kind_subject", "uq_tasks_event_id_kind_subject"

_OPEN = sa.text("ended_at IS NULL")
_OUT = sa.text("ended_at IS NULL AND (sent_at IS NOT NULL OR token IS NOT NULL)")


def upgrade() -> None:
    """A task whose event is no longer in the log keeps its row, and names none."""
    op.add_column("tasks", sa.Column("event_position", sa.BigInteger(), nullable=True))
    op.execute("UPDATE tasks SET event_position = (SELECT position FROM events WHERE events.id = tasks.event_id)")
    op.drop_index("ix_tasks_sent", "tasks")
    with op.batch_alter_table("tasks") as batch:
        batch.drop_constraint(_BY_ID, type_="unique")
        batch.create_unique_constraint(_BY_PLACE, ["event_position", "kind", "subject"])
        batch.drop_column("event_id")
    columns = ["state", "sent_at"]
    op.create_index("ix_tasks_out", "tasks", columns, sqlite_where=_OUT, postgresql_where=_OUT)


def downgrade() -> None:
    """Put the ids back."""
    op.add_column("tasks", sa.Column("event_id", sa.Text(), nullable=True))
    op.execute("UPDATE tasks SET event_id = (SELECT id FROM events WHERE events.position = tasks.event_position)")
    op.drop_index("ix_tasks_out", "tasks")
    with op.batch_alter_table("tasks") as batch:
        batch.drop_constraint(_BY_PLACE, type_="unique")
        batch.create_unique_constraint(_BY_ID, ["event_id", "kind", "subject"])
        batch.drop_column("event_position")
    columns = ["state", "sent_at"]
    op.create_index("ix_tasks_sent", "tasks", columns, sqlite_where=_OPEN, postgresql_where=_OPEN)
