"""Many people's jobs written at once, and the books read afterwards: what was lost, made twice, spent or left over."""

import io
import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from PIL import Image
from sqlalchemy import select

from drills.table import Row, at_most, exactly
from drills.witness import Witness
from pixshift.domain import images
from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import FINAL, LEASE, MAX_ATTEMPTS, Purse, Reservation, Status
from pixshift.domain.roles import AuthProvider
from pixshift.extensions import db
from pixshift.models import Attempt, Transformation, Upload, User
from pixshift.services.jobs import LEASE_LOST
from tests import servers
from tests.sites import Site

STUCK_SECONDS = 120.0
LAST_SECONDS = 240.0


def open_jobs(site: Site, count: int) -> list[UUID]:
    """Jobs of people with one to five each, every one with a photo of its own, as ``transformations.create`` leaves it.

    The bytes of a photo are the id of its job.
    """
    sizes, opened = itertools.cycle((1, 5, 2, 4, 3)), []
    while (left := count - len(opened)) > 0:
        opened += _one_person(site, min(left, next(sizes)))
    for _ in opened:
        site.app.extensions["toolbox"].gateways.queue.nudge()
    return opened


def _one_person(site: Site, count: int) -> list[UUID]:
    person, now = uuid4(), datetime.now(UTC)
    photos = [_photo(person, now) for _ in range(count)]
    made = [
        Transformation(
            id=uuid4(),
            user_id=person,
            transformation_type_id=site.type_id,
            upload_id=photo.id,
            original_image_url=photo.storage_key,
            pricing_tier_locked=Purse.FREE.value,
            reservation=Reservation.RESERVED,
            due_at=now,
            created_at=now,
        )
        for photo in photos
    ]
    with site.app.app_context():
        for job in made:
            site.app.extensions["toolbox"].gateways.storage.put(job.original_image_url, job.id.bytes, "image/jpeg")
        for some in ([User(id=person, auth_provider=AuthProvider.MOBILE, free_tier_used=count)], photos, made):
            db.session.add_all(some)
            db.session.flush()
        db.session.commit()
    site.people |= {job.id: person for job in made}
    return [job.id for job in made]


def _photo(person: UUID, now: datetime) -> Upload:
    upload = uuid4()
    sizes = dict.fromkeys(("width", "height", "stored_bytes", "source_width", "source_height", "source_bytes"), 512)
    key, due = images.upload_key(person, upload), now + timedelta(hours=24)
    return Upload(id=upload, user_id=person, storage_key=key, created_at=now, delete_due_at=due, **sizes)


def wait_for_the_last(site: Site, seconds: float = LAST_SECONDS) -> None:
    """Until every job has ended and the sweepers have nothing left to remove, or the time is up."""
    try:
        servers.wait_until(lambda: not unfinished(site) and not left_over(site), seconds)
    except AssertionError:
        return  # the rows say what is missing


def unfinished(site: Site) -> set[UUID]:
    """The jobs that have not ended."""
    with site.app.app_context():
        return set(db.session.scalars(select(Transformation.id).where(Transformation.status.not_in(FINAL))))


def left_over(site: Site) -> list[str]:
    """Files below the pictures' folder that no COMPLETED job and no photo names."""
    pictures = folder(site)
    with site.app.app_context():
        named = select(Transformation.transformed_image_url).union(select(Upload.storage_key))
        known = set(db.session.scalars(named))
    found = [file.relative_to(pictures).as_posix() for file in pictures.rglob("*") if file.is_file()]
    return [name for name in found if name not in known]


def folder(site: Site) -> Path:
    return Path(site.env["PIXSHIFT_INSTANCE"]) / "pictures"


def rows(site: Site, area: str, witness: Witness, *, leases_ran_out: bool = False) -> Iterator[Row]:
    """What must be true of all jobs of a site after whatever was done to its workers.

    ``leases_ran_out``: the drill did not wait for leases but pushed them back.
    """
    yield from books(site, area)
    attempts = _attempts(site)
    if not leases_ran_out:
        yield exactly(area, "jobs taken back while their lease still ran", _taken_early(attempts), 0)
    cut_off = [attempt for attempt in attempts if attempt.outcome != Status.COMPLETED]
    made = Counter(attempt.transformation_id for attempt in attempts if attempt.outcome == Status.COMPLETED)
    yield exactly(area, "pictures made twice", sum(count > 1 for count in made.values()), 0)
    what = f"calls of the model beyond {len(site.people)} jobs + {len(cut_off)} cut off"
    yield at_most(area, what, max(0, len(witness.all_calls) - len(site.people) - len(cut_off)), 0)
    yield exactly(area, "jobs asked for again without such a reason", _asked_too_often(cut_off, witness), 0)


def books(site: Site, area: str, *fair: FailureReason) -> Iterator[Row]:
    """Nothing lost, nothing stuck, nothing spent in vain. Jobs may fail for three deaths and for ``fair`` reasons."""
    jobs, attempts = _jobs(site), _attempts(site)
    with site.app.app_context():
        used = {row.id: row.free_tier_used for row in db.session.execute(select(User.id, User.free_tier_used))}
    done = [job for job in jobs if job.status is Status.COMPLETED]
    failed = [job for job in jobs if job.status is Status.FAILED]
    spent = Counter(job.user_id for job in done)
    lost = {*site.people, *(job.id for job in jobs)} - {job.id for job in (*done, *failed)}
    yield exactly(area, f"jobs lost of {len(jobs)}: no row, or not ended", len(lost), 0)
    yield at_most(area, "longest that a job lay without a worker", _longest_wait(jobs, attempts), STUCK_SECONDS, "s")
    yield exactly(area, "COMPLETED without a readable picture", sum(not _is_readable(site, job) for job in done), 0)
    yield exactly(area, "people whose free uses are not their pictures", sum(used[p] != spent[p] for p in used), 0)
    yield _failures(area, failed, {FailureReason.WORKER_LOST, *fair})
    yield at_most(area, "attempts of one job", max((job.attempts for job in jobs), default=0), MAX_ATTEMPTS)
    yield exactly(area, "files that no row names", len(left_over(site)), 0)


def _jobs(site: Site) -> list[Transformation]:
    with site.app.app_context():
        return list(db.session.scalars(select(Transformation)))


def _attempts(site: Site) -> list[Attempt]:
    with site.app.app_context():
        return list(db.session.scalars(select(Attempt).order_by(Attempt.number)))


def _failures(area: str, failed: list[Transformation], fair: set[FailureReason]) -> Row:
    reasons = Counter(str(job.failure_reason) for job in failed)
    others = Counter({reason: count for reason, count in reasons.items() if reason not in fair})
    legal = _listed(reasons - others)
    return Row(area, f"jobs failed and given back, but for {legal}", _listed(others), "0", not others)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "0"


def _is_readable(site: Site, job: Transformation) -> bool:
    file = folder(site) / str(job.transformed_image_url)
    if not file.is_file():
        return False
    data = file.read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return len(data) == job.result_bytes and picture.size == (job.result_width, job.result_height)


def _longest_wait(jobs: list[Transformation], attempts: list[Attempt]) -> float:
    """Seconds from a job's birth to its first attempt, or from a cut-off attempt's begin to the next one or the end."""
    by_job: dict[UUID, list[Attempt]] = {job.id: [] for job in jobs}
    for attempt in attempts:
        by_job[attempt.transformation_id].append(attempt)
    longest, now = 0.0, datetime.now(UTC)
    for job in jobs:
        own = by_job[job.id]
        begins = [job.created_at, *(attempt.started_at for attempt in own if attempt.outcome != Status.COMPLETED)]
        later = [attempt.started_at for attempt in own] + [job.finished_at or now]
        longest = max([longest, *((_next(later, begin) - begin).total_seconds() for begin in begins)])
    return longest


def _next(moments: list[datetime], begin: datetime) -> datetime:
    return min(moment for moment in moments if moment > begin)


def _taken_early(attempts: list[Attempt]) -> int:
    """Attempts that began less than a lease after one that nobody ended: its worker may have been alive."""
    early, before = 0, {}
    for attempt in sorted(attempts, key=lambda one: (one.transformation_id, one.number)):
        last = before.get(attempt.transformation_id)
        if last and last.outcome in (None, LEASE_LOST):
            early += attempt.started_at - last.started_at < LEASE
        before[attempt.transformation_id] = attempt
    return early


def _asked_too_often(cut_off: list[Attempt], witness: Witness) -> int:
    """Each job may be asked for once, and once more for each attempt that was cut off."""
    asked = Counter(call.job for call in witness.all_calls)
    reasons = Counter(attempt.transformation_id for attempt in cut_off)
    return sum(asked[job] > 1 + reasons[job] for job in asked)
