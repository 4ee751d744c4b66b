"""A web process, what it shares with its workers, and Gemini at the wire: jobs as they are on a whole site."""

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from flask import Flask

from pixshift.domain.lifecycle import Reservation, Status
from pixshift.services import transformations
from tests import jobs, servers
from tests.stand_ins.gemini import GeminiStandIn


@dataclasses.dataclass
class Site:
    """A web process (this one), the environment it shares with its workers, and Gemini at the wire."""

    app: Flask
    env: dict[str, str]
    folder: Path
    gemini: GeminiStandIn
    type_id: UUID
    people: dict[UUID, UUID] = dataclasses.field(default_factory=dict)  # job -> person

    def ask(self) -> UUID:
        """A person with a photo asks for a picture; the id of the job."""
        person = jobs.add_person(self.app)
        photo = jobs.add_photo(self.app, person, datetime.now(UTC))
        with self.app.app_context():
            toolbox = self.app.extensions["toolbox"]
            toolbox.gateways.storage.put(photo.storage_key, jobs.PHOTO, "image/jpeg")
            job = transformations.create(toolbox, person, type_id=self.type_id, image_id=photo.id)
        self.people[job.id] = person
        return job.id

    def worker(self, concurrency: int = 2) -> AbstractContextManager[jobs.Worker]:
        return jobs.worker(self.folder, self.env, concurrency)

    def status(self, job: UUID) -> Status:
        return jobs.read_job(self.app, job).status

    def wait_for(self, *wanted: UUID, status: Status = Status.COMPLETED, timeout: float = 30) -> None:
        servers.wait_until(lambda: all(self.status(job) is status for job in wanted), timeout, f"{status}")

    def lease_runs_out(self, job: UUID) -> None:
        """As if a minute had passed without a heartbeat."""
        jobs.change_job(self.app, job, lease_expires_at=datetime.now(UTC) - timedelta(seconds=1))

    def is_complete(self, job: UUID) -> bool:
        """COMPLETED, with a picture that is there, and one free picture spent for it."""
        row = jobs.read_job(self.app, job)
        with self.app.app_context():
            storage = self.app.extensions["toolbox"].gateways.storage
            is_there = bool(row.transformed_image_url) and storage.exists(row.transformed_image_url)
        spent = jobs.read_free_used(self.app, self.people[job]) == 1 and row.reservation is Reservation.SETTLED
        return row.status is Status.COMPLETED and is_there and spent

    def stored(self) -> int:
        """How many result objects lie in the store."""
        with self.app.app_context():
            return len(list(self.app.extensions["toolbox"].gateways.storage.entries("transformations/")))


@contextmanager
def site(
    folder: Path, database_url: str, redis_url: str, gemini: GeminiStandIn | None = None, **environ: str
) -> Iterator[Site]:
    """``environ`` is for this process and its workers: a bucket, other limits. ``gemini`` is started here."""
    with gemini or GeminiStandIn() as gemini:
        env = {
            "PIXSHIFT_ENV": "test",
            "PIXSHIFT_INSTANCE": str(folder / "instance"),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "GEMINI_API_KEY": "key-of-the-tests",
            "GEMINI_ENDPOINT": gemini.url,
            **environ,
        }
        with jobs.application(database_url, folder, REDIS_URL=redis_url, **environ) as app:
            yield Site(app, env, folder, gemini, jobs.add_type(app))
