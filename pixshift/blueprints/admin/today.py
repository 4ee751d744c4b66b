"""Today."""

from flask import Blueprint, Response

from pixshift.blueprints.rendering import render

blueprint = Blueprint("today", __name__)


@blueprint.get("")
def show() -> Response:
    return render("admin/today/show.html")
