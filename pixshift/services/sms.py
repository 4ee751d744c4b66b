"""What became of the codes we sent, and what they cost: by country, never by number."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from pixshift.domain import otp
from pixshift.errors import InternalError, RateLimitExceeded
from pixshift.extensions import db
from pixshift.gateways.ports import Window
from pixshift.models import SmsMessage
from pixshift.models.base import change, read_rows
from pixshift.services.toolbox import Toolbox

log = logging.getLogger(__name__)
KEPT = timedelta(days=30)
LOOKED_AT = timedelta(hours=24)
FEW_VERIFIED, ENOUGH_SENT = 0.2, 50  # below this share somebody pumps messages; of fewer codes nothing can be said
_WARN_AT = Decimal("0.8")
_ON_THE_WAY = ("accepted", "queued", "sending", "sent")  # in this order
_FINAL = ("delivered", "undelivered", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class Conversion:
    """The codes sent to one country; ``share`` is how many of them let somebody in."""

    region: str
    sent: int
    delivered: int
    failed: int
    verified: int

    @property
    def share(self) -> float:
        return self.verified / self.sent

    @property
    def is_suspicious(self) -> bool:
        return self.sent >= ENOUGH_SENT and self.share < FEW_VERIFIED


def sent(toolbox: Toolbox, message_id: str, code_key: str, region: str) -> None:
    """Remember a code that is on its way. Nobody has to do without it because it could not be noted."""
    row = SmsMessage(
        message_id=message_id[:64], code_key=code_key, region=region, status=_ON_THE_WAY[0], created_at=toolbox.now()
    )
    try:
        db.session.add(row)
        db.session.commit()
    except SQLAlchemyError as error:
        db.session.rollback()
        log.error("a sent code could not be noted", extra={"region": region, "error": type(error).__name__})


def verified(toolbox: Toolbox, code_key: str) -> None:
    """The newest code of this key was right, and is used up whatever its caller does next."""
    newest = select(SmsMessage.id).where(SmsMessage.code_key == code_key)
    newest = newest.order_by(SmsMessage.created_at.desc()).limit(1)
    change(
        update(SmsMessage)
        .where(SmsMessage.id == newest.scalar_subquery(), SmsMessage.verified_at.is_(None))
        .values(verified_at=toolbox.now())
    )
    db.session.commit()


def delivery(message_id: str, status: str, error_code: str | None) -> None:
    """What the vendor reports. It only ever moves forward, so late, repeated and unknown reports change nothing."""
    if status in _FINAL:
        earlier: tuple[str, ...] = _ON_THE_WAY
    elif status in _ON_THE_WAY:
        earlier = _ON_THE_WAY[: _ON_THE_WAY.index(status)]
    else:
        return
    code = error_code[:10] if error_code and error_code.isdecimal() else None
    changed = change(
        update(SmsMessage)
        .where(SmsMessage.message_id == message_id, SmsMessage.status.in_(earlier))
        .values(status=status, error_code=code)
    )
    db.session.commit()
    if changed and status in _FINAL[1:]:
        log.warning("a code did not arrive", extra={"status": status, "vendor_code": code})


def conversion(since: datetime) -> list[Conversion]:
    """By country, the one with most codes first."""
    status = SmsMessage.status
    query = (
        select(
            SmsMessage.region,
            func.count(),
            func.count().filter(status == "delivered"),
            func.count().filter(status.in_(_FINAL[1:])),
            func.count(SmsMessage.verified_at),
        )
        .where(SmsMessage.created_at >= since)
        .group_by(SmsMessage.region)
        .order_by(func.count().desc(), SmsMessage.region)
    )
    return [Conversion(*row) for row in read_rows(query)]


def spent_today(toolbox: Toolbox) -> Decimal:
    """What today's codes cost, in US dollars by our price list; the day is UTC's."""
    midnight = toolbox.now().replace(hour=0, minute=0, second=0, microsecond=0)
    query = select(SmsMessage.region, func.count()).where(SmsMessage.created_at >= midnight)
    rows = read_rows(query.group_by(SmsMessage.region))
    return sum((toolbox.settings.sms.price_of(region) * count for region, count in rows), Decimal(0))


def require_budget(toolbox: Toolbox, region: str) -> None:
    """Whether one more code may be paid for today. Raises RateLimitExceeded until midnight (UTC)."""
    if toolbox.gateways.sms.is_twin:
        return  # shown, not sent: free
    cap = toolbox.settings.sms.limits.day_spend_cap
    total = spent_today(toolbox) + toolbox.settings.sms.price_of(region)
    facts = {"spent": str(total), "cap": str(cap), "region": region}
    if total > cap:
        if _is_news(toolbox, "spend-cap"):
            log.error("SMS spend cap reached", extra=facts)
        raise RateLimitExceeded(
            "We have sent all the codes we may send today. Please come back tomorrow.",
            field="phone",
            retry_after=_until_midnight(toolbox.now()),
        )
    if total >= cap * _WARN_AT and _is_news(toolbox, "spend-warning"):
        log.warning("SMS spend near its cap", extra=facts)


def tidy(toolbox: Toolbox) -> None:
    """Forget what is old, and warn of countries where codes are sent and hardly any is used."""
    purge(toolbox.now())
    for country in conversion(toolbox.now() - LOOKED_AT):
        if country.is_suspicious and _is_news(toolbox, f"conversion-{country.region}"):
            facts = {"region": country.region, "sent": country.sent, "verified": country.verified}
            log.warning("few codes of a country are used", extra=facts)


def purge(now: datetime) -> int:
    """Forget codes older than 30 days; answers how many."""
    old = select(SmsMessage.id).where(SmsMessage.created_at < now - KEPT)
    count = len(read_rows(old))
    if count:
        db.session.execute(delete(SmsMessage).where(SmsMessage.created_at < now - KEPT))
        db.session.commit()
    return count


def conversion_line(toolbox: Toolbox) -> str:
    """For the doctor. Raises InternalError that names the countries where hardly any code is used."""
    countries = conversion(toolbox.now() - LOOKED_AT)
    few = [f"{item.region} ({item.verified} of {item.sent})" for item in countries if item.is_suspicious]
    if few:
        raise InternalError(f"few codes are used in {', '.join(few)}: see `flask sms conversion`")
    total, used = sum(item.sent for item in countries), sum(item.verified for item in countries)
    return f"{used} of {total} codes used in 24 h"


def spend_line(toolbox: Toolbox) -> str:
    """For the doctor. Raises InternalError when most of today's money is gone."""
    cap = toolbox.settings.sms.limits.day_spend_cap
    total = Decimal(0) if toolbox.gateways.sms.is_twin else spent_today(toolbox)
    line = f"${total:.2f} of ${cap} today"
    if total >= cap * _WARN_AT:
        raise InternalError(f"{line}: codes stop at the cap until midnight UTC")
    return line


def _is_news(toolbox: Toolbox, what: str) -> bool:
    """An alert is said once a day, by whichever process comes first."""
    key = otp.counter_key(toolbox.secret, "alert", f"{what}|{toolbox.now():%Y-%m-%d}")
    return toolbox.gateways.otp.take([Window(key, 1, otp.DAY)]) == 0.0


def _until_midnight(now: datetime) -> float:
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (tomorrow - now).total_seconds()
