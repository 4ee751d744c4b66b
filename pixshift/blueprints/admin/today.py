"""The first page of the desk: what needs a decision, then the numbers and what they were."""

from typing import Any

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints.admin import charts, numbers
from pixshift.blueprints.helpers import toolbox
from pixshift.blueprints.rendering import on_error, render
from pixshift.domain.tallies import is_rising
from pixshift.schemas.admin_stats import DaysIn
from pixshift.services import decisions, figures
from pixshift.services.decisions import Decision, Kind

blueprint = Blueprint("today", __name__)
# Where each is settled, and what its button says.
PLACES: dict[Kind, tuple[str, str, dict[str, Any]]] = {
    Kind.FAILURES: ("Look at failures", "admin.pictures.index", {"status": "FAILED", "days": "1"}),
    Kind.CIRCUIT: ("Choose other models", "admin.types.index", {}),
    Kind.QUEUE: ("Look at what waits", "admin.pictures.index", {"status": "PENDING"}),
    Kind.HOLDS: ("Look at the holds", "admin.payments.index", {"status": "held", "older": "1h"}),
    Kind.REFUNDS: ("Look at refunds", "admin.payments.index", {"refunds": "failed"}),
    Kind.SILENCE: ("Reconcile now", "admin.payments.confirm_reconcile", {}),
    Kind.SPEND: ("Review the spend", "admin.today.show", {"days": "7", "_anchor": "money"}),
    Kind.DELETION: ("Look at pictures", "admin.pictures.index", {"status": "COMPLETED"}),
    Kind.MODEL: ("Choose other models", "admin.types.index", {}),
    Kind.CODES: ("Look at codes", "admin.today.show", {"days": "7", "_anchor": "codes"}),
}


@blueprint.get("")
def show() -> Response:
    on_error(lambda error: _page(30, error.message))
    return _page(int(DaysIn.parse(request.args.to_dict()).days))


def _page(days: int, error: str | None = None) -> Response:
    found = figures.read(toolbox(), days)
    return render(
        "admin/today/show.html",
        figures=found,
        shown=days,
        error=error,
        decisions=[(one, *_way(one)) for one in decisions.pending(toolbox(), found)],
        plots=charts.plots(found),
        words=numbers,
        is_rising=is_rising,
    )


def _way(decision: Decision) -> tuple[str, str]:
    """The label and the address of its button."""
    label, endpoint, values = PLACES[decision.kind]
    style: dict[str, Any] = {"style": str(decision.style_id)} if decision.style_id else {}
    return label, url_for(endpoint, **values, **style)
