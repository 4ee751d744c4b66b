"""Signing in and out, for programs and for scripts in a browser."""

from flask import Blueprint, Response
from flask_wtf.csrf import generate_csrf

from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.auth import farewell, request_code, welcome
from pixshift.blueprints.helpers import caller, device, flow, json_body, toolbox, user_id
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
from pixshift.services import accounts, sessions

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
    return welcome(answer(body), signed_in.token)


@blueprint.post("/logout")
def logout() -> Response:
    sessions.end(toolbox(), caller())
    return farewell(answer(DoneOut()))


@blueprint.get("/session")
def session() -> Response:
    return answer(SessionOut(user=SessionUserOut.model_validate(accounts.person(user_id()))))
