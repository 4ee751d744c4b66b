"""Runs migrations inside the application, in one transaction, on PostgreSQL and SQLite alike."""

from alembic import context
from flask import current_app

from pixshift import models  # noqa: F401 - fills the metadata

database = current_app.extensions["migrate"].db


def run_migrations() -> None:
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run_migrations()
