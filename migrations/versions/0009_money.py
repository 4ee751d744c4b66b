"""Money: tries to pay, refunds, subscriptions and their months, and what gateways report."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("remote_id", sa.String(length=255), nullable=True),
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("gateway", "event_id", name=op.f("uq_webhook_events_gateway_event_id")),
    )
    with op.batch_alter_table("webhook_events") as batch:
        batch.create_index("ix_webhook_events_last", ["gateway", "received_at"], unique=False)
        batch.create_index("ix_webhook_events_waiting", ["processed_at", "next_try_at"], unique=False)

    op.create_table(
        "gateway_customers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.String(length=255), nullable=False),
        sa.Column("method_id", sa.String(length=255), nullable=True),
        sa.Column("method_label", sa.String(length=80), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_gateway_customers_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_customers")),
        sa.UniqueConstraint("user_id", "gateway", name=op.f("uq_gateway_customers_user_id_gateway")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("is_live", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "INCOMPLETE",
                "ACTIVE",
                "PAST_DUE",
                "ENDED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            server_default="INCOMPLETE",
            nullable=False,
        ),
        sa.Column("amount", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("monthly_limit", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String(length=255), nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("remote_id", sa.String(length=255), nullable=True),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("method_label", sa.String(length=80), nullable=True),
        sa.Column("cancels_at_period_end", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("past_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("grace_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=40), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_subscriptions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("gateway", "remote_id", name=op.f("uq_subscriptions_gateway_remote_id")),
        sa.UniqueConstraint("gateway", "session_id", name=op.f("uq_subscriptions_gateway_session_id")),
    )
    with op.batch_alter_table("subscriptions") as batch:
        batch.create_index("ix_subscriptions_look", ["status", "next_look_at"], unique=False)
        batch.create_index(op.f("ix_subscriptions_user_id"), ["user_id"], unique=False)
        batch.create_index(
            "uq_subscriptions_live",
            ["user_id"],
            unique=True,
            postgresql_where=sa.text("status <> 'ENDED'"),
            sqlite_where=sa.text("status <> 'ENDED'"),
        )

    op.create_table(
        "quota_periods",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.String(length=255), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("used >= 0 AND used <= granted", name=op.f("ck_quota_periods_used_at_most_the_granted")),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name=op.f("fk_quota_periods_subscription_id_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_quota_periods_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_periods")),
        sa.UniqueConstraint("subscription_id", "invoice_id", name=op.f("uq_quota_periods_subscription_id_invoice_id")),
    )
    with op.batch_alter_table("quota_periods") as batch:
        batch.create_index("ix_quota_periods_current", ["user_id", "ends_at"], unique=False)

    op.create_table(
        "payment_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("billing_record_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("is_live", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "CREATED",
                "OPEN",
                "ACTION",
                "APPROVED",
                "HELD",
                "CAPTURED",
                "VOIDED",
                "FAILED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            server_default="CREATED",
            nullable=False,
        ),
        sa.Column("customer_id", sa.String(length=255), nullable=True),
        sa.Column("method_id", sa.String(length=255), nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=True),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("capture_id", sa.String(length=255), nullable=True),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("failure", sa.String(length=40), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["billing_record_id"],
            ["billing_records.id"],
            name=op.f("fk_payment_attempts_billing_record_id_billing_records"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_payment_attempts_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_attempts")),
        sa.UniqueConstraint("gateway", "session_id", name=op.f("uq_payment_attempts_gateway_session_id")),
    )
    with op.batch_alter_table("payment_attempts") as batch:
        batch.create_index(op.f("ix_payment_attempts_capture_id"), ["capture_id"], unique=False)
        batch.create_index(op.f("ix_payment_attempts_payment_id"), ["payment_id"], unique=False)
        batch.create_index("ix_payment_attempts_user", ["user_id", "created_at"], unique=False)
        batch.create_index(
            "uq_payment_attempts_live",
            ["billing_record_id"],
            unique=True,
            postgresql_where=sa.text("status NOT IN ('VOIDED', 'FAILED')"),
            sqlite_where=sa.text("status NOT IN ('VOIDED', 'FAILED')"),
        )

    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("billing_record_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(length=300), nullable=False),
        sa.Column("amount", sa.Numeric(precision=10, scale=2), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING", "SUCCEEDED", "FAILED", name="status", native_enum=False, create_constraint=True, length=20
            ),
            server_default="PENDING",
            nullable=False,
        ),
        sa.Column("refund_id", sa.String(length=255), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount_positive")),
        sa.ForeignKeyConstraint(
            ["billing_record_id"],
            ["billing_records.id"],
            name=op.f("fk_refunds_billing_record_id_billing_records"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("billing_record_id", "cause", name=op.f("uq_refunds_billing_record_id_cause")),
    )
    with op.batch_alter_table("refunds") as batch:
        batch.create_index(op.f("ix_refunds_status"), ["status"], unique=False)

    with op.batch_alter_table("billing_records") as batch:
        batch.add_column(sa.Column("subscription_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("invoice_id", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("description", sa.String(length=120), server_default=sa.text("''"), nullable=False))
        batch.add_column(
            sa.Column("captured", sa.Numeric(precision=10, scale=2), server_default=sa.text("0"), nullable=False)
        )
        batch.add_column(
            sa.Column("refunded", sa.Numeric(precision=10, scale=2), server_default=sa.text("0"), nullable=False)
        )
        batch.add_column(sa.Column("gateway", sa.String(length=20), nullable=True))
        batch.add_column(sa.Column("method_label", sa.String(length=80), nullable=True))
        batch.add_column(sa.Column("failure", sa.String(length=40), nullable=True))
        batch.add_column(sa.Column("receipt_number", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("looks", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch.add_column(sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("authorized_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("disputed_at", sa.DateTime(timezone=True), nullable=True))
        batch.create_check_constraint(
            op.f("ck_billing_records_captured_at_most_the_amount"), "captured >= 0 AND captured <= amount"
        )
        batch.create_check_constraint(
            op.f("ck_billing_records_refunded_at_most_the_captured"), "refunded >= 0 AND refunded <= captured"
        )
        batch.create_index("ix_billing_records_open", ["status", "next_look_at"], unique=False)
        batch.create_unique_constraint(op.f("uq_billing_records_gateway_invoice_id"), ["gateway", "invoice_id"])
        batch.create_unique_constraint(op.f("uq_billing_records_receipt_number"), ["receipt_number"])
        batch.create_foreign_key(
            op.f("fk_billing_records_subscription_id_subscriptions"),
            "subscriptions",
            ["subscription_id"],
            ["id"],
            ondelete="SET NULL",
        )

    with op.batch_alter_table("transformation_attempts") as batch:
        batch.add_column(sa.Column("cost", sa.Numeric(precision=12, scale=6), nullable=True))
        batch.create_index(op.f("ix_transformation_attempts_started_at"), ["started_at"], unique=False)

    with op.batch_alter_table("transformations") as batch:
        batch.add_column(sa.Column("quota_period_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("reroll_of", sa.Uuid(), nullable=True))
        batch.create_index(op.f("ix_transformations_quota_period_id"), ["quota_period_id"], unique=False)
        batch.create_index(
            "uq_transformations_rerolled",
            ["reroll_of"],
            unique=True,
            postgresql_where=sa.text("status <> 'FAILED'"),
            sqlite_where=sa.text("status <> 'FAILED'"),
        )
        batch.create_foreign_key(
            op.f("fk_transformations_quota_period_id_quota_periods"),
            "quota_periods",
            ["quota_period_id"],
            ["id"],
            ondelete="SET NULL",
        )
        batch.create_foreign_key(
            op.f("fk_transformations_reroll_of_transformations"),
            "transformations",
            ["reroll_of"],
            ["id"],
            ondelete="SET NULL",
        )

    with op.batch_alter_table("users") as batch:
        batch.add_column(sa.Column("spending_blocked_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.drop_column("spending_blocked_at")

    with op.batch_alter_table("transformations") as batch:
        batch.drop_constraint(op.f("fk_transformations_reroll_of_transformations"), type_="foreignkey")
        batch.drop_constraint(op.f("fk_transformations_quota_period_id_quota_periods"), type_="foreignkey")
        batch.drop_index(
            "uq_transformations_rerolled",
            postgresql_where=sa.text("status <> 'FAILED'"),
            sqlite_where=sa.text("status <> 'FAILED'"),
        )
        batch.drop_index(op.f("ix_transformations_quota_period_id"))
        batch.drop_column("reroll_of")
        batch.drop_column("quota_period_id")

    with op.batch_alter_table("transformation_attempts") as batch:
        batch.drop_index(op.f("ix_transformation_attempts_started_at"))
        batch.drop_column("cost")

    with op.batch_alter_table("billing_records") as batch:
        batch.drop_constraint(op.f("fk_billing_records_subscription_id_subscriptions"), type_="foreignkey")
        batch.drop_constraint(op.f("ck_billing_records_captured_at_most_the_amount"), type_="check")
        batch.drop_constraint(op.f("ck_billing_records_refunded_at_most_the_captured"), type_="check")
        batch.drop_constraint(op.f("uq_billing_records_receipt_number"), type_="unique")
        batch.drop_constraint(op.f("uq_billing_records_gateway_invoice_id"), type_="unique")
        batch.drop_index("ix_billing_records_open")
        batch.drop_column("disputed_at")
        batch.drop_column("refunded_at")
        batch.drop_column("released_at")
        batch.drop_column("captured_at")
        batch.drop_column("authorized_at")
        batch.drop_column("next_look_at")
        batch.drop_column("looks")
        batch.drop_column("receipt_number")
        batch.drop_column("failure")
        batch.drop_column("method_label")
        batch.drop_column("gateway")
        batch.drop_column("refunded")
        batch.drop_column("captured")
        batch.drop_column("description")
        batch.drop_column("invoice_id")
        batch.drop_column("subscription_id")

    with op.batch_alter_table("refunds") as batch:
        batch.drop_index(op.f("ix_refunds_status"))

    op.drop_table("refunds")
    with op.batch_alter_table("payment_attempts") as batch:
        batch.drop_index(
            "uq_payment_attempts_live",
            postgresql_where=sa.text("status NOT IN ('VOIDED', 'FAILED')"),
            sqlite_where=sa.text("status NOT IN ('VOIDED', 'FAILED')"),
        )
        batch.drop_index("ix_payment_attempts_user")
        batch.drop_index(op.f("ix_payment_attempts_payment_id"))
        batch.drop_index(op.f("ix_payment_attempts_capture_id"))

    op.drop_table("payment_attempts")
    with op.batch_alter_table("quota_periods") as batch:
        batch.drop_index("ix_quota_periods_current")

    op.drop_table("quota_periods")
    with op.batch_alter_table("subscriptions") as batch:
        batch.drop_index(
            "uq_subscriptions_live",
            postgresql_where=sa.text("status <> 'ENDED'"),
            sqlite_where=sa.text("status <> 'ENDED'"),
        )
        batch.drop_index(op.f("ix_subscriptions_user_id"))
        batch.drop_index("ix_subscriptions_look")

    op.drop_table("subscriptions")
    op.drop_table("gateway_customers")
    with op.batch_alter_table("webhook_events") as batch:
        batch.drop_index("ix_webhook_events_waiting")
        batch.drop_index("ix_webhook_events_last")

    op.drop_table("webhook_events")
