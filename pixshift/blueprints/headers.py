"""What every answer says to the browser, and every request's id."""

import logging
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import structlog
from flask import Flask, Response, g, request

from pixshift.errors import InvalidInput
from pixshift.settings import Settings

log = logging.getLogger(__name__)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "report-uri /csp-report; report-to csp"
)
_FIXED = {
    "Cache-Control": "no-store",  # errors and redirects too; what may be kept says so itself
    "Content-Security-Policy": _POLICY,
    "Reporting-Endpoints": 'csp="/csp-report"',
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def init_app(app: Flask, settings: Settings) -> None:
    headers = dict(_FIXED)
    if origins := [*_sign_in_origins(settings), *_payment_origins(settings)]:
        targets = " ".join(["form-action 'self'", *origins])
        headers["Content-Security-Policy"] = headers["Content-Security-Policy"].replace("form-action 'self'", targets)
    if settings.is_production:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    host = urlsplit(settings.app_url).netloc if settings.is_production else None

    @app.before_request
    def begin() -> None:
        g.request_id = _request_id(settings)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        is_probe = request.endpoint in ("operations.healthz", "operations.readyz")  # balancers ask by address
        if host is not None and request.host != host and not is_probe:
            raise InvalidInput("This address is not served here.", field="host")

    @app.after_request
    def end(response: Response) -> Response:
        said = {name.lower() for name, _ in response.headers}
        response.headers.extend((name, value) for name, value in headers.items() if name.lower() not in said)
        response.headers["X-Request-ID"] = g.get("request_id", "")
        _log(response)
        return response


def _sign_in_origins(settings: Settings) -> list[str]:
    """Where the forms that sign people in elsewhere end: a browser judges their redirect as well."""
    google, facebook = settings.oauth.google, settings.oauth.facebook
    urls = ["https://accounts.google.com", google.server_metadata_url] if google.client_id else []
    urls += [facebook.dialog_url] if facebook.client_id else []
    return _origins(urls)


def _payment_origins(settings: Settings) -> list[str]:
    """Where forms that pay end, likewise; a stand-in's page is where its interface is."""
    stripe, paypal = settings.gateway.stripe, settings.gateway.paypal
    urls = ["https://checkout.stripe.com", "https://billing.stripe.com"] if stripe.api_key else []
    urls += ["https://www.paypal.com", "https://www.sandbox.paypal.com"] if paypal.client_id else []
    return _origins([*urls, *(base for base in (stripe.api_base, paypal.api_base) if base)])


def _origins(urls: list[str]) -> list[str]:
    return list(dict.fromkeys("{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls))


def _log(response: Response) -> None:
    """A line for every change and every refusal; paths only, because queries carry signatures.

    Of a share link not even that: whoever reads it could open the picture.
    """
    if request.method not in ("GET", "HEAD") or response.status_code >= 400:
        path = request.url_rule.rule if "token" in (request.view_args or {}) and request.url_rule else request.path
        log.info("request", extra={"method": request.method, "path": path, "status": response.status_code})


def _request_id(settings: Settings) -> str:
    """A new UUID; a caller's own is believed only behind a proxy that we trust."""
    given = request.headers.get("X-Request-ID", "")
    if settings.trusted_proxies and len(given) == 36:
        try:
            return str(UUID(given))
        except ValueError:
            pass
    return str(uuid4())
