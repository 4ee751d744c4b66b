"""For whoever watches the machines."""

from flask import Blueprint, Response, current_app, jsonify, make_response
from flask.blueprints import BlueprintSetupState

from pixshift.blueprints.helpers import toolbox
from pixshift.services import health

blueprint = Blueprint("operations", __name__)


@blueprint.record_once
def _init_app(state: BlueprintSetupState) -> None:
    state.app.extensions["storage_probe"] = health.Probe()


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process is up: nothing else is asked."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether database, queue and storage answer, each by name; 503 when one does not.

    Everybody may ask, so the store is written to once in 5 s at most.
    """
    parts = health.ready(toolbox(), current_app.extensions["storage_probe"])
    ready = all(part.is_ok for part in parts)
    body = {
        "status": "ok" if ready else "not ready",
        "parts": {part.name: "ok" if part.is_ok else "away" for part in parts},
    }
    return make_response(jsonify(body), 200 if ready else 503)
