"""The prompt lab: versions of a prompt side by side on the same photos, and what admins think of the pictures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from pixshift.domain.lifecycle import Status
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import LabRun, LabVote, PromptVersion, Transformation, TransformationType, Upload
from pixshift.models.base import change, read_all, read_rows
from pixshift.services import audit, lab_samples, prompts, spend, transformation_types
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

MOST_PICTURES = 12
RUNS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Bench:
    """A style at the lab's door: how many versions are newer than the live one, and when it was last tried."""

    kind: TransformationType
    drafts: int
    tried_at: datetime | None


def benches() -> list[Bench]:
    """All styles in the order people see them."""
    kind_of = PromptVersion.transformation_type_id
    newer = (
        select(kind_of, func.count())
        .join(TransformationType, TransformationType.id == kind_of)
        .where(PromptVersion.number > TransformationType.prompt_version)
        .group_by(kind_of)
    )
    last = select(LabRun.transformation_type_id, func.max(LabRun.created_at)).group_by(LabRun.transformation_type_id)
    drafts = {row[0]: row[1] for row in read_rows(newer)}
    tried = {row[0]: row[1] for row in read_rows(last)}
    return [Bench(kind, drafts.get(kind.id, 0), tried.get(kind.id)) for kind in transformation_types.listed()]


def run(toolbox: Toolbox, actor: Actor, user_id: UUID, type_id: UUID, versions: list[int], photos: list[str]) -> UUID:
    """Ask for a picture of each photo by each version: jobs of the admin that no purse pays for. Answers the run's id.

    Raises NotFound, InvalidInput (``field``), RateLimitExceeded (the spend caps), and as uploads do.
    """
    kind = transformation_types.find(type_id)
    versions, photos = sorted(set(versions)), list(dict.fromkeys(photos))
    count = len(versions) * len(photos)
    if not 0 < count <= MOST_PICTURES:
        raise InvalidInput(
            f"Choose at least one version and one photo, and at most {MOST_PICTURES} pictures in all: that is {count}.",
            field="versions",
            details={"limit": MOST_PICTURES, "actual": count},
        )
    for number in versions:
        prompts.version(type_id, number)
    spend.require_room(toolbox, user_id, count)
    found = [lab_samples.photo(toolbox, user_id, named) for named in photos]
    made = LabRun(id=uuid4(), transformation_type_id=kind.id, user_id=user_id, created_at=toolbox.now())
    db.session.add(made)
    db.session.flush()
    pairs = [(photo, number) for photo in found for number in versions]
    db.session.add_all(_job(made, photo, number, place) for place, (photo, number) in enumerate(pairs))
    db.session.flush()
    details = {"run": str(made.id), "versions": versions, "pictures": count}
    audit.record(actor, "LAB_RUN", "TRANSFORMATION_TYPE", kind.id, details)
    db.session.commit()
    for _ in pairs:
        toolbox.gateways.queue.nudge()
    return made.id


def _job(made: LabRun, photo: Upload, number: int, place: int) -> Transformation:
    """Nothing is reserved for it, and its place in the run is its place in the queue."""
    asked = made.created_at + timedelta(microseconds=place)
    return Transformation(
        user_id=made.user_id,
        transformation_type_id=made.transformation_type_id,
        upload_id=photo.id,
        original_image_url=photo.storage_key,
        prompt_version=number,
        lab_run_id=made.id,
        due_at=made.created_at,
        created_at=asked,
        updated_at=asked,
    )


def runs(type_id: UUID) -> list[LabRun]:
    """The latest ones, newest first."""
    mine = select(LabRun).where(LabRun.transformation_type_id == type_id)
    return read_all(mine.order_by(LabRun.created_at.desc()).limit(RUNS_SHOWN))


def vote(actor_id: UUID, type_id: UUID, job_id: UUID, value: int) -> UUID:
    """Think well (1), badly (-1) or nothing (0) of a picture; answers its run. Raises NotFound."""
    job = picture(type_id, job_id)
    mine = (LabVote.transformation_id == job.id) & (LabVote.user_id == actor_id)
    if value == 0:
        db.session.execute(delete(LabVote).where(mine))
    elif not change(update(LabVote).where(mine).values(value=value)):
        try:
            with db.session.begin_nested():
                db.session.add(LabVote(transformation_id=job.id, user_id=actor_id, value=value))
        except IntegrityError:  # the same admin in another window, in this moment
            change(update(LabVote).where(mine).values(value=value))
    db.session.commit()
    return _run_of(job)


def picture(type_id: UUID, job_id: UUID) -> Transformation:
    """A picture that the lab made. Raises NotFound."""
    query = select(Transformation).where(
        Transformation.id == job_id,
        Transformation.transformation_type_id == type_id,
        Transformation.lab_run_id.is_not(None),
        Transformation.status == Status.COMPLETED,
    )
    found = read_all(query)
    if not found:
        raise NotFound("The lab has no such picture.")
    return found[0]


def _run_of(job: Transformation) -> UUID:
    run_id: Any = job.lab_run_id
    return UUID(str(run_id))
