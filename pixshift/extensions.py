"""Flask extensions, made empty here and bound in ``create_app``."""

from typing import Any

from flask import request
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import MetaData, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class HeaderFirstCsrf(CSRFProtect):
    """Looks for the token in the header before the form, so that a big body is not parsed for a caller who sent one."""

    def _get_csrf_token(self) -> str | None:
        for name in ("X-CSRFToken", "X-CSRF-Token"):
            if token := request.headers.get(name):
                return token
        return super()._get_csrf_token()  # type: ignore[no-any-return]


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
migrate = Migrate()
csrf = HeaderFirstCsrf()
login_manager = LoginManager()


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        connection.isolation_level = None  # SQLAlchemy's "begin" below decides, not the driver
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=10000", "synchronous=NORMAL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Any) -> None:
    """Writers queue at BEGIN, not in mid-transaction, where SQLite answers "database is locked" at once."""
    reads_only = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    if connection.dialect.name == "sqlite" and not reads_only:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
