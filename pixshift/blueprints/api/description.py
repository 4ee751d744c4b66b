"""What the API can do: OpenAPI 3.1 for programs, the same as a page for people."""

import json
from typing import Any

from flask import Blueprint, Response, current_app, request

from pixshift.blueprints.description import document as description
from pixshift.blueprints.description import reading
from pixshift.blueprints.rendering import render

blueprint = Blueprint("description", __name__)


@blueprint.get("/openapi.json")
def document() -> Response:
    """The same for everybody; a client that has the latest version (ETag) is told so with 304."""
    response = Response(_read()["text"], content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/docs")
def page() -> Response:
    return render("docs/api.html", **_read())


def _read() -> dict[str, Any]:
    """Made once; routes do not change while the application runs."""
    made: dict[str, Any] | None = current_app.extensions.get("description")
    if made is None:
        found = description.build(current_app)
        text = json.dumps(found, ensure_ascii=False)
        made = {"api": found, "text": text, "parts": reading.parts(found), "error": reading.error(found)}
        current_app.extensions["description"] = made
    return made
