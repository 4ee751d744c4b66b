"""Premium as its owner sees it: read only, nothing is asked of a gateway."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from pixshift.domain.lifecycle import SubscriptionStatus
from pixshift.domain.pricing import Money
from pixshift.errors import NotFound
from pixshift.gateways.ports import SubscriptionRef
from pixshift.models import QuotaPeriod, Subscription
from pixshift.models.base import read_one, read_rows
from pixshift.services import billing

NOT_ENDED = Subscription.status != SubscriptionStatus.ENDED


@dataclass(frozen=True, slots=True)
class Plan:
    """A person's plan and its paid month. ``period_end`` is when it renews or stops.

    ``is_usable``: a paid month runs, whether or not pictures of it are left.
    """

    id: UUID
    status: SubscriptionStatus
    gateway: str
    price: Money
    monthly_limit: int
    used: int
    remaining: int
    period_end: datetime | None
    cancels_at_period_end: bool
    past_due_at: datetime | None
    grace_ends_at: datetime | None
    method_label: str | None
    is_usable: bool


def current(user_id: UUID, now: datetime) -> Plan | None:
    """The plan that has not ended, or one that ended within a month that is paid; None: they have none."""
    quota = billing.quota(user_id, now)
    row = live(user_id)
    if row is None and quota is not None:
        paid = QuotaPeriod.subscription_id == Subscription.id
        row = read_one(select(Subscription).join(QuotaPeriod, paid).where(QuotaPeriod.id == quota.period_id))
    if row is None:
        return None
    return Plan(
        id=row.id,
        status=row.status,
        gateway=row.gateway,
        price=Money(row.amount, row.currency),
        monthly_limit=row.monthly_limit,
        used=quota.used if quota else 0,
        remaining=quota.remaining if quota else 0,
        period_end=quota.ends_at if quota else row.period_end,
        cancels_at_period_end=row.cancels_at_period_end,
        past_due_at=row.past_due_at,
        grace_ends_at=row.grace_ends_at,
        method_label=row.method_label,
        is_usable=quota is not None,
    )


def live(user_id: UUID) -> Subscription | None:
    """The one plan of a person that has not ended."""
    return read_one(select(Subscription).where(Subscription.user_id == user_id, NOT_ENDED))


def find(subscription_id: UUID) -> Subscription:
    """Raises NotFound."""
    row = read_one(select(Subscription).where(Subscription.id == subscription_id))
    if row is None:
        raise NotFound("We do not know this plan.")
    return row


def session_owner(user_id: UUID, gateway_name: str, session_id: str) -> UUID:
    """The plan behind a gateway's page. Raises NotFound; somebody else's is nobody's."""
    mine = (Subscription.user_id == user_id) & (Subscription.gateway == gateway_name)
    rows = read_rows(select(Subscription.id).where(mine, Subscription.session_id == session_id))
    if not rows:
        raise NotFound("We do not know this payment.")
    return UUID(str(rows[0].id))


def reference(row: Subscription) -> SubscriptionRef:
    return SubscriptionRef(
        subscription_id=row.id, session_id=row.session_id, remote_id=row.remote_id, customer_id=row.customer_id
    )
