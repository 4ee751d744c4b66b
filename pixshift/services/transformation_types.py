"""Styles: what is on offer, and how long each usually takes."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from pixshift.domain.lifecycle import Status
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import Transformation, TransformationType
from pixshift.models.base import read_all, read_one, read_rows
from pixshift.services import audit, prompts
from pixshift.services.audit import Actor

TYPICAL_SAMPLE = 100
TYPICAL_BEFORE_ANY = 12.0  # seconds, until a style has been made a few times


@dataclass(frozen=True, slots=True)
class Offer:
    """The enabled types as one snapshot; ``version`` changes whenever a type does."""

    version: str
    types: tuple[TransformationType, ...]


_VERSION = select(func.count(), func.max(TransformationType.updated_at), func.sum(TransformationType.position))
_ORDERED = select(TransformationType).order_by(TransformationType.position, TransformationType.name)
_ENABLED = _ORDERED.where(TransformationType.enabled)
_latest: dict[str, Offer] = {}  # by database: tests and commands may use several in one process


def on_offer() -> Offer:
    """The enabled types, read again only when one was changed (one small query tells)."""
    database = str(db.engine.url)
    version = "|".join(str(value) for value in read_rows(_VERSION)[0])
    known = _latest.get(database)
    if known is None or known.version != version:
        known = _latest[database] = Offer(version, tuple(read_all(_ENABLED)))
    return known


def find_enabled(type_id: UUID) -> TransformationType:
    """Raises NotFound, also for a type that was switched off."""
    found = next((kind for kind in on_offer().types if kind.id == type_id), None)
    if found is None:
        raise NotFound("This style is not on offer.", field="transformationTypeId")
    return found


def find(type_id: UUID) -> TransformationType:
    """Any type, to look at. Raises NotFound."""
    found = read_one(select(TransformationType).where(TransformationType.id == type_id))
    if found is None:
        raise NotFound("There is no such style.")
    return found


def exists(type_id: UUID) -> bool:
    return bool(read_rows(select(TransformationType.id).where(TransformationType.id == type_id)))


def everything() -> list[TransformationType]:
    """All types in their order, to change."""
    return list(db.session.scalars(_ORDERED))


def listed() -> list[TransformationType]:
    """The same, to look at."""
    return read_all(_ORDERED)


def typical_seconds(type_id: UUID) -> float:
    """The 90th percentile of this type's last runs, in seconds from start to picture."""
    last = (
        select(Transformation.started_at, Transformation.finished_at)
        .where(Transformation.transformation_type_id == type_id, Transformation.status == Status.COMPLETED)
        .order_by(Transformation.finished_at.desc())
        .limit(TYPICAL_SAMPLE)
    )
    runs = sorted(
        (row.finished_at - row.started_at).total_seconds()
        for row in read_rows(last)
        if row.started_at and row.finished_at
    )
    return runs[int(len(runs) * 0.9)] if len(runs) >= 3 else TYPICAL_BEFORE_ANY


@dataclass(frozen=True, slots=True)
class Definition:
    """A type as written in a file; ``slug`` is its identity across imports."""

    slug: str
    name: str
    description: str
    prompt_template: str
    enabled: bool = True
    position: int = 100
    model: str | None = None
    aspect_ratio: str | None = None


def import_all(definitions: list[Definition], actor: Actor) -> tuple[int, int]:
    """Add or update types by slug in one transaction; answers how many were added and changed. Raises InvalidInput."""
    known = {kind.slug: kind for kind in everything()}
    _require_unique(definitions, known)
    fresh = [definition for definition in definitions if definition.slug not in known]
    other = [item for item in definitions if item.slug in known and _differs(known[item.slug], item)]
    for definition in other:  # names may be swapped: each is given up before another takes it
        known[definition.slug].name = f"~{definition.slug}"
    db.session.flush()
    for definition in [*other, *fresh]:
        kind = known.get(definition.slug) or TransformationType(slug=definition.slug)
        is_new_prompt = kind.prompt_template != definition.prompt_template
        for field in _WRITABLE:
            setattr(kind, field, getattr(definition, field))
        kind.edits = (kind.edits or 0) + 1
        db.session.add(kind)
        db.session.flush()
        if is_new_prompt:
            prompts.publish(kind, prompts.add(kind, definition.prompt_template, actor))
    if fresh or other:
        details = {"added": len(fresh), "changed": len(other)}
        audit.record(actor, "IMPORT", "TRANSFORMATION_TYPE", None, details)
    db.session.commit()
    return len(fresh), len(other)


def _differs(kind: TransformationType, definition: Definition) -> bool:
    return any(getattr(kind, field) != getattr(definition, field) for field in _WRITABLE)


def _require_unique(definitions: list[Definition], known: dict[str, TransformationType]) -> None:
    """Neither two slugs nor two names may be the same, in the file or with types that the file does not hold."""
    slugs = [definition.slug for definition in definitions]
    names = [definition.name for definition in definitions]
    names += [kind.name for slug, kind in known.items() if slug not in slugs]
    for field, values in (("slug", slugs), ("name", names)):
        if twice := next((value for value in values if values.count(value) > 1), None):
            raise InvalidInput(f"Two types would have the {field} {twice}.", field=field)


_WRITABLE = ("name", "description", "prompt_template", "enabled", "position", "model", "aspect_ratio")
