"""Pictures."""

from flask import Blueprint, Response

from pixshift.blueprints.rendering import render

blueprint = Blueprint("pictures", __name__, url_prefix="/transformations")


@blueprint.get("")
def index() -> Response:
    return render("admin/pictures/index.html")
