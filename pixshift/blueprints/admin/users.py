"""Users."""

from flask import Blueprint, Response

from pixshift.blueprints.rendering import render

blueprint = Blueprint("users", __name__, url_prefix="/users")


@blueprint.get("")
def index() -> Response:
    return render("admin/users/index.html")
