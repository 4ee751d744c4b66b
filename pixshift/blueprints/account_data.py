"""What people do with all we know of them: take a copy, or have it erased."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, session, url_for

from pixshift.blueprints import auth, pictures
from pixshift.blueprints.forms import EraseForm, marked
from pixshift.blueprints.helpers import caller, toolbox, user_id
from pixshift.blueprints.rendering import on_error, render, see
from pixshift.domain import exports as rules
from pixshift.errors import PixShiftError
from pixshift.services import erasure, exports, sessions
from pixshift.services.audit import Actor

blueprint = Blueprint("account_data", __name__)


def data_context() -> dict[str, Any]:
    """What ``profile/_data.html`` needs."""
    return {"export": exports.current(toolbox(), user_id()), "exports_a_day": rules.MOST_A_DAY}


@blueprint.post("/profile/export")
def export() -> Response:
    exports.ask(toolbox(), user_id())
    return see(url_for("profile.show", _anchor="data"))


@blueprint.get("/profile/export/<uuid:export_id>")
def download(export_id: UUID) -> Response:
    return pictures.send(exports.open_export(toolbox(), user_id(), export_id), "attachment")


@blueprint.get("/profile/erase")
def confirm() -> Response:
    on_error(_erase_page)
    sessions.require_fresh(toolbox(), caller())
    return _erase_page(None)


@blueprint.post("/profile/erase")
def erase() -> Response:
    on_error(_erase_page)
    typed = request.form.get("confirm", "")
    sessions.require_fresh(toolbox(), caller())
    erasure.require_word(typed)
    erasure.erase(toolbox(), user_id(), Actor("self"))
    return auth.farewell(see(url_for("account_data.goodbye")))


@blueprint.post("/profile/erase/sign-in")
def renew() -> Response:
    """Out, and in again: what cannot be undone wants somebody who has just shown who they are."""
    sessions.end(toolbox(), caller())
    response = auth.farewell(see(url_for("auth.login")))
    session["next"] = url_for("account_data.confirm")
    return response


@blueprint.get("/goodbye")
def goodbye() -> Response:
    return render("profile/goodbye.html")


def _erase_page(error: PixShiftError | None) -> Response:
    is_stale = error is not None and error.details.get("reason") == "stale"
    form = marked(EraseForm(data={"confirm": request.form.get("confirm")}), error)
    return render("profile/erase.html", form=form, error=error, is_stale=is_stale)
