"""Who may call what: one table, checked before every request. A route that is not in it is refused."""

from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

import structlog
from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_login import UserMixin, current_user
from flask_wtf.csrf import CSRFError
from itsdangerous import URLSafeTimedSerializer

from pixshift.blueprints import limits, places
from pixshift.blueprints.helpers import toolbox
from pixshift.blueprints.limits import Calls
from pixshift.domain import images
from pixshift.domain.pricing import Money
from pixshift.domain.roles import UserRole
from pixshift.errors import AuthForbidden, AuthRequired, PixShiftError
from pixshift.extensions import csrf, login_manager
from pixshift.services import sessions
from pixshift.services.sessions import Caller


class Who(Enum):
    EVERYBODY = "everybody"
    SIGNED_IN = "signed in"
    ADMIN = "admin"


class Rule(NamedTuple):
    """Who may call a route, and what its calls are counted as."""

    who: Who
    calls: Calls


# Endpoints as Flask names them; those of the API stand here once and hold under both of its prefixes.
RULES: dict[str, Rule] = {
    "assets.file": Rule(Who.EVERYBODY, Calls.NONE),
    "operations.healthz": Rule(Who.EVERYBODY, Calls.NONE),
    "operations.readyz": Rule(Who.EVERYBODY, Calls.NONE),
    "pages.home": Rule(Who.EVERYBODY, Calls.READ),
    "pages.privacy": Rule(Who.EVERYBODY, Calls.READ),
    "pages.dashboard": Rule(Who.SIGNED_IN, Calls.READ),
    "auth.login": Rule(Who.EVERYBODY, Calls.READ),
    "auth.send": Rule(Who.EVERYBODY, Calls.AUTH),
    "auth.code": Rule(Who.EVERYBODY, Calls.READ),
    "auth.verify": Rule(Who.EVERYBODY, Calls.AUTH),
    "auth.resend": Rule(Who.EVERYBODY, Calls.AUTH),
    "auth.logout": Rule(Who.SIGNED_IN, Calls.WRITE),
    "identities.link": Rule(Who.SIGNED_IN, Calls.AUTH),
    "identities.renew": Rule(Who.SIGNED_IN, Calls.WRITE),
    "identities.remove": Rule(Who.SIGNED_IN, Calls.WRITE),
    "identities.delete_facebook": Rule(Who.EVERYBODY, Calls.AUTH),
    "identities.deleted": Rule(Who.EVERYBODY, Calls.READ),
    "pictures.show": Rule(Who.SIGNED_IN, Calls.READ),
    "account_data.export": Rule(Who.SIGNED_IN, Calls.WRITE),
    "account_data.download": Rule(Who.SIGNED_IN, Calls.READ),
    "account_data.confirm": Rule(Who.SIGNED_IN, Calls.READ),
    "account_data.erase": Rule(Who.SIGNED_IN, Calls.WRITE),
    "account_data.renew": Rule(Who.SIGNED_IN, Calls.WRITE),
    "account_data.goodbye": Rule(Who.EVERYBODY, Calls.READ),
    "billing.show": Rule(Who.SIGNED_IN, Calls.READ),
    "billing.receipt": Rule(Who.SIGNED_IN, Calls.READ),
    "billing.start_plan": Rule(Who.SIGNED_IN, Calls.AUTH),
    "billing.confirm_cancel": Rule(Who.SIGNED_IN, Calls.READ),
    "billing.cancel_plan": Rule(Who.SIGNED_IN, Calls.WRITE),
    "billing.resume_plan": Rule(Who.SIGNED_IN, Calls.WRITE),
    "billing.portal": Rule(Who.SIGNED_IN, Calls.WRITE),
    "billing.returned": Rule(Who.SIGNED_IN, Calls.WRITE),  # another site sends the browser there, and it asks a gateway
    "practice.show": Rule(Who.SIGNED_IN, Calls.READ),
    "practice.decide": Rule(Who.SIGNED_IN, Calls.WRITE),
    "profile.show": Rule(Who.SIGNED_IN, Calls.READ),
    "profile.phone": Rule(Who.SIGNED_IN, Calls.READ),
    "profile.send_phone": Rule(Who.SIGNED_IN, Calls.AUTH),
    "profile.phone_code": Rule(Who.SIGNED_IN, Calls.READ),
    "profile.verify_phone": Rule(Who.SIGNED_IN, Calls.AUTH),
    "profile.end_device": Rule(Who.SIGNED_IN, Calls.WRITE),
    "profile.end_all": Rule(Who.SIGNED_IN, Calls.WRITE),
    "share.show": Rule(Who.EVERYBODY, Calls.READ),
    "share.picture": Rule(Who.EVERYBODY, Calls.READ),
    "share.report": Rule(Who.EVERYBODY, Calls.WRITE),
    "share.make": Rule(Who.SIGNED_IN, Calls.WRITE),
    "share.end": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.new": Rule(Who.SIGNED_IN, Calls.READ),
    "transformations.upload": Rule(Who.SIGNED_IN, Calls.UPLOAD),
    "transformations.create": Rule(Who.SIGNED_IN, Calls.CREATE),
    "transformations.index": Rule(Who.SIGNED_IN, Calls.READ),
    "transformations.show": Rule(Who.SIGNED_IN, Calls.READ),
    "transformations.status": Rule(Who.SIGNED_IN, Calls.POLL),
    "transformations.cancel": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.again": Rule(Who.SIGNED_IN, Calls.CREATE),
    "transformations.pay": Rule(Who.SIGNED_IN, Calls.AUTH),  # as api.billing.payment
    "transformations.check": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.not_good": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.delete": Rule(Who.SIGNED_IN, Calls.WRITE),
    "transformations.download": Rule(Who.SIGNED_IN, Calls.READ),
    "webhooks.twilio": Rule(Who.EVERYBODY, Calls.WRITE),
    "webhooks.payments": Rule(Who.EVERYBODY, Calls.VENDOR),
    "webhooks.csp_report": Rule(Who.EVERYBODY, Calls.REPORT),
    "api.auth.csrf": Rule(Who.EVERYBODY, Calls.READ),
    "api.auth.request_otp": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.auth.verify_otp": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.auth.logout": Rule(Who.SIGNED_IN, Calls.WRITE),
    "api.auth.session": Rule(Who.SIGNED_IN, Calls.READ),
    "api.auth.oauth": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.auth.callback": Rule(Who.EVERYBODY, Calls.AUTH),
    "api.billing.free_tier": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.tiers": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.choose_tier": Rule(Who.SIGNED_IN, Calls.WRITE),
    # Counted like tries at a code, by address too: whoever tests stolen cards makes new people for it.
    "api.billing.payment": Rule(Who.SIGNED_IN, Calls.AUTH),
    "api.billing.history": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.subscription": Rule(Who.SIGNED_IN, Calls.READ),
    "api.billing.start_subscription": Rule(Who.SIGNED_IN, Calls.AUTH),
    "api.billing.cancel_subscription": Rule(Who.SIGNED_IN, Calls.WRITE),
    "api.profile.show": Rule(Who.SIGNED_IN, Calls.READ),
    "api.profile.update": Rule(Who.SIGNED_IN, Calls.AUTH),
    "api.transformation_types.index": Rule(Who.SIGNED_IN, Calls.READ),
    "api.transformations.upload": Rule(Who.SIGNED_IN, Calls.UPLOAD),
    "api.transformations.create": Rule(Who.SIGNED_IN, Calls.CREATE),
    "api.transformations.index": Rule(Who.SIGNED_IN, Calls.READ),
    "api.transformations.show": Rule(Who.SIGNED_IN, Calls.POLL),
    "api.transformations.update": Rule(Who.SIGNED_IN, Calls.WRITE),
    "api.transformations.download": Rule(Who.SIGNED_IN, Calls.READ),
    "api.transformations.share_picture": Rule(Who.SIGNED_IN, Calls.WRITE),
}
# Called by other companies' machines, and by browsers of themselves, which know no CSRF token: each route checks its
# sender's signature itself, or changes nothing.
SELF_VERIFIED: frozenset[str] = frozenset(
    {"identities.delete_facebook", "webhooks.twilio", "webhooks.payments", "webhooks.csp_report"}
)
_NOWHERE = Rule(Who.EVERYBODY, Calls.READ)  # what no route answers
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
_OWN_SITE = ("same-origin", "none")


class SignedIn(UserMixin):
    """The caller as templates and Flask-Login know them."""

    def __init__(self, caller: Caller) -> None:
        self.id = str(caller.user_id)
        self.caller = caller

    @property
    def is_admin(self) -> bool:
        return self.caller.role is UserRole.ADMIN


class FlowCookies(SecureCookieSessionInterface):
    """Flask's own, whose signer is made once instead of at every request."""

    _serializer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        self._serializer = self._serializer or super().get_signing_serializer(app)
        return self._serializer


def init_app(app: Flask) -> None:
    app.session_interface = FlowCookies()
    login_manager.init_app(app)
    login_manager.session_protection = None  # the session is ours; Flask's cookie holds only what a step needs
    # We set no such cookie; Flask-Login would ask for nothing else once another program on this host left one.
    app.config["REMEMBER_COOKIE_NAME"] = "pixshift-remembers-nobody"
    csrf.init_app(app)
    limits.init_app(app)
    places.init_app(app)
    app.before_request(guard)


def canonical(endpoint: str) -> str:
    return endpoint.replace("api_short.", "api.", 1)


def session_cookie_name() -> str:
    return "__Host-session" if toolbox().settings.is_production else "session"


def forget_cookie(response: Response) -> None:
    """Take the login out of this browser; a browser drops a ``__Host-`` cookie only when told with Secure."""
    secure = toolbox().settings.is_production
    response.delete_cookie(session_cookie_name(), path="/", secure=secure, httponly=True, samesite="Lax")


def guard() -> None:
    """Identify, count, authorise, bound the body, check CSRF: in this order, before any body is parsed."""
    limits.bound_url()
    rule = RULES.get(canonical(request.endpoint)) if request.endpoint else _NOWHERE
    if rule is None:
        raise AuthForbidden
    if rule.calls is not Calls.NONE:
        _identify()
        limits.count(rule.calls, current_user.caller.user_id if current_user.is_authenticated else None)
    if request.endpoint is None:
        return  # no such route or method: the router's own error is answered
    _authorise(rule.who)
    if again := getattr(current_app.view_functions[request.endpoint], "again_when_refused", None):
        g.on_error = again
    limits.bound_body(rule.calls)
    is_ours = request.endpoint not in SELF_VERIFIED
    if is_ours and (rule.who is Who.EVERYBODY or not g.get("is_bearer")):
        _require_own_site()
        csrf.protect()


def _authorise(who: Who) -> None:
    if who is not Who.EVERYBODY and not current_user.is_authenticated:
        raise g.get("auth_error") or AuthRequired()
    if who is Who.ADMIN and not current_user.is_admin:
        raise AuthForbidden


def _identify() -> None:
    """What Flask-Login does when somebody first asks for the current user, less its looks into Flask's own cookie."""
    login_manager._update_request_context_with_user(_load(request))


def _require_own_site() -> None:
    """A neighbour below the same domain may plant cookies, and so knows a token; but its browser says who sends."""
    if request.method not in _SAFE and request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITE:
        raise CSRFError


@login_manager.request_loader
def _load(incoming: Request) -> SignedIn | None:
    """The person behind the Bearer token or the session cookie; why not is kept for the guard."""
    token = _token(incoming)
    if not token:
        return None
    try:
        rule = RULES.get(canonical(incoming.endpoint or ""), _NOWHERE)
        is_poll = rule.calls is Calls.POLL
        job_id = (incoming.view_args or {}).get("transformation_id") if is_poll else None
        who = sessions.resolve(toolbox(), token, is_poll=is_poll, job_id=job_id)
    except PixShiftError as error:
        g.auth_error = error
        return None
    structlog.contextvars.bind_contextvars(user_id=str(who.user_id))
    return SignedIn(who)


def _token(incoming: Request) -> str | None:
    scheme, _, value = incoming.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        g.is_bearer = True
        return value.strip()
    return incoming.cookies.get(session_cookie_name())


def context() -> dict[str, Any]:
    """What every template may use of the settings."""
    settings = toolbox().settings
    basic, premium = settings.tier("basic"), settings.tier("premium")
    return {
        "notices": toolbox().gateways.notices(),
        "free_limit": settings.free_tier.limit,
        "image_price": _price(basic.cost_per_image, basic.currency),
        "premium_price": _price(premium.cost_per_month, premium.currency),
        "premium_limit": premium.monthly_limit,
        "max_megabytes": images.MAX_BYTES // 1024 // 1024,
    }


def _price(amount: Decimal | None, currency: str) -> str:
    return Money(amount, currency).text if amount is not None else ""
