"""What was charged, to be printed and kept."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from sqlalchemy import select

from pixshift.domain.pricing import Money
from pixshift.errors import NotFound
from pixshift.models import BillingRecord, User
from pixshift.models.base import read_one, read_rows
from pixshift.services.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was charged, to be printed. ``tax`` is contained in ``total``; None where no rate is configured."""

    number: str
    issued_at: datetime
    buyer: str
    description: str
    total: Money
    net: Money
    tax: Money | None
    refunded: Money | None
    method: str | None
    gateway: str


def find(toolbox: Toolbox, user_id: UUID, record_id: UUID) -> Receipt:
    """Raises NotFound for somebody else's, and for what was never charged."""
    mine = (BillingRecord.id == record_id) & (BillingRecord.user_id == user_id)
    record = read_one(select(BillingRecord).where(mine, BillingRecord.receipt_number.is_not(None)))
    if record is None or record.captured_at is None:
        raise NotFound("There is no receipt: nothing was charged.")
    buyer = read_rows(select(User.email, User.phone).where(User.id == user_id))[0]
    total = Money(record.captured, record.currency)
    tax = _contained_tax(total, toolbox.settings.billing.tax.rate)
    return Receipt(
        number=f"PS-{record.captured_at.year}-{record.receipt_number:06d}",
        issued_at=record.captured_at,
        buyer=buyer.email or buyer.phone or "",
        description=record.description,
        total=total,
        net=Money(total.amount - (tax.amount if tax else 0), total.currency),
        tax=tax,
        refunded=Money(record.refunded, record.currency) if record.refunded else None,
        method=record.method_label,
        gateway=record.gateway or "",
    )


def _contained_tax(total: Money, rate: Decimal | None) -> Money | None:
    """``rate`` is percent."""
    if rate is None:
        return None
    share = total.amount * rate / (100 + rate)
    return Money(share.quantize(Decimal(1).scaleb(-total.places), ROUND_HALF_UP), total.currency)
