"""Payments at the desk: find them, add them up, give back, and ask the gateways now."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints.admin import lists
from pixshift.blueprints.helpers import toolbox
from pixshift.blueprints.rendering import Retry, on_error, render, see
from pixshift.errors import PixShiftError
from pixshift.schemas import admin_payments as words
from pixshift.schemas.admin_payments import PaymentsIn, RefundIn
from pixshift.services import desk, desk_money, payment_health
from pixshift.services.desk_money import Asked, Payments

blueprint = Blueprint("payments", __name__, url_prefix="/billing")


@blueprint.get("")
def index() -> Response:
    on_error(lambda error: _list(Payments([], []), 1, error))
    asked = PaymentsIn.parse(lists.query())
    return _list(_found(Asked(**asked.model_dump(exclude={"page"})), asked.page), asked.page)


@blueprint.get("/reconcile")
def confirm_reconcile() -> Response:
    return render(
        "admin/confirm.html",
        "dialog",
        question="Look at all open payments now?",
        lines=[
            "The gateways are asked how every payment stands that waits or is held, and every plan that is due.",
            "What they say is written down: a hold whose picture is there is charged, one without is let go.",
            "It may take some seconds. Doing it twice changes nothing.",
        ],
        deed="Reconcile now",
        keep="Not now",
        action=url_for("admin.payments.reconcile"),
        back=url_for("admin.payments.index"),
        hidden={},
    )


@blueprint.post("/reconcile")
def reconcile() -> Response:
    on_error(lambda error: _list(_found(Asked(), 1), 1, error))
    desk.reconcile(toolbox(), lists.admin())
    return see(url_for("admin.payments.index", _anchor="reconciled"))


@blueprint.get("/<uuid:record_id>")
def show(record_id: UUID) -> Response:
    return _page(record_id)


@blueprint.get("/<uuid:record_id>/refund")
def confirm_refund(record_id: UUID) -> Response:
    found = desk_money.find(record_id)
    back = url_for("admin.payments.show", record_id=record_id)
    if not found.left.amount:
        return see(back)
    return render(
        "admin/confirm.html",
        "dialog",
        question=f"Give back {found.left.text}?",
        lines=_what_a_refund_does(found.record.method_label, found.record.gateway),
        deed=f"Give back {found.left.text}",
        keep="Keep it",
        action=url_for("admin.payments.refund", record_id=record_id),
        back=back,
        hidden={"amount": found.left.amount},
    )


@blueprint.post("/<uuid:record_id>/refund")
def refund(record_id: UUID) -> Response:
    on_error(_again(record_id))
    asked = RefundIn.parse({"amount": request.form.get("amount")})
    desk.refund(toolbox(), record_id, asked.amount, lists.admin())
    return see(url_for("admin.payments.show", record_id=record_id))


@blueprint.post("/<uuid:record_id>/look")
def look(record_id: UUID) -> Response:
    on_error(_again(record_id))
    desk.look(toolbox(), record_id, lists.admin())
    return see(url_for("admin.payments.show", record_id=record_id))


def _again(record_id: UUID) -> Retry:
    """Its page once more, with what went wrong. Raises NotFound before anything is done."""
    desk_money.find(record_id)
    return lambda error: _page(record_id, error)


def _what_a_refund_does(method: str | None, gateway: str | None) -> list[str]:
    to = f"to {method}" if method else "to whoever paid"
    way = "the practice gateway" if gateway == "practice" else words.GATEWAYS.get(gateway or "", "its gateway")
    return [
        f"It goes back {to}, through {way}. Banks may need some days to show it.",
        "It cannot be taken back. The picture stays, nothing is made again, and the free pictures do not change.",
    ]


def _found(asked: Asked, page: int) -> Payments:
    return desk_money.index(asked, toolbox().now(), page=page, limit=lists.LIMIT)


def _list(found: Payments, page: int, error: PixShiftError | None = None) -> Response:
    filters = {name: value for name, value in lists.query().items() if name != "page"}
    known: dict[str, Any] = {name: value for name, value in filters.items() if name in PaymentsIn.model_fields}
    return render(
        "admin/payments/index.html",
        records=[(record, desk_money.state(record)) for record in found.records],
        sums=found.sums,
        asked=filters,
        words=words,
        error=error,
        reconciled=desk.last_reconciled(),
        pagination=lists.pagination(
            "admin.payments.index", page=page, total=found.total, shown=len(found.records), **known
        ),
    )


def _page(record_id: UUID, error: PixShiftError | None = None) -> Response:
    found = desk_money.find(record_id)
    return render(
        "admin/payments/show.html",
        found=found,
        record=found.record,
        outcome=payment_health.outcome,
        words=words,
        error=error,
    )
