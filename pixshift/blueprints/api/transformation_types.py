"""The styles on offer, for programs."""

from flask import Blueprint, Response, request

from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import asset_url
from pixshift.schemas.transformations import TypeOut, TypesOut
from pixshift.services import transformation_types

blueprint = Blueprint("transformation_types", __name__, url_prefix="/transformation-types")


@blueprint.get("")
def index() -> Response:
    """Enabled types only; a client that has the latest version (ETag) is told so with 304."""
    offer = transformation_types.on_offer()
    response = answer(TypesOut(types=[TypeOut.of(kind, asset_url) for kind in offer.types]))
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response
