"""One's own account, for programs."""

from flask import Blueprint, Response

from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import address, caller, json_body, toolbox, user_id
from pixshift.schemas.accounts import ChangePhoneIn, ProfileChangedOut, ProfileOut, ProfileUserOut
from pixshift.services import accounts, phone_change

blueprint = Blueprint("profile", __name__, url_prefix="/users")


@blueprint.get("/profile")
def show() -> Response:
    found = accounts.profile(user_id())
    return answer(ProfileOut.of(found.user, found.total_transformations, found.total_spent))


@blueprint.put("/profile")
def update() -> Response:
    """Without a code one is sent and nothing changes; the sign-in binds it, for not every program keeps cookies."""
    asked, flow = ChangePhoneIn.parse(json_body()), str(caller().session_id)
    if asked.otp is None:
        sent = phone_change.request(toolbox(), user_id(), phone=asked.phone, flow=flow, address=address())
        user = ProfileUserOut.model_validate(accounts.person(user_id()))
        return answer(ProfileChangedOut(user=user, code_sent=True, shown_text=sent.shown_text))
    changed = phone_change.confirm(toolbox(), user_id(), phone=asked.phone, code=asked.otp, flow=flow)
    return answer(ProfileChangedOut(user=ProfileUserOut.model_validate(changed)))
