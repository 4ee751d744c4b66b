"""People, for admins' programs."""

from uuid import UUID

from flask import Blueprint, Response, request

from pixshift.blueprints.admin.lists import admin
from pixshift.blueprints.api.answers import answer
from pixshift.blueprints.helpers import json_body, toolbox
from pixshift.schemas.admin_users import PeopleIn, PeopleOut, PersonOut, RoleIn, RoleOut
from pixshift.schemas.transformations import PaginationOut
from pixshift.services import accounts, people

blueprint = Blueprint("users", __name__, url_prefix="/users")


@blueprint.get("")
def index() -> Response:
    asked = PeopleIn.parse(request.args.to_dict())
    found = people.index(toolbox(), **dict(asked))
    pagination = PaginationOut(page=found.page, limit=found.limit, total=found.total)
    return answer(PeopleOut(users=[PersonOut.model_validate(user) for user in found.people], pagination=pagination))


@blueprint.put("/<uuid:user_id>/role")
def change_role(user_id: UUID) -> Response:
    asked = RoleIn.parse(json_body())
    user = accounts.change_role(toolbox(), user_id, asked.role, admin())
    return answer(RoleOut(user=PersonOut.model_validate(user)))
