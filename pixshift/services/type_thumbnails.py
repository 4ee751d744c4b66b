"""The small half-and-half of a style, made from a picture of the lab."""

import hashlib
from uuid import UUID

from sqlalchemy import select

from pixshift.domain import retention
from pixshift.errors import NotFound
from pixshift.extensions import db
from pixshift.models import TransformationType
from pixshift.models.base import read_rows
from pixshift.services import audit, lab, prompts, uploads
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox


def make(toolbox: Toolbox, actor: Actor, user_id: UUID, type_id: UUID, job_id: UUID) -> None:
    """Left half the photo, right half the picture that one's own run made of it.

    Raises NotFound, also when either is deleted by now, and as the decoder and the storage do.
    """
    job = lab.picture(type_id, job_id)
    is_over = job.delete_due_at is not None and job.delete_due_at <= retention.shown_if_due_after(toolbox.now())
    if job.user_id != user_id or job.upload_id is None:
        raise NotFound("The lab has no such picture.")
    if job.deleted_at is not None or is_over or job.transformed_image_url is None:
        raise NotFound("This picture was deleted, as promised. Run it again.", details={"reason": "deleted"})
    photo = uploads.find(toolbox, user_id, job.upload_id)
    storage = toolbox.gateways.storage
    data = toolbox.gateways.decoder.pair(storage.get(photo.storage_key), storage.get(job.transformed_image_url))
    kind = prompts.locked(type_id)
    before = kind.thumbnail_tag
    kind.thumbnail, kind.thumbnail_tag = data, hashlib.sha256(data).hexdigest()[:12]
    kind.edits += 1
    db.session.flush()
    old, new = {"thumbnail": before}, {"thumbnail": kind.thumbnail_tag}
    audit.record(actor, "UPDATE", "TRANSFORMATION_TYPE", kind.id, {"edits": kind.edits}, before=old, after=new)
    db.session.commit()


def read(type_id: UUID) -> tuple[bytes, str]:
    """The WebP and its tag. Raises NotFound for a style that has none of its own."""
    query = select(TransformationType.thumbnail, TransformationType.thumbnail_tag)
    rows = read_rows(query.where(TransformationType.id == type_id))
    if not rows or rows[0].thumbnail is None:
        raise NotFound("There is no picture here.")
    return bytes(rows[0].thumbnail), rows[0].thumbnail_tag
