"""Jobs without a browser: rows as the services write them, a clock that is set by hand, and real worker processes."""

import dataclasses
import io
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from PIL import Image
from sqlalchemy import select, update

from pixshift import create_app
from pixshift.domain import images
from pixshift.domain.lifecycle import Purse, Reservation, Status
from pixshift.domain.roles import AuthProvider
from pixshift.errors import ExternalServiceError, InvalidInput, TransformationFailed
from pixshift.extensions import db
from pixshift.gateways.ports import EditedImage, EditRequest, Usage, VerifiedImage
from pixshift.models import Attempt, Transformation, TransformationType, Upload, User
from pixshift.services import jobs, leases, transformations
from pixshift.services.leases import ClaimedJob
from pixshift.services.toolbox import Toolbox
from pixshift.settings import load_settings
from tests import servers

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USAGE = Usage(prompt_tokens=1130, output_tokens=1120, total_tokens=2250, model_version="m-1", response_id="r-1")
PHOTO = b"a photo"


def png(side: int = 8) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (20, 90, 160)).save(file, "PNG")
    return file.getvalue()


class Clock:
    """A time that only moves when it is told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


class Editor:
    """An ImageEditor that makes a picture, or fails as often as failures were pushed. ``gate`` holds it in mid-work."""

    is_twin = False

    def __init__(self) -> None:
        self.failures: deque[Exception] = deque()
        self.requests: list[EditRequest] = []
        self.picture = png()
        self.gate: threading.Event | None = None
        self.before_answer: Any = None

    def edit(self, request: EditRequest) -> EditedImage:
        self.requests.append(request)
        if self.gate is not None:
            self.gate.wait(20)
        if self.before_answer is not None:
            self.before_answer()
        if self.failures:
            raise self.failures.popleft()
        return EditedImage(self.picture, "image/png", USAGE)

    def fail(self, reason: str, *, retryable: bool = False, retry_after: float | None = None, times: int = 1) -> None:
        for _ in range(times):
            self.failures.append(
                TransformationFailed(reason=reason, retryable=retryable, retry_after=retry_after, usage=USAGE)
            )

    def warm(self) -> None:
        pass

    def check(self) -> str:
        return "an editor for tests"

    def close(self) -> None:
        pass


class PlainDecoder:
    """The part of an ImageDecoder that a worker uses, in this process."""

    def verify(self, data: bytes) -> VerifiedImage:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
                return VerifiedImage(f"image/{(picture.format or '').lower()}", *picture.size)
        except OSError:
            raise InvalidInput("The result is damaged.") from None

    def close(self) -> None:
        pass


class Storage:
    """An ImageStorage in memory; while ``is_away`` nothing is read, written or deleted. ``refuses`` fail one by one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.is_away = False
        self.refuses: set[str] = set()
        self.deletions: list[str] = []

    def _answer(self, key: str = "") -> None:
        if self.is_away or key in self.refuses:
            raise ExternalServiceError("The picture store does not answer.", retryable=True, category="NETWORK")

    def put(self, key: str, data: bytes, media_type: str) -> None:
        self._answer(key)
        self.objects[key] = data

    def get(self, key: str) -> bytes:
        self._answer(key)
        if key not in self.objects:
            from pixshift.errors import NotFound

            raise NotFound
        return self.objects[key]

    def delete(self, key: str) -> None:
        self._answer(key)
        self.deletions.append(key)
        self.objects.pop(key, None)

    def check(self) -> str:
        self._answer()
        return "memory"


class Nudges:
    """A JobQueue that only counts; ``delays`` are those asked for."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.tended = 0

    def nudge(self, delay_seconds: float = 0) -> None:
        self.delays.append(delay_seconds)

    def tend(self) -> None:
        self.tended += 1

    def pending(self) -> int:
        return len(self.delays)

    def check(self) -> str:
        return f"{len(self.delays)} nudges"


@dataclasses.dataclass
class World:
    """One database and everything around it that a job meets. Each call works in an application context of its own."""

    app: Flask
    clock: Clock
    editor: Editor
    storage: Storage
    queue: Nudges
    type_id: UUID

    @property
    def toolbox(self) -> Toolbox:
        tools: Toolbox = self.app.extensions["toolbox"]
        return tools

    def person(self, free_used: int = 0) -> UUID:
        return add_person(self.app, free_used)

    def photo(self, user_id: UUID) -> Upload:
        photo = add_photo(self.app, user_id, self.clock())
        self.storage.objects[photo.storage_key] = PHOTO
        return photo

    def job(self, user_id: UUID | None = None, photo: Upload | None = None, **values: Any) -> UUID:
        """A job that waits, paid with a free picture, as ``transformations.create`` leaves it."""
        user_id = user_id or self.person(free_used=1)
        photo = photo or self.photo(user_id)
        return add_job(self.app, user_id, photo, self.type_id, self.clock(), **values)

    def read(self, job_id: UUID) -> Transformation:
        return read_job(self.app, job_id)

    def attempts(self, job_id: UUID) -> list[Attempt]:
        return read_attempts(self.app, job_id)

    def free_used(self, user_id: UUID) -> int:
        return read_free_used(self.app, user_id)

    def claim(self) -> ClaimedJob | None:
        with self.app.app_context():
            return leases.claim(self.toolbox)

    def cancel(self, person: UUID, job: UUID) -> bool:
        """Whether it was not too late."""
        with self.app.app_context():
            try:
                transformations.cancel(self.toolbox, person, job)
            except InvalidInput:
                return False
        return True

    def claimed(self) -> ClaimedJob:
        """The next job, which there must be."""
        job = self.claim()
        assert job is not None
        return job

    def make(self, job: ClaimedJob) -> None:
        with self.app.app_context():
            jobs.make(self.toolbox, job)

    def make_next(self) -> ClaimedJob:
        job = self.claimed()
        self.make(job)
        return job

    def change(self, job_id: UUID, **values: Any) -> None:
        change_job(self.app, job_id, **values)


@contextmanager
def world(database_url: str, folder: Path, **environ: str) -> Iterator[World]:
    """The application on a migrated database, with the clock, editor, storage and queue of this module."""
    with application(database_url, folder, **environ) as app:
        clock, editor, storage, queue = Clock(), Editor(), Storage(), Nudges()
        tools: Toolbox = app.extensions["toolbox"]
        gateways = dataclasses.replace(
            tools.gateways,
            editor=editor,
            decoder=PlainDecoder(),  # type: ignore[arg-type]
            storage=storage,  # type: ignore[arg-type]
            queue=queue,
        )
        app.extensions["toolbox"] = Toolbox(tools.settings, gateways, clock, patience_seconds=0.0)
        yield World(app, clock, editor, storage, queue, add_type(app))


@contextmanager
def application(database_url: str, folder: Path, **environ: str) -> Iterator[Flask]:
    base = {"PIXSHIFT_ENV": "test", "PIXSHIFT_INSTANCE": str(folder / "instance"), "DATABASE_URL": database_url}
    app = create_app(load_settings(base | environ))
    try:
        yield app
    finally:
        with app.app_context():
            app.extensions["toolbox"].gateways.close()
            db.engine.dispose()


# --- rows -----------------------------------------------------------------------------------------------------------


def add_type(app: Flask, slug: str = "pop-art") -> UUID:
    with app.app_context():
        kind = TransformationType(name=slug.title(), slug=slug, prompt_template=f"Make it {slug}.")
        db.session.add(kind)
        db.session.commit()
        return kind.id


def add_person(app: Flask, free_used: int = 0) -> UUID:
    with app.app_context():
        user = User(auth_provider=AuthProvider.MOBILE, free_tier_used=free_used)
        db.session.add(user)
        db.session.commit()
        return user.id


def add_photo(app: Flask, user_id: UUID, now: datetime) -> Upload:
    """The row alone; who needs the object stores it."""
    upload_id = uuid4()
    photo = Upload(
        id=upload_id,
        user_id=user_id,
        storage_key=images.upload_key(user_id, upload_id),
        name="photo.jpg",
        width=640,
        height=480,
        stored_bytes=len(PHOTO),
        source_width=640,
        source_height=480,
        source_bytes=len(PHOTO),
        created_at=now,
        delete_due_at=now + timedelta(hours=24),
    )
    with app.app_context():
        db.session.add(photo)
        db.session.commit()
    return photo


def add_job(app: Flask, user_id: UUID, photo: Upload, type_id: UUID, now: datetime, **values: Any) -> UUID:
    job = Transformation(
        **{
            "id": uuid4(),
            "user_id": user_id,
            "transformation_type_id": type_id,
            "upload_id": photo.id,
            "original_image_url": photo.storage_key,
            "pricing_tier_locked": Purse.FREE.value,
            "reservation": Reservation.RESERVED,
            "due_at": now,
            "created_at": now,
        }
        | values
    )
    with app.app_context():
        db.session.add(job)
        db.session.commit()
    return job.id


def read_job(app: Flask, job_id: UUID) -> Transformation:
    with app.app_context():
        job = db.session.get(Transformation, job_id)
        assert job is not None
        return job


def read_attempts(app: Flask, job_id: UUID) -> list[Attempt]:
    with app.app_context():
        own = select(Attempt).where(Attempt.transformation_id == job_id).order_by(Attempt.number)
        return list(db.session.scalars(own))


def read_free_used(app: Flask, user_id: UUID) -> int:
    with app.app_context():
        return db.session.scalars(select(User.free_tier_used).where(User.id == user_id)).one()


def change_job(app: Flask, job_id: UUID, **values: Any) -> None:
    with app.app_context():
        db.session.execute(update(Transformation).where(Transformation.id == job_id).values(**values))
        db.session.commit()


def count(app: Flask, status: Status) -> int:
    with app.app_context():
        return len(list(db.session.scalars(select(Transformation.id).where(Transformation.status == status))))


# --- worker processes -----------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Worker:
    """`flask worker` in a process group of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def is_ready(self) -> bool:
        return "worker ready" in self.text()

    def stop(self) -> int:
        """SIGTERM, as a supervisor does; returns the exit status."""
        return servers.end(self.process, patience=40)


FLASK = ("-m", "flask", "--app", "wsgi")


def start_worker(folder: Path, env: dict[str, str], concurrency: int = 2, launcher: tuple[str, ...] = FLASK) -> Worker:
    """A worker process, not waited for; whoever starts one ends it. ``launcher`` is what Python runs."""
    inherited = {name: os.environ[name] for name in servers.INHERITED if name in os.environ}
    log = folder / f"worker-{uuid4().hex[:6]}.log"
    command = [sys.executable, *launcher, "worker", "--concurrency", str(concurrency)]
    full_env = inherited | {"PYTHONUNBUFFERED": "1"} | env
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=servers.ROOT, env=full_env, stdout=out, stderr=out, start_new_session=True
        )
    return Worker(process, log)


@contextmanager
def worker(
    folder: Path, env: dict[str, str], concurrency: int = 2, launcher: tuple[str, ...] = FLASK
) -> Iterator[Worker]:
    """A worker that has begun to work, stopped afterwards."""
    running = start_worker(folder, env, concurrency, launcher)
    process = running.process
    try:
        servers.wait_until(
            lambda: process.poll() is not None or running.is_ready(), 30, f"a worker (see {running.log})"
        )
        if process.poll() is not None:
            raise RuntimeError(f"The worker ended with {process.returncode} instead of starting:\n{running.text()}")
        yield running
    finally:
        servers.end(process, patience=5)


def alive(group: int) -> list[int]:
    """Processes of this group that still run (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ProcessLookupError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] != "Z":
                    found.append(int(entry.name))
    return found
