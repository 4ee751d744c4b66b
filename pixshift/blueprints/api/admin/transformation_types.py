"""Styles, for programs of admins."""

from uuid import UUID

from flask import Blueprint, Response

from pixshift.blueprints.admin.lists import admin
from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import asset_url, json_body, toolbox
from pixshift.schemas.accounts import DoneOut
from pixshift.schemas.admin_types import AdminTypeDoneOut, AdminTypeOut, AdminTypesOut, NewTypeIn, TypeChangeIn
from pixshift.services import transformation_types, type_edits, type_figures

blueprint = Blueprint("transformation_types", __name__, url_prefix="/transformation-types")


@blueprint.get("")
def index() -> Response:
    """All types, switched off or on, in their order."""
    used = type_figures.usage()
    kinds = transformation_types.listed()
    return answer(AdminTypesOut(types=[AdminTypeOut.of(kind, used.get(kind.id, 0), asset_url) for kind in kinds]))


@blueprint.post("")
def create() -> Response:
    asked = NewTypeIn.parse(json_body())
    kind = type_edits.create(toolbox(), admin(), **asked.model_dump())
    return answer(AdminTypeDoneOut(type=AdminTypeOut.of(kind, 0, asset_url)), 201)


@blueprint.put("/<uuid:type_id>")
def update(type_id: UUID) -> Response:
    """Only the keys that are sent change something."""
    asked = TypeChangeIn.parse(json_body())
    kind = type_edits.update(toolbox(), admin(), type_id, **asked.changes())
    return answer(AdminTypeDoneOut(type=AdminTypeOut.of(kind, type_figures.usage(type_id).get(type_id, 0), asset_url)))


@blueprint.delete("/<uuid:type_id>")
def destroy(type_id: UUID) -> Response:
    type_edits.remove(admin(), type_id)
    return answer(DoneOut())
