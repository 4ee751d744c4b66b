"""Bytes in and out: the uploaded file, and pictures for their owner only."""

import time
from collections.abc import Iterator
from uuid import UUID

from flask import Blueprint, Flask, Response, current_app, request

from pixshift.blueprints import places
from pixshift.blueprints.helpers import address, toolbox, user_id
from pixshift.domain.otp import address_block
from pixshift.errors import AuthForbidden, InvalidInput, NotFound, RateLimitExceeded
from pixshift.schemas.transformations import PhotoLinkIn
from pixshift.services import retention, transformations, uploads
from pixshift.services.uploads import Picture

blueprint = Blueprint("pictures", __name__)
_LAST_BYTE_SECONDS = 0.25


@blueprint.get("/pictures/<kind>/<uuid:object_id>")
def show(kind: str, object_id: UUID) -> Response:
    """A photo or picture behind a signed link; the link expires, and only its owner may use it."""
    if kind not in ("photo", "picture", "thumbnail"):
        raise NotFound
    link, tools = PhotoLinkIn.parse(request.args.to_dict()), toolbox()
    if not tools.gateways.links.is_valid(kind, object_id, link.expires, link.signature, tools.now()):
        raise AuthForbidden("This link has expired. Reload the page it came from.", details={"reason": "link"})
    if kind == "thumbnail":
        small = transformations.thumbnail(tools, user_id(), object_id)
        return _sent(Response(small, mimetype="image/webp"), "inline", "thumbnail.webp")
    opens = uploads.open_photo if kind == "photo" else transformations.open_picture
    return send(opens(tools, user_id(), object_id), "inline")


def send_download(transformation_id: UUID) -> Response:
    """The picture as a file. A complete, whole, wanted download starts the deletion clock; nothing else does.

    Ranges are not offered: a download that was resumed in parts would be complete without any request that says so.
    Whoever asks for one gets the whole, as RFC 9110 allows, and no clock, as if they had looked at it in the page.
    """
    picture = transformations.open_picture(toolbox(), user_id(), transformation_id)
    response = send(picture, "attachment")
    if request.method == "GET" and "Range" not in request.headers and not _is_prefetch():
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        response.response = _counted(app, picture, transformation_id)
    return response


def send_shared(picture: Picture) -> Response:
    """A shared picture for whoever holds its link, and for the sites that show a preview of it; no clock starts."""
    response = _streamed(picture, "inline", address_block(address()), places.EACH_ADDRESS)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def uploaded_file() -> tuple[bytes, str | None]:
    """The bytes and the name of the one file in the field ``image``. Raises InvalidInput (field ``image``)."""
    files = request.files.getlist("image")
    if len(files) > 1:
        raise InvalidInput("Send one photo at a time.", field="image")
    data = files[0].read() if files else b""
    if not data and not (files and files[0].filename):
        raise InvalidInput("Choose a photo first.", field="image")
    return data, files[0].filename


def send(picture: Picture, disposition: str) -> Response:
    """Something open, to its owner, in chunks; nobody keeps a copy on the way. Raises RateLimitExceeded."""
    return _streamed(picture, disposition, str(user_id()), places.EACH)


def _streamed(picture: Picture, disposition: str, owner: str, limit: int) -> Response:
    waiting = places.of(current_app)
    try:
        waiting.take(owner, limit)
    except RateLimitExceeded:
        picture.stored.body.close()
        raise
    response = Response(picture.stored.chunks(), mimetype=picture.media_type)
    response.call_on_close(picture.stored.body.close)  # chunks that nobody began to read close nothing
    response.call_on_close(lambda: waiting.give_back(owner))
    response.content_length = picture.stored.size
    return _sent(response, disposition, picture.download_name)


def _sent(response: Response, disposition: str, name: str) -> Response:
    response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Accept-Ranges"] = "none"
    return response


def _is_prefetch() -> bool:
    said = " ".join(request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")).lower()
    return any(word in said for word in ("prefetch", "prerender", "preview"))


def _counted(app: Flask, picture: Picture, transformation_id: UUID) -> Iterator[bytes]:
    """The chunks; only when the last one was taken does the clock start, so a download that breaks off does not.

    The system's buffers take a small picture whole before its reader has seen any of it. So the last byte waits a
    moment: whoever has gone away by then has not taken it.
    """
    rest = b""
    for chunk in picture.stored.chunks():
        if rest:
            yield rest
        rest = chunk
    yield rest[:-1]
    time.sleep(_LAST_BYTE_SECONDS)
    yield rest[-1:]
    with app.app_context():
        retention.downloaded(app.extensions["toolbox"], transformation_id)
