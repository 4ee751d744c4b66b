"""The log of what admins and operators did."""

from typing import Any
from uuid import UUID

from pixshift.extensions import db
from pixshift.models import AdminAction


def record(
    actor: str,
    action_type: str,
    entity_type: str,
    entity_id: UUID | None = None,
    details: dict[str, Any] | None = None,
    admin_user_id: UUID | None = None,
) -> None:
    """Add one row to the current transaction; the caller's commit keeps the act and its record together."""
    db.session.add(
        AdminAction(
            admin_user_id=admin_user_id,
            actor=actor,
            action_type=action_type,
            entity_type=entity_type,
            entity_id=entity_id,
            details=details,
        )
    )
