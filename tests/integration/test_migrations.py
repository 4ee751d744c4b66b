"""The schema: up, down and up again, equal to the models, with names and checks on both databases."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from pixshift.extensions import Base, db
from pixshift.models.base import utcnow
from tests.integration.conftest import MakeApp

TABLES = {
    "account_exports", "admin_actions", "billing_records", "daily_counts", "daily_figures", "daily_totals",
    "gateway_customers", "identities", "payment_attempts",
    "quota_periods", "refunds", "share_links", "sms_messages", "subscriptions", "transformation_attempts",
    "transformation_types", "transformations", "uploads", "user_sessions", "users", "webhook_events",
}  # fmt: skip


@pytest.fixture
def empty(make_app: MakeApp, empty_database_url: str) -> Flask:
    return make_app(DATABASE_URL=empty_database_url)


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_migrations_go_up_down_and_up_again(empty: Flask) -> None:
    with empty.app_context():
        for _ in range(2):
            flask_migrate.upgrade()
            assert tables() >= TABLES
            flask_migrate.downgrade(revision="base")
            assert tables() == set()
        flask_migrate.upgrade()
        assert tables() >= TABLES


def test_every_single_step_can_be_taken_back(empty: Flask) -> None:
    with empty.app_context():
        revisions = sorted(
            file.name[:4] for file in (Path(empty.root_path).parent / "migrations/versions").glob("*.py")
        )
        seen = []
        for revision in revisions:
            before = tables()
            flask_migrate.upgrade(revision=revision)
            after = tables()
            flask_migrate.downgrade(revision="-1")
            assert tables() == before
            flask_migrate.upgrade(revision=revision)
            assert tables() == after
            seen.append(len(after))
        assert seen == sorted(seen)


def test_the_models_are_what_the_migrations_make(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_constraint_has_the_name_of_the_convention(app: Flask) -> None:
    with app.app_context():
        looking = inspect(db.engine)
        for table in tables():
            assert looking.get_pk_constraint(table)["name"] == f"pk_{table}"
            names: list[Any] = [(item["name"], "uq") for item in looking.get_unique_constraints(table)]
            names += [(item["name"], "fk") for item in looking.get_foreign_keys(table)]
            names += [(item["name"], "ck") for item in looking.get_check_constraints(table)]
            for name, kind in names:
                assert re.match(rf"{kind}_{table}_\w+$", name or ""), (table, kind, name)
            for index in looking.get_indexes(table):
                assert str(index["name"]).startswith((f"ix_{table}_", f"uq_{table}_")), index


def test_every_check_of_the_models_is_in_the_database(app: Flask) -> None:
    with app.app_context():
        looking = inspect(db.engine)
        for name, table in Base.metadata.tables.items():
            wanted = {str(item.name) for item in table.constraints if type(item).__name__ == "CheckConstraint"}
            assert {str(item["name"]) for item in looking.get_check_constraints(name)} == wanted, name


# --- what the database itself refuses -------------------------------------------------------------------------------

Row = dict[str, Any]


def _id(connection: Connection) -> str:
    return uuid4().hex if connection.dialect.name == "sqlite" else str(uuid4())


def insert(connection: Connection, table: str, **values: Any) -> str:
    """A plain INSERT of these columns; the id is made here."""
    values = {"id": _id(connection), **values}
    columns, marks = ", ".join(f'"{name}"' for name in values), ", ".join(f":{name}" for name in values)
    moments = {name: value.replace(tzinfo=None) if connection.dialect.name == "sqlite" else value
               for name, value in values.items() if name.endswith("_at")}  # fmt: skip
    moments = {name: str(value) if connection.dialect.name == "sqlite" else value for name, value in moments.items()}
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values | moments)
    return str(values["id"])


def a_user(connection: Connection, **more: Any) -> str:
    now = utcnow()
    return insert(connection, "users", **({"auth_provider": "MOBILE", "created_at": now, "updated_at": now} | more))


def a_type(connection: Connection, **more: Any) -> str:
    now = utcnow()
    values = {"name": "Engraving", "slug": "engraving", "prompt_template": "x", "created_at": now, "updated_at": now}
    return insert(connection, "transformation_types", **(values | more))


def a_job(connection: Connection, **more: Any) -> str:
    now = utcnow()
    values = {"user_id": a_user(connection), "transformation_type_id": a_type(connection), "original_image_url": "k"}
    values |= {"is_preview": False, "created_at": now, "updated_at": now}
    return insert(connection, "transformations", **(values | more))


def an_upload(connection: Connection, **more: Any) -> str:
    sizes = dict.fromkeys(("width", "height", "stored_bytes", "source_width", "source_height", "source_bytes"), 1)
    now = utcnow()
    values = {"user_id": a_user(connection), "storage_key": "k", "had_location": False, "created_at": now}
    return insert(connection, "uploads", **(values | sizes | {"delete_due_at": now} | more))


def a_bill(connection: Connection, **more: Any) -> str:
    values = {"user_id": a_user(connection), "amount": 1, "created_at": utcnow()}
    return insert(connection, "billing_records", **(values | more))


def an_attempt(connection: Connection, **more: Any) -> str:
    job = a_job(connection)
    return insert(
        connection,
        "transformation_attempts",
        **({"transformation_id": job, "number": 1, "started_at": utcnow()} | more),
    )


Make = Callable[..., str]


@pytest.mark.parametrize(
    ("make", "wrong", "constraint"),
    [
        (a_user, {"role": "ROOT"}, "ck_users_role"),
        (a_user, {"auth_provider": "TWITTER"}, "ck_users_auth_provider"),
        (a_user, {"free_tier_used": -1}, "ck_users_free_tier_used_not_negative"),
        (a_job, {"status": "DONE"}, "ck_transformations_status"),
        (a_job, {"stage": "cooking"}, "ck_transformations_stage"),
        (a_job, {"reservation": "KEPT"}, "ck_transformations_reservation"),
        (a_job, {"attempts": -1}, "ck_transformations_attempts_not_negative"),
        (a_job, {"status": "COMPLETED", "result_bytes": 0}, "ck_transformations_completed_has_a_picture"),
        (a_job, {"status": "COMPLETED", "result_bytes": None}, "ck_transformations_completed_has_a_picture"),
        (a_job, {"status": "COMPLETED"}, "ck_transformations_completed_has_a_picture"),
        (a_job, {"status": "PROCESSING"}, "ck_transformations_processing_has_a_lease"),
        (an_upload, {"width": 0}, "ck_uploads_has_a_size"),
        (an_upload, {"stored_bytes": 0}, "ck_uploads_has_a_size"),
        (a_bill, {"amount": 0}, "ck_billing_records_amount_positive"),
        (a_bill, {"amount": -1}, "ck_billing_records_amount_positive"),
        (a_bill, {"status": "MAYBE"}, "ck_billing_records_status"),
        (an_attempt, {"number": 0}, "ck_transformation_attempts_number_positive"),
    ],
)
def test_the_database_refuses_what_must_not_be(app: Flask, make: Make, wrong: Row, constraint: str) -> None:
    with app.app_context():
        with pytest.raises(IntegrityError, match=constraint), db.engine.begin() as connection:
            make(connection, **wrong)
        with db.engine.begin() as connection:
            make(connection)


@pytest.mark.parametrize(
    "twice", [("users", "email"), ("transformation_types", "slug"), ("transformation_types", "name")]
)
def test_what_is_unique_stays_unique(app: Flask, twice: tuple[str, str]) -> None:
    table, column = twice
    make: Make = a_user if table == "users" else a_type
    other = {"name": "Other", "slug": "other"} if table == "transformation_types" else {}
    with app.app_context(), db.engine.begin() as connection:
        make(connection, **{column: "same"})
        with pytest.raises(IntegrityError):
            make(connection, **(other | {column: "same"}))


def test_foreign_keys_are_kept(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection, pytest.raises(IntegrityError):
        a_bill(connection, user_id=_id(connection))
    with app.app_context(), db.engine.begin() as connection:
        job = a_job(connection)
        with pytest.raises(IntegrityError):
            connection.execute(text("DELETE FROM transformation_types"))
        assert job


def test_the_database_fills_in_what_the_design_says(app: Flask) -> None:
    with app.app_context():
        with db.engine.begin() as connection:
            a_job(connection)
            a_bill(connection)
        with db.engine.connect() as connection:
            user = connection.execute(text("SELECT role, free_tier_used FROM users")).first()
            kind = connection.execute(text("SELECT enabled, position FROM transformation_types")).one()
            job = connection.execute(text("SELECT status, stage, attempts FROM transformations")).one()
            bill = connection.execute(text("SELECT currency, status FROM billing_records")).one()
    assert tuple(user or ()) == ("GUEST", 0)
    assert (bool(kind.enabled), kind.position) == (True, 100)
    assert tuple(job) == ("PENDING", "waiting", 0)
    assert tuple(bill) == ("USD", "PENDING")
