"""Audit: what was done here, by whom, and whether the record of it is whole."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, stream_with_context, url_for

from pixshift.blueprints.admin import lists
from pixshift.blueprints.helpers import toolbox
from pixshift.blueprints.rendering import on_error, render
from pixshift.errors import PixShiftError
from pixshift.schemas.admin_actions import COLUMNS, ActView, LogIn, row, words
from pixshift.services import audit_log
from pixshift.services.audit_log import Check, Sieve

blueprint = Blueprint("actions", __name__)
_PAGES = {
    "USER": ("admin.users.show", "user_id"),
    "TRANSFORMATION_TYPE": ("admin.types.edit", "type_id"),
    "TRANSFORMATION": ("admin.pictures.show", "job_id"),
    "BILLING_RECORD": ("admin.payments.show", "record_id"),
}


@blueprint.get("/actions")
def index() -> Response:
    on_error(lambda error: _list(LogIn(), error))
    return _list(LogIn.parse(lists.query()))


def _list(asked: LogIn, error: PixShiftError | None = None) -> Response:
    found = audit_log.index(Sieve(**asked.sieve()), page=asked.page, limit=lists.LIMIT)
    names = audit_log.names(act.admin_user_id for act in found.acts)
    acts = [ActView.of(act, names) for act in found.acts]
    kept = asked.model_dump(by_alias=True, exclude_none=True, exclude={"page", "check"})
    pages = lists.pagination("admin.actions.index", page=asked.page, total=found.total, shown=len(acts), **kept)
    return render(
        "admin/actions/index.html",
        acts=[(act, _page_of(act.entity_type, act.entity_id), _page_of("USER", act.admin_user_id)) for act in acts],
        asked=asked,
        kept=kept,
        pagination=pages,
        choices=_choices(),
        chain=_chain(asked.check),
        most_rows=audit_log.MOST_ROWS,
        error=error,
    )


@blueprint.get("/actions.csv")
def download() -> Response:
    """The same acts as a file, at most ``MOST_ROWS`` of them; a last line says when there are more."""
    sieve = Sieve(**LogIn.parse(lists.query()).sieve())
    name = f"pixshift-audit-{toolbox().now():%Y-%m-%d}.csv"
    lines = stream_with_context(_lines(sieve, audit_log.count(sieve)))
    response = Response(lines, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _lines(sieve: Sieve, total: int) -> Iterator[str]:
    """With the mark by which spreadsheets know UTF-8."""
    yield "\ufeff" + _line(list(COLUMNS))
    for act in audit_log.every(sieve):
        yield _line(row(act))
    if total > audit_log.MOST_ROWS:
        yield _line([f"These are the newest {audit_log.MOST_ROWS} of {total} acts. Choose fewer days for the others."])


def _line(cells: list[str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(cells)
    return file.getvalue()


def _page_of(entity_type: str, entity_id: Any) -> str | None:
    """Where it can be looked at; None where nothing shows it."""
    if entity_id is None or entity_type not in _PAGES:
        return None
    endpoint, argument = _PAGES[entity_type]
    return url_for(endpoint, **{argument: entity_id})


def _choices() -> dict[str, list[tuple[str, str]]]:
    """The filters' options, as (value, words)."""
    found = audit_log.choices()
    names = audit_log.names(found.admins)
    admins = sorted((names.get(admin, str(admin)), str(admin)) for admin in found.admins)
    return {
        "who": [("", "Everybody"), *((key, name) for name, key in admins), *((name, name) for name in found.actors)],
        "actions": [("", "Anything"), *((name, words(name)) for name in found.action_types)],
        "entities": [("", "Anything"), *((name, words(name)) for name in found.entity_types)],
    }


def _chain(is_asked: bool) -> dict[str, Any]:
    """How the chain stands: as this process has seen it last, or now if that is asked for."""
    length = audit_log.length()
    is_long = length > audit_log.LARGEST_CHECK
    if is_asked and (check := audit_log.check()):
        current_app.extensions["audit_check"] = check
    last: Check | None = current_app.extensions.get("audit_check")
    return {"length": length, "is_long": is_long, "last": last}
