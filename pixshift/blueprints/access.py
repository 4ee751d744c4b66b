"""Who may call what: one table, checked before every request. A route that is not in it is refused."""

from decimal import Decimal
from typing import Any

import structlog
from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_login import UserMixin, current_user
from flask_wtf.csrf import CSRFError
from itsdangerous import URLSafeTimedSerializer

from pixshift.blueprints import limits, places
from pixshift.blueprints.helpers import toolbox
from pixshift.blueprints.limits import Calls
from pixshift.blueprints.rules import RULES, SELF_VERIFIED, Rule, Who
from pixshift.domain import images
from pixshift.domain.pricing import Money
from pixshift.domain.roles import UserRole
from pixshift.errors import AuthForbidden, AuthRequired, PixShiftError
from pixshift.extensions import csrf, login_manager
from pixshift.services import sessions
from pixshift.services.sessions import Caller

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
