"""What all In and Out models share: camelCase on the wire, frozen, strict about unknown keys."""

import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from pixshift.errors import InvalidInput


class In(BaseModel):
    """A request body or query. Unknown keys are refused: nothing can be assigned that is not a field."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    @classmethod
    def parse(cls, data: Any) -> Self:
        """Raises InvalidInput that names the first wrong field and lists all of them, never echoing a value."""
        for field, value in data.items() if isinstance(data, dict) else ():
            if isinstance(value, str) and "\0" in value:  # which no database takes
                raise InvalidInput(f"{field}: this holds a character that no text has", field=str(field))
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            fields = {".".join(str(part) for part in fault["loc"]) or "body": _plain(fault) for fault in faults}
            first, text = next(iter(fields.items()))
            raise InvalidInput(f"{first}: {text}", field=first, details={"fields": fields}) from None


class Out(BaseModel):
    """An answer. ``wire()`` is the JSON body; templates read the attributes."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,  # a key is there whether or not it has a default
    )

    def wire(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


_PLAIN = {
    "missing": "this field is required",
    "extra_forbidden": "this field is not known",
    "string_type": "must be text",
    "string_pattern_mismatch": "is not a value that is possible here",
    "uuid_parsing": "must be an id (UUID)",
    "uuid_type": "must be an id (UUID)",
    "int_parsing": "must be a whole number",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
}
# The library's own sentences name the limit, but speak of inputs and strings.
_WORDS = {
    "Input should be": "must be",
    "String should have": "must have",
    "Value error, ": "",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "a valid integer": "a whole number",
    "a valid ": "a ",
}
_JARGON = re.compile("|".join(map(re.escape, _WORDS)))


def _plain(fault: Any) -> str:
    return _PLAIN.get(fault["type"]) or _JARGON.sub(lambda words: _WORDS[words[0]], str(fault["msg"]))
