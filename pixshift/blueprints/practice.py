"""The page of the practice gateway, where the payer decides what their bank would."""

from flask import Blueprint, Response, request, url_for

from pixshift.blueprints.helpers import toolbox, user_id
from pixshift.blueprints.rendering import render, see
from pixshift.domain.movements import decline_sentence
from pixshift.services import practice

blueprint = Blueprint("practice", __name__)


@blueprint.get("/practice/<session_id>")
def show(session_id: str) -> Response:
    page = practice.page(toolbox(), user_id(), session_id)
    buttons = [(word, says) for word, says in practice.BUTTONS.items() if word in page.choices]
    return render("practice/show.html", page=page, buttons=buttons, declined=decline_sentence(page.decline))


@blueprint.post("/practice/<session_id>")
def decide(session_id: str) -> Response:
    onwards = practice.decide(toolbox(), user_id(), session_id, request.form.get("what", ""))
    return see(onwards or url_for("practice.show", session_id=session_id))
