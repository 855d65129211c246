"""The first schema: every table of `worker.db.tables` as it was at version 0.1.0."""

from worker.migrations.first_schema import credits as of_credits
from worker.migrations.first_schema import log, orders, source

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    for room in (source, log, orders, of_credits):
        room.create()


def downgrade() -> None:
    """Take this revision back."""
    for room in (of_credits, orders, log, source):
        room.drop()
