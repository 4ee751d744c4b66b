"""The pages that are about nobody's job in particular."""

from flask import Blueprint, Response
from flask_login import current_user

from pixshift.blueprints.forms import PhotoForm
from pixshift.blueprints.helpers import asset_url, page_link, toolbox, user_id
from pixshift.blueprints.rendering import render
from pixshift.schemas.transformations import TypeOut
from pixshift.schemas.views import FreeView, JobView
from pixshift.services import billing, history, ledger, transformation_types, watching

blueprint = Blueprint("pages", __name__)
LATEST = 6


def offered() -> list[TypeOut]:
    now = toolbox().now()
    kinds = transformation_types.on_offer().types
    return [
        TypeOut.of(
            kind,
            asset_url,
            watching.usual_seconds(kind.id, now),
            is_paused=watching.has_paused(toolbox(), kind.id),
        )
        for kind in kinds
    ]


def free_view() -> FreeView:
    return FreeView.model_validate(billing.free_tier(user_id(), toolbox().settings.free_tier.limit))


@blueprint.get("/")
def home() -> Response:
    free = free_view() if current_user.is_authenticated else None
    return render("pages/home.html", types=offered(), free=free, form=PhotoForm())


@blueprint.get("/privacy")
def privacy() -> Response:
    return render("pages/privacy.html")


@blueprint.get("/dashboard")
def dashboard() -> Response:
    now = toolbox().now()
    latest = history.index(user_id(), page=1, limit=LATEST).jobs
    prices = ledger.prices([job.id for job in latest])
    views = [JobView.of(job, page_link, asset_url, now, price=prices.get(job.id)) for job in latest]
    running = [view for view in views if not view.is_final]
    jobs = [view for view in views if view.is_final]
    return render("pages/dashboard.html", jobs=jobs, running=running, free=free_view(), form=PhotoForm())
