"""The small pictures of styles that were made in the lab: public, and kept by browsers for a year."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from pixshift.services import type_thumbnails

blueprint = Blueprint("styles", __name__)
YEAR = 365 * 24 * 3600


@blueprint.get("/styles/<uuid:type_id>/<tag>.webp")
def thumbnail(type_id: UUID, tag: str) -> ResponseReturnValue:
    """The tag is part of the address, so what lies there never changes; an older one leads to the newest."""
    data, newest = type_thumbnails.read(type_id)
    if tag != newest:
        return redirect(url_for("styles.thumbnail", type_id=type_id, tag=newest), 302)
    answer = Response(data, mimetype="image/webp")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.set_etag(newest)
    answer.cache_control.public = answer.cache_control.immutable = True
    answer.cache_control.max_age = YEAR
    return answer.make_conditional(request)
