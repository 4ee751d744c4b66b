"""How the API answers: an Out model as JSON, never cached."""

from flask import Response, jsonify, make_response

from pixshift.schemas.base import Out


def answer(body: Out, status: int = 200) -> Response:
    response = make_response(jsonify(body.wire()), status)
    response.headers["Cache-Control"] = "no-store"
    return response
