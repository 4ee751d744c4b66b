"""Styles: what is offered, in which order, and how each does."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints.admin.lists import admin
from pixshift.blueprints.forms.styles import StyleForm, marked_all, typed
from pixshift.blueprints.helpers import asset_url, toolbox
from pixshift.blueprints.rendering import on_error, render, see
from pixshift.errors import PixShiftError
from pixshift.schemas.admin_types import AdminTypeOut, MoveIn, NewTypeIn, OfferIn, TypeChangeIn
from pixshift.services import transformation_types, type_edits, type_figures

blueprint = Blueprint("types", __name__, url_prefix="/transformation-types")
_FIELDS = ("name", "description", "promptTemplate", "model", "aspectRatio")


@blueprint.get("")
def index() -> Response:
    rows = [(AdminTypeOut.of(row.kind, row.figures.used, asset_url), row.figures) for row in _table()]
    return render("admin/types/index.html", "table", rows=rows)


def _table() -> list[type_figures.Row]:
    return type_figures.table(toolbox())


@blueprint.get("/new")
def new() -> Response:
    return _form(None)


@blueprint.post("")
def create() -> Response:
    on_error(lambda error: _form(None, error))
    asked = NewTypeIn.parse(typed(*_FIELDS) | _is_offered())
    made = type_edits.create(toolbox(), admin(), **asked.model_dump())
    return see(url_for("admin.types.edit", type_id=made.id))


@blueprint.get("/<uuid:type_id>")
def edit(type_id: UUID) -> Response:
    return _form(type_id)


@blueprint.post("/<uuid:type_id>")
def update(type_id: UUID) -> Response:
    on_error(_again(type_id))
    asked = TypeChangeIn.parse(typed(*_FIELDS, "reason", "edits") | _is_offered())
    type_edits.update(toolbox(), admin(), type_id, **asked.changes())
    return see(url_for("admin.types.index"))


@blueprint.post("/<uuid:type_id>/offer")
def offer(type_id: UUID) -> Response:
    """On or off; answered with the table, in place where scripts run."""
    asked = OfferIn.parse(typed("enabled"))
    type_edits.update(toolbox(), admin(), type_id, enabled=asked.enabled)
    return see(url_for("admin.types.index"))


@blueprint.post("/<uuid:type_id>/move")
def move(type_id: UUID) -> Response:
    type_edits.move(admin(), type_id, int(MoveIn.parse(typed("step")).step))
    return see(url_for("admin.types.index"))


@blueprint.get("/<uuid:type_id>/delete")
def confirm(type_id: UUID) -> Response:
    return _confirm(type_id)


@blueprint.post("/<uuid:type_id>/delete")
def delete(type_id: UUID) -> Response:
    transformation_types.find(type_id)
    on_error(lambda error: _confirm(type_id, error))
    type_edits.remove(admin(), type_id)
    return see(url_for("admin.types.index"))


def _confirm(type_id: UUID, error: PixShiftError | None = None) -> Response:
    kind, uses = transformation_types.find(type_id), type_edits.uses(type_id)
    return render(
        "admin/confirm.html",
        "dialog",
        question=f"Delete {kind.name}?",
        lines=["Nobody is offered it any more, and its prompts and their versions are gone."]
        if not uses
        else [f"It was used {'once' if uses == 1 else f'{uses:,} times'}, so it can only be disabled."],
        action=url_for("admin.types.delete", type_id=type_id),
        back=url_for("admin.types.edit", type_id=type_id),
        deed="Delete the style",
        hidden={},
        error=error,
    )


def _is_offered() -> dict[str, bool]:
    return {"enabled": "enabled" in request.form}


def _again(type_id: UUID) -> Callable[[PixShiftError], Response]:
    """Its page once more with what was typed. Raises NotFound before anything is done."""
    transformation_types.find(type_id)
    return lambda error: _form(type_id, error)


def _form(type_id: UUID | None, error: PixShiftError | None = None) -> Response:
    kind = transformation_types.find(type_id) if type_id else None
    form = StyleForm.of(kind, toolbox().settings.gemini.known_models, error)
    context: dict[str, Any] = {"form": marked_all(form, error), "error": error, "changes": None}
    if kind is not None:
        context["type"] = AdminTypeOut.of(kind, type_figures.usage(kind.id).get(kind.id, 0), asset_url)
        context["changes"] = (error.details if error else {}).get("changes")
    return render("admin/types/edit.html", **context)
