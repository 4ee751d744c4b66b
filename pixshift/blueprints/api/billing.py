"""What is free, what is owed and what was paid, for programs."""

from flask import Blueprint, Response, request

from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import json_body, toolbox, user_id
from pixshift.domain.lifecycle import PaymentStatus
from pixshift.schemas.accounts import DoneOut, FreeTierOut
from pixshift.schemas.billing import (
    PaymentIn,
    PaymentOut,
    PlanIn,
    PlanOut,
    PlanUrlOut,
    RecordOut,
    RecordsOut,
    SubscriptionOut,
    TierChosenOut,
    TierIn,
    TiersOut,
)
from pixshift.schemas.transformations import ListIn, PaginationOut
from pixshift.services import billing, ledger, payments, plans, subscriptions
from pixshift.services import tiers as tier_choices

blueprint = Blueprint("billing", __name__, url_prefix="/billing")


@blueprint.get("/free-tier")
def free_tier() -> Response:
    free = billing.free_tier(user_id(), toolbox().settings.free_tier.limit)
    return answer(FreeTierOut(free_tier_used=free.used, free_tier_limit=free.limit, remaining=free.remaining))


@blueprint.get("/pricing-tiers")
def tiers() -> Response:
    return answer(TiersOut.of(toolbox().settings.pricing_tiers))


@blueprint.post("/pricing-tier")
def choose_tier() -> Response:
    asked = TierIn.parse(json_body())
    tier_choices.choose(user_id(), asked.pricing_tier)
    return answer(TierChosenOut(pricing_tier=asked.pricing_tier))


@blueprint.post("/payment")
def payment() -> Response:
    asked = PaymentIn.parse(json_body())
    job_id, method = asked.transformation_id, asked.payment_method_id
    paid = payments.pay_with(toolbox(), user_id(), job_id, method, amount=asked.amount, currency=asked.currency.upper())
    return answer(
        PaymentOut.of(
            paid.record,
            is_held=paid.status is PaymentStatus.HELD,
            requires_action=paid.status is PaymentStatus.ACTION,
            client_secret=paid.client_secret,
        )
    )


@blueprint.get("/history")
def history() -> Response:
    asked = ListIn.parse(request.args.to_dict())
    found = ledger.index(user_id(), page=asked.page, limit=asked.limit)
    records = [RecordOut.model_validate(record) for record in found.records]
    pagination = PaginationOut(page=found.page, limit=found.limit, total=found.total)
    return answer(RecordsOut(records=records, pagination=pagination))


@blueprint.get("/subscription")
def subscription() -> Response:
    plan = plans.current(user_id(), toolbox().now())
    return answer(SubscriptionOut(subscription=PlanOut.model_validate(plan) if plan else None))


@blueprint.post("/subscription")
def start_subscription() -> Response:
    asked = PlanIn.parse(json_body())
    return answer(PlanUrlOut(url=subscriptions.start(toolbox(), user_id(), asked.gateway)))


@blueprint.post("/subscription/cancel")
def cancel_subscription() -> Response:
    subscriptions.cancel(toolbox(), user_id())
    return answer(DoneOut())
