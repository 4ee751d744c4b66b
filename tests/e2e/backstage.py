"""What a browser cannot see or do: the product's database and its folder of pictures."""

import hashlib
import io
import itertools
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pixshift.domain import images
from pixshift.domain.lifecycle import Purse, Reservation, Stage, Status
from pixshift.domain.roles import AuthProvider, UserRole
from pixshift.models import Identity, Transformation, TransformationType, Upload, User, UserSession
from tests import servers

_numbers = itertools.count()


@dataclass(frozen=True)
class Person:
    """Somebody with a session that is already open; ``token`` is its cookie's value."""

    id: uuid.UUID
    phone: str
    token: str


def phone() -> str:
    """A mobile number that nobody else has, far from all others for the limits' sake."""
    return f"+1202{200 + next(_numbers)}0142"


def now() -> datetime:
    return datetime.now(UTC)


def small_picture(tone: int = 120, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (120, 90), (tone, 80, 160)).save(file, kind)
    return file.getvalue()


class Backstage:
    """Rows and files of one product on SQLite."""

    def __init__(self, product: servers.Product) -> None:
        instance = Path(product.env["PIXSHIFT_INSTANCE"])
        self._folder = instance / "pictures"
        self._engine = create_engine(f"sqlite:///{instance / 'pixshift.sqlite3'}", poolclass=NullPool)

    # --- people -----------------------------------------------------------------------------------------------------

    def person(self, free_used: int = 0) -> Person:
        """Somebody new who is signed in; costs no code."""
        token, number = secrets.token_urlsafe(32), phone()
        with Session(self._engine) as session, session.begin():
            user = User(auth_provider=AuthProvider.MOBILE, phone=number, free_tier_used=free_used)
            session.add(user)
            session.flush()
            session.add(Identity(user_id=user.id, provider=AuthProvider.MOBILE, subject=number))
            token_hash = hashlib.sha256(token.encode()).hexdigest()
            session.add(UserSession(user_id=user.id, token_hash=token_hash, expires_at=now() + timedelta(days=30)))
            return Person(user.id, number, token)

    def admin(self, free_used: int = 0) -> Person:
        """Somebody new who runs PixShift."""
        somebody = self.person(free_used)
        self._execute(update(User).where(User.id == somebody.id).values(role=UserRole.ADMIN))
        return somebody

    def again(self, person: Person) -> Person:
        """The same somebody, signed in on one more device."""
        token = secrets.token_urlsafe(32)
        token_hash = hashlib.sha256(token.encode()).hexdigest()
        ends = now() + timedelta(days=30)
        with Session(self._engine) as session, session.begin():
            session.add(UserSession(user_id=person.id, token_hash=token_hash, expires_at=ends))
        return Person(person.id, person.phone, token)

    def free_used(self, user_id: uuid.UUID) -> int:
        with Session(self._engine) as session:
            return session.scalars(select(User.free_tier_used).where(User.id == user_id)).one()

    def end_sessions(self, user_id: uuid.UUID) -> None:
        """As if signed out everywhere."""
        self._execute(update(UserSession).where(UserSession.user_id == user_id).values(revoked_at=now()))

    # --- photos and jobs --------------------------------------------------------------------------------------------

    def style(self, slug: str = "engraving") -> uuid.UUID:
        with Session(self._engine) as session:
            return session.scalars(select(TransformationType.id).where(TransformationType.slug == slug)).one()

    def photo(self, user_id: uuid.UUID) -> uuid.UUID:
        """A photo that was uploaded, its file too."""
        upload_id, data = uuid.uuid4(), small_picture()
        key = images.upload_key(user_id, upload_id)
        self._write(key, data)
        with Session(self._engine) as session, session.begin():
            session.add(
                Upload(
                    id=upload_id,
                    user_id=user_id,
                    storage_key=key,
                    name="cat.jpg",
                    width=120,
                    height=90,
                    stored_bytes=len(data),
                    source_width=120,
                    source_height=90,
                    source_bytes=len(data),
                    delete_due_at=now() + timedelta(hours=24),
                )
            )
        return upload_id

    def job(
        self,
        user_id: uuid.UUID,
        state: str = "ready",
        photo: uuid.UUID | None = None,
        slug: str = "engraving",
        created_at: datetime | None = None,
    ) -> uuid.UUID:
        """A job in one of its states; no worker touches one that waits or is being made."""
        photo, job_id = photo or self.photo(user_id), uuid.uuid4()
        created = created_at or now()
        values = {"status": Status.FAILED, "finished_at": created, "reservation": Reservation.RELEASED} | _STATES[state]
        if state in ("ready", "downloaded", "deleted"):
            key = images.result_key(user_id, job_id, uuid.uuid4(), "image/jpeg")
            values |= {"transformed_image_url": key, "started_at": created, "finished_at": created}
            values |= {"delete_due_at": now() + timedelta(hours=24)}
        if state in ("ready", "downloaded"):
            self._write(key, small_picture(200))
            values |= {"thumbnail": small_picture(200, "WEBP")}
        if state in ("downloaded", "deleted"):
            values |= {"downloaded_at": now()}
        if state == "deleted":
            values |= {"deleted_at": now(), "deletion_record": "0" * 32}
        if state == "making":
            values |= {"lease_token": uuid.uuid4(), "lease_expires_at": now() + timedelta(hours=1)}
            values |= {"started_at": created, "finished_at": None}
        if state == "waiting":
            values |= {"due_at": now() + timedelta(hours=1), "finished_at": None}
        with Session(self._engine) as session, session.begin():
            session.add(
                Transformation(
                    id=job_id,
                    user_id=user_id,
                    transformation_type_id=self.style(slug),
                    upload_id=photo,
                    original_image_url=images.upload_key(user_id, photo),
                    pricing_tier_locked=Purse.FREE.value,
                    created_at=created,
                    **values,
                )
            )
        return job_id

    def find(self, job_id: uuid.UUID | str) -> Transformation:
        with Session(self._engine) as session:
            return session.scalars(select(Transformation).where(Transformation.id == uuid.UUID(str(job_id)))).one()

    def let_time_pass(self, job_id: uuid.UUID | str) -> None:
        """As if its picture and photo had become due: the clock is moved on by moving their moments back."""
        job, past = self.find(job_id), now() - timedelta(seconds=1)
        self._execute(update(Transformation).where(Transformation.id == job.id).values(delete_due_at=past))
        self._execute(update(Upload).where(Upload.id == job.upload_id).values(delete_due_at=past))

    def files(self, user_id: uuid.UUID) -> list[Path]:
        """What is stored of this person."""
        return [file for file in self._folder.rglob("*") if file.is_file() and str(user_id) in file.parts]

    def stored_photo(self, user_id: uuid.UUID) -> bytes:
        (file,) = (file for file in self.files(user_id) if "uploads" in file.parts)
        return file.read_bytes()

    def _write(self, key: str, data: bytes) -> None:
        file = self._folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def _execute(self, statement: Any) -> None:
        with Session(self._engine) as session, session.begin():
            session.execute(statement)


_PICTURE = {
    "status": Status.COMPLETED,
    "stage": Stage.READY,
    "reservation": Reservation.SETTLED,
    "result_media_type": "image/jpeg",
    "result_bytes": 2000,
    "result_width": 120,
    "result_height": 90,
}
_STATES: dict[str, dict[str, Any]] = {
    "waiting": {"status": Status.PENDING, "reservation": Reservation.RESERVED},
    "making": {"status": Status.PROCESSING, "stage": Stage.MAKING, "reservation": Reservation.RESERVED},
    "ready": _PICTURE,
    "downloaded": _PICTURE,
    "deleted": _PICTURE,
    "failed": {
        "error_code": "TRANSFORMATION_FAILED",
        "failure_reason": "TIMEOUT",
        "error_message": "The model took too long.",
    },
    "cancelled": {
        "error_code": "CANCELLED",
        "failure_reason": "CANCELLED",
        "error_message": "You cancelled this picture.",
    },
}
