"""The admins' desk: a chained audit log, versions of prompts and their lab, suspended people, given free pictures."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_REFUSES = "acts of admins are only ever added"


def upgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.add_column(sa.Column("free_bonus", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch.add_column(sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
        batch.create_check_constraint(op.f("ck_users_free_bonus_not_negative"), "free_bonus >= 0")
    with op.batch_alter_table("transformation_types") as batch:
        batch.add_column(sa.Column("aspect_ratio", sa.String(length=10), nullable=True))
        batch.add_column(sa.Column("prompt_version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        batch.add_column(sa.Column("edits", sa.Integer(), server_default=sa.text("0"), nullable=False))
        batch.add_column(sa.Column("thumbnail", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("thumbnail_tag", sa.String(length=12), nullable=True))
    _lab()
    with op.batch_alter_table("transformations") as batch:
        batch.add_column(sa.Column("prompt_version", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("lab_run_id", sa.Uuid(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_transformations_lab_run_id_lab_runs"), "lab_runs", ["lab_run_id"], ["id"], ondelete="SET NULL"
        )
        batch.create_index(op.f("ix_transformations_lab_run_id"), ["lab_run_id"], unique=False)
    _chain()


def _lab() -> None:
    op.create_table(
        "prompt_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transformation_type_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("prompt_template", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=80), nullable=False),
        sa.Column("author_user_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["transformation_type_id"],
            ["transformation_types.id"],
            name=op.f("fk_prompt_versions_transformation_type_id_transformation_types"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_user_id"], ["users.id"], name=op.f("fk_prompt_versions_author_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_versions")),
        sa.UniqueConstraint(
            "transformation_type_id", "number", name=op.f("uq_prompt_versions_transformation_type_id_number")
        ),
    )
    op.create_table(
        "lab_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transformation_type_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["transformation_type_id"],
            ["transformation_types.id"],
            name=op.f("fk_lab_runs_transformation_type_id_transformation_types"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_lab_runs_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lab_runs")),
    )
    op.create_index(
        op.f("ix_lab_runs_transformation_type_id_created_at"), "lab_runs", ["transformation_type_id", "created_at"]
    )
    op.create_table(
        "lab_votes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transformation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("value IN (-1, 1)", name=op.f("ck_lab_votes_value_is_up_or_down")),
        sa.ForeignKeyConstraint(
            ["transformation_id"],
            ["transformations.id"],
            name=op.f("fk_lab_votes_transformation_id_transformations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_lab_votes_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lab_votes")),
        sa.UniqueConstraint("transformation_id", "user_id", name=op.f("uq_lab_votes_transformation_id_user_id")),
    )
    _first_versions()


def _first_versions() -> None:
    """What each style asks for now becomes its version 1."""
    connection = op.get_bind()
    kinds = sa.table(
        "transformation_types",
        sa.column("id", sa.Uuid()),
        sa.column("prompt_template", sa.Text()),
        sa.column("updated_at", sa.DateTime(timezone=True)),
    )
    versions = sa.table(
        "prompt_versions",
        sa.column("id", sa.Uuid()),
        sa.column("transformation_type_id", sa.Uuid()),
        sa.column("number", sa.Integer()),
        sa.column("prompt_template", sa.Text()),
        sa.column("author", sa.String()),
        sa.column("created_at", sa.DateTime(timezone=True)),
    )
    for kind in connection.execute(sa.select(kinds)).all():
        first = {"id": uuid4(), "transformation_type_id": kind.id, "number": 1, "author": "seed"}
        connection.execute(
            sa.insert(versions).values(**first, prompt_template=kind.prompt_template, created_at=kind.updated_at)
        )


def _chain() -> None:
    with op.batch_alter_table("admin_actions") as batch:
        batch.add_column(sa.Column("sequence", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("request_id", sa.String(length=36), nullable=True))
        batch.add_column(sa.Column("before", _JSON, nullable=True))
        batch.add_column(sa.Column("after", _JSON, nullable=True))
        batch.add_column(sa.Column("hash", sa.String(length=64), nullable=True))
        batch.create_unique_constraint(op.f("uq_admin_actions_sequence"), ["sequence"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_is_the_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0, "hash": "0" * 64}])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER admin_actions_no_{verb.lower()} BEFORE {verb} ON admin_actions "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSES}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION admin_actions_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSES}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER admin_actions_append_only BEFORE UPDATE OR DELETE ON admin_actions "
        "FOR EACH ROW EXECUTE FUNCTION admin_actions_append_only()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER admin_actions_no_{verb}")
    else:
        op.execute("DROP TRIGGER admin_actions_append_only ON admin_actions")
        op.execute("DROP FUNCTION admin_actions_append_only()")
    op.drop_table("audit_head")
    with op.batch_alter_table("admin_actions") as batch:
        batch.drop_constraint(op.f("uq_admin_actions_sequence"), type_="unique")
        for column in ("hash", "after", "before", "request_id", "sequence"):
            batch.drop_column(column)
    with op.batch_alter_table("transformations") as batch:
        batch.drop_index(op.f("ix_transformations_lab_run_id"))
        batch.drop_constraint(op.f("fk_transformations_lab_run_id_lab_runs"), type_="foreignkey")
        batch.drop_column("lab_run_id")
        batch.drop_column("prompt_version")
    op.drop_table("lab_votes")
    op.drop_index(op.f("ix_lab_runs_transformation_type_id_created_at"), "lab_runs")
    op.drop_table("lab_runs")
    op.drop_table("prompt_versions")
    with op.batch_alter_table("transformation_types") as batch:
        for column in ("thumbnail_tag", "thumbnail", "edits", "prompt_version", "aspect_ratio"):
            batch.drop_column(column)
    with op.batch_alter_table("users") as batch:
        batch.drop_constraint(op.f("ck_users_free_bonus_not_negative"), type_="check")
        batch.drop_column("suspended_at")
        batch.drop_column("free_bonus")
