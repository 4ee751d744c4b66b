"""The audit log, for programs."""

from flask import Blueprint, Response, request

from pixshift.blueprints.api.answers import answer
from pixshift.schemas.admin_actions import ActionOut, ActionsIn, ActionsOut
from pixshift.schemas.transformations import PaginationOut
from pixshift.services import audit_log
from pixshift.services.audit_log import Sieve

blueprint = Blueprint("actions", __name__, url_prefix="/actions")


@blueprint.get("")
def index() -> Response:
    asked = ActionsIn.parse(request.args.to_dict())
    found = audit_log.index(Sieve(**asked.sieve()), page=asked.page, limit=asked.limit)
    acts = [ActionOut.model_validate(act) for act in found.acts]
    pagination = PaginationOut(page=found.page, limit=found.limit, total=found.total)
    return answer(ActionsOut(actions=acts, pagination=pagination))
