"""What is free and what is owed, for programs."""

from flask import Blueprint, Response

from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import toolbox, user_id
from pixshift.schemas.accounts import FreeTierOut
from pixshift.services import billing

blueprint = Blueprint("billing", __name__, url_prefix="/billing")


@blueprint.get("/free-tier")
def free_tier() -> Response:
    free = billing.free_tier(user_id(), toolbox().settings.free_tier.limit)
    return answer(FreeTierOut(free_tier_used=free.used, free_tier_limit=free.limit, remaining=free.remaining))
