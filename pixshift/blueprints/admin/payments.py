"""Payments."""

from flask import Blueprint, Response

from pixshift.blueprints.rendering import render

blueprint = Blueprint("payments", __name__, url_prefix="/billing")


@blueprint.get("")
def index() -> Response:
    return render("admin/payments/index.html")
