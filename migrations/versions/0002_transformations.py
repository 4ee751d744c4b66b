"""Styles, photos, jobs and the model calls made for them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "transformation_types",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("prompt_template", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=True),
        sa.Column("position", sa.Integer(), server_default=sa.text("100"), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("enabled IN (true, false)", name=op.f("ck_transformation_types_enabled_is_boolean")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transformation_types")),
        sa.UniqueConstraint("name", name=op.f("uq_transformation_types_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_transformation_types_slug")),
    )
    op.create_index("ix_transformation_types_enabled", "transformation_types", ["enabled"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("storage_key", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("stored_bytes", sa.Integer(), nullable=False),
        sa.Column("source_width", sa.Integer(), nullable=False),
        sa.Column("source_height", sa.Integer(), nullable=False),
        sa.Column("source_bytes", sa.Integer(), nullable=False),
        sa.Column("had_location", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delete_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deletion_record", sa.String(length=64), nullable=True),
        sa.CheckConstraint("width > 0 AND height > 0 AND stored_bytes > 0", name=op.f("ck_uploads_has_a_size")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_uploads_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_uploads_storage_key")),
    )
    op.create_index("ix_uploads_due", "uploads", ["deleted_at", "delete_due_at"])
    op.create_index("ix_uploads_user_id", "uploads", ["user_id"])
    op.create_table(
        "transformations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("transformation_type_id", sa.Uuid(), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=True),
        sa.Column("original_image_url", sa.String(length=200), nullable=False),
        sa.Column("transformed_image_url", sa.String(length=200), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "PROCESSING",
                "COMPLETED",
                "FAILED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            server_default="PENDING",
            nullable=False,
        ),
        sa.Column(
            "stage",
            sa.Enum(
                "waiting",
                "making",
                "checking",
                "ready",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            server_default="waiting",
            nullable=False,
        ),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("failure_reason", sa.String(length=40), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("pricing_tier_locked", sa.String(length=20), nullable=True),
        sa.Column(
            "reservation",
            sa.Enum(
                "RESERVED",
                "SETTLED",
                "RELEASED",
                name="reservation",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_media_type", sa.String(length=20), nullable=True),
        sa.Column("result_bytes", sa.Integer(), nullable=True),
        sa.Column("result_width", sa.Integer(), nullable=True),
        sa.Column("result_height", sa.Integer(), nullable=True),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=True),
        sa.Column("is_preview", sa.Boolean(), nullable=False),
        sa.Column("downloaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delete_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deletion_record", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status <> 'COMPLETED' OR (result_bytes IS NOT NULL AND result_bytes > 0)",
            name=op.f("ck_transformations_completed_has_a_picture"),
        ),
        sa.CheckConstraint(
            "status <> 'PROCESSING' OR lease_token IS NOT NULL", name=op.f("ck_transformations_processing_has_a_lease")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_transformations_attempts_not_negative")),
        sa.ForeignKeyConstraint(
            ["transformation_type_id"],
            ["transformation_types.id"],
            name=op.f("fk_transformations_transformation_type_id_transformation_types"),
        ),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name=op.f("fk_transformations_upload_id_uploads"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_transformations_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transformations")),
    )
    op.create_index("ix_transformations_claim", "transformations", ["status", "due_at"])
    op.create_index("ix_transformations_created_at", "transformations", ["created_at"])
    op.create_index("ix_transformations_due", "transformations", ["deleted_at", "delete_due_at"])
    op.create_index("ix_transformations_history", "transformations", ["user_id", "created_at", "id"])
    op.create_index("ix_transformations_status", "transformations", ["status"])
    op.create_index("ix_transformations_transformation_type_id", "transformations", ["transformation_type_id"])
    op.create_index(
        "ix_transformations_typical", "transformations", ["transformation_type_id", "status", "finished_at"]
    )
    op.create_index("ix_transformations_upload_id", "transformations", ["upload_id"])
    op.create_index("ix_transformations_user_id", "transformations", ["user_id"])
    op.create_index("ix_transformations_user_id_status", "transformations", ["user_id", "status"])
    op.create_table(
        "transformation_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transformation_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("storage_key", sa.String(length=200), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("model_version", sa.String(length=80), nullable=True),
        sa.Column("response_id", sa.String(length=80), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("total_tokens", sa.Integer(), nullable=True),
        sa.CheckConstraint("number > 0", name=op.f("ck_transformation_attempts_number_positive")),
        sa.ForeignKeyConstraint(
            ["transformation_id"],
            ["transformations.id"],
            name=op.f("fk_transformation_attempts_transformation_id_transformations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transformation_attempts")),
        sa.UniqueConstraint(
            "transformation_id", "number", name=op.f("uq_transformation_attempts_transformation_id_number")
        ),
    )
    op.create_index(
        "ix_transformation_attempts_stored",
        "transformation_attempts",
        ["transformation_id"],
        postgresql_where=sa.text("storage_key IS NOT NULL"),
        sqlite_where=sa.text("storage_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("transformation_attempts")
    op.drop_table("transformations")
    op.drop_table("uploads")
    op.drop_table("transformation_types")
