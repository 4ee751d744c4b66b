"""The numbers of the desk, for programs."""

from flask import Blueprint, Response

from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import toolbox
from pixshift.schemas.admin_stats import StatsOut
from pixshift.services import figures

blueprint = Blueprint("stats", __name__)


@blueprint.get("/stats")
def index() -> Response:
    tools = toolbox()
    return answer(StatsOut.of(figures.totals(tools), tools.settings.tier("basic").currency))
