"""The fuse on what the model may cost in a day (UTC): beyond a cap no new picture is begun."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from pixshift.domain import otp
from pixshift.domain.lifecycle import Status
from pixshift.errors import ExternalServiceError, RateLimitExceeded
from pixshift.gateways.ports import Usage, Window
from pixshift.models import Attempt, Transformation
from pixshift.models.base import read_rows
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spent:
    """US dollars of today's model calls, by everybody, and the cap on them."""

    amount: Decimal
    cap: Decimal

    @property
    def share(self) -> Decimal:
        return self.amount / self.cap


def cost(toolbox: Toolbox, usage: Usage) -> Decimal:
    """US dollars of one call of the model; the preview editor costs nothing."""
    if toolbox.gateways.editor.is_twin:
        return Decimal(0)
    return toolbox.settings.gemini.prices.cost(usage.prompt_tokens, usage.output_tokens)


def today(toolbox: Toolbox) -> Spent:
    return Spent(_spent(toolbox), toolbox.settings.billing.spend_caps.all)


def require_room(toolbox: Toolbox, user_id: UUID, pictures: int = 1) -> None:
    """Raises RateLimitExceeded, until midnight UTC, when a person's or everybody's cap of the day is reached.

    Of several pictures the last one must still begin below it.
    """
    if toolbox.gateways.editor.is_twin:
        return
    caps, now = toolbox.settings.billing.spend_caps, toolbox.now()
    until = (_midnight(now) + timedelta(days=1) - now).total_seconds()
    others = toolbox.settings.gemini.prices.per_call * (pictures - 1)
    if _spent(toolbox, Transformation.user_id == user_id) + others >= caps.per_person:
        raise RateLimitExceeded(
            "You made as many pictures today as one person can.",
            way_out="Tomorrow (UTC) you can go on. Nothing was charged for this one.",
            retry_after=until,
            details={"scope": "person"},
        )
    spent = today(toolbox)
    _alert(toolbox, spent)
    if spent.amount + others >= spent.cap:
        raise RateLimitExceeded(
            "We made as many pictures today as we can.",
            way_out="Tomorrow (UTC) we go on. Nothing was charged for this one.",
            retry_after=until,
            details={"scope": "all"},
        )


def _alert(toolbox: Toolbox, spent: Spent) -> None:
    """Each kind is said once a day, by whichever process comes first: near the cap, and at it."""
    if spent.share < toolbox.settings.billing.spend_caps.alert_at:
        return
    level = logging.ERROR if spent.share >= 1 else logging.WARNING
    day = f"spend-{logging.getLevelName(level)}|{toolbox.now():%Y-%m-%d}"
    window = Window(otp.counter_key(toolbox.secret, "alert", day), 1, otp.DAY)
    try:
        is_news = toolbox.gateways.otp.take([window]) == 0.0
    except ExternalServiceError:  # nothing is counted just now: rather told twice than not at all
        is_news = True
    if is_news:
        log.log(level, "spend alert", extra={"spent": str(spent.amount), "cap": str(spent.cap)})


def _spent(toolbox: Toolbox, *whose: ColumnElement[bool]) -> Decimal:
    """What ended calls cost, with the usual price of each that runs or waits, so that a burst cannot run past a cap."""
    since = _midnight(toolbox.now())
    usual = toolbox.settings.gemini.prices.per_call
    calls = select(func.coalesce(func.sum(func.coalesce(Attempt.cost, usual)), 0)).where(Attempt.started_at >= since)
    due = (Transformation.status == Status.PENDING) & (Transformation.due_at <= toolbox.now())
    waiting = select(func.count()).select_from(Transformation).where(due, *whose)
    if whose:
        calls = calls.join(Transformation, Transformation.id == Attempt.transformation_id).where(*whose)
    spent, ahead = read_rows(select(calls.scalar_subquery(), waiting.scalar_subquery()))[0]
    return Decimal(str(spent)) + usual * int(ahead)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
