"""Static files: one style sheet from ``css/*.css``, hashed names, a year of cache.

The files are read once, when the application is built: what is served cannot change under a hashed name.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

ROOT = Path(__file__).resolve().parent.parent / "static"
SHEET = "pixshift.css"
ADMIN_SHEET = "admin.css"  # for admins only: nobody else loads it
LAYERS = ("reset", "tokens", "base", "components", "pages")
ADMIN_LAYERS = ("admin",)
_FOR_READERS = re.compile(r"/\*.*?\*/\s*|^\s+", re.DOTALL | re.MULTILINE)  # comments and indentation
YEAR = 365 * 24 * 3600
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in memory; ``tag`` is the start of its SHA-256 and part of its address."""

    body: bytes
    media_type: str
    tag: str


def _asset(path: str, body: bytes) -> Asset:
    return Asset(body, TYPES[Path(path).suffix], hashlib.sha256(body).hexdigest()[:12])


def _sheet(root: Path, layers: tuple[str, ...]) -> bytes:
    """Layers in the order in which later ones win; a sheet that is loaded later wins as a whole."""
    order = f"@layer {', '.join(layers)};\n"
    text = "".join((root / "css" / f"{name}.css").read_text("utf-8") for name in layers)
    return (order + _FOR_READERS.sub("", text)).encode()


def load(root: Path = ROOT) -> dict[str, Asset]:
    """Every public file below ``root`` by its path, and the sheet; files of other kinds are left out."""
    files = (file for file in sorted(root.rglob("*")) if file.suffix in TYPES and file.parent.name != "css")
    assets = {
        path: _asset(path, (root / path).read_bytes()) for path in (f.relative_to(root).as_posix() for f in files)
    }
    sheets = {SHEET: _sheet(root, LAYERS), ADMIN_SHEET: _sheet(root, ADMIN_LAYERS)}
    return assets | {name: _asset(name, body) for name, body in sheets.items()}


def register(app: Flask) -> None:
    """Add the public route ``assets.file`` and the Jinja global ``static_url(path)``.

    Raises KeyError for an unknown path.
    """
    assets = load()

    def static_url(path: str) -> str:
        return url_for("assets.file", tag=assets[path].tag, path=path)

    def file(tag: str, path: str) -> ResponseReturnValue:
        asset = assets.get(path)
        if asset is None:
            abort(404)
        if tag != asset.tag:  # a page from before the last release still finds its files
            return redirect(static_url(path), 302)
        answer = Response(asset.body, content_type=asset.media_type)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.set_etag(asset.tag)
        answer.cache_control.public = answer.cache_control.immutable = True
        answer.cache_control.max_age = YEAR
        return answer.make_conditional(request)

    app.add_url_rule("/static/<tag>/<path:path>", "assets.file", file, methods=["GET"])
    app.add_template_global(static_url, "static_url")
