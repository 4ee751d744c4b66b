"""Jobs of the vendor's drills: asked for, waited for, counted."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from drills.table import Row
from pixshift.domain.lifecycle import FINAL, Status
from pixshift.extensions import db
from pixshift.models import Attempt, Transformation
from pixshift.services import transformations
from tests import jobs, servers
from tests.sites import Site

AREA = "Gemini"
_FREE = 5


def at_least(area: str, what: str, found: int, wanted: int) -> Row:
    """A figure that must not be below this: without it the row beside it would prove nothing."""
    return Row(area, what, str(found), f"≥ {wanted}", found >= wanted)


def ask(site: Site, count: int, each: int = 1, type_id: UUID | None = None) -> list[UUID]:
    """``count`` jobs, ``each`` of one person with one photo; who asks for more than are free does not pay."""
    asked: list[UUID] = []
    while len(asked) < count:
        person = jobs.add_person(site.app)
        photo = jobs.add_photo(site.app, person, now(site))
        site.app.extensions["toolbox"].gateways.storage.put(photo.storage_key, jobs.PHOTO, "image/jpeg")
        for _ in range(min(each, count - len(asked))):
            with site.app.app_context():
                toolbox = site.app.extensions["toolbox"]
                if each > _FREE:
                    job = jobs.add_job(site.app, person, photo, site.type_id, toolbox.now(), reservation=None)
                    toolbox.gateways.queue.nudge()
                else:
                    kind = type_id or site.type_id
                    job = transformations.create(toolbox, person, type_id=kind, image_id=photo.id).id
            asked.append(job)
    return asked


def now(site: Site) -> datetime:
    """By the clock that the workers go by."""
    with site.app.app_context():
        moment: datetime = site.app.extensions["toolbox"].now()
        return moment


def begun(site: Site, asked: list[UUID], until: datetime) -> int:
    """How many of these jobs were claimed until then."""
    mine = Attempt.transformation_id.in_(asked)
    with site.app.app_context():
        return db.session.scalar(select(func.count()).where(mine, Attempt.started_at <= until)) or 0


def statuses(site: Site, asked: list[UUID]) -> list[Status]:
    with site.app.app_context():
        return list(db.session.scalars(select(Transformation.status).where(Transformation.id.in_(asked))))


def completed(site: Site, asked: list[UUID]) -> int:
    return sum(status is Status.COMPLETED for status in statuses(site, asked))


def ended(site: Site, asked: list[UUID], seconds: float) -> float:
    """Wait for the end of these jobs, but no longer than that; how long it took."""
    return within(lambda: all(status in FINAL for status in statuses(site, asked)), seconds)


def within(condition: Callable[[], bool], seconds: float) -> float:
    """How long it took to come true; ``seconds`` or a little more when it did not."""
    began = time.monotonic()
    with suppress(AssertionError):
        servers.wait_until(condition, seconds)
    return time.monotonic() - began


def most_in(times: list[float], seconds: float) -> int:
    """The most of these moments that lie within so many seconds."""
    return max((sum(first <= other < first + seconds for other in times) for first in times), default=0)
