"""Signing in and out, for people."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, request, session, url_for
from flask_login import current_user

from pixshift.blueprints import access, pending
from pixshift.blueprints.forms import CodeForm, PhoneForm, marked
from pixshift.blueprints.helpers import address, caller, device, flow, safe_next, toolbox
from pixshift.blueprints.rendering import on_error, render, see
from pixshift.domain import otp
from pixshift.errors import PixShiftError
from pixshift.schemas.accounts import RequestCodeIn, VerifyCodeIn
from pixshift.services import accounts, sessions

blueprint = Blueprint("auth", __name__)
_KNOWN, _KNOWN_SECONDS = "known", 180 * 86400


@blueprint.get("/login")
def login() -> Response:
    if target := safe_next(request.args.get("next")):
        session["next"] = target
    if current_user.is_authenticated:
        return see(session.pop("next", None) or url_for("pages.dashboard"))
    return phone_page(None)


@blueprint.post("/login")
def send() -> Response:
    on_error(phone_page)
    asked = RequestCodeIn.parse({"phone": request.form.get("phone", "").strip()})
    return _send(asked.phone)


@blueprint.post("/login/resend")
def resend() -> Response:
    if "phone" not in session:
        return see(url_for("auth.login"))
    on_error(_code_page)
    asked = RequestCodeIn.parse({"phone": session["phone"]})
    return _send(asked.phone)


@blueprint.get("/login/code")
def code() -> Response:
    return _code_page(None) if "phone" in session else see(url_for("auth.login"))


@blueprint.post("/login/code")
def verify() -> Response:
    if "phone" not in session:
        return see(url_for("auth.login"))
    on_error(_code_page)
    tried = VerifyCodeIn.parse({"phone": session["phone"], "otp": request.form.get("code", "").strip()})
    signed_in = accounts.verify_code(toolbox(), phone=tried.phone, code=tried.otp, flow=flow(), device=device())
    response = see(session.get("next") or url_for("pages.dashboard"))
    return remember(welcome(response, signed_in.token), tried.phone)


@blueprint.post("/logout")
def logout() -> Response:
    sessions.end(toolbox(), caller())
    return farewell(see(url_for("pages.home")))


def welcome(response: Response, token: str) -> Response:
    """Hand out the new session, and end the one this browser had.

    Of the anonymous one only the CSRF secret stays, for forms open in other tabs.
    """
    if current_user.is_authenticated:
        sessions.end(toolbox(), caller())
    secret = session.get("csrf_token")
    session.clear()
    if secret:
        session["csrf_token"] = secret
    tools = toolbox()
    response.set_cookie(
        access.session_cookie_name(),
        token,
        max_age=int(sessions.ABSOLUTE.total_seconds()),
        secure=tools.settings.is_production,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def remember(response: Response, phone: str) -> Response:
    """Let this browser keep that it was in with this number: strangers cannot use up its codes."""
    tools = toolbox()
    number = otp.parse_phone(phone, tools.settings.sms.regions)
    response.set_cookie(
        _KNOWN,
        accounts.mark_of(tools, number),
        max_age=_KNOWN_SECONDS,
        secure=tools.settings.is_production,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def farewell(response: Response) -> Response:
    session.clear()
    access.forget_cookie(response)
    return response


def _send(phone: str) -> Response:
    request_code(phone)
    return see(url_for("auth.code"))


def request_code(phone: str) -> accounts.CodeSent:
    """Send a code, and keep in this browser what its next page needs."""
    mark = request.cookies.get(_KNOWN, "")
    sent = accounts.request_code(toolbox(), phone=phone, flow=flow(), address=address(), mark=mark)
    session["phone"], session["sent_at"] = sent.phone, int(_now().timestamp())
    session["shown_text"] = sent.shown_text
    return sent


def phone_page(error: PixShiftError | None) -> Response:
    form = PhoneForm(data={"phone": request.form.get("phone") or session.get("phone")})
    return render("auth/login.html", form=marked(form, error), error=error, **_around(error))


def _code_page(error: PixShiftError | None) -> Response:
    form = CodeForm(data={"code": request.form.get("code")})
    waited = _now().timestamp() - session.get("sent_at", 0)
    return render(
        "auth/code.html",
        form=marked(form, error),
        error=error,
        masked_phone=otp.mask(session["phone"]) if "phone" in session else "",
        shown_text=session.get("shown_text"),
        resend_in=max(0, round(toolbox().settings.sms.otp.resend_seconds - waited)),
        tries_left=error.details.get("triesLeft") if error else None,
        **_around(error),
    )


def _around(error: PixShiftError | None) -> dict[str, Any]:
    regions = toolbox().settings.sms.regions
    return {
        "providers": pending.buttons("api.auth.oauth"),
        "region_text": otp.region_sentence(regions),
        "next": session.get("next"),
        "ended": request.args.get("ended") == "1" and error is None,
    }


def _now() -> datetime:
    return toolbox().now().astimezone(UTC)
