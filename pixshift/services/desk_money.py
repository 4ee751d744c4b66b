"""Payments as those see them who run PixShift: find them, add them up, look at one from all sides."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select

from pixshift.domain import movements
from pixshift.domain.lifecycle import BillingStatus, RefundStatus
from pixshift.domain.movements import Movement
from pixshift.domain.pricing import Money
from pixshift.models import BillingRecord, PaymentAttempt, Refund, Transformation, WebhookEvent
from pixshift.models.base import read_all, read_rows
from pixshift.services import payment_rows
from pixshift.services.desk_jobs import within

_OWN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_RECEIPT = re.compile(r"(?:PS-\d{4}-)?(\d{1,9})", re.IGNORECASE)
_TRY_IDS = (PaymentAttempt.session_id, PaymentAttempt.payment_id, PaymentAttempt.capture_id)
_UNDISPUTED = BillingRecord.disputed_at.is_(None)
_HELD = BillingRecord.authorized_at.is_not(None)
_PENDING, _FAILED = BillingRecord.status == BillingStatus.PENDING, BillingRecord.status == BillingStatus.FAILED
STATES: dict[str, ColumnElement[bool]] = {
    "waiting": _UNDISPUTED & _PENDING & ~_HELD,
    "held": _UNDISPUTED & _PENDING & _HELD,
    "charged": _UNDISPUTED & (BillingRecord.status == BillingStatus.COMPLETED),
    "released": _UNDISPUTED & _FAILED & BillingRecord.released_at.is_not(None),
    "refunded": _UNDISPUTED & (BillingRecord.status == BillingStatus.REFUNDED),
    "disputed": BillingRecord.disputed_at.is_not(None),
    "failed": _UNDISPUTED & _FAILED & BillingRecord.released_at.is_(None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which payments to show; None: any.

    ``status`` is one of STATES; ``older`` since when money is held, in hours or days (``1h``); ``q`` the id of a record
    or a job, a receipt's number, or an id of the gateway's. Days are as in ``desk_jobs.Asked``.
    """

    status: str | None = None
    gateway: str | None = None
    older: str | None = None
    refunds: str | None = None
    days: int | None = None
    since: date | None = None
    until: date | None = None
    user: UUID | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """What some payments of one currency come to."""

    count: int
    captured: Money
    refunded: Money


@dataclass(frozen=True, slots=True)
class Payments:
    records: list[BillingRecord]
    sums: list[Sum]

    @property
    def total(self) -> int:
        return sum(item.count for item in self.sums)


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is known of one payment. ``left`` can still be given back."""

    record: BillingRecord
    state: str
    left: Money
    movements: tuple[Movement, ...]
    attempts: list[PaymentAttempt]
    refunds: list[Refund]
    events: list[WebhookEvent]


def state(record: BillingRecord) -> str:
    """The one of STATES that a record is in, as the list's filter has it."""
    if record.disputed_at is not None:
        return "disputed"
    if record.status is BillingStatus.PENDING:
        return "held" if record.authorized_at else "waiting"
    if record.status is BillingStatus.FAILED:
        return "released" if record.released_at else "failed"
    return "charged" if record.status is BillingStatus.COMPLETED else "refunded"


def index(asked: Asked, now: datetime, *, page: int, limit: int) -> Payments:
    """Newest first, with the sums of all that match: two queries, however many there are."""
    which = _which(asked, now)
    columns = func.count().label("count"), func.sum(BillingRecord.captured), func.sum(BillingRecord.refunded)
    by_currency = select(BillingRecord.currency, *columns).where(*which).group_by(BillingRecord.currency)
    sums = [
        Sum(count, Money(captured, currency), Money(refunded, currency))
        for currency, count, captured, refunded in read_rows(by_currency.order_by(BillingRecord.currency))
    ]
    newest = select(BillingRecord).where(*which).order_by(BillingRecord.created_at.desc(), BillingRecord.id.desc())
    return Payments(read_all(newest.limit(limit).offset((page - 1) * limit)), sums)


def find(record_id: UUID) -> Dossier:
    """Raises NotFound."""
    record = payment_rows.find(record_id)
    refunds = read_all(select(Refund).where(Refund.billing_record_id == record_id).order_by(Refund.created_at))
    attempts = payment_rows.attempts(record_id)
    return Dossier(
        record=record,
        state=state(record),
        left=_left(record, refunds),
        movements=movements.of_payment(_facts(record)),
        attempts=attempts,
        refunds=refunds,
        events=_events(record, attempts, refunds),
    )


def open_payments(limit: int) -> int:
    """How many are not over; ``limit`` is many enough."""
    return len(read_rows(select(BillingRecord.id).where(_PENDING).limit(limit)))


def _left(record: BillingRecord, refunds: list[Refund]) -> Money:
    """What is charged, less what was given back or is on its way; nothing while a bank decides."""
    promised = sum(refund.amount for refund in refunds)
    left = record.captured - promised if record.disputed_at is None else record.captured * 0
    return Money(max(left, record.captured * 0), record.currency)


def _which(asked: Asked, now: datetime) -> list[ColumnElement[bool]]:
    which = within(BillingRecord.created_at, now, asked.days, asked.since, asked.until)
    if asked.status is not None:
        which.append(STATES[asked.status])
    if asked.gateway is not None:
        which.append(BillingRecord.gateway == asked.gateway)
    if asked.older is not None:
        span = int(asked.older[:-1])
        age = timedelta(hours=span) if asked.older[-1] == "h" else timedelta(days=span)
        which.append(BillingRecord.authorized_at <= now - age)
    if asked.refunds is not None:
        failed = (Refund.billing_record_id == BillingRecord.id) & (Refund.status == RefundStatus.FAILED)
        which.append(exists().where(failed))
    if asked.user is not None:
        which.append(BillingRecord.user_id == asked.user)
    return [*which, _goes_by(asked.q)] if asked.q else which


def _goes_by(name: str) -> ColumnElement[bool]:
    """By one of our ids, by a receipt's number, or by what a gateway calls the payment."""
    if _OWN_ID.fullmatch(name):
        return or_(BillingRecord.id == UUID(name), BillingRecord.transformation_id == UUID(name))
    names = [BillingRecord.payment_gateway_transaction_id == name, BillingRecord.invoice_id == name]
    tried = or_(*(column == name for column in _TRY_IDS))
    names.append(BillingRecord.id.in_(select(PaymentAttempt.billing_record_id).where(tried)))
    names.append(BillingRecord.id.in_(select(Refund.billing_record_id).where(Refund.refund_id == name)))
    if number := _RECEIPT.fullmatch(name):
        names.append(BillingRecord.receipt_number == int(number[1]))
    return or_(*names)


def _facts(record: BillingRecord) -> movements.PaidFacts:
    columns = Transformation.error_code, Transformation.started_at, Transformation.finished_at
    rows = read_rows(select(*columns).where(Transformation.id == record.transformation_id))
    code, began, ended = rows[0] if rows else (None, None, None)
    is_month = record.subscription_id is not None
    return movements.PaidFacts(
        price=Money(record.amount, record.currency),
        captured=Money(record.captured, record.currency),
        refunded=Money(record.refunded, record.currency),
        status=record.status,
        was_held=record.authorized_at is not None and not is_month,
        is_released=record.released_at is not None,
        is_disputed=record.disputed_at is not None,
        failure=record.failure,
        method=record.method_label,
        was_cancelled=code == "CANCELLED",
        seconds=(ended - began).total_seconds() if began and ended else None,
    )


def _events(record: BillingRecord, attempts: list[PaymentAttempt], refunds: list[Refund]) -> list[WebhookEvent]:
    """What gateways sent about it, the newest twenty."""
    names = {name for one in attempts for name in (one.session_id, one.payment_id, one.capture_id) if name}
    names |= {refund.refund_id for refund in refunds if refund.refund_id}
    about = [WebhookEvent.record_id == record.id]
    if names:
        about += [WebhookEvent.payment_id.in_(names), WebhookEvent.session_id.in_(names)]
    theirs = (WebhookEvent.gateway == record.gateway) & (WebhookEvent.received_at >= record.created_at)
    newest = select(WebhookEvent).where(theirs, or_(*about)).order_by(WebhookEvent.received_at.desc())
    return read_all(newest.limit(20))
