"""Guards in the database: a firing changes state only as the table of changes allows, and is never deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEVER_DELETED = ("firings", "attempts", "firing_history", "counted_deliveries")
_CHANGES = (
    ("planned", "held"),
    ("armed", "held"),
    ("held", "planned"),
    ("planned", "armed"),
    ("armed", "planned"),
    ("planned", "withdrawn"),
    ("held", "withdrawn"),
    ("armed", "withdrawn"),
    ("withdrawn", "planned"),
    ("armed", "sending"),
    ("sending", "armed"),
    ("sending", "ambiguous"),
    ("ambiguous", "absent"),
    ("ambiguous", "needs_person"),
    ("absent", "sending"),
    ("absent", "planned"),
    ("absent", "refused"),
    ("absent", "needs_person"),
    ("refused", "planned"),
    ("needs_person", "absent"),
    ("needs_person", "abandoned"),
    ("held", "confirmed"),
    ("planned", "confirmed"),
    ("armed", "confirmed"),
    ("sending", "confirmed"),
    ("ambiguous", "confirmed"),
    ("absent", "confirmed"),
    ("needs_person", "confirmed"),
    ("refused", "confirmed"),
    ("withdrawn", "confirmed"),
)

_SQLITE_CHANGE = """
CREATE TRIGGER firings_change BEFORE UPDATE OF state ON firings
WHEN OLD.state <> NEW.state AND NOT EXISTS (
    SELECT 1 FROM firing_changes WHERE from_state = OLD.state AND to_state = NEW.state
)
BEGIN SELECT RAISE(ABORT, 'this change of a firing is not allowed'); END
"""
_SQLITE_IDENTITY = """
CREATE TRIGGER firings_identity BEFORE UPDATE OF order_id, ordinal ON firings
WHEN OLD.order_id <> NEW.order_id OR OLD.ordinal <> NEW.ordinal
BEGIN SELECT RAISE(ABORT, 'a firing keeps its order and ordinal'); END
"""
_SQLITE_DELETE = """
CREATE TRIGGER {table}_kept BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} are never deleted'); END
"""
_POSTGRES_CHANGE = """
CREATE FUNCTION waybill_firing_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.order_id <> NEW.order_id OR OLD.ordinal <> NEW.ordinal THEN
        RAISE EXCEPTION 'a firing keeps its order and ordinal' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state <> NEW.state AND NOT EXISTS (
        SELECT 1 FROM firing_changes WHERE from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'this change of a firing is not allowed: % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
_POSTGRES_KEPT = """
CREATE FUNCTION waybill_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are never deleted', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$
"""


def upgrade() -> None:
    """Fill the table of allowed changes and set the triggers."""
    changes = sa.table("firing_changes", sa.column("from_state", sa.Text), sa.column("to_state", sa.Text))
    op.bulk_insert(changes, [{"from_state": before, "to_state": after} for before, after in _CHANGES])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_SQLITE_CHANGE)
        op.execute(_SQLITE_IDENTITY)
        for table in _NEVER_DELETED:
            op.execute(_SQLITE_DELETE.format(table=table))
        return
    op.execute(_POSTGRES_CHANGE)
    op.execute(
        "CREATE TRIGGER firings_change BEFORE UPDATE ON firings FOR EACH ROW EXECUTE FUNCTION waybill_firing_change()"
    )
    op.execute(_POSTGRES_KEPT)
    for table in _NEVER_DELETED:
        op.execute(f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION waybill_kept()")


def downgrade() -> None:
    """Take the triggers and the table's rows away."""
    if op.get_bind().dialect.name == "sqlite":
        for trigger in ("firings_change", "firings_identity", *(f"{table}_kept" for table in _NEVER_DELETED)):
            op.execute(f"DROP TRIGGER {trigger}")
    else:
        op.execute("DROP TRIGGER firings_change ON firings")
        for table in _NEVER_DELETED:
            op.execute(f"DROP TRIGGER {table}_kept ON {table}")
        op.execute("DROP FUNCTION waybill_firing_change()")
        op.execute("DROP FUNCTION waybill_kept()")
    op.execute("DELETE FROM firing_changes")
