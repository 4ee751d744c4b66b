"""One's ways in, for people; and what Facebook tells us about those who leave it."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, request, session, url_for

from pixshift.blueprints import auth, pending
from pixshift.blueprints.helpers import caller, toolbox, user_id
from pixshift.blueprints.rendering import on_error, render, see
from pixshift.domain.roles import AuthProvider
from pixshift.errors import NotFound, PixShiftError
from pixshift.services import identities, sessions

blueprint = Blueprint("identities", __name__)


@blueprint.post("/profile/ways-in/<provider>")
def link(provider: str) -> Response:
    on_error(fault_page)
    sessions.require_fresh(toolbox(), caller())
    return see(pending.begin(pending.provider_named(provider), link=str(user_id())))


@blueprint.post("/profile/ways-in/<uuid:identity_id>/remove")
def remove(identity_id: UUID) -> Response:
    on_error(fault_page)
    sessions.require_fresh(toolbox(), caller())
    identities.unlink(toolbox(), user_id(), identity_id)
    return see(url_for("profile.show"))


@blueprint.post("/profile/ways-in/sign-in")
def renew() -> Response:
    """Out, and in again, for who signed in too long ago."""
    sessions.end(toolbox(), caller())
    response = auth.farewell(see(url_for("auth.login")))
    session["next"] = url_for("profile.show")
    return response


@blueprint.post("/auth/facebook/deletion")
def delete_facebook() -> Response:
    signed = request.form.get("signed_request", "")
    code = identities.forget(toolbox(), AuthProvider.FACEBOOK, signed)
    page = toolbox().settings.app_url + url_for("identities.deleted", code=code)
    return jsonify({"url": page, "confirmation_code": code})


@blueprint.get("/auth/facebook/deletion/<code>")
def deleted(code: str) -> Response:
    if not identities.was_forgotten(toolbox(), code):
        raise NotFound("There is no such page.")
    return render("auth/forgotten.html")


def ways_in_context() -> dict[str, Any]:
    """What ``profile/_ways_in.html`` shows: the ways in, and what may be added to them."""
    ways = identities.ways_in(user_id())
    names = {way.name for way in ways}
    more = [button for button in pending.buttons("identities.link") if button["name"] not in names]
    return {"ways_in": ways, "linkable_providers": more}


def fault_page(error: PixShiftError) -> Response:
    """The caller is signed in, so another sign-in is no answer by itself: say what to do."""
    return render("auth/not_changed.html", error=error)
