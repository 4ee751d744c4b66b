"""What was held, charged and given back, and the plan, for people."""

from uuid import UUID

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints.helpers import toolbox, user_id
from pixshift.blueprints.pages import free_view
from pixshift.blueprints.rendering import leave_for, on_error, render, see
from pixshift.errors import InvalidInput, PixShiftError
from pixshift.schemas.transformations import ListIn
from pixshift.services import customers, ledger, plans, receipts, returns, subscriptions

blueprint = Blueprint("billing", __name__)
PAGE = 20


@blueprint.get("/billing")
def show() -> Response:
    return _page(ListIn.parse({"page": request.args.get("page", 1), "limit": PAGE}).page)


@blueprint.get("/billing/receipts/<uuid:record_id>")
def receipt(record_id: UUID) -> Response:
    settings = toolbox().settings.billing
    found = receipts.find(toolbox(), user_id(), record_id)
    return render("billing/receipt.html", receipt=found, seller=settings.seller, tax=settings.tax)


@blueprint.post("/billing/plan")
def start_plan() -> Response:
    on_error(_refused)
    return leave_for(subscriptions.start(toolbox(), user_id(), request.form.get("gateway") or None))


@blueprint.get("/billing/plan/cancel")
def confirm_cancel() -> Response:
    plan = plans.current(user_id(), toolbox().now())
    if plan is None or plan.cancels_at_period_end:
        return see(url_for("billing.show"))
    return render("billing/cancel.html", plan=plan)


@blueprint.post("/billing/plan/cancel")
def cancel_plan() -> Response:
    on_error(_refused)
    subscriptions.cancel(toolbox(), user_id())
    return see(url_for("billing.show", _anchor="plan"))


@blueprint.post("/billing/plan/resume")
def resume_plan() -> Response:
    on_error(_refused)
    subscriptions.resume(toolbox(), user_id())
    return see(url_for("billing.show", _anchor="plan"))


@blueprint.post("/billing/portal")
def portal() -> Response:
    on_error(_refused)
    tools = toolbox()
    url = subscriptions.portal_url(tools, user_id(), tools.settings.app_url + url_for("billing.show"))
    if url is None:
        raise InvalidInput("Change your card on your payment provider's own pages.")
    return leave_for(url)


@blueprint.get("/billing/return/<gateway>")
def returned(gateway: str) -> Response:
    """Back from a gateway's page: nothing in the address is believed, only looked up among one's own."""
    tools = toolbox()
    known = tools.gateways.payments.get(gateway)
    session_id = request.args.get("subscription_id") or request.args.get(known.return_parameter if known else "", "")
    job_id = returns.picture_paid(tools, user_id(), gateway, session_id)
    if job_id is not None:
        return see(url_for("transformations.show", transformation_id=job_id))
    returns.plan_paid(tools, user_id(), gateway, session_id)
    return see(url_for("billing.show"))


def _refused(error: PixShiftError) -> Response:
    return _page(1, error)


def _page(page: int, error: PixShiftError | None = None) -> Response:
    tools, now = toolbox(), toolbox().now()
    found = ledger.entries(user_id(), page=page, limit=PAGE)
    last = max(1, -(-found.total // PAGE))
    plan = plans.current(user_id(), now)
    return render(
        "billing/show.html",
        error=error,
        plan=plan,
        free=free_view(),
        ways=[{"name": name, "title": gateway.title} for name, gateway in tools.gateways.payments.items()],
        card=customers.saved_method(user_id(), next(iter(tools.gateways.payments))),
        entries=found.entries,
        pagination={
            "total": found.total,
            "first": (page - 1) * PAGE + 1 if found.entries else 0,
            "last": (page - 1) * PAGE + len(found.entries),
            "newer_url": url_for("billing.show", page=page - 1) if page > 1 else None,
            "older_url": url_for("billing.show", page=page + 1) if page < last else None,
            "pages": last,
        },
    )
