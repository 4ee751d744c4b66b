"""Users: who there is, what became of their pictures, and what may be decided about them."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints.admin import lists
from pixshift.blueprints.admin.user_questions import DONE, QUESTIONS
from pixshift.blueprints.helpers import toolbox
from pixshift.blueprints.helpers import user_id as own_id
from pixshift.blueprints.rendering import on_error, render, see
from pixshift.errors import PixShiftError
from pixshift.schemas.admin_users import GiveIn, PeoplePageIn, PersonOut, PersonPageIn, ReasonIn, RoleIn
from pixshift.services import accounts, people, person_file, sessions, standing

blueprint = Blueprint("users", __name__, url_prefix="/users")


@blueprint.get("")
def index() -> Response:
    on_error(lambda error: _list(PeoplePageIn(), error))
    return _list(PeoplePageIn.parse(lists.query()))


def _list(asked: PeoplePageIn, error: PixShiftError | None = None) -> Response:
    found = people.index(toolbox(), limit=lists.LIMIT, **dict(asked))
    sift = asked.model_dump(mode="json", exclude={"page"}, exclude_defaults=True)
    pages = lists.pagination("admin.users.index", page=found.page, total=found.total, shown=len(found.people), **sift)
    return render("admin/users/index.html", people=found.people, sift=sift, pagination=pages, error=error)


@blueprint.get("/<uuid:user_id>")
def show(user_id: UUID) -> Response:
    asked = PersonPageIn.parse(lists.query())
    person = person_file.look(toolbox(), user_id)
    jobs = person_file.jobs(user_id, page=asked.page, limit=lists.LIMIT)
    place: dict[str, Any] = {"page": jobs.page, "total": jobs.total, "shown": len(jobs.jobs), "user_id": user_id}
    return render(
        "admin/users/show.html",
        person=person,
        name=_name(PersonOut.model_validate(person.user)),
        jobs=jobs.jobs,
        pagination=lists.pagination("admin.users.show", **place),
        is_self=user_id == own_id(),
        done=DONE.get(asked.done or ""),
    )


@blueprint.get("/<uuid:user_id>/role")
def confirm_role(user_id: UUID) -> Response:
    return _ask(_person(user_id), RoleIn.parse(lists.query()).role)


@blueprint.post("/<uuid:user_id>/role")
def change_role(user_id: UUID) -> Response:
    person = _person(user_id)
    role = RoleIn.parse(_form("role")).role
    on_error(lambda error: _ask(person, role, error))
    accounts.change_role(toolbox(), user_id, role, lists.admin())
    if user_id == own_id() and role != "ADMIN":
        return see(url_for("pages.dashboard"))
    return _back(user_id, role)


@blueprint.get("/<uuid:user_id>/suspend")
def confirm_suspend(user_id: UUID) -> Response:
    return _ask(_person(user_id), "suspend")


@blueprint.post("/<uuid:user_id>/suspend")
def suspend(user_id: UUID) -> Response:
    person = _person(user_id)
    on_error(lambda error: _ask(person, "suspend", error))
    standing.suspend(toolbox(), user_id, lists.admin(), ReasonIn.parse(_form("reason")).reason)
    return _back(user_id, "suspend")


@blueprint.get("/<uuid:user_id>/lift")
def confirm_lift(user_id: UUID) -> Response:
    return _ask(_person(user_id), "lift")


@blueprint.post("/<uuid:user_id>/lift")
def lift(user_id: UUID) -> Response:
    person = _person(user_id)
    on_error(lambda error: _ask(person, "lift", error))
    standing.lift(toolbox(), user_id, lists.admin(), ReasonIn.parse(_form("reason")).reason)
    return _back(user_id, "lift")


@blueprint.get("/<uuid:user_id>/sign-out")
def confirm_sign_out(user_id: UUID) -> Response:
    return _ask(_person(user_id), "sign_out")


@blueprint.post("/<uuid:user_id>/sign-out")
def sign_out(user_id: UUID) -> Response:
    sessions.revoke_all(toolbox(), _person(user_id).id, lists.admin())
    return _back(user_id, "sign_out")


@blueprint.get("/<uuid:user_id>/stop-plan")
def confirm_stop_plan(user_id: UUID) -> Response:
    return _ask(_person(user_id), "stop_plan")


@blueprint.post("/<uuid:user_id>/stop-plan")
def stop_plan(user_id: UUID) -> Response:
    person = _person(user_id)
    on_error(lambda error: _ask(person, "stop_plan", error))
    standing.stop_plan(toolbox(), user_id, lists.admin(), ReasonIn.parse(_form("reason")).reason)
    return _back(user_id, "stop_plan")


@blueprint.get("/<uuid:user_id>/give")
def confirm_give(user_id: UUID) -> Response:
    return _give_page(_person(user_id))


@blueprint.post("/<uuid:user_id>/give")
def give(user_id: UUID) -> Response:
    person = _person(user_id)
    on_error(lambda error: _give_page(person, error))
    asked = GiveIn.parse(_form("count", "reason", "had"))
    standing.give(toolbox(), user_id, asked.count, lists.admin(), reason=asked.reason, had=asked.had)
    return _back(user_id, "give")


def _person(user_id: UUID) -> PersonOut:
    """Raises NotFound."""
    return PersonOut.model_validate(people.find(user_id))


def _ask(person: PersonOut, act: str, error: PixShiftError | None = None) -> Response:
    question = QUESTIONS[act]
    address = {"ADMIN": "role", "GUEST": "role"}.get(act, act)
    return render(
        "admin/confirm.html",
        "dialog",
        question=question.text.format(name=_name(person)),
        lines=question.lines,
        deed=question.deed,
        keep=question.keep,
        action=url_for(f"admin.users.{'change_role' if address == 'role' else address}", user_id=person.id),
        back=url_for("admin.users.show", user_id=person.id),
        hidden={"role": act} if address == "role" else {},
        asks_reason=question.asks_reason,
        reason=request.form.get("reason"),
        error=error,
    )


def _give_page(person: PersonOut, error: PixShiftError | None = None) -> Response:
    typed = request.form if error is not None and error.field != "had" else {}
    return render(
        "admin/users/give.html", "dialog", person=person, name=_name(person), typed=typed, error=error,
        most=standing.MOST_GIVEN,
    )  # fmt: skip


def _form(*names: str) -> dict[str, str]:
    """Fields of the form that were filled."""
    return {name: value.strip() for name in names if (value := request.form.get(name, "")).strip()}


def _back(user_id: UUID, done: str) -> Response:
    return see(url_for("admin.users.show", user_id=user_id, done=done))


def _name(person: PersonOut) -> str:
    """What to call somebody."""
    return person.email or person.phone or ("Erased person" if person.erased_at else "Person without a name")
