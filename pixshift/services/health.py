"""Whether the parts we depend on answer."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from pixshift.errors import PixShiftError
from pixshift.models.base import read_rows
from pixshift.services.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Part:
    """One dependency: its name, whether it answers, and a line about it."""

    name: str
    is_ok: bool
    line: str


def parts(toolbox: Toolbox) -> list[Part]:
    """What every request depends on; quick enough to be asked every few seconds."""
    return [
        _ask("database", _database),
        _ask("queue", toolbox.gateways.queue.check),
        _ask("storage", toolbox.gateways.storage.check),
    ]


def vendors(toolbox: Toolbox) -> list[Part]:
    """Whom we call: the image model and the SMS sender."""
    return [_ask("image model", toolbox.gateways.editor.check), _ask("SMS", toolbox.gateways.sms.check)]


def _ask(name: str, check: Callable[[], str]) -> Part:
    try:
        return Part(name, True, check())
    except PixShiftError as error:
        return Part(name, False, error.message)
    except SQLAlchemyError as error:
        return Part(name, False, f"does not answer ({type(error).__name__})")


def migration() -> str | None:
    """The migration the database is at; None when it has none or does not answer."""
    try:
        return _revision()
    except SQLAlchemyError:
        return None


def _database() -> str:
    return f"migrated to {_revision()}"


def _revision() -> str | None:
    rows = read_rows(text("SELECT version_num FROM alembic_version"))
    return str(rows[0][0]) if rows else None
