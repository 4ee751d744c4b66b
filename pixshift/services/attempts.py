"""Calls of the model: how each ended, and what it cost."""

from typing import Any
from uuid import UUID

from sqlalchemy import update

from pixshift.domain.lifecycle import Status
from pixshift.gateways.ports import Usage
from pixshift.models import Attempt
from pixshift.models.base import change
from pixshift.services import spend
from pixshift.services.toolbox import Toolbox


def end(toolbox: Toolbox, attempt_id: UUID, outcome: str, usage: Usage | None) -> None:
    """``outcome`` is COMPLETED, a failure's reason, or that its lease was lost; in the current transaction."""
    spent, now = usage or Usage(), toolbox.now()
    values: dict[str, Any] = {
        "outcome": outcome,
        "finished_at": now,
        "model_version": spent.model_version,
        "response_id": spent.response_id,
        "prompt_tokens": spent.prompt_tokens,
        "output_tokens": spent.output_tokens,
        "total_tokens": spent.total_tokens,
    }
    values["cost"] = spend.cost(toolbox, spent)
    if outcome == Status.COMPLETED:
        values["storage_key"] = None  # from now on the job names the object: what an attempt names is a leftover
    change(update(Attempt).where(Attempt.id == attempt_id).values(**values))
