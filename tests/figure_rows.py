"""Rows as days leave them behind: pictures that ended, what they cost and brought, sign-ins and codes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import select

from pixshift.domain.lifecycle import BillingStatus, PaymentStatus, Purse, RefundStatus, Reservation, Stage, Status
from pixshift.domain.roles import AuthProvider
from pixshift.extensions import db
from pixshift.models import (
    Attempt,
    BillingRecord,
    LabRun,
    PaymentAttempt,
    Refund,
    SmsMessage,
    Transformation,
    TransformationType,
    User,
    UserSession,
    WebhookEvent,
)


@dataclass
class Rows:
    """Writes to one database; each call commits."""

    app: Flask
    user_id: UUID
    type_id: UUID

    def add(self, *rows: Any) -> None:
        with self.app.app_context():
            db.session.add_all(rows)
            db.session.commit()

    def ended(
        self, at: datetime, reason: str | None = None, *, seconds: float = 10, cost: str | None = None, **more: Any
    ) -> UUID:
        """A picture that was made, or was not for that reason, by one call of the model."""
        job_id, begun = uuid4(), at - timedelta(seconds=seconds)
        values: dict[str, Any] = {
            "id": job_id, "user_id": self.user_id, "transformation_type_id": self.type_id, "original_image_url": "x",
            "status": Status.FAILED if reason else Status.COMPLETED, "stage": Stage.READY, "failure_reason": reason,
            "pricing_tier_locked": Purse.FREE.value, "reservation": Reservation.SETTLED, "attempts": 1,
            "result_bytes": None if reason else 9, "created_at": begun, "started_at": begun, "finished_at": at,
        }  # fmt: skip
        calls = [Attempt(transformation_id=job_id, number=1, started_at=begun, cost=Decimal(cost))] if cost else []
        self.add(Transformation(**values | more))
        self.add(*calls)
        return job_id

    def waiting(self, since: datetime) -> UUID:
        job_id = uuid4()
        self.add(
            Transformation(
                id=job_id, user_id=self.user_id, transformation_type_id=self.type_id, original_image_url="x",
                created_at=since, due_at=since,
            )
        )  # fmt: skip
        return job_id

    def lab_run(self) -> UUID:
        run = LabRun(id=uuid4(), transformation_type_id=self.type_id, user_id=self.user_id)
        run_id = run.id
        self.add(run)
        return run_id

    def charged(self, at: datetime, amount: str = "0.99", job_id: UUID | None = None, currency: str = "USD") -> UUID:
        record_id = uuid4()
        self.add(
            BillingRecord(
                id=record_id, user_id=self.user_id, transformation_id=job_id, amount=Decimal(amount), currency=currency,
                captured=Decimal(amount), status=BillingStatus.COMPLETED, captured_at=at, created_at=at,
            )
        )  # fmt: skip
        return record_id

    def given_back(
        self, record_id: UUID, at: datetime, amount: str = "0.99", status: RefundStatus = RefundStatus.SUCCEEDED
    ) -> None:
        refund = Refund(billing_record_id=record_id, cause=f"not_good-{uuid4()}"[:60], amount=Decimal(amount))
        refund.status, refund.created_at = status, at
        refund.finished_at = at if status is RefundStatus.SUCCEEDED else None
        self.add(refund)

    def held(self, since: datetime, gateway: str = "stripe") -> UUID:
        record_id = uuid4()
        self.add(
            BillingRecord(
                id=record_id, user_id=self.user_id, amount=Decimal("0.99"), authorized_at=since, created_at=since
            )
        )
        self.add(
            PaymentAttempt(
                billing_record_id=record_id, user_id=self.user_id, gateway=gateway, status=PaymentStatus.HELD,
                expires_at=since + timedelta(days=7),
            )
        )  # fmt: skip
        return record_id

    def event(self, at: datetime, gateway: str = "stripe") -> None:
        self.add(
            WebhookEvent(
                gateway=gateway, event_id=str(uuid4()), type="x", kind="PAYMENT", is_live=True, received_at=at,
                processed_at=at,
            )
        )  # fmt: skip

    def sign_in(self, at: datetime, provider: AuthProvider = AuthProvider.MOBILE, seen: datetime | None = None) -> UUID:
        """Of somebody new."""
        user_id = uuid4()
        self.add(User(id=user_id, auth_provider=provider, created_at=at))
        self.add(
            UserSession(user_id=user_id, token_hash=uuid4().hex, created_at=at, last_seen_at=seen or at, expires_at=at)
        )
        return user_id

    def code(self, at: datetime, region: str, *, used: bool) -> None:
        word = uuid4().hex
        self.add(
            SmsMessage(
                message_id=word, code_key=word, region=region, status="delivered", created_at=at,
                verified_at=at if used else None,
            )
        )  # fmt: skip

    def style(self, name: str) -> UUID:
        kind = TransformationType(id=uuid4(), name=name, slug=uuid4().hex[:20], prompt_template="Make it so, please.")
        style_id = kind.id
        self.add(kind)
        return style_id

    def all(self, model: type[Any]) -> list[tuple[Any, ...]]:
        """Every row of a table as plain values, in order."""
        with self.app.app_context():
            rows = db.session.execute(select(*model.__table__.columns)).all()
        return sorted((tuple(row) for row in rows), key=str)
