"""Firings, and the registry's ledger beside ours."""

import sqlalchemy as sa
from alembic import op


def create() -> None:
    """Make the tables."""
    op.create_table(
        "bindings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("bound_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bindings")),
    )
    op.create_table(
        "firing_changes",
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("from_state", "to_state", name=op.f("pk_firing_changes")),
    )
    op.create_table(
        "ledger_reads",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("total_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ledger_reads")),
    )
    op.create_table(
        "mismatches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mismatches")),
    )
    op.create_table(
        "firings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("credit_order_id", sa.Text(), nullable=True),
        sa.Column("kg", sa.BigInteger(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("calculation", sa.JSON(), nullable=True),
        sa.Column("calculation_hash", sa.Text(), nullable=True),
        sa.Column("marker", sa.Text(), nullable=True),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("request_sha256", sa.Text(), nullable=True),
        sa.Column("baseline", sa.JSON(), nullable=True),
        sa.Column("approved_hash", sa.Text(), nullable=True),
        sa.Column("held_by_person", sa.Boolean(), nullable=False),
        sa.Column("resend_allowed", sa.Boolean(), nullable=False),
        sa.Column("refusal", sa.JSON(), nullable=True),
        sa.Column("repins", sa.Integer(), nullable=False),
        sa.Column("credit_delivery_id", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("look_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state <> 'confirmed' OR credit_delivery_id IS NOT NULL", name=op.f("ck_firings_confirmed")),
        sa.CheckConstraint(
            "state <> 'sending' OR (request IS NOT NULL AND marker IS NOT NULL)", name=op.f("ck_firings_frozen")
        ),
        sa.CheckConstraint(
            "state IN ('held', 'planned', 'armed', 'sending', 'ambiguous', 'absent', 'needs_person', 'confirmed', 'refused', 'withdrawn', 'abandoned')",
            name=op.f("ck_firings_known_state"),
        ),
        sa.CheckConstraint("kg IS NULL OR kg > 0", name=op.f("ck_firings_positive_kg")),
        sa.CheckConstraint("ordinal BETWEEN 0 AND 9", name=op.f("ck_firings_ordinal")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_firings_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firings")),
        sa.UniqueConstraint("order_id", "ordinal", name=op.f("uq_firings_order_id_ordinal")),
    )
    with op.batch_alter_table("firings", schema=None) as batch_op:
        batch_op.create_index("ix_firings_credit_order_id", ["credit_order_id"], unique=False)
        batch_op.create_index("ix_firings_look_at", ["look_at"], unique=False)
        batch_op.create_index(
            "uq_firings_marker",
            ["marker"],
            unique=True,
            sqlite_where=sa.text("marker IS NOT NULL"),
            postgresql_where=sa.text("marker IS NOT NULL"),
        )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("firing_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["firing_id"], ["firings.id"], name=op.f("fk_attempts_firing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("firing_id", "number", name=op.f("uq_attempts_firing_id_number")),
    )
    op.create_table(
        "counted_deliveries",
        sa.Column("firing_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["firing_id"], ["firings.id"], name=op.f("fk_counted_deliveries_firing_id")),
        sa.PrimaryKeyConstraint("firing_id", "account", "delivery_id", name=op.f("pk_counted_deliveries")),
    )
    with op.batch_alter_table("counted_deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_counted_deliveries_delivery", ["account", "delivery_id"], unique=False)
    op.create_table(
        "credit_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("credit_order_id", sa.Text(), nullable=False),
        sa.Column("kg", sa.BigInteger(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=False),
        sa.Column("attribution", sa.Text(), nullable=False),
        sa.Column("firing_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "attribution IN ('ours', 'adopted', 'dismissed', 'unattributed')",
            name=op.f("ck_credit_deliveries_known_attribution"),
        ),
        sa.ForeignKeyConstraint(["firing_id"], ["firings.id"], name=op.f("fk_credit_deliveries_firing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_deliveries")),
    )
    with op.batch_alter_table("credit_deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_credit_deliveries_credit_order_id", ["credit_order_id"], unique=False)
    op.create_table(
        "firing_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("firing_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["firing_id"], ["firings.id"], name=op.f("fk_firing_history_firing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firing_history")),
    )
    with op.batch_alter_table("firing_history", schema=None) as batch_op:
        batch_op.create_index("ix_firing_history_firing_id", ["firing_id"], unique=False)
    op.create_table(
        "pins",
        sa.Column("firing_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("freeze", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("kg", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["firing_id"], ["firings.id"], name=op.f("fk_pins_firing_id")),
        sa.PrimaryKeyConstraint("firing_id", "freeze", "batch_id", name=op.f("pk_pins")),
    )
    with op.batch_alter_table("pins", schema=None) as batch_op:
        batch_op.create_index(
            "uq_pins_batch",
            ["batch_id"],
            unique=True,
            sqlite_where=sa.text("active"),
            postgresql_where=sa.text("active"),
        )
    op.create_table(
        "readings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("firing_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["firing_id"], ["firings.id"], name=op.f("fk_readings_firing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readings")),
    )
    with op.batch_alter_table("readings", schema=None) as batch_op:
        batch_op.create_index("ix_readings_firing_id", ["firing_id"], unique=False)


def drop() -> None:
    """Take them back."""
    with op.batch_alter_table("readings", schema=None) as batch_op:
        batch_op.drop_index("ix_readings_firing_id")
    op.drop_table("readings")
    with op.batch_alter_table("pins", schema=None) as batch_op:
        batch_op.drop_index("uq_pins_batch", sqlite_where=sa.text("active"), postgresql_where=sa.text("active"))
    op.drop_table("pins")
    with op.batch_alter_table("firing_history", schema=None) as batch_op:
        batch_op.drop_index("ix_firing_history_firing_id")
    op.drop_table("firing_history")
    with op.batch_alter_table("credit_deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_credit_deliveries_credit_order_id")
    op.drop_table("credit_deliveries")
    with op.batch_alter_table("counted_deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_counted_deliveries_delivery")
    op.drop_table("counted_deliveries")
    op.drop_table("attempts")
    with op.batch_alter_table("firings", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_firings_marker",
            sqlite_where=sa.text("marker IS NOT NULL"),
            postgresql_where=sa.text("marker IS NOT NULL"),
        )
        batch_op.drop_index("ix_firings_look_at")
        batch_op.drop_index("ix_firings_credit_order_id")
    op.drop_table("firings")
    op.drop_table("mismatches")
    op.drop_table("ledger_reads")
    op.drop_table("firing_changes")
    op.drop_table("bindings")
