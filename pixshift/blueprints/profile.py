"""One's own account, for people: who one is, where one is signed in, another number."""

from uuid import UUID

from flask import Blueprint, Response, request, session, url_for

from pixshift.blueprints.account_data import data_context
from pixshift.blueprints.auth import farewell
from pixshift.blueprints.forms import CodeForm, PhoneForm, marked
from pixshift.blueprints.helpers import address, caller, toolbox, user_id
from pixshift.blueprints.identities import ways_in_context
from pixshift.blueprints.pages import free_view
from pixshift.blueprints.rendering import on_error, render, see
from pixshift.domain import otp
from pixshift.errors import PixShiftError
from pixshift.schemas.accounts import RequestCodeIn, VerifyCodeIn
from pixshift.services import accounts, phone_change, sessions

blueprint = Blueprint("profile", __name__)
_NEW, _SHOWN = "new_phone", "new_phone_text"  # in the cookie, from the form to the code


@blueprint.get("/profile")
def show() -> Response:
    found = accounts.profile(user_id())
    phone = found.user.phone
    return render(
        "profile/show.html",
        email=found.user.email,
        masked_phone=otp.mask(phone) if phone else None,
        member_since=found.user.created_at,
        total_pictures=found.total_transformations,
        total_spent=found.total_spent,
        free=free_view(),
        devices=sessions.devices(toolbox(), caller()),
        has_changed="changed" in request.args,
        **ways_in_context(),
        **data_context(),
    )


@blueprint.post("/profile/devices/<uuid:session_id>/end")
def end_device(session_id: UUID) -> Response:
    sessions.revoke_one(toolbox(), user_id(), session_id)
    if session_id == caller().session_id:
        return farewell(see(url_for("auth.login")))
    return see(url_for("profile.show", _anchor="devices"))


@blueprint.post("/profile/devices/end-all")
def end_all() -> Response:
    sessions.end_everywhere(toolbox(), user_id())
    return farewell(see(url_for("auth.login")))


@blueprint.get("/profile/phone")
def phone() -> Response:
    return _phone_page(None)


@blueprint.post("/profile/phone")
def send_phone() -> Response:
    on_error(_phone_page)
    asked = RequestCodeIn.parse({"phone": request.form.get("phone", "").strip()})
    sent = phone_change.request(toolbox(), user_id(), phone=asked.phone, flow=_flow(), address=address())
    session[_NEW], session[_SHOWN] = sent.phone, sent.shown_text
    return see(url_for("profile.phone_code"))


@blueprint.get("/profile/phone/code")
def phone_code() -> Response:
    return _code_page(None) if _NEW in session else see(url_for("profile.phone"))


@blueprint.post("/profile/phone/code")
def verify_phone() -> Response:
    if _NEW not in session:
        return see(url_for("profile.phone"))
    on_error(_code_page)
    tried = VerifyCodeIn.parse({"phone": session[_NEW], "otp": request.form.get("code", "").strip()})
    phone_change.confirm(toolbox(), user_id(), phone=tried.phone, code=tried.otp, flow=_flow())
    session.pop(_NEW)
    session.pop(_SHOWN, None)
    return see(url_for("profile.show", changed="phone"))


def _flow() -> str:
    """The sign-in binds a code for another number: a program and a page of one sign-in may share it."""
    return str(caller().session_id)


def _phone_page(error: PixShiftError | None) -> Response:
    form = PhoneForm(data={"phone": request.form.get("phone")})
    region_text = otp.region_sentence(toolbox().settings.sms.regions)
    return render("profile/phone.html", form=marked(form, error), error=error, region_text=region_text)


def _code_page(error: PixShiftError | None) -> Response:
    form = CodeForm(data={"code": request.form.get("code")})
    return render(
        "profile/phone_code.html",
        form=marked(form, error),
        error=error,
        masked_phone=otp.mask(session[_NEW]) if _NEW in session else "",
        shown_text=session.get(_SHOWN),
        minutes_valid=toolbox().settings.sms.otp.expiration_minutes,
    )
