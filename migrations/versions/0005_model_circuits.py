"""Circuits of the image models, and which model an attempt asked."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_circuits",
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("faults", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_fault_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wait_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_model_circuits")),
    )
    op.add_column("transformation_attempts", sa.Column("model", sa.String(length=80), nullable=True))
    op.create_index("ix_transformation_attempts_calls", "transformation_attempts", ["model", "started_at"])


def downgrade() -> None:
    op.drop_index("ix_transformation_attempts_calls", "transformation_attempts")
    op.drop_column("transformation_attempts", "model")
    op.drop_table("model_circuits")
