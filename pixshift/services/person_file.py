"""One person as those who run PixShift see them: ways in, sign-ins, money, jobs; never a picture."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select

from pixshift.domain import devices
from pixshift.domain.lifecycle import BillingStatus, Status
from pixshift.domain.pricing import Money
from pixshift.domain.roles import AuthProvider
from pixshift.models import AdminAction, BillingRecord, Identity, Transformation, TransformationType, User
from pixshift.models.base import read_all, read_rows
from pixshift.services import billing, ledger, people, plans, sessions
from pixshift.services.billing import FreeTier
from pixshift.services.plans import Plan
from pixshift.services.toolbox import Toolbox

_SHOWN_ACTS, _COUNTED_SIGN_INS = 50, 1000


@dataclass(frozen=True, slots=True)
class WayIn:
    """``shown`` is the number or the e-mail in full, where one is known: support needs it."""

    provider: AuthProvider
    shown: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class SignIns:
    """Sign-ins that still work: how many by each device's name, and when one was last seen."""

    count: int
    devices: dict[str, int]
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What a person paid, got back and has on hold, in one currency."""

    paid: Money
    refunded: Money
    held: Money


@dataclass(frozen=True, slots=True)
class Job:
    """One of their jobs, without its pictures. ``price`` is None when it cost nothing by itself; ``seconds`` is
    how long the last try took."""

    id: UUID
    style: str
    status: Status
    reason: str | None
    purse: str | None
    price: str | None
    created_at: datetime
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Jobs:
    jobs: list[Job]
    page: int
    limit: int
    total: int


@dataclass(frozen=True, slots=True)
class Person:
    user: User
    ways: list[WayIn]
    sign_ins: SignIns
    free: FreeTier
    plan: Plan | None
    totals: list[Totals]
    acts: list[AdminAction]


def look(toolbox: Toolbox, user_id: UUID) -> Person:
    """Everything about one person but their pictures. Raises NotFound."""
    user = people.find(user_id)
    ways = read_all(select(Identity).where(Identity.user_id == user_id).order_by(Identity.created_at, Identity.id))
    about = (AdminAction.entity_type == "USER") & (AdminAction.entity_id == user_id)
    acts = select(AdminAction).where(about).order_by(AdminAction.timestamp.desc(), AdminAction.id).limit(_SHOWN_ACTS)
    return Person(
        user=user,
        ways=[WayIn(way.provider, _shown(way), way.created_at) for way in ways],
        sign_ins=_sign_ins(toolbox, user_id),
        free=billing.free_tier(user_id, toolbox.settings.free_tier.limit),
        plan=plans.current(user_id, toolbox.now()),
        totals=_totals(user_id),
        acts=read_all(acts),
    )


def jobs(user_id: UUID, *, page: int, limit: int) -> Jobs:
    """A person's jobs, newest first: what became of each and who paid, never what is on it."""
    mine = Transformation.user_id == user_id
    total = int(read_rows(select(func.count()).select_from(Transformation).where(mine))[0][0])
    columns = (
        Transformation.id,
        TransformationType.name,
        Transformation.status,
        func.coalesce(Transformation.failure_reason, Transformation.error_code).label("reason"),
        Transformation.pricing_tier_locked,
        Transformation.created_at,
        Transformation.started_at,
        Transformation.finished_at,
    )
    newest = (
        select(*columns)
        .join(TransformationType, TransformationType.id == Transformation.transformation_type_id)
        .where(mine)
        .order_by(Transformation.created_at.desc(), Transformation.id.desc())
        .limit(limit)
        .offset((page - 1) * limit)
    )
    rows = read_rows(newest)
    prices = ledger.prices([row.id for row in rows])
    return Jobs([_job(row, prices.get(row.id)) for row in rows], page, limit, total)


def _shown(way: Identity) -> str | None:
    return way.subject if way.provider is AuthProvider.MOBILE else way.email


def _job(row: Row[*tuple[Any, ...]], price: str | None) -> Job:
    return Job(
        id=row.id,
        style=row.name,
        status=row.status,
        reason=row.reason,
        purse=row.pricing_tier_locked,
        price=price,
        created_at=row.created_at,
        seconds=_seconds(row),
    )


def _seconds(row: Row[*tuple[Any, ...]]) -> float | None:
    if row.started_at is None or row.finished_at is None:
        return None
    return float((row.finished_at - row.started_at).total_seconds())


def _sign_ins(toolbox: Toolbox, user_id: UUID) -> SignIns:
    live = sessions.listed(toolbox, user_id, _COUNTED_SIGN_INS)
    names = Counter(devices.name(one.device) for one in live)
    return SignIns(len(live), dict(names), live[0].last_seen_at if live else None)


def _totals(user_id: UUID) -> list[Totals]:
    is_held = (BillingRecord.status == BillingStatus.PENDING) & BillingRecord.authorized_at.is_not(None)

    def total(amount: Any, which: ColumnElement[bool] | None = None) -> ColumnElement[Any]:
        summed = func.sum(amount) if which is None else func.sum(amount).filter(which)
        return func.coalesce(summed, 0)

    sums = (total(BillingRecord.captured), total(BillingRecord.refunded), total(BillingRecord.amount, is_held))
    query = select(BillingRecord.currency, *sums).where(BillingRecord.user_id == user_id)
    rows = read_rows(query.group_by(BillingRecord.currency).order_by(BillingRecord.currency))
    return [Totals(*(Money(Decimal(amount), row.currency) for amount in row[1:])) for row in rows]
