"""What admins do to styles: add, change, offer, order, remove."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from pixshift.domain import styles
from pixshift.errors import InvalidInput, NotFound
from pixshift.extensions import db
from pixshift.models import AdminAction, Transformation, TransformationType
from pixshift.models.base import read_all, read_rows
from pixshift.services import audit, prompts
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

_ENTITY = "TRANSFORMATION_TYPE"
_PLAIN = ("name", "description", "model", "aspect_ratio", "position", "enabled")
_RECENT_ACTS = 300
_BY_ID = select(TransformationType).order_by(TransformationType.id).with_for_update()
_WIRE = {"aspect_ratio": "aspectRatio"}


def create(toolbox: Toolbox, actor: Actor, *, prompt_template: str, **values: Any) -> TransformationType:
    """Add a style with its first prompt; its slug is made from its name. Raises InvalidInput (``field``)."""
    _require_known_model(toolbox, values.get("model"))
    taken = {row.slug for row in read_rows(select(TransformationType.slug))}
    if values.get("position") is None:
        last = read_rows(select(func.max(TransformationType.position)))[0][0] or 0
        values["position"] = min(last + styles.POSITION_STEP, styles.LAST_POSITION)
    kind = TransformationType(id=uuid4(), slug=styles.slug(values["name"], taken), edits=1, **values)
    kind.prompt_template = prompt_template
    _require_own_name(kind)
    db.session.add(kind)
    _flush(kind)
    prompts.publish(kind, prompts.add(kind, prompt_template, actor))
    db.session.flush()
    after = _facts(kind) | {"slug": kind.slug, "promptVersion": kind.prompt_version}
    audit.record(actor, "CREATE", _ENTITY, kind.id, {"edits": kind.edits}, after=after)
    _commit(kind)
    return kind


def update(
    toolbox: Toolbox,
    actor: Actor,
    type_id: UUID,
    *,
    edits: int | None = None,
    reason: str = "",
    prompt_template: str | None = None,
    **changes: Any,
) -> TransformationType:
    """Change what is named and nothing else; a new prompt becomes a version and is published.

    ``edits`` is the state that the actor saw: when it is no longer the newest, nothing is written and InvalidInput
    (409) says in ``details.changes`` what changed since. Raises NotFound or InvalidInput.
    """
    kind = prompts.locked(type_id)
    if edits is not None and edits != kind.edits:
        raise _conflict(kind, edits)
    if changes.get("model") != kind.model:
        _require_known_model(toolbox, changes.get("model"))
    before = _facts(kind) | {"promptVersion": kind.prompt_version}
    for field, value in changes.items():
        setattr(kind, field, value)
    _require_own_name(kind)
    _flush(kind)
    if prompt_template is not None and prompt_template != kind.prompt_template:
        prompts.publish(kind, prompts.add(kind, prompt_template, actor))
    return _finish(kind, actor, before, reason)


def _finish(kind: TransformationType, actor: Actor, before: dict[str, Any], reason: str) -> TransformationType:
    """Record what is different now, and commit; when nothing is, no trace of it."""
    after = _facts(kind) | {"promptVersion": kind.prompt_version}
    other = [name for name in after if after[name] != before[name]]
    if not other:
        db.session.rollback()
        return kind
    kind.edits += 1
    db.session.flush()
    act = {True: "ENABLE", False: "DISABLE"}[kind.enabled] if other == ["enabled"] else "UPDATE"
    details = {"edits": kind.edits} | ({"reason": reason} if reason else {})
    old, new = ({name: values[name] for name in other} for values in (before, after))
    audit.record(actor, act, _ENTITY, kind.id, details, before=old, after=new)
    _commit(kind)
    return kind


def move(actor: Actor, type_id: UUID, step: int) -> None:
    """One place up (-1) or down (1) in the order that people see; at the end nothing happens. Raises NotFound."""
    kinds = sorted(db.session.scalars(_BY_ID), key=lambda kind: (kind.position, kind.name))
    place = next((number for number, kind in enumerate(kinds) if kind.id == type_id), None)
    if place is None:
        db.session.rollback()
        raise NotFound("There is no such style.")
    other = place + step
    if not 0 <= other < len(kinds):
        db.session.rollback()
        return
    before = kinds[place].position
    kinds[place], kinds[other] = kinds[other], kinds[place]
    for number, kind in enumerate(kinds, 1):
        kind.position = number * styles.POSITION_STEP
    moved, passed = kinds[other], kinds[place]
    moved.edits += 1
    passed.edits += 1
    db.session.flush()
    old, new = {"position": before, "place": place + 1}, {"position": moved.position, "place": other + 1}
    details = {"edits": moved.edits, "passed": str(passed.id)}
    audit.record(actor, "UPDATE", _ENTITY, type_id, details, before=old, after=new)
    db.session.commit()


def uses(type_id: UUID) -> int:
    """How many jobs there ever were, of people and of the lab."""
    mine = select(func.count()).where(Transformation.transformation_type_id == type_id)
    return int(read_rows(mine)[0][0])


def remove(actor: Actor, type_id: UUID) -> None:
    """Delete a style that was never used. Raises NotFound, or InvalidInput that says to disable it instead.

    While its row is locked nobody can ask for its first picture.
    """
    kind = prompts.locked(type_id)
    name, before = kind.name, _facts(kind) | {"slug": kind.slug}
    mine = Transformation.transformation_type_id == type_id
    if db.session.scalar(select(Transformation.id).where(mine).limit(1)) is not None:
        db.session.rollback()
        raise _in_use(name)
    db.session.execute(delete(TransformationType).where(TransformationType.id == type_id))
    audit.record(actor, "DELETE", _ENTITY, type_id, before=before)
    db.session.commit()


def _in_use(name: str) -> InvalidInput:
    return InvalidInput(
        f"{name} was used, so it cannot be deleted: the records of its pictures name it. "
        "Disable it instead, and nobody is offered it any more.",
        field="id",
        details={"reason": "in_use"},
    )


def _facts(kind: TransformationType) -> dict[str, Any]:
    return {_WIRE.get(name, name): getattr(kind, name) for name in _PLAIN}


def _require_known_model(toolbox: Toolbox, model: str | None) -> None:
    known = toolbox.settings.gemini.known_models
    if model is not None and model not in known:
        db.session.rollback()
        raise InvalidInput(f"This model is not known here. Known are {', '.join(known)}.", field="model")


def _require_own_name(kind: TransformationType) -> None:
    """Upper and lower case make no other name."""
    with db.session.no_autoflush:
        rows = db.session.execute(select(TransformationType.id, TransformationType.name)).all()
    mine = styles.same_name(kind.name)
    if any(row.id != kind.id and styles.same_name(row.name) == mine for row in rows):
        raise _name_taken()


def _flush(kind: TransformationType) -> None:
    try:
        db.session.flush()
    except IntegrityError:  # somebody gave the same name, or took the same slug, in this moment
        raise _name_taken() from None


def _commit(kind: TransformationType) -> None:
    """After the act is recorded nobody else can commit one: look again whether the name is still one's own."""
    _require_own_name(kind)
    db.session.commit()


def _name_taken() -> InvalidInput:
    db.session.rollback()
    return InvalidInput("Another style has this name. Choose a different one.", field="name")


def _conflict(kind: TransformationType, seen: int) -> InvalidInput:
    """What others did since the state that was seen, newest last."""
    type_id, state = kind.id, kind.edits
    db.session.rollback()
    newest = select(AdminAction.id).order_by(AdminAction.sequence.desc()).limit(_RECENT_ACTS)
    mine = (AdminAction.entity_id == type_id) & AdminAction.id.in_(newest.scalar_subquery())
    acts = read_all(select(AdminAction).where(mine).order_by(AdminAction.sequence))
    since = [act for act in acts if int((act.details or {}).get("edits", 0)) > seen]
    changes = [
        {"field": field, "before": (act.before or {}).get(field), "after": value}
        for act in since
        for field, value in (act.after or {}).items()
    ]
    return InvalidInput(
        "Somebody else changed this style while you were at it. Nothing of yours is lost: look at what changed, "
        "and save again to write yours on top.",
        field="edits",
        details={"edits": state, "changes": changes},
        status=409,
    )
