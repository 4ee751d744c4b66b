"""What all commands share."""

import functools
import getpass
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from pixshift.errors import PixShiftError
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

P = ParamSpec("P")
R = TypeVar("R")


def toolbox() -> Toolbox:
    tools: Toolbox = current_app.extensions["toolbox"]
    return tools


def actor() -> Actor:
    """Who types, for the audit log: the operating system's name for them."""
    try:
        return Actor(f"cli:{getpass.getuser()}"[:80])
    except (KeyError, OSError):  # a container's user without a name
        return Actor("cli")


def says_why(command: Callable[P, R]) -> Callable[P, R]:
    """Our errors, and those of the database and of files, as one line on stderr and exit status 1."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except PixShiftError as error:
            raise click.ClickException(error.message) from None
        except SQLAlchemyError as error:  # its text may hold values and addresses
            kind = type(error).__name__
            raise click.ClickException(f"The database refused ({kind}). `flask doctor` says more.") from None
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'A file'}: {error.strerror}.") from None

    return wrapper


def table(headings: list[str], rows: list[list[str]]) -> None:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    for row in [headings, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
