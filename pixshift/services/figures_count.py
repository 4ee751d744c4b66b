"""Counting one day (UTC) from the rows themselves, each part by an index over the moments it is about."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import FINAL, RefundStatus, Status
from pixshift.domain.tallies import Day, Speed, Tally
from pixshift.models import Attempt, BillingRecord, Refund, SmsMessage, Transformation, User, UserSession
from pixshift.models.base import read_rows
from pixshift.models.figures import Tenths
from pixshift.services.toolbox import Toolbox

SIGN_INS, SMS_SENT, SMS_VERIFIED, CAPTURED, REFUNDED = "sign_in", "sms_sent", "sms_verified", "captured", "refunded"
BLOCKED = (FailureReason.PROMPT_BLOCKED, FailureReason.PICTURE_BLOCKED)
CANCELLED = (FailureReason.CANCELLED, FailureReason.NOT_PAID)
Within = Callable[[Any], ColumnElement[bool]]
MADE, LAB = "made", "lab"
LONGEST_JOB = timedelta(days=7)  # from a call to its job's end, holds and operators included


def count(toolbox: Toolbox, day: date, *, people: bool = True) -> Day:
    """Everything of that day, up to now when it still runs; without ``people``, of pictures and money alone."""
    begin = datetime.combine(day, time.min, UTC)
    end = begin + timedelta(days=1)

    def within(moment: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return (moment >= begin) & (moment < end)

    found = Day(day)
    _endings(found, within)
    _costs(found, within, begin, end)
    _money(found, within, toolbox.settings.tier("basic").currency)
    if people:
        _people(found, within)
    return found


def _add(found: Day, kind: UUID, **values: Any) -> None:
    found.tallies[kind] = replace(found.tallies.get(kind, Tally()), **values)


def _endings(found: Day, within: Within) -> None:
    """How jobs ended and how long the made ones took, in one look: tenths of seconds are few enough to be grouped."""
    reason = func.coalesce(Transformation.failure_reason, FailureReason.UNKNOWN.value)
    is_made = Transformation.status == Status.COMPLETED
    outcome = case(
        (Transformation.lab_run_id.is_not(None), LAB),
        (is_made, MADE),
        (reason.in_(BLOCKED), "blocked"),
        (reason.in_(CANCELLED), "cancelled"),
        else_="failed",
    ).label("outcome")
    took = case((is_made, Tenths(Transformation.started_at, Transformation.finished_at))).label("took")
    grouped = select(Transformation.transformation_type_id.label("kind"), outcome, took, func.count().label("count"))
    ended = within(Transformation.finished_at) & Transformation.status.in_(FINAL)
    times: dict[UUID | None, Counter[int]] = {}
    counts: dict[UUID, Counter[str]] = {}
    for kind, what, tenths, count_ in read_rows(grouped.where(ended).group_by("kind", "outcome", "took")):
        counts.setdefault(kind, Counter())[what] += count_
        if what == MADE and tenths is not None:
            for whose in (kind, None):
                times.setdefault(whose, Counter())[tenths] += count_
    for kind, by in counts.items():
        failed = by["failed"] + by["blocked"]
        _add(found, kind, made=by[MADE], failed=failed, blocked=by["blocked"], cancelled=by["cancelled"], lab=by[LAB])
    found.speeds = {kind: Speed(_rank(by, 5), _rank(by, 9)) for kind, by in times.items()}


def _rank(times: Counter[int], tenths: int) -> int:
    """Milliseconds at rank ⌈tenths/10 · n⌉."""
    values = sorted(times)
    seen = accumulate(times[value] for value in values)
    return 100 * next(value for value, rank in zip(values, seen, strict=True) if rank * 10 >= times.total() * tenths)


def _costs(found: Day, within: Within, begin: datetime, end: datetime) -> None:
    """Of calls begun on this day. Their jobs ended after it began, or have not: said so that no other job is read."""
    ours, ended = Transformation.lab_run_id.is_(None), Transformation.finished_at
    kind = Transformation.transformation_type_id
    sums = select(kind, func.sum(Attempt.cost).filter(ours), func.sum(Attempt.cost).filter(~ours))
    its_job = Transformation.id == Attempt.transformation_id
    near = ended.is_(None) | ((ended >= begin) & (ended < end + LONGEST_JOB))
    sums = sums.join_from(Attempt, Transformation, its_job & near)
    for row in read_rows(sums.where(within(Attempt.started_at)).group_by(kind)):
        _add(found, row[0], cost=exact(row[1], 6), lab_cost=exact(row[2], 6))


def _money(found: Day, within: Within, currency: str) -> None:
    kind, of = Transformation.transformation_type_id, BillingRecord.currency
    joined = Transformation.id == BillingRecord.transformation_id
    taken = select(kind, of, func.sum(BillingRecord.captured)).join_from(
        BillingRecord, Transformation, joined, isouter=True
    )
    given = select(kind, of, func.sum(Refund.amount)).join_from(Refund, BillingRecord)
    given = given.outerjoin(Transformation, joined).where(Refund.status == RefundStatus.SUCCEEDED)
    moments = ((CAPTURED, taken, BillingRecord.captured_at), (REFUNDED, given, Refund.finished_at))
    for what, sums, moment in moments:
        for style, code, amount in read_rows(sums.where(within(moment)).group_by(kind, of)):
            value = exact(amount, 2)
            found.counts[what, code] = found.count(what, code) + value
            if style is not None and code == currency:
                _add(found, style, **{what: value})


def _people(found: Day, within: Within) -> None:
    """Who signed in, by the way they first came; and codes by country."""
    by = User.auth_provider
    sign_ins = select(by, func.count()).join_from(UserSession, User, User.id == UserSession.user_id)
    for row in read_rows(sign_ins.where(within(UserSession.created_at)).group_by(by)):
        found.counts[SIGN_INS, row[0].value] = Decimal(row[1])
    codes = select(SmsMessage.region, func.count(), func.count(SmsMessage.verified_at))
    for row in read_rows(codes.where(within(SmsMessage.created_at)).group_by(SmsMessage.region)):
        found.counts[SMS_SENT, row[0]] = Decimal(row[1])
        found.counts[SMS_VERIFIED, row[0]] = Decimal(row[2])


def exact(value: Any, places: int) -> Decimal:
    """SQLite sums decimals as floats: what they stand for is exact again."""
    return Decimal(str(value or 0)).quantize(Decimal(1).scaleb(-places))
