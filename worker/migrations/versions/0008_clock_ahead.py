"""From which second on certificates go by a Date that had jumped ahead."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("accounts", sa.Column("jumped_since", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("jumped_since")
