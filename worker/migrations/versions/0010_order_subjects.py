"""Tasks about an order name its number before its customer, so that their index follows time where numbers do."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Rows that are renamed at a time.
_CHUNK = 500
# Kinds of tasks whose subject is an order.
_KINDS = ("completion", "firing", "fire")


def upgrade() -> None:
    """Rename what may still be done; what was done keeps the name under which it was."""
    _rename(_number_first)


def downgrade() -> None:
    """Put the customer first again."""
    _rename(_customer_first)


def _number_first(subject: str) -> str:
    account, _, rest = subject.partition("|")
    customer_id, between, purchase_order = rest.partition("|")
    # Whatever else it is, a start of the program does not fail for it.
    odd = not between or customer_id.startswith("#")
    return subject if odd else f"{account}|#{purchase_order}|{customer_id}"


def _customer_first(subject: str) -> str:
    account, _, rest = subject.partition("|")
    purchase_order, _, customer_id = rest.rpartition("|")
    return f"{account}|{customer_id}|{purchase_order.removeprefix('#')}" if rest.startswith("#") else subject


def _rename(renamed: Callable[[str], str]) -> None:
    tasks = sa.table(
        "tasks",
        sa.column("number", sa.BigInteger),
        sa.column("kind", sa.Text),
        sa.column("subject", sa.Text),
        sa.column("state", sa.Text),
    )
    connection, after = op.get_bind(), 0
    change = sa.update(tasks).where(tasks.c.number == sa.bindparam("of")).values(subject=sa.bindparam("to"))
    while True:
        chunk = sa.select(tasks.c.number, tasks.c.subject).where(
            tasks.c.kind.in_(_KINDS), tasks.c.state != "done", tasks.c.number > after
        )
        rows = connection.execute(chunk.order_by(tasks.c.number).limit(_CHUNK)).all()
        if rows:
            connection.execute(change, [{"of": row.number, "to": renamed(row.subject)} for row in rows])
        if len(rows) < _CHUNK:
            return
        after = rows[-1].number
