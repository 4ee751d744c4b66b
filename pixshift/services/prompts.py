"""Wordings of a style's prompt. Each is kept for good; one of them is published."""

from sqlalchemy import func, select

from pixshift.extensions import db
from pixshift.models import PromptVersion, TransformationType
from pixshift.services.audit import Actor


def add(kind: TransformationType, template: str, actor: Actor) -> PromptVersion:
    """Add the next version to the current transaction; nothing is published. ``kind`` has an id."""
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
