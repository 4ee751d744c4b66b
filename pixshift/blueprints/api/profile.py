"""One's own account, for programs."""

from flask import Blueprint, Response

from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import user_id
from pixshift.schemas.accounts import ProfileOut
from pixshift.services import accounts

blueprint = Blueprint("profile", __name__, url_prefix="/users")


@blueprint.get("/profile")
def show() -> Response:
    found = accounts.profile(user_id())
    return answer(ProfileOut.of(found.user, found.total_transformations, found.total_spent))
