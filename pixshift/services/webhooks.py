"""What gateways tell us by themselves: kept first, believed never. Each event only says where to look again."""

import logging
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from pixshift.errors import NotFound, PixShiftError
from pixshift.extensions import db
from pixshift.gateways.ports import Event, EventKind, PaymentGateway
from pixshift.models import BillingRecord, PaymentAttempt, Subscription, User, WebhookEvent
from pixshift.models.base import change, read_all, read_rows
from pixshift.services import accounts, audit, payment_rows, payment_states, subscriptions, transformations
from pixshift.services.audit import Actor
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
APPLIED, UNKNOWN, IGNORED, OTHER_MODE = "applied", "unknown", "ignored", "other_mode"
MOST_TRIES = 12
KEPT = timedelta(days=90)
BATCH = 200


def receive(toolbox: Toolbox, gateway_name: str, body: bytes, headers: dict[str, str]) -> bool:
    """Keep an event whose sender was verified on the raw body; False: it was here before.

    Raises NotFound when that gateway is not configured, InvalidInput when the event is not its own, or
    ExternalServiceError when that cannot be found out now.
    """
    gateway = toolbox.gateways.payments.get(gateway_name)
    if gateway is None:
        raise NotFound("There is nobody here by that name.")
    event = gateway.read_event(body, headers)
    try:
        change(insert(WebhookEvent).values(**_row(toolbox, gateway_name, event)))
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return False
    toolbox.gateways.queue.tend()
    return True


def process_due(toolbox: Toolbox) -> int:
    """Act on what was received and is due, the oldest first. Answers how many.

    Each in a transaction of its own; one whose gateway is away comes again later.
    """
    waiting = WebhookEvent.processed_at.is_(None) & (WebhookEvent.next_try_at <= toolbox.now())
    due = select(WebhookEvent).where(waiting, WebhookEvent.tries < MOST_TRIES)
    events = read_all(due.order_by(WebhookEvent.received_at).limit(BATCH))
    return sum(_process(toolbox, event) for event in events if _claim(toolbox, event))


def unblock(toolbox: Toolbox, who: str, actor: Actor) -> UUID:
    """A dispute is settled: its person may spend again. Raises NotFound."""
    user = accounts.find(who)
    change(update(User).where(User.id == user.id).values(spending_blocked_at=None))
    audit.record(actor, "UNBLOCK", "USER", user.id)
    db.session.commit()
    return user.id


def tidy(toolbox: Toolbox) -> None:
    """Forget what was acted on long ago."""
    over = delete(WebhookEvent).where(WebhookEvent.processed_at < toolbox.now() - KEPT)
    db.session.execute(over, execution_options={"synchronize_session": False})
    db.session.commit()


def _row(toolbox: Toolbox, gateway_name: str, event: Event) -> dict[str, object]:
    now = toolbox.now()
    return {
        "id": uuid4(),
        "gateway": gateway_name,
        "event_id": event.event_id,
        "type": event.type[:120],
        "kind": event.kind.value,
        "is_live": event.is_live,
        "session_id": event.session_id,
        "payment_id": event.payment_id,
        "remote_id": event.remote_id,
        "record_id": event.record_id,
        "received_at": now,
        "next_try_at": now,
    }


def _claim(toolbox: Toolbox, event: WebhookEvent) -> bool:
    """Of two workers one acts; should it end in the middle, the event comes again."""
    mine = (WebhookEvent.id == event.id) & (WebhookEvent.tries == event.tries)
    wait = timedelta(seconds=min(3600, 15 * 2**event.tries))
    values = {"tries": event.tries + 1, "next_try_at": toolbox.now() + wait}
    claimed = change(update(WebhookEvent).where(mine, WebhookEvent.processed_at.is_(None)).values(values)) == 1
    db.session.commit()
    return claimed


def _process(toolbox: Toolbox, event: WebhookEvent) -> bool:
    """Whether it is done with."""
    gateway = toolbox.gateways.payments.get(event.gateway)
    if gateway is None:
        return False  # its keys are missing just now
    try:
        outcome = _act(toolbox, gateway, event)
    except (PixShiftError, SQLAlchemyError) as error:
        db.session.rollback()
        log.warning("event is looked at again later", extra={"event_id": event.event_id, "error": type(error).__name__})
        return False
    done = {"outcome": outcome, "processed_at": toolbox.now()}
    change(update(WebhookEvent).where(WebhookEvent.id == event.id).values(done))
    db.session.commit()
    return True


def _act(toolbox: Toolbox, gateway: PaymentGateway, event: WebhookEvent) -> str:
    if event.kind == EventKind.OTHER:
        return IGNORED
    if event.is_live != gateway.is_live:
        log.error("event of the other mode, live or test, is not acted on", extra={"event_id": event.event_id})
        return OTHER_MODE
    records, plans = _records(event), _plans(event)
    if event.kind == EventKind.DISPUTE:
        for record_id in [*records, *_months(event)]:
            _dispute(toolbox, record_id)
    for record_id in records:
        transformations.payment_changed(toolbox, record_id)
    for subscription_id in plans:
        subscriptions.look(toolbox, subscription_id)
    return APPLIED if records or plans else UNKNOWN


def _records(event: WebhookEvent) -> list[UUID]:
    """Billing records of pictures that it may be about, by any of its names at that gateway."""
    named = [PaymentAttempt.billing_record_id == event.record_id] if event.record_id else []
    if event.session_id:
        named.append(PaymentAttempt.session_id == event.session_id)
    if event.payment_id:
        named += [PaymentAttempt.payment_id == event.payment_id, PaymentAttempt.capture_id == event.payment_id]
    if not named:
        return []
    ours = select(PaymentAttempt.billing_record_id).where(PaymentAttempt.gateway == event.gateway, or_(*named))
    return [row.billing_record_id for row in read_rows(ours.distinct())]


def _plans(event: WebhookEvent) -> list[UUID]:
    """Plans likewise; a paid month is known by its payment."""
    named = [Subscription.remote_id == event.remote_id] if event.remote_id else []
    if event.session_id:
        named.append(Subscription.session_id == event.session_id)
    if event.payment_id:
        paid = BillingRecord.payment_gateway_transaction_id == event.payment_id
        months = select(BillingRecord.subscription_id).where(BillingRecord.gateway == event.gateway, paid)
        named.append(Subscription.id.in_(months))
    if not named:
        return []
    ours = select(Subscription.id).where(Subscription.gateway == event.gateway, or_(*named))
    return [row.id for row in read_rows(ours)]


def _months(event: WebhookEvent) -> list[UUID]:
    """Billing records of paid months with that payment."""
    paid = BillingRecord.payment_gateway_transaction_id == event.payment_id
    named = (BillingRecord.gateway == event.gateway) & BillingRecord.subscription_id.is_not(None)
    return [row.id for row in read_rows(select(BillingRecord.id).where(named, paid))] if event.payment_id else []


def _dispute(toolbox: Toolbox, record_id: UUID) -> None:
    payment_states.dispute(payment_rows.locked(record_id), toolbox.now())
    db.session.commit()
