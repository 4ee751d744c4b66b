"""Audit."""

from flask import Blueprint, Response

from pixshift.blueprints.rendering import render

blueprint = Blueprint("actions", __name__, url_prefix="/actions")


@blueprint.get("")
def index() -> Response:
    return render("admin/actions/index.html")
