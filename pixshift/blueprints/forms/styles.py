"""The fields of a style at the desk."""

from collections.abc import Iterable
from typing import Any, Self

from flask import request
from wtforms import BooleanField, Form, HiddenField, SelectField, StringField, TextAreaField

from pixshift.domain import images
from pixshift.errors import PixShiftError


class StyleForm(Form):
    """A style to add or to change; names are those of the API."""

    name = StringField("Name")
    description = TextAreaField("Description")
    promptTemplate = TextAreaField("Prompt")  # noqa: N815 - as on the wire
    model = SelectField("Model")
    aspectRatio = SelectField("Shape")  # noqa: N815
    enabled = BooleanField("Offered to people")
    reason = StringField("Reason")
    edits = HiddenField()

    @classmethod
    def of(cls, kind: Any, models: Iterable[str], error: PixShiftError | None) -> Self:
        """What was typed, or the style as it is; after a conflict the next try knows the newest state."""
        typed = request.form if request.method == "POST" else None
        form = cls(typed, data=_values(kind))
        known = list(dict.fromkeys([*models, *([kind.model] if kind and kind.model else [])]))
        form.model.choices = [("", f"The usual one, {known[0]}"), *((name, name) for name in known)]
        form.aspectRatio.choices = [("", "As the photo"), *((ratio, ratio) for ratio in images.ASPECT_RATIOS)]
        if error is not None and "edits" in error.details:
            form.edits.data = str(error.details["edits"])
        return form


def _values(kind: Any) -> dict[str, Any]:
    if kind is None:
        return {"enabled": True}
    return {
        "name": kind.name,
        "description": kind.description or "",
        "promptTemplate": kind.prompt_template,
        "model": kind.model or "",
        "aspectRatio": kind.aspect_ratio or "",
        "enabled": kind.enabled,
        "edits": kind.edits,
    }


def typed(*names: str) -> dict[str, str]:
    """What a form brought for these fields."""
    return {name: request.form[name] for name in names if name in request.form}


def marked_all(form: StyleForm, error: PixShiftError | None) -> StyleForm:
    """The form with each fault at its field, in words that begin with the field's label."""
    faults = error.details.get("fields") if error else None
    if error and not faults and error.field:
        faults = {error.field: error.message}
        if error.field in form:
            form[error.field].errors = [error.message]
        return form
    for name, text in (faults or {}).items():
        if name in form:
            form[name].errors = [f"{form[name].label.text} {text}."]
    return form
