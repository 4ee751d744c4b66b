"""One's own account, for people."""

from flask import Blueprint, Response

from pixshift.blueprints.helpers import user_id
from pixshift.blueprints.pages import free_view
from pixshift.blueprints.rendering import render
from pixshift.domain import otp
from pixshift.services import accounts

blueprint = Blueprint("profile", __name__)


@blueprint.get("/profile")
def show() -> Response:
    found = accounts.profile(user_id())
    phone = found.user.phone
    return render(
        "profile/show.html",
        total_pictures=found.total_transformations,
        masked_phone=otp.mask(phone) if phone else None,
        member_since=found.user.created_at,
        free=free_view(),
    )
