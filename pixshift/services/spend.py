"""The fuse on what the model may cost in a day."""

from uuid import UUID

from pixshift.services.toolbox import Toolbox


def require_room(toolbox: Toolbox, user_id: UUID) -> None:
    """Raises RateLimitExceeded when a person's, or everybody's, cap of the day (UTC) is reached."""
