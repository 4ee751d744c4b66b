"""Photos that people bring."""

import logging
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import select

from pixshift.domain import images, retention
from pixshift.errors import InvalidInput, NotFound, PixShiftError
from pixshift.extensions import db
from pixshift.gateways.ports import StoredObject
from pixshift.models import Upload
from pixshift.models.base import read_one
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Picture:
    """An open picture and how it is sent: type, and the name a download gets."""

    stored: StoredObject
    media_type: str
    download_name: str


def create(toolbox: Toolbox, user_id: UUID, *, data: bytes, filename: str | None) -> Upload:
    """Check, normalise and keep a photo; only our own encoding of it is stored.

    Raises FileTooLarge, InvalidFileType, InvalidInput (field ``image``), RateLimitExceeded (no room to decode) or
    ExternalServiceError (storage).
    """
    name = images.display_name(filename)
    picture = toolbox.gateways.decoder.normalise(data, name or "Your photo")
    upload_id, now = uuid4(), toolbox.now()
    upload = Upload(
        id=upload_id,
        user_id=user_id,
        storage_key=images.upload_key(user_id, upload_id),
        name=name,
        width=picture.width,
        height=picture.height,
        stored_bytes=len(picture.data),
        source_width=picture.facts.width,
        source_height=picture.facts.height,
        source_bytes=len(data),
        had_location=picture.facts.has_location,
        created_at=now,
        delete_due_at=retention.due_unused(now),
    )
    toolbox.gateways.storage.put(upload.storage_key, picture.data, "image/jpeg")
    try:
        db.session.add(upload)
        db.session.flush()
    except Exception:
        db.session.rollback()
        _take_back(toolbox, images.upload_key(user_id, upload_id))
        raise
    db.session.commit()  # should nobody know whether it was, the look for unknown objects finds out
    log.info("photo kept", extra={"upload_id": str(upload_id), "source_bytes": len(data)})
    return upload


def _take_back(toolbox: Toolbox, key: str) -> None:
    """Remove an object that no row will know; what went wrong before is what the caller hears of."""
    try:
        toolbox.gateways.storage.delete(key)
    except PixShiftError:
        log.warning("an object without a row stays behind", extra={"storage_key": key}, exc_info=True)


def expect(toolbox: Toolbox) -> None:
    """A photo will probably come soon: let the decoder get ready meanwhile."""
    toolbox.gateways.decoder.warm()


def find(toolbox: Toolbox, user_id: UUID, upload_id: UUID) -> Upload:
    """One's own photo, to look at. Raises NotFound, with ``details.reason`` "deleted" when it was there."""
    upload = read_one(select(Upload).where(Upload.id == upload_id, Upload.user_id == user_id))
    if upload is None:
        raise NotFound("We do not have this photo.", field="imageId")
    if upload.deleted_at is not None or upload.delete_due_at <= retention.shown_if_due_after(toolbox.now()):
        raise NotFound(
            "This photo was deleted. Please choose it again.", field="imageId", details={"reason": "deleted"}
        )
    return upload


def named(toolbox: Toolbox, user_id: UUID, *, image_id: UUID | None, image_url: str | None) -> Upload:
    """The caller's photo that ``image_id`` or the link ``image_url`` names. A link is only ever read, never fetched."""
    if image_id is None and image_url is not None:
        image_id = toolbox.gateways.links.upload_id(image_url)
        if image_id is None:
            raise InvalidInput("That is not a link that an upload returned.", field="imageUrl")
    if image_id is None:
        raise InvalidInput("Say which photo: imageId or imageUrl, as the upload returned it.", field="imageId")
    return find(toolbox, user_id, image_id)


def open_photo(toolbox: Toolbox, user_id: UUID, upload_id: UUID) -> Picture:
    """One's own photo as we keep it. Raises as ``find`` does."""
    upload = find(toolbox, user_id, upload_id)
    return Picture(toolbox.gateways.storage.open(upload.storage_key), "image/jpeg", "photo.jpg")
