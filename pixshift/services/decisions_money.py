"""What about money cannot wait: holds that do not end, refunds that are refused, gateways that are silent, the cap."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, or_, select

from pixshift.domain.durations import span
from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, RefundStatus
from pixshift.domain.pricing import Money
from pixshift.gateways.ports import PaymentGateway
from pixshift.models import BillingRecord, PaymentAttempt, Refund, WebhookEvent
from pixshift.models.base import read_rows
from pixshift.services import spend
from pixshift.services.payment_health import HELD_LONG
from pixshift.services.toolbox import Toolbox

Found = tuple[str, str, str, bool]  # the kind, title, text, and whether it is urgent
DAY = timedelta(days=1)
COMPARED_DAYS = 7
SILENT_AT_LEAST = timedelta(minutes=15)
EXPECTED_AT_LEAST = 5.0  # events in such a time: by chance none comes once in 150 times
HALF = Decimal("0.5")


def pending(toolbox: Toolbox) -> Iterable[Found]:
    """Kind, title, text and urgency of each."""
    yield from _holds(toolbox)
    yield from _refunds()
    for name, gateway in toolbox.gateways.payments.items():
        yield from _silence(toolbox, name, gateway)
    if not toolbox.gateways.editor.is_twin:
        yield from _spend(toolbox)


def _holds(toolbox: Toolbox) -> Iterable[Found]:
    now = toolbox.now()
    held = PaymentAttempt.status == PaymentStatus.HELD
    old = (BillingRecord.status == BillingStatus.PENDING) & (BillingRecord.authorized_at <= now - HELD_LONG)
    sums = select(func.count(), func.sum(BillingRecord.amount), func.min(BillingRecord.authorized_at))
    sums = sums.add_columns(BillingRecord.currency).join_from(BillingRecord, PaymentAttempt)
    for count, amount, since, currency in read_rows(sums.where(old, held).group_by(BillingRecord.currency)):
        are = "hold is" if count == 1 else "holds are"
        in_all = _text(amount, currency)
        text = f"{in_all} in all, the oldest for {span(now - since)}. Their payers wait for a charge or its end."
        yield "holds", f"{count} {are} older than 1 hour", text, False


def _refunds() -> Iterable[Found]:
    failed = select(func.count(), func.sum(Refund.amount), BillingRecord.currency).join_from(Refund, BillingRecord)
    failed = failed.where(Refund.status == RefundStatus.FAILED).group_by(BillingRecord.currency)
    for count, amount, currency in read_rows(failed):
        were = "refund was" if count == 1 else "refunds were"
        text = f"{_text(amount, currency)} in all. They are tried again by themselves; ask the gateway why."
        yield "refunds", f"{count} {were} refused or came back", text, True


def _silence(toolbox: Toolbox, name: str, gateway: PaymentGateway) -> Iterable[Found]:
    """A gateway that sends nothing, at a time of day at which it usually sends a lot."""
    now = toolbox.now()
    last = read_rows(select(func.max(WebhookEvent.received_at)).where(WebhookEvent.gateway == name))[0][0]
    if gateway.is_twin or last is None or now - last < SILENT_AT_LEAST:
        return
    expected = _expected(name, last, now)
    if expected >= EXPECTED_AT_LEAST:
        every = min(now - last, DAY) / expected
        text = f"At this time of day an event comes about every {span(every)}. Payments are still looked up."
        yield "silence", f"{gateway.title} has been silent for {span(now - last)}", text, False


def _expected(name: str, last: datetime, now: datetime) -> float:
    """Events in as long a time at this time of day, a day at most: the mean of the week before the silence began."""
    width, skipped = min(now - last, DAY), (now - last) // DAY
    ends = [now - DAY * (skipped + number) for number in range(1, COMPARED_DAYS + 1)]
    within = or_(*((WebhookEvent.received_at > end - width) & (WebhookEvent.received_at <= end) for end in ends))
    count = select(func.count()).select_from(WebhookEvent).where(WebhookEvent.gateway == name, within)
    return int(read_rows(count)[0][0]) / COMPARED_DAYS


def _spend(toolbox: Toolbox) -> Iterable[Found]:
    """Near the cap, or on the way to reach it today."""
    now, spent = toolbox.now(), spend.today(toolbox)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    used = f"${spent.amount:,.2f} of ${spent.cap:,.2f} used."
    if spent.share >= 1:
        yield "spend", "Spend has reached the daily cap", f"{used} New pictures are refused until midnight UTC.", True
    elif spent.share >= HALF:
        reached = midnight + (now - midnight) / float(spent.share)
        is_today = reached < midnight + DAY
        if is_today or spent.share >= toolbox.settings.billing.spend_caps.alert_at:
            title = (
                f"Spend reaches the daily cap at about {reached:%H:%M}" if is_today else "Spend is near the daily cap"
            )
            yield "spend", title, f"{used} At the cap new pictures are refused until midnight UTC.", False


def _text(amount: object, currency: str) -> str:
    return Money(Decimal(str(amount)).quantize(Decimal("0.01")), currency).text
