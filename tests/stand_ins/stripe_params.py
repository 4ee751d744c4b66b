"""What Stripe takes: every form is checked against the SDK's own types, strictly."""

import collections.abc
import importlib
import sys
from functools import cache
from types import UnionType
from typing import Any, Dict, List, Literal, NotRequired, Required, Union, get_args, get_origin  # noqa: UP035 - as the SDK's types say it
from urllib.parse import parse_qsl

from pydantic import ConfigDict, TypeAdapter, ValidationError
from stripe._request_options import RequestOptions
from typing_extensions import TypedDict, get_type_hints, is_typeddict

_GONE = "payment_method_types"


class Refusal(Exception):
    """An error as Stripe words it. ``more`` is added to the error object; ``was_run``: it is kept for its key."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        param: str | None = None,
        *,
        was_run: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.was_run = was_run
        kind = "card_error" if status == 402 else "invalid_request_error"
        said = {"type": kind, "code": code, "message": message, "param": param}
        self.error = {name: value for name, value in (said | more).items() if value is not None}


class _Untyped:
    def __class_getitem__(cls, value: Any) -> Any:
        return Dict[str, value]  # noqa: UP006


def parse_form(encoded: str) -> dict[str, Any]:
    """``a[b][0]=c`` as nested dicts and lists."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last or str(len(node))] = value
    plain: dict[str, Any] = {name: _lists(value) for name, value in tree.items()}
    return plain


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}


def check(params_type: str, form: dict[str, Any]) -> dict[str, Any]:
    """The form with its numbers and truths read. Raises Refusal, before anything was done."""
    if _GONE in form or _GONE in (form.get("payment_intent_data") or {}):
        raise Refusal(400, f"{_GONE}_no_longer_supported", f"{_GONE} is not supported.", _GONE, was_run=False)
    try:
        checked: dict[str, Any] = _adapter(params_type).validate_python(form)
    except ValidationError as error:
        fault = error.errors()[0]
        param = "".join(f"[{part}]" if number else str(part) for number, part in enumerate(fault["loc"]))
        code = {"extra_forbidden": "parameter_unknown", "missing": "parameter_missing"}.get(fault["type"])
        raise Refusal(400, code, fault["msg"], param, was_run=False) from None
    return checked


@cache
def _adapter(params_type: str) -> "TypeAdapter[Any]":
    package, _, name = params_type.rpartition(".")
    module = importlib.import_module(f"stripe.params.{package}" if package else "stripe.params")
    return TypeAdapter(_strict(getattr(module, name)))


@cache
def _strict(given: Any) -> Any:
    """The SDK's type without unknown names, and without "or any other text" next to a list of words."""
    if is_typeddict(given):
        return _strict_dict(given)
    origin, arms = get_origin(given), get_args(given)
    if origin in (NotRequired, Required):
        return origin[_strict(arms[0])]
    if origin in (Union, UnionType):
        words = [arm for arm in arms if get_origin(arm) is Literal and get_args(arm) != ("",)]
        return Union[tuple(_strict(arm) for arm in arms if not (words and arm is str))]  # noqa: UP007
    if origin in (list, dict):
        inner = tuple(_strict(arm) for arm in arms)
        return List[inner] if origin is list else Dict[inner]  # type: ignore[valid-type]  # noqa: UP006
    return given


def _strict_dict(given: Any) -> Any:
    names = {**vars(collections.abc), **vars(sys.modules[given.__module__]), "UntypedStripeObject": _Untyped}
    names["StripeContext"] = str
    hints = get_type_hints(given, names, include_extras=True)
    fields = {name: _strict(hint) for name, hint in hints.items() if name not in RequestOptions.__annotations__}
    made = TypedDict(given.__name__, fields)  # type: ignore[operator]
    made.__pydantic_config__ = ConfigDict(extra="forbid")
    return made
