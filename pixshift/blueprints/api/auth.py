"""Signing in and out, for programs and for scripts in a browser."""

from flask import Blueprint, Response, url_for
from flask import session as flow_session
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from pixshift.blueprints import pending
from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.auth import farewell, phone_page, remember, request_code, welcome
from pixshift.blueprints.helpers import caller, device, flow, json_body, toolbox, user_id
from pixshift.blueprints.identities import fault_page
from pixshift.blueprints.rendering import on_error, see
from pixshift.errors import AuthInvalid
from pixshift.schemas.accounts import (
    CodeSentOut,
    CsrfOut,
    DoneOut,
    RequestCodeIn,
    SessionOut,
    SessionUserOut,
    SignedInOut,
    UserOut,
    VerifyCodeIn,
)
from pixshift.services import accounts, identities, sessions

blueprint = Blueprint("auth", __name__, url_prefix="/auth")


@blueprint.get("/csrf")
def csrf() -> Response:
    return answer(CsrfOut(csrf_token=generate_csrf()))


@blueprint.post("/sms/request-otp")
def request_otp() -> Response:
    asked = RequestCodeIn.parse(json_body())
    sent = request_code(asked.phone)
    return answer(CodeSentOut(shown_text=sent.shown_text))


@blueprint.post("/sms/verify-otp")
def verify_otp() -> Response:
    tried = VerifyCodeIn.parse(json_body())
    signed_in = accounts.verify_code(toolbox(), phone=tried.phone, code=tried.otp, flow=flow(), device=device())
    body = SignedInOut(user=UserOut.model_validate(signed_in.user), session=signed_in.token)
    return remember(welcome(answer(body), signed_in.token), tried.phone)


@blueprint.post("/oauth/<provider>")
def oauth(provider: str) -> Response:
    on_error(phone_page)
    return see(pending.begin(pending.provider_named(provider)))


@blueprint.get("/callback/<provider>")
def callback(provider: str) -> Response:
    on_error(phone_page)
    back = pending.finish(pending.provider_named(provider))
    if back.link:
        return _link(back)
    signed_in = identities.sign_in_with(toolbox(), back.provider, back.identity, device())
    return welcome(see(flow_session.get("next") or url_for("pages.dashboard")), signed_in.token)


@blueprint.post("/logout")
def logout() -> Response:
    sessions.end(toolbox(), caller())
    return farewell(answer(DoneOut()))


@blueprint.get("/session")
def session() -> Response:
    return answer(SessionOut(user=SessionUserOut.model_validate(accounts.person(user_id()))))


def _link(back: pending.Finished) -> Response:
    """Add a way in, for the person who asked for it: whoever signed in to this browser since then did not."""
    on_error(fault_page)
    if not current_user.is_authenticated or back.link != str(user_id()):
        on_error(phone_page)
        message = "You are not signed in as whoever began this. Please start again."
        raise AuthInvalid(message, details={"reason": "state"}, status=400)
    identities.link(toolbox(), user_id(), back.provider, back.identity)
    return see(url_for("profile.show"))
