"""Jobs at the desk: find them, see every fact of one, give it another chance or end it. Never a picture."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, url_for

from pixshift.blueprints.admin import lists
from pixshift.blueprints.helpers import toolbox
from pixshift.blueprints.rendering import Retry, on_error, render, see
from pixshift.errors import PixShiftError
from pixshift.schemas import admin_pictures as words
from pixshift.schemas.admin_pictures import JobsIn
from pixshift.services import desk, desk_jobs, desk_money
from pixshift.services.desk_jobs import Asked, Jobs

blueprint = Blueprint("pictures", __name__, url_prefix="/transformations")


@blueprint.get("")
def index() -> Response:
    on_error(lambda error: _list(Jobs([], 0), 1, error))
    asked = JobsIn.parse(lists.query())
    which = Asked(**asked.model_dump(exclude={"page"}))
    return _list(desk_jobs.index(which, toolbox().now(), page=asked.page, limit=lists.LIMIT), asked.page)


@blueprint.get("/<uuid:job_id>")
def show(job_id: UUID) -> Response:
    return _page(job_id)


@blueprint.get("/<uuid:job_id>/requeue")
def confirm_requeue(job_id: UUID) -> Response:
    desk_jobs.find(job_id)
    return _ask(
        job_id,
        "requeue",
        question="Make this picture again?",
        lines=["It waits in the queue again, with all its attempts.", "It costs its owner nothing."],
        deed="Requeue it",
        keep="Leave it",
    )


@blueprint.post("/<uuid:job_id>/requeue")
def requeue(job_id: UUID) -> Response:
    on_error(_again(job_id))
    desk.requeue(toolbox(), job_id, lists.admin())
    return see(url_for("admin.pictures.show", job_id=job_id))


@blueprint.get("/<uuid:job_id>/fail")
def confirm_fail(job_id: UUID) -> Response:
    desk_jobs.find(job_id)
    return _ask(
        job_id,
        "fail",
        question="Stop this picture?",
        lines=[
            "It ends as not made, and its owner is told that we had to stop it.",
            "What it took goes back: the free picture, the one of the month, or the hold. Nobody is charged.",
        ],
        deed="Stop and give back",
        keep="Let it go on",
    )


@blueprint.post("/<uuid:job_id>/fail")
def fail(job_id: UUID) -> Response:
    on_error(_again(job_id))
    desk.fail(toolbox(), job_id, lists.admin())
    return see(url_for("admin.pictures.show", job_id=job_id))


def _again(job_id: UUID) -> Retry:
    """Its page once more, with what went wrong. Raises NotFound before anything is done."""
    desk_jobs.find(job_id)
    return lambda error: _page(job_id, error)


def _ask(job_id: UUID, act: str, **texts: object) -> Response:
    return render(
        "admin/confirm.html",
        "dialog",
        action=url_for(f"admin.pictures.{act}", job_id=job_id),
        back=url_for("admin.pictures.show", job_id=job_id),
        hidden={},
        **texts,
    )


def _list(found: Jobs, page: int, error: PixShiftError | None = None) -> Response:
    filters = {name: value for name, value in lists.query().items() if name != "page"}
    known: dict[str, Any] = {name: value for name, value in filters.items() if name in JobsIn.model_fields}
    return render(
        "admin/pictures/index.html",
        jobs=found.jobs,
        asked=filters,
        styles=[(str(style_id), name) for style_id, name in desk_jobs.styles()],
        words=words,
        error=error,
        pagination=lists.pagination(
            "admin.pictures.index", page=page, total=found.total, shown=len(found.jobs), **known
        ),
    )


def _page(job_id: UUID, error: PixShiftError | None = None) -> Response:
    job = desk_jobs.find(job_id)
    return render(
        "admin/pictures/show.html",
        job=job,
        is_charged=job.record_id is not None and desk_money.find(job.record_id).left.amount > 0,
        attempts=desk_jobs.attempts(job_id),
        words=words,
        error=error,
    )
