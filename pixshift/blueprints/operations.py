"""For whoever watches the machines."""

from flask import Blueprint, Response, jsonify, make_response

from pixshift.blueprints.helpers import toolbox
from pixshift.services import health

blueprint = Blueprint("operations", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process is up: nothing else is asked."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether database, queue and storage answer, each by name; 503 when one does not."""
    parts = health.parts(toolbox())
    ready = all(part.is_ok for part in parts)
    body = {
        "status": "ok" if ready else "not ready",
        "parts": {part.name: "ok" if part.is_ok else "away" for part in parts},
    }
    return make_response(jsonify(body), 200 if ready else 503)
