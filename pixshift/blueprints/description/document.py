"""The document itself: each route of the API with its rule, its models and its errors."""

from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule as Route

from pixshift.blueprints.description import accounts, desk, money, pictures
from pixshift.blueprints.description.endpoint import Endpoint
from pixshift.blueprints.description.examples import ID, example
from pixshift.blueprints.description.shapes import Shapes
from pixshift.blueprints.rules import RULES, Rule, Who
from pixshift.errors import (
    AuthExpired,
    AuthForbidden,
    AuthInvalid,
    AuthRequired,
    InternalError,
    InvalidInput,
    NotFound,
    PixShiftError,
    RateLimitExceeded,
)

PREFIX = "/api/v1"
ENDPOINTS: dict[str, Endpoint] = {
    **accounts.ENDPOINTS, **pictures.ENDPOINTS, **money.ENDPOINTS, **desk.ENDPOINTS,
    "api.description.document": Endpoint("Read it as OpenAPI 3.1", media=("application/json",), not_modified=True),
    "api.description.page": Endpoint("Read it as a page", media=("text/html",)),
}  # fmt: skip
TAGS = {
    "auth": ("Signing in", "With a code by SMS, or with Google or Facebook."),
    "profile": ("Account", "One's own."),
    "transformation_types": ("Styles", "What can be made of a photo."),
    "transformations": ("Pictures", "Upload a photo, order a picture, ask how it stands, download it."),
    "billing": ("Money", "Amounts are in whole units of their currency."),
    "admin": ("Desk", "For admins alone."),
    "description": ("This description", "Open to everybody."),
}
_ABOUT = (
    "Everything under `/api/v1`, the same under `/api`. Bodies and answers are JSON with camelCase keys; keys may be "
    "added, none is taken away. Unknown keys of a request are refused. Every answer has an `X-Request-ID`, every error "
    "the form of `Error`; a 429 says in `Retry-After` how many seconds to wait."
)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The `session` that verify-otp answered."},
    "session": {"type": "apiKey", "in": "cookie", "name": "session", "description": "`__Host-session` in production."},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": "From `GET /auth/csrf`, with the cookies that came with it.",
    },
}


def build(app: Flask) -> dict[str, Any]:
    """The description of every route under ``/api/v1``, as OpenAPI 3.1."""
    shapes = Shapes(ENDPOINTS.values())
    paths: dict[str, Any] = {}
    for route, method, endpoint in routes(app):
        path = route.rule.removeprefix(PREFIX).replace("<uuid:", "<").replace("<", "{").replace(">", "}")
        paths.setdefault(path, {})[method.lower()] = _operation(route, method, endpoint, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "PixShift", "version": "1", "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.values()],
        "paths": paths,
        "components": {"schemas": shapes.schemas, "securitySchemes": _SCHEMES},
    }


def routes(app: Flask) -> Iterator[tuple[Route, str, Endpoint]]:
    """Every route that is described, in the order of ``TAGS``. Raises KeyError for one that nobody described."""
    order = list(TAGS)
    found = (rule for rule in app.url_map.iter_rules() if rule.rule.startswith(f"{PREFIX}/"))
    for route in sorted(found, key=lambda rule: order.index(rule.endpoint.split(".")[1])):
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
            yield route, method, ENDPOINTS[route.endpoint]


def _operation(route: Route, method: str, endpoint: Endpoint, shapes: Shapes) -> dict[str, Any]:
    rule = RULES[route.endpoint]
    said: dict[str, Any] = {
        "operationId": route.endpoint.removeprefix("api."),
        "tags": [TAGS[route.endpoint.split(".")[1]][0]],
        "summary": endpoint.summary,
        "security": _security(rule, method),
        "responses": {str(endpoint.status): _success(endpoint, shapes), **_failures(route, rule, method, endpoint)},
    }
    if endpoint.text:
        said["description"] = endpoint.text
    if parameters := [*_in_path(route, endpoint), *_in_query(endpoint, shapes)]:
        said["parameters"] = parameters
    if endpoint.body or endpoint.upload:
        said["requestBody"] = {"required": True, "content": _content(endpoint, shapes)}
    return said


def _security(rule: Rule, method: str) -> list[dict[str, list[str]]]:
    """One of these: a token needs nothing else, a cookie needs the CSRF token for what changes something."""
    changes: dict[str, list[str]] = {} if method == "GET" else {"csrf": []}
    if rule.who is Who.EVERYBODY:
        return [changes] if changes else []
    return [{"bearer": []}, {"session": [], **changes}]


def _in_path(route: Route, endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in sorted(route.arguments):
        words = endpoint.paths.get(name)
        schema = {"type": "string", "enum": words} if words else {"type": "string", "format": "uuid"}
        shown = words[0] if words else ID
        yield {"name": name, "in": "path", "required": True, "schema": schema, "example": shown}


def _in_query(endpoint: Endpoint, shapes: Shapes) -> Iterator[dict[str, Any]]:
    if endpoint.query is None:
        return
    properties, required = shapes.properties(endpoint.query)
    for name, schema in properties.items():
        # An absent parameter is what null is in a body: an address has no null.
        options = [part for part in schema.get("anyOf", []) if part != {"type": "null"}]
        kept = {key: value for key, value in schema.items() if key not in ("anyOf", "title", "default")}
        plain = {**options[0], **kept} if len(options) == 1 else schema
        if schema.get("default") is not None:
            plain = {**plain, "default": schema["default"]}
        yield {"name": name, "in": "query", "required": name in required, "schema": plain}


def _content(endpoint: Endpoint, shapes: Shapes) -> dict[str, Any]:
    if endpoint.body is None:
        image = {"type": "string", "format": "binary", "description": "The photo, with its file name."}
        schema = {
            "type": "object",
            "required": ["image"],
            "properties": {"image": image},
            "additionalProperties": False,
        }
        encoding = {"image": {"contentType": "image/jpeg, image/png, image/webp"}}
        return {"multipart/form-data": {"schema": schema, "encoding": encoding}}
    ref = shapes.ref(endpoint.body, "validation")
    values = {**example(ref, shapes.schemas), **endpoint.sent}
    shown = {key: value for key, value in values.items() if value is not None}
    return {"application/json": {"schema": ref, "example": shown}}


def _success(endpoint: Endpoint, shapes: Shapes) -> dict[str, Any]:
    if endpoint.out is not None:
        ref = shapes.ref(endpoint.out, "serialization")
        content = {"application/json": {"schema": ref, "example": example(ref, shapes.schemas)}}
        return {"description": "Done.", "content": content}
    if endpoint.media:
        kinds = {"application/json": {"type": "object"}, "text/html": {"type": "string"}}
        binary = {"type": "string", "format": "binary"}
        content = {media: {"schema": kinds.get(media, binary)} for media in endpoint.media}
        return {"description": "Here it is.", "content": content}
    where = {"description": "Where the browser goes on.", "schema": {"type": "string"}, "required": True}
    return {"description": "Go on there.", "headers": {"Location": where}}


def _failures(route: Route, rule: Rule, method: str, endpoint: Endpoint) -> dict[str, Any]:
    """By status: its codes, and an example of each."""
    errors: dict[int, dict[str, PixShiftError]] = {}
    for error in [*_usual(route, rule, method), *endpoint.failures()]:
        errors.setdefault(error.status, {}).setdefault(error.code, error)
    found = {str(status): _failure(kinds) for status, kinds in sorted(errors.items())}
    return found | ({"304": {"description": "Nothing is new."}} if endpoint.not_modified else {})


def _usual(route: Route, rule: Rule, method: str) -> Iterator[PixShiftError]:
    """What any endpoint of its kind may answer."""
    yield InvalidInput()
    if rule.who is not Who.EVERYBODY:
        yield from (AuthRequired(), AuthInvalid(), AuthExpired())
    if rule.who is Who.ADMIN or method != "GET":
        yield AuthForbidden()
    if route.arguments:
        yield NotFound()
    yield from (InvalidInput("This address is too long.", status=414), RateLimitExceeded(), InternalError())


def _failure(errors: dict[str, PixShiftError]) -> dict[str, Any]:
    examples = {code: {"value": {"error": _body(error)}} for code, error in errors.items()}
    content = {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}
    return {"description": " or ".join(f"`{code}`" for code in errors), "content": {"application/json": content}}


def _body(error: PixShiftError) -> dict[str, Any]:
    facts = {"code": error.code, "message": error.message, "category": error.category}
    return {**facts, "details": error.details, "requestId": ID}
