"""The first schema: every table of `worker.db.tables` as it was at version 0.1.0."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("key_fingerprint", sa.Text(), nullable=False),
        sa.Column("lag_seconds", sa.Float(), nullable=False),
        sa.Column("lag_raised_at", sa.BigInteger(), nullable=True),
        sa.Column("server_time", sa.BigInteger(), nullable=True),
        sa.Column("skew_seconds", sa.Float(), nullable=True),
        sa.Column("guard_read_at", sa.BigInteger(), nullable=True),
        sa.Column("swept_at", sa.BigInteger(), nullable=True),
        sa.Column("stopped_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
    )
    op.create_table(
        "bindings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("bound_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bindings")),
    )
    op.create_table(
        "budgets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_budgets")),
    )
    op.create_table(
        "coverage",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('certified', 'pending', 'hole')", name=op.f("ck_coverage_known_state")),
        sa.CheckConstraint("since <= until", name=op.f("ck_coverage_ordered")),
        sa.PrimaryKeyConstraint("account", "since", name=op.f("pk_coverage")),
    )
    op.create_table(
        "deliveries",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_inbound", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("number_external", sa.Text(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("line_items", sa.JSON(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("stamp_went_back", sa.Boolean(), nullable=False),
        sa.Column("unrecognised", sa.JSON(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_deliveries")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_deliveries_order", ["account", "customer_id", "purchase_order"], unique=False)
        batch_op.create_index("ix_deliveries_purchase_order", ["purchase_order"], unique=False)
        batch_op.create_index("ix_deliveries_updated_at", ["account", "updated_at"], unique=False)

    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
        sa.UniqueConstraint("source", "subject", "sequence", name=op.f("uq_events_source_subject_sequence")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_recorded_at", ["recorded_at"], unique=False)

    op.create_table(
        "firing_changes",
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("from_state", "to_state", name=op.f("pk_firing_changes")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "ledger_reads",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("total_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ledger_reads")),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=False),
        sa.Column("credit_order_id", sa.Text(), nullable=False),
        sa.Column("credit_kg", sa.BigInteger(), nullable=True),
        sa.Column("expected_deliveries", sa.Integer(), nullable=True),
        sa.Column("open_ended", sa.Boolean(), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("issuance", sa.Text(), nullable=True),
        sa.Column("batches", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("credit_kg IS NULL OR credit_kg > 0", name=op.f("ck_links_positive_kg")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint(
            "account", "customer_id", "purchase_order", name=op.f("uq_links_account_customer_id_purchase_order")
        ),
    )
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.create_index("ix_links_purchase_order", ["purchase_order"], unique=False)

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
        "orders",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("newest_at", sa.BigInteger(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("read_hash", sa.Text(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("look_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'blocked', 'settling', 'complete', 'unlinked', 'cancelled')",
            name=op.f("ck_orders_known_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "account", "customer_id", "purchase_order", name=op.f("uq_orders_account_customer_id_purchase_order")
        ),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("ix_orders_look_at", ["look_at"], unique=False)
        batch_op.create_index("ix_orders_purchase_order", ["purchase_order"], unique=False)

    op.create_table(
        "set_aside",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("payload_hash", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        sa.UniqueConstraint("account", "payload_hash", name=op.f("uq_set_aside_account_payload_hash")),
    )
    with op.batch_alter_table("set_aside", schema=None) as batch_op:
        batch_op.create_index("ix_set_aside_delivery", ["account", "delivery_id"], unique=False)

    op.create_table(
        "switches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )
    op.create_table(
        "tasks",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'running') = (token IS NOT NULL AND owner IS NOT NULL AND lease_until IS NOT NULL)",
            name=op.f("ck_tasks_claimed"),
        ),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'discarded')", name=op.f("ck_tasks_known_state")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_tasks")),
        sa.UniqueConstraint("event_id", "kind", "subject", name=op.f("uq_tasks_event_id_kind_subject")),
        sa.UniqueConstraint("id", name=op.f("uq_tasks_id")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(
            "ix_tasks_due",
            ["kind", "due_at"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "ix_tasks_ended_at",
            ["state", "ended_at"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NOT NULL"),
            postgresql_where=sa.text("ended_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_tasks_open",
            ["kind", "subject", "number"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_index(
            "ix_tasks_sent",
            ["state", "sent_at"],
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
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


def downgrade() -> None:
    """Take this revision back."""
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
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_tasks_sent", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")
        )
        batch_op.drop_index(
            "ix_tasks_open", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")
        )
        batch_op.drop_index(
            "ix_tasks_ended_at",
            sqlite_where=sa.text("ended_at IS NOT NULL"),
            postgresql_where=sa.text("ended_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_tasks_due", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")
        )

    op.drop_table("tasks")
    op.drop_table("switches")
    with op.batch_alter_table("set_aside", schema=None) as batch_op:
        batch_op.drop_index("ix_set_aside_delivery")

    op.drop_table("set_aside")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_index("ix_orders_purchase_order")
        batch_op.drop_index("ix_orders_look_at")

    op.drop_table("orders")
    op.drop_table("mismatches")
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.drop_index("ix_links_purchase_order")

    op.drop_table("links")
    op.drop_table("ledger_reads")
    op.drop_table("leases")
    op.drop_table("firing_changes")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_recorded_at")

    op.drop_table("events")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_updated_at")
        batch_op.drop_index("ix_deliveries_purchase_order")
        batch_op.drop_index("ix_deliveries_order")

    op.drop_table("deliveries")
    op.drop_table("coverage")
    op.drop_table("budgets")
    op.drop_table("bindings")
    op.drop_table("accounts")
