"""Runs migrations inside the application, in one transaction, on PostgreSQL and SQLite alike."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from pixshift import models  # noqa: F401 - fills the metadata

database = current_app.extensions["migrate"].db


def run_migrations() -> None:
    with database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:  # it alters a table by making a new one: dropping the old must not delete what refers to it
            _keep_references(connection, "OFF")
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_as_batch=is_sqlite,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
        if is_sqlite:
            _keep_references(connection, "ON")


def _keep_references(connection: Connection, switch: str) -> None:
    """SQLite takes this only outside a transaction, so it goes past SQLAlchemy, which would begin one."""
    raw = connection.connection.driver_connection
    if broken := raw.execute("PRAGMA foreign_key_check").fetchall():
        raise RuntimeError(f"{len(broken)} rows refer to rows that are not there")
    raw.execute(f"PRAGMA foreign_keys={switch}")


run_migrations()
