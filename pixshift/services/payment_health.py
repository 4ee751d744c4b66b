"""Whether money is looked after: what gateways told us, what waits, and what was spent on the model."""

from datetime import timedelta
from functools import partial

from sqlalchemy import func, select

from pixshift.domain.lifecycle import BillingStatus, RefundStatus
from pixshift.errors import InternalError
from pixshift.gateways.ports import PaymentGateway
from pixshift.models import BillingRecord, Refund, WebhookEvent
from pixshift.models.base import read_all, read_rows
from pixshift.services import spend, webhooks
from pixshift.services.toolbox import Toolbox

HELD_LONG = timedelta(hours=1)
Check = tuple[str, "partial[str]"]


def events(*, waiting: bool = False) -> list[WebhookEvent]:
    """The last 100, newest first."""
    found = select(WebhookEvent).order_by(WebhookEvent.received_at.desc()).limit(100)
    return read_all(found.where(WebhookEvent.processed_at.is_(None)) if waiting else found)


def outcome(event: WebhookEvent) -> str:
    """What became of an event: as it was acted on, ``waiting``, or ``given up`` after so many tries in vain."""
    if event.outcome is not None:
        return event.outcome
    return "given up" if event.tries >= webhooks.MOST_TRIES else "waiting"


def checks(toolbox: Toolbox) -> list[Check]:
    """Named questions; each answers a line, or raises an error that says what is wrong."""
    gateways = [
        (f"payments by {gateway.title}", partial(_gateway, toolbox, name, gateway))
        for name, gateway in toolbox.gateways.payments.items()
    ]
    return [
        *gateways,
        ("payment events", partial(_events, toolbox)),
        ("holds", partial(_holds, toolbox)),
        ("refunds", partial(_refunds)),
        ("model spend", partial(_spend, toolbox)),
    ]


def _gateway(toolbox: Toolbox, name: str, gateway: PaymentGateway) -> str:
    if toolbox.settings.is_production and not gateway.is_live and not gateway.is_twin:
        raise InternalError("keys of the test mode in production: nobody is charged")
    settings = toolbox.settings.gateway
    secret = {"stripe": settings.stripe.webhook_secret, "paypal": settings.paypal.webhook_id}.get(name)
    if secret is None and not gateway.is_twin:
        raise InternalError("no webhook secret is set: payments are found late, by looking for them")
    mode = "practice" if gateway.is_twin else "live" if gateway.is_live else "test mode"
    return f"{gateway.check()}; {mode}; {_last_event(toolbox, name) if not gateway.is_twin else 'sends no events'}"


def _last_event(toolbox: Toolbox, name: str) -> str:
    latest = select(func.max(WebhookEvent.received_at)).where(WebhookEvent.gateway == name)
    received = read_rows(latest)[0][0]
    if received is None:
        return "no event seen yet"
    return f"last event {(toolbox.now() - received).total_seconds() / 60:.0f} min ago"


def _events(toolbox: Toolbox) -> str:
    waits = WebhookEvent.processed_at.is_(None)
    gone = WebhookEvent.tries >= webhooks.MOST_TRIES
    waiting, given_up = read_rows(select(func.count().filter(waits), func.count().filter(waits, gone)))[0]
    if given_up:
        raise InternalError(f"{given_up} could not be acted on: `flask billing events --waiting`")
    return f"{waiting} wait"


def _holds(toolbox: Toolbox) -> str:
    since = toolbox.now() - HELD_LONG
    held = (BillingRecord.status == BillingStatus.PENDING) & (BillingRecord.authorized_at <= since)
    count = int(read_rows(select(func.count()).select_from(BillingRecord).where(held))[0][0])
    if count:
        raise InternalError(f"{count} held for more than an hour: is a worker running?")
    return "none older than an hour"


def _refunds() -> str:
    failed = select(func.count()).select_from(Refund).where(Refund.status == RefundStatus.FAILED)
    if count := int(read_rows(failed)[0][0]):
        raise InternalError(f"{count} came back or were refused, and are tried again")
    return "none failed"


def _spend(toolbox: Toolbox) -> str:
    spent = spend.today(toolbox)
    line = f"${spent.amount:.2f} of ${spent.cap} today"
    if spent.share >= toolbox.settings.billing.spend_caps.alert_at:
        raise InternalError(f"{line}: new pictures are refused at the cap")
    return line
