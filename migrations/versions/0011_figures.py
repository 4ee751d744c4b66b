"""What each closed day came to, and the indexes by which the day that runs is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDEXES = (
    ("transformations", "finished_at"),
    ("billing_records", "captured_at"),
    ("refunds", "finished_at"),
    ("user_sessions", "created_at"),
    ("user_sessions", "last_seen_at", "user_id"),
    ("users", "created_at"),
)


def upgrade() -> None:
    op.create_table(
        "daily_totals",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("p50_ms", sa.Integer(), nullable=True),
        sa.Column("p90_ms", sa.Integer(), nullable=True),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_daily_totals")),
    )
    counts = [
        sa.Column(name, sa.Integer(), nullable=False) for name in ("made", "failed", "blocked", "cancelled", "lab")
    ]
    op.create_table(
        "daily_figures",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("transformation_type_id", sa.Uuid(), nullable=False),
        *counts,
        sa.Column("cost", sa.Numeric(14, 6), nullable=False),
        sa.Column("lab_cost", sa.Numeric(14, 6), nullable=False),
        sa.Column("captured", sa.Numeric(14, 2), nullable=False),
        sa.Column("refunded", sa.Numeric(14, 2), nullable=False),
        sa.Column("p50_ms", sa.Integer(), nullable=True),
        sa.Column("p90_ms", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("day", "transformation_type_id", name=op.f("pk_daily_figures")),
    )
    op.create_table(
        "daily_counts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=20), nullable=False),
        sa.Column("value", sa.Numeric(14, 2), nullable=False),
        sa.PrimaryKeyConstraint("day", "what", "key", name=op.f("pk_daily_counts")),
    )
    for table, *columns in _INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
    op.create_index("ix_users_email_start", "users", ["email"], postgresql_ops={"email": "text_pattern_ops"})


def downgrade() -> None:
    op.drop_index("ix_users_email_start", "users")
    for table, *columns in reversed(_INDEXES):
        op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table)
    for table in ("daily_counts", "daily_figures", "daily_totals"):
        op.drop_table(table)
