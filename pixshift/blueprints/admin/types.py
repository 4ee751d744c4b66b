"""Styles."""

from flask import Blueprint, Response

from pixshift.blueprints.rendering import render

blueprint = Blueprint("types", __name__, url_prefix="/transformation-types")


@blueprint.get("")
def index() -> Response:
    return render("admin/types/index.html")
