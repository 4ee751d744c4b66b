"""The schemas of all In and Out models that endpoints name, as pydantic writes them, under short names."""

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pixshift.blueprints.description.endpoint import Endpoint
from pixshift.errors import PixShiftError

Mode = Literal["validation", "serialization"]
_PREFIX = "#/components/schemas/"
# Where two modules have a model of one name, pydantic writes the whole way to it.
_LONG = re.compile(r"pixshift__schemas__([a-z_]+?)__([A-Z]\w*)")


class Shapes:
    """``schemas`` by name, and a reference to that of each model."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        wanted: set[tuple[type[BaseModel], Mode]] = set()
        for endpoint in endpoints:
            read: list[type[BaseModel]] = [model for model in (endpoint.query, endpoint.body) if model is not None]
            wanted |= {(model, "validation") for model in read}
            wanted |= {(endpoint.out, "serialization")} if endpoint.out is not None else set()
        models = sorted(wanted, key=lambda pair: (pair[0].__module__, pair[0].__name__))
        found, definitions = models_json_schema(models, ref_template=_PREFIX + "{model}")
        self._found: dict[tuple[type[BaseModel], Mode], dict[str, Any]] = _short(found)
        self.schemas: dict[str, Any] = _short(definitions["$defs"]) | {"Error": error_schema()}

    def ref(self, model: type[BaseModel], mode: Mode) -> dict[str, Any]:
        return self._found[model, mode]

    def properties(self, model: type[BaseModel]) -> tuple[dict[str, Any], list[str]]:
        """The fields of an In model, and which of them must be there."""
        schema = self.schemas[self.ref(model, "validation")["$ref"].removeprefix(_PREFIX)]
        return schema["properties"], schema.get("required", [])


def _short(value: Any) -> Any:
    if isinstance(value, dict):  # without the titles that pydantic makes of names
        items = ((key, item) for key, item in value.items() if key != "title" or not isinstance(item, str))
        return {_word(key) if isinstance(key, str) else key: _short(item) for key, item in items}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return _word(value) if isinstance(value, str) else value


def _word(text: str) -> str:
    return _LONG.sub(lambda match: match[1].title().replace("_", "") + match[2], text)


def codes() -> dict[str, type[PixShiftError]]:
    """Every code of the error contract and its class."""
    return {kind.code: kind for kind in PixShiftError.__subclasses__()}


def error_schema() -> dict[str, Any]:
    """The form of every error."""
    fields = {
        "code": {"type": "string", "enum": sorted(codes())},
        "message": {"type": "string", "description": "For people: short, and says what to do."},
        "category": {"type": "string", "enum": ["API", "AUTHENTICATION", "BILLING", "NETWORK", "VALIDATION"]},
        "details": {"type": "object", "description": "What a program may need, such as `field`, `limit` or `reason`."},
        "requestId": {"type": "string", "format": "uuid", "description": "Also in the header X-Request-ID."},
    }
    error = {"type": "object", "required": list(fields), "properties": fields, "additionalProperties": False}
    return {"type": "object", "required": ["error"], "properties": {"error": error}, "additionalProperties": False}
