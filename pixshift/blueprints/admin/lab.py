"""Prompt lab: drafts beside what is live, tried on the same photos; publish, or go back."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import MultiDict

from pixshift.blueprints import pictures
from pixshift.blueprints.admin.lists import admin, query
from pixshift.blueprints.forms.styles import typed
from pixshift.blueprints.helpers import page_link, toolbox, user_id
from pixshift.blueprints.rendering import on_error, render, see, when_refused
from pixshift.domain import diffs
from pixshift.errors import PixShiftError
from pixshift.schemas.admin_types import DraftIn, LabIn, PublishIn, RunIn, VoteIn
from pixshift.services import lab, lab_grid, lab_samples, prompts, transformation_types, type_thumbnails, uploads

blueprint = Blueprint("lab", __name__, url_prefix="/lab")
Form = MultiDict[str, str]


@blueprint.get("")
def index() -> Response:
    return render("admin/lab/index.html", benches=lab.benches())


@blueprint.get("/<uuid:type_id>")
def show(type_id: UUID) -> Response:
    asked = LabIn.parse(query())
    return _bench(type_id, asked.version, asked.run)


@blueprint.post("/<uuid:type_id>/drafts")
def draft(type_id: UUID) -> Response:
    on_error(_again(type_id))
    asked = DraftIn.parse(typed("promptTemplate"))
    number = prompts.draft(type_id, asked.prompt_template, admin())
    return see(url_for("admin.lab.show", type_id=type_id, version=number))


def _photo_refused(error: PixShiftError) -> Response:
    """The form is not read: its photo may be too large for that. Nor is it known whether there is such a style."""
    type_id = (request.view_args or {})["type_id"]
    if transformation_types.exists(type_id):
        return _bench(type_id, error=error)
    return render("admin/lab/index.html", benches=lab.benches(), error=error)


@blueprint.post("/<uuid:type_id>/photos")
@when_refused(_photo_refused)
def add_photo(type_id: UUID) -> Response:
    data, filename = pictures.uploaded_file()
    uploads.create(toolbox(), user_id(), data=data, filename=filename)
    return see(url_for("admin.lab.show", type_id=type_id, _anchor="try"))


@blueprint.post("/<uuid:type_id>/runs")
def run(type_id: UUID) -> Response:
    on_error(_again(type_id))
    asked = RunIn.parse({name: request.form.getlist(name) for name in ("versions", "photos")})
    made = lab.run(toolbox(), admin(), user_id(), type_id, asked.versions, asked.photos)
    return see(url_for("admin.lab.show", type_id=type_id, run=made, version=max(asked.versions), _anchor="grid"))


@blueprint.post("/<uuid:type_id>/versions/<int(max=1000000):number>/publish")
def publish(type_id: UUID, number: int) -> Response:
    on_error(_again(type_id, number))
    asked = PublishIn.parse(typed("seen", "reason"))
    prompts.go_live(type_id, number, admin(), seen=asked.seen, reason=asked.reason)
    return see(url_for("admin.lab.show", type_id=type_id, version=number))


@blueprint.post("/<uuid:type_id>/pictures/<uuid:transformation_id>/vote")
def vote(type_id: UUID, transformation_id: UUID) -> Response:
    of = lab.vote(user_id(), type_id, transformation_id, VoteIn.parse(typed("value")).value)
    return see(url_for("admin.lab.show", type_id=type_id, run=of, _anchor="grid"))


@blueprint.post("/<uuid:type_id>/pictures/<uuid:transformation_id>/thumbnail")
def thumbnail(type_id: UUID, transformation_id: UUID) -> Response:
    on_error(_again(type_id))
    type_thumbnails.make(toolbox(), admin(), user_id(), type_id, transformation_id)
    return see(url_for("admin.types.edit", type_id=type_id))


def _again(type_id: UUID, number: int | None = None) -> Callable[[PixShiftError], Response]:
    """Its page once more, filled, with what went wrong. Raises NotFound before anything is done."""
    transformation_types.find(type_id)
    if number is not None:
        prompts.version(type_id, number)
    return lambda error: _bench(type_id, number, None, error, request.form)


def _bench(
    type_id: UUID,
    number: int | None = None,
    run_id: UUID | None = None,
    error: PixShiftError | None = None,
    form: Form | None = None,
) -> Response:
    kind, versions, runs = transformation_types.find(type_id), prompts.versions(type_id), lab.runs(type_id)
    shown = prompts.version(type_id, number or versions[0].number)
    latest = run_id or (runs[0].id if runs else None)
    return render(
        "admin/lab/show.html",
        "grid",
        kind=kind,
        versions=versions,
        authors=prompts.authors(versions),
        shown=shown,
        diff=diffs.lines(kind.prompt_template, shown.prompt_template),
        runs=runs,
        grid=lab_grid.read(type_id, latest, user_id()) if latest else None,
        error=error,
        most=lab.MOST_PICTURES,
        link=page_link,
        **_choice(kind.prompt_version, shown.number, form or MultiDict()),
    )


def _choice(live: int, shown: int, form: Form) -> dict[str, Any]:
    """What the forms begin with: what was chosen before an error, else the live version, the one shown, all samples."""
    again = "versions" in form or "photos" in form
    return {
        "samples": lab_samples.SAMPLES,
        "own_photos": lab_samples.own(toolbox(), user_id()),
        "chosen_versions": form.getlist("versions") if again else [str(live), str(shown)],
        "chosen_photos": form.getlist("photos") if again else [sample.key for sample in lab_samples.SAMPLES],
        "typed_prompt": form.get("promptTemplate"),
        "reason": form.get("reason", ""),
    }
