"""A request without a network: the application is called as a web server calls it."""

import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from flask import Flask, Response

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def request(
    app: Wsgi, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body; headers as ``Cookie="…"``, ``HX_Request="true"``."""
    answer: dict[str, Any] = {}

    def start_response(status: str, pairs: list[tuple[str, str]], exc_info: object = None) -> None:
        answer.update(status=status, headers=dict(pairs))

    result = app(environ(path, method, body, headers), start_response)
    try:
        content = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    return answer["status"], answer["headers"], content


def environ(path: str, method: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    own = {
        f"HTTP_{name.upper()}": value
        for name, value in headers.items()
        if name not in ("Content_Type", "Content_Length")
    }
    return own | {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": headers.get("Content_Type", ""),
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def hello() -> Flask:
    """The smallest Flask application: what a request costs before anybody does anything."""
    app = Flask("hello")

    @app.get("/")
    @app.get("/healthz")
    def index() -> Response:
        return Response("hello")

    @app.post("/")
    def upload() -> Response:
        from flask import request as incoming

        return Response(str(len(incoming.files["image"].read())))

    return app


def unlimited(app: Flask) -> Flask:
    """Calls are counted as ever, but one person may stand for a thousand."""
    rates = app.extensions["rates"]
    rates |= {calls: replace(rate, per_minute=10**6, burst=10**6) for calls, rate in rates.items()}
    return app


hello_app = hello()
