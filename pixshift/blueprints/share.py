"""A picture shown to whoever holds its link, and the link's owner who makes and ends it."""

from uuid import UUID

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints import pictures
from pixshift.blueprints.helpers import toolbox, user_id
from pixshift.blueprints.rendering import on_error, render, see
from pixshift.domain.sharing import REASONS, time_left
from pixshift.errors import PixShiftError
from pixshift.schemas.sharing import ShareView
from pixshift.services import sharing
from pixshift.services.sharing import SharedPicture

blueprint = Blueprint("share", __name__)


@blueprint.post("/transformations/<uuid:transformation_id>/share")
def make(transformation_id: UUID) -> Response:
    sharing.share(toolbox(), user_id(), transformation_id)
    return see(_owners_page(transformation_id))


@blueprint.post("/transformations/<uuid:transformation_id>/share/end")
def end(transformation_id: UUID) -> Response:
    sharing.revoke(toolbox(), user_id(), transformation_id)
    return see(_owners_page(transformation_id))


@blueprint.get("/s/<token>")
def show(token: str) -> Response:
    return _page(sharing.open_shared(toolbox(), token), is_reported="reported" in request.args)


@blueprint.get("/s/<token>/picture")
def picture(token: str) -> Response:
    return pictures.send_shared(sharing.open_picture(toolbox(), token))


@blueprint.post("/s/<token>/report")
def report(token: str) -> Response:
    shown = sharing.open_shared(toolbox(), token)
    on_error(lambda error: _page(shown, error=error))
    sharing.report(toolbox(), token, request.form.get("reason", ""))
    return see(url_for("share.show", token=token, reported=1))


def live(transformation_id: UUID) -> ShareView | None:
    """The live link of one's own picture, for its page."""
    shared = sharing.current(toolbox(), user_id(), transformation_id)
    return ShareView.of(page_url(shared.token), shared.expires_at, toolbox().now()) if shared else None


def page_url(token: str) -> str:
    """The public address of a share page: it must be right wherever it is opened."""
    return toolbox().settings.app_url + url_for("share.show", token=token)


def _owners_page(transformation_id: UUID) -> str:
    return url_for("transformations.show", transformation_id=transformation_id, _anchor="share")


def _page(shown: SharedPicture, *, error: PixShiftError | None = None, is_reported: bool = False) -> Response:
    return render(
        "share/show.html",
        shown=shown,
        page_url=page_url(shown.token),
        time_left=time_left(shown.expires_at, toolbox().now()),
        reasons=REASONS,
        error=error,
        is_reported=is_reported,
    )
