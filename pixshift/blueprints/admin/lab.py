"""Prompt lab."""

from flask import Blueprint, Response

from pixshift.blueprints.rendering import render

blueprint = Blueprint("lab", __name__, url_prefix="/lab")


@blueprint.get("")
def index() -> Response:
    return render("admin/lab/index.html")
