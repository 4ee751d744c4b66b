"""PixShift turns a photo into another picture."""

from functools import partial
from pathlib import Path

from flask import Flask
from flask_compress import Compress
from werkzeug.middleware.proxy_fix import ProxyFix

from pixshift import logs
from pixshift.blueprints import (
    access,
    account_data,
    admin,
    api,
    assets,
    auth,
    billing,
    headers,
    identities,
    operations,
    pages,
    pictures,
    practice,
    profile,
    rendering,
    share,
    styles,
    transformations,
    webhooks,
)
from pixshift.blueprints import errors as error_pages
from pixshift.cli import register_commands
from pixshift.extensions import db, migrate
from pixshift.gateways import Gateways, build_gateways
from pixshift.models.base import utcnow
from pixshift.models.clock import DatabaseClock
from pixshift.services.toolbox import Toolbox
from pixshift.settings import ROOT, Settings, load_settings
from pixshift.tasks.payments import tend_once
from pixshift.tasks.queue import HueyQueue
from pixshift.tasks.transformations import make_next

# libpq's words for it, in seconds, tcp_user_timeout in ms. A server that a cut network hides is given up, not waited
# for; and who froze in mid-transaction must not keep its locks: all claims of a model queue at one row.
_NOBODY_WAITS_FOR_THE_DEAD = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "options": "-c idle_in_transaction_session_timeout=10s -c lock_timeout=5s",
}
MIGRATIONS = Path(ROOT) / "migrations"


def create_app(settings: Settings | None = None, gateways: Gateways | None = None) -> Flask:
    """Build the application: read the settings, wire the parts, return. Raises ConfigurationError."""
    settings = settings or load_settings()
    app = Flask(__name__, static_folder=None, instance_path=str(settings.instance))
    app.config.from_mapping(_flask_config(settings))
    logs.configure(settings)
    settings.instance.mkdir(parents=True, exist_ok=True)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS))
    queue = HueyQueue(settings, partial(make_next, app), partial(tend_once, app))
    app.extensions["worker"] = partial(_work, app)
    clock = DatabaseClock() if settings.sqlalchemy_url.startswith("postgresql") else utcnow  # SQLite is one machine
    app.extensions["toolbox"] = Toolbox(settings, gateways or build_gateways(settings, queue), clock)
    headers.init_app(app, settings)
    access.init_app(app)
    error_pages.init_app(app)
    rendering.init_app(app)
    assets.register(app)
    for module in (
        account_data,
        auth,
        billing,
        identities,
        operations,
        pages,
        pictures,
        practice,
        profile,
        share,
        styles,
        transformations,
        webhooks,
    ):
        app.register_blueprint(module.blueprint)
    app.register_blueprint(admin.build())
    app.register_blueprint(api.build(), url_prefix="/api/v1")
    app.register_blueprint(api.build(), url_prefix="/api", name="api_short")
    Compress(app)
    register_commands(app)
    return app


def _work(app: Flask, concurrency: int) -> None:
    from pixshift.tasks import worker  # only the worker pays for Huey's consumer

    worker.run(app, concurrency)


def _flask_config(settings: Settings) -> dict[str, object]:
    engine: dict[str, object] = {"pool_pre_ping": True}
    if settings.sqlalchemy_url.startswith("postgresql"):
        engine |= {"pool_size": 10, "max_overflow": 20, "pool_timeout": 10, "connect_args": _NOBODY_WAITS_FOR_THE_DEAD}
    return {
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "TESTING": settings.env == "test",
        "SQLALCHEMY_DATABASE_URI": settings.sqlalchemy_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine,
        "SESSION_COOKIE_NAME": "flow",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.is_production,
        "WTF_CSRF_CHECK_DEFAULT": False,  # the guard in blueprints/access.py calls it, after it knows who asks
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,  # a program with a cookie sends no Referer; the token is the check
        "COMPRESS_MIMETYPES": ["text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"],
        "COMPRESS_ALGORITHM": ["gzip"],
    }
