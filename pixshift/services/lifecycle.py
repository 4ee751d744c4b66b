"""The one writer of a transformation's status, and the end of every change that its watcher must see."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, update

from pixshift.domain.lifecycle import MOVES, Status
from pixshift.extensions import db
from pixshift.models import Transformation
from pixshift.models.base import change
from pixshift.services.toolbox import Toolbox


def move_to(transformation_id: UUID, new: Status, *only_if: ColumnElement[bool], **values: Any) -> bool:
    """Move one job in a single conditional UPDATE of the current transaction.

    False when it is not (or no longer) in a status from which ``new`` may be reached, or when ``only_if`` does not
    hold: somebody else was first, and nothing was written.
    """
    allowed = [old for old, targets in MOVES.items() if new in targets]
    moved = change(
        update(Transformation)
        .where(Transformation.id == transformation_id, Transformation.status.in_(allowed), *only_if)
        .values(status=new, **values)
    )
    return moved == 1


def commit(toolbox: Toolbox, transformation_id: UUID) -> None:
    """Commit a change of one job; only then may the mirror be filled anew, and the next poll sees it."""
    db.session.commit()
    toolbox.gateways.statuses.forget(transformation_id)
