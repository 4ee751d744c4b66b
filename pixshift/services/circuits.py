"""Whether a model may be asked right now: its circuit breaker, and its calls in a minute, shared by all workers."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from pixshift.domain import circuits
from pixshift.extensions import db
from pixshift.models import Attempt, ModelCircuit, TransformationType
from pixshift.models.base import change, read_rows
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)


def begin(model: str) -> None:
    """The row of a model that was never asked before, in a transaction of its own."""
    db.session.add(ModelCircuit(model=model))
    try:
        db.session.commit()
    except IntegrityError:  # somebody else was quicker, which is as good
        db.session.rollback()


def admit(toolbox: Toolbox, model: str, now: datetime) -> bool:
    """Whether a job of this model may be claimed now: part of the claim's transaction, which is committed either way.

    Claims of one model queue at its row. An open circuit lets one job in ten seconds try; a closed one counts calls.
    """
    circuit = db.session.execute(
        select(ModelCircuit.opened_at, ModelCircuit.wait_until).where(ModelCircuit.model == model).with_for_update()
    ).one()
    if circuit.wait_until is not None and circuit.wait_until > now:
        return False
    if circuit.opened_at is not None:
        _wait(model, now + circuits.PROBE_EVERY)
        return True
    room_at = _room_at(model, now, toolbox.settings.gemini.calls_per_minute)
    if room_at is not None:
        _wait(model, room_at)
    return room_at is None


def _room_at(model: str, now: datetime, limit: int) -> datetime | None:
    """When the minute has room for another call; None when it has now."""
    calls = select(Attempt.started_at).where(Attempt.model == model, Attempt.started_at > now - circuits.CALLS_WINDOW)
    oldest = db.session.scalar(calls.order_by(Attempt.started_at.desc()).offset(limit - 1).limit(1))
    return oldest + circuits.CALLS_WINDOW if oldest is not None else None


def _wait(model: str, until: datetime) -> None:
    change(update(ModelCircuit).where(ModelCircuit.model == model).values(wait_until=until))


def is_open(model: str) -> bool:
    """Whether jobs of this model wait because it fails."""
    own = select(ModelCircuit.model).where(ModelCircuit.model == model, ModelCircuit.opened_at.is_not(None))
    return bool(read_rows(own))


def failed(toolbox: Toolbox, model: str, retry_after: float | None = None) -> None:
    """The vendor failed us: counted, and after a few in a row the circuit opens.

    While the vendor asks for a pause (seconds), no other job of this model is claimed either, for a minute at most.
    """
    now, own = toolbox.now(), ModelCircuit.model == model
    in_a_row = ModelCircuit.last_fault_at > now - circuits.IN_A_ROW
    change(
        update(ModelCircuit)
        .where(own)
        .values(faults=case((in_a_row, ModelCircuit.faults + 1), else_=1), last_fault_at=now)
    )
    opened = change(
        update(ModelCircuit)
        .where(own, ModelCircuit.opened_at.is_(None), ModelCircuit.faults >= circuits.OPENS_AFTER)
        .values(opened_at=now, wait_until=now + circuits.PROBE_EVERY)
    )
    if retry_after:
        until = now + min(timedelta(seconds=retry_after), circuits.LONGEST_PAUSE)
        sooner = or_(ModelCircuit.wait_until.is_(None), ModelCircuit.wait_until < until)
        change(update(ModelCircuit).where(own, sooner).values(wait_until=until))
    db.session.commit()
    if opened:
        log.error("circuit opened: the model fails, its jobs wait", extra={"model": model})


def answered(model: str) -> bool:
    """The vendor answered, whatever it said: the circuit is closed. True when it was open: those who wait may start."""
    own = ModelCircuit.model == model
    closed = change(
        update(ModelCircuit)
        .where(own, ModelCircuit.opened_at.is_not(None))
        .values(opened_at=None, wait_until=None, faults=0)
    )
    if not closed:
        change(update(ModelCircuit).where(own, ModelCircuit.faults > 0).values(faults=0))
    db.session.commit()
    if closed:
        log.warning("circuit closed: the model answers again", extra={"model": model})
    return closed == 1


def pause_seconds(toolbox: Toolbox) -> float | None:
    """How long until the first model that is left alone now may be asked again; None when none is."""
    now = toolbox.now()
    first = read_rows(select(func.min(ModelCircuit.wait_until)).where(ModelCircuit.wait_until > now))[0][0]
    return (first - now).total_seconds() if first is not None else None


def open_circuits(now: datetime) -> list[tuple[str, datetime, int]]:
    """Model, since when, and faults in a row of each open circuit whose last fault is still fresh."""
    fresh = ModelCircuit.last_fault_at > now - circuits.FRESH
    columns = select(ModelCircuit.model, ModelCircuit.opened_at, ModelCircuit.faults)
    return [tuple(row) for row in read_rows(columns.where(ModelCircuit.opened_at.is_not(None), fresh))]


def paused_styles(toolbox: Toolbox) -> frozenset[UUID]:
    """The styles whose jobs wait for their model."""
    models = [model for model, _, _ in open_circuits(toolbox.now())]
    if not models:
        return frozenset()
    asked = func.coalesce(TransformationType.model, toolbox.settings.gemini.model)
    return frozenset(row[0] for row in read_rows(select(TransformationType.id).where(asked.in_(models))))
