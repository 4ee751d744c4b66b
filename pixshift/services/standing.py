"""What admins decide about people: suspended or not, more free pictures, and that a plan is not renewed."""

from typing import Any, NoReturn
from uuid import UUID

from pixshift.errors import InvalidInput
from pixshift.extensions import db
from pixshift.models import User, UserSession
from pixshift.services import accounts, audit, plans, sessions, subscriptions
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

MOST_GIVEN = 100


def suspend(toolbox: Toolbox, user_id: UUID, actor: Actor, reason: str = "") -> User:
    """They are signed out at once and cannot sign in; their jobs, free pictures and plan stay as they are.

    Raises NotFound, or InvalidInput for oneself, the last admin, and who is suspended already.
    """
    if user_id == actor.user_id:
        raise InvalidInput("You cannot suspend yourself. Another admin can.")
    accounts.require_another_admin(user_id, "user")
    user = accounts.hold(user_id)
    if user.suspended_at is not None:
        _refuse("They are suspended already. Nothing was changed.")
    user.suspended_at = toolbox.now()
    db.session.flush()
    hashes = sessions.close(toolbox, UserSession.user_id == user_id)
    details = _details(reason, ended=len(hashes))
    audit.record(actor, "SUSPEND", "USER", user_id, details, before={"suspended": False}, after={"suspended": True})
    db.session.commit()
    sessions.bury(toolbox, hashes)
    return user


def lift(toolbox: Toolbox, user_id: UUID, actor: Actor, reason: str = "") -> User:
    """They can sign in again. Raises NotFound, or InvalidInput for who is not suspended."""
    user = accounts.hold(user_id)
    if user.suspended_at is None:
        _refuse("They are not suspended any more. Nothing was changed.")
    user.suspended_at = None
    db.session.flush()
    before, after = {"suspended": True}, {"suspended": False}
    audit.record(actor, "LIFT", "USER", user_id, _details(reason), before=before, after=after)
    db.session.commit()
    return user


def give(
    toolbox: Toolbox, user_id: UUID, count: int, actor: Actor, *, reason: str = "", had: int | None = None
) -> User:
    """More free pictures. ``had`` is how many extra ones whoever gives has seen, so that one form gives once.

    Raises NotFound, or InvalidInput (fields ``count``, ``reason``, ``had``).
    """
    if not 1 <= count <= MOST_GIVEN:
        raise InvalidInput(f"Give between 1 and {MOST_GIVEN} pictures.", field="count")
    if not reason.strip():
        raise InvalidInput("Say why, in a few words: it is kept in the audit log.", field="reason")
    user = accounts.hold(user_id)
    before = user.free_bonus
    if had is not None and had != before:
        _refuse(f"Meanwhile they were given pictures: {before} extra in all, not {had}. Nothing was added.", "had")
    user.free_bonus = before + count
    db.session.flush()
    bonus = {"before": {"freeBonus": before}, "after": {"freeBonus": before + count}}
    audit.record(actor, "GIVE_FREE", "USER", user_id, _details(reason), **bonus)
    db.session.commit()
    return user


def stop_plan(toolbox: Toolbox, user_id: UUID, actor: Actor, reason: str = "") -> None:
    """Premium is not renewed; the month that is paid stays theirs.

    It is recorded before the gateway is asked: no act may be missing. Raises NotFound, InvalidInput when nothing
    would be renewed, or ExternalServiceError.
    """
    accounts.hold(user_id)
    plan = plans.live(user_id)
    if plan is None or plan.cancels_at_period_end:
        _refuse("They have no plan that renews. Nothing was changed.")
    audit.record(actor, "PLAN_STOP", "USER", user_id, _details(reason))
    db.session.commit()
    subscriptions.cancel(toolbox, user_id)


def _refuse(message: str, field: str | None = None) -> NoReturn:
    db.session.rollback()
    raise InvalidInput(message, field=field)


def _details(reason: str, **more: Any) -> dict[str, Any] | None:
    """Of an act; the reason only where one was given."""
    return ({"reason": reason.strip()} if reason.strip() else {}) | more or None
