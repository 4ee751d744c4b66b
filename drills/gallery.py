"""Pictures that are ready, as many as are needed: rows and objects, as workers leave them."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, text

from drills import website
from pixshift.domain import images, retention
from pixshift.domain.lifecycle import Purse, Reservation, Stage, Status
from pixshift.extensions import db
from pixshift.models import Transformation, Upload
from pixshift.models.base import read_rows
from tests import jobs
from tests.sites import Site

SIZE = 60_000  # small enough for every buffer between us and a reader
_MOVES = (
    """UPDATE uploads SET delete_due_at = delete_due_at - :span
       WHERE deleted_at IS NULL AND id IN (SELECT upload_id FROM transformations WHERE downloaded_at IS NOT NULL)""",
    """UPDATE transformations SET delete_due_at = delete_due_at - :span, downloaded_at = downloaded_at - :span
       WHERE deleted_at IS NULL AND downloaded_at IS NOT NULL""",
)


@dataclass(frozen=True)
class Shown:
    """A picture, the session of its owner, and what is stored of it."""

    job: UUID
    photo: UUID
    token: str
    keys: tuple[str, str]

    @property
    def path(self) -> str:
        return f"/transformations/{self.job}/download"


def hang(site: Site, count: int, people: int) -> list[Shown]:
    """So many pictures, of so many people who are signed in."""
    owners = [jobs.add_person(site.app) for _ in range(people)]
    tokens = [website.signed_in(site.app, owner) for owner in owners]
    return [_one(site, owners[number % people], tokens[number % people]) for number in range(count)]


def _one(site: Site, owner: UUID, token: str) -> Shown:
    toolbox = site.app.extensions["toolbox"]
    photo = jobs.add_photo(site.app, owner, toolbox.now())
    job = uuid4()
    key = images.result_key(owner, job, uuid4(), "image/png")
    for name in (photo.storage_key, key):
        toolbox.gateways.storage.put(name, os.urandom(SIZE), "image/png")
    jobs.add_job(
        site.app, owner, photo, site.type_id, toolbox.now(),
        id=job, status=Status.COMPLETED, stage=Stage.READY, transformed_image_url=key, result_media_type="image/png",
        result_bytes=SIZE, result_width=100, result_height=100, thumbnail=b"a thumbnail", finished_at=toolbox.now(),
        delete_due_at=toolbox.now() + timedelta(hours=24), due_at=None, pricing_tier_locked=Purse.FREE.value,
        reservation=Reservation.SETTLED,
    )  # fmt: skip
    return Shown(job, photo.id, token, (photo.storage_key, key))


def rows_of(site: Site, pictures: Iterable[Shown]) -> list[Transformation]:
    wanted = [picture.job for picture in pictures]
    with site.app.app_context():
        return list(db.session.scalars(select(Transformation).where(Transformation.id.in_(wanted))))


def thumbnails(site: Site, pictures: Iterable[Shown]) -> int:
    wanted = [picture.job for picture in pictures]
    with site.app.app_context():
        kept = select(Transformation.id).where(Transformation.id.in_(wanted), Transformation.thumbnail.is_not(None))
        return len(read_rows(kept))


def left(site: Site, pictures: Iterable[Shown]) -> int:
    """How many objects of these pictures and their photos are still stored."""
    stored = {entry.key for entry in site.app.extensions["toolbox"].gateways.storage.entries()}
    return sum(key in stored for picture in pictures for key in picture.keys)


def unrecorded(site: Site, pictures: Sequence[Shown]) -> int:
    """How many pictures and photos have no deletion record, or one that is not signed by this site."""
    secret = site.app.extensions["toolbox"].secret
    records = [("picture", row.id, row.deleted_at, row.deletion_record) for row in rows_of(site, pictures)]
    with site.app.app_context():
        photos = select(Upload).where(Upload.id.in_([picture.photo for picture in pictures]))
        records += [("photo", row.id, row.deleted_at, row.deletion_record) for row in db.session.scalars(photos)]
    assert len(records) == 2 * len(pictures)
    return sum(not _is_right(secret, *record) for record in records)


def _is_right(secret: bytes, kind: str, row_id: UUID, deleted_at: datetime | None, record: str | None) -> bool:
    return deleted_at is not None and record == retention.deletion_record(secret, kind, str(row_id), deleted_at)


def move_back(site: Site, span: timedelta) -> None:
    """As if everything that was downloaded had been downloaded that much earlier."""
    with site.app.app_context():
        for statement in _MOVES:
            db.session.execute(text(statement), {"span": span})
        db.session.commit()


def let_go(site: Site, pictures: Iterable[Shown]) -> None:
    """They are due now."""
    now = site.app.extensions["toolbox"].now()
    with site.app.app_context():
        for picture in pictures:
            db.session.execute(
                jobs.update(Transformation).where(Transformation.id == picture.job).values(delete_due_at=now)
            )
            db.session.execute(jobs.update(Upload).where(Upload.id == picture.photo).values(delete_due_at=now))
        db.session.commit()
