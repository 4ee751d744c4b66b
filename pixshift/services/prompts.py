"""Wordings of a style's prompt. Each is kept for good; one of them is published."""

from uuid import UUID

from sqlalchemy import func, select

from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import PromptVersion, TransformationType, User
from pixshift.models.base import read_all, read_rows
from pixshift.services import audit
from pixshift.services.audit import Actor

SHOWN = 50


def add(kind: TransformationType, template: str, actor: Actor) -> PromptVersion:
    """Add the next version to the current transaction; nothing is published. ``kind`` has an id."""
    db.session.execute(
        select(TransformationType.id).where(TransformationType.id == kind.id).with_for_update()
    )  # of two who add at once, one waits for the other's number
    newest = db.session.scalar(
        select(func.max(PromptVersion.number)).where(PromptVersion.transformation_type_id == kind.id)
    )
    version = PromptVersion(
        transformation_type_id=kind.id,
        number=(newest or 0) + 1,
        prompt_template=template,
        author=actor.name,
        author_user_id=actor.user_id,
    )
    db.session.add(version)
    return version


def publish(kind: TransformationType, version: PromptVersion) -> None:
    """What is asked for from now on; jobs that were begun keep theirs."""
    kind.prompt_template = version.prompt_template
    kind.prompt_version = version.number


def locked(type_id: UUID) -> TransformationType:
    """A style that nobody else changes until the current transaction ends. Raises NotFound."""
    query = select(TransformationType).where(TransformationType.id == type_id).with_for_update()
    kind = db.session.scalar(query.execution_options(populate_existing=True))
    if kind is None:
        db.session.rollback()
        raise NotFound("There is no such style.")
    return kind


def versions(type_id: UUID) -> list[PromptVersion]:
    """The newest ones first, to look at."""
    mine = select(PromptVersion).where(PromptVersion.transformation_type_id == type_id)
    return read_all(mine.order_by(PromptVersion.number.desc()).limit(SHOWN))


def version(type_id: UUID, number: int) -> PromptVersion:
    """Raises NotFound."""
    mine = (PromptVersion.transformation_type_id == type_id) & (PromptVersion.number == number)
    found = read_all(select(PromptVersion).where(mine))
    if not found:
        raise NotFound(f"This style has no version {number}.", field="version")
    return found[0]


def authors(these: list[PromptVersion]) -> dict[UUID, str]:
    """How admins know those among them who wrote one."""
    ids = {version.author_user_id for version in these if version.author_user_id}
    people = select(User.id, func.coalesce(User.email, User.phone)).where(User.id.in_(ids))
    return {row[0]: row[1] for row in read_rows(people) if row[1]} if ids else {}


def draft(type_id: UUID, template: str, actor: Actor) -> int:
    """Keep a new wording that nobody is served yet; answers its number. Raises NotFound."""
    kind = locked(type_id)
    made = add(kind, template, actor)
    db.session.flush()
    audit.record(actor, "DRAFT", "TRANSFORMATION_TYPE", kind.id, {"promptVersion": made.number})
    db.session.commit()
    return made.number


def go_live(type_id: UUID, number: int, actor: Actor, *, seen: int, reason: str) -> None:
    """Publish a version, or roll back to an older one. ``seen`` is the live one that the actor compared it with.

    Raises NotFound, and InvalidInput (409) when somebody published another one meanwhile.
    """
    chosen, kind = version(type_id, number), locked(type_id)
    before = kind.prompt_version
    if before == number:
        db.session.rollback()
        raise InvalidInput(f"Version {number} is live already.", field="version")
    if before != seen:
        db.session.rollback()
        raise InvalidInput(
            f"Version {before} was published while you were looking at version {seen}. "
            "Compare again, and publish if you still want to.",
            field="version",
            details={"live": before},
            status=409,
        )
    publish(kind, chosen)
    kind.edits += 1
    db.session.flush()
    audit.record(
        actor,
        "PUBLISH" if number > before else "ROLL_BACK",
        "TRANSFORMATION_TYPE",
        kind.id,
        {"reason": reason, "edits": kind.edits},
        before={"promptVersion": before},
        after={"promptVersion": number},
    )
    db.session.commit()
