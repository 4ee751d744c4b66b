"""The description as people read it: by subject, each endpoint with what it takes and what it answers."""

import json
from collections.abc import Iterator
from typing import Any


def parts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One for each tag: its name, its text and its endpoints in order."""
    endpoints = list(_endpoints(document))
    return [{**tag, "endpoints": [one for one in endpoints if one["tag"] == tag["name"]]} for tag in document["tags"]]


def error(document: dict[str, Any]) -> str:
    """One error as it is sent."""
    answers = next(iter(document["paths"].values()))["get"]["responses"]
    return _json(answers["400"]["content"]["application/json"]["examples"]["VALIDATION_ERROR"]["value"])


def _endpoints(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method, said in item.items():
            yield {
                "id": said["operationId"],
                "tag": said["tags"][0],
                "method": method.upper(),
                "path": path,
                "summary": said["summary"],
                "text": said.get("description"),
                "needs": _needs(said["security"]),
                "fields": [*_parameters(said), *_body(said, schemas)],
                "sent": _sent(said),
                "answer": _answer(said),
                "errors": list(_errors(said)),
            }


def _needs(security: list[dict[str, Any]]) -> str:
    names = {name for one in security for name in one}
    if "bearer" in names:
        return "A sign-in" + (", and with a cookie the CSRF token" if "csrf" in names else "")
    return "The CSRF token, without a sign-in" if names else "Nothing"


def _parameters(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in said.get("parameters", []):
        yield {"name": one["name"], "where": one["in"], "is_required": one["required"], "kind": kind(one["schema"])}


def _body(said: dict[str, Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for schema in (content["schema"] for content in said.get("requestBody", {}).get("content", {}).values()):
        full = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        for name, part in full["properties"].items():
            is_required = name in full.get("required", [])
            yield {"name": name, "where": "body", "is_required": is_required, "kind": kind(part)}


def kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words: ``text, at most 64``, ``GUEST or ADMIN``."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        return " or ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(part) for part in schema["anyOf"]))
    name = schema.get("format") or {"string": "text", "integer": "whole number"}.get(schema.get("type", ""))
    words = [name or schema.get("type", "anything")]
    for key, text in (("minimum", "from"), ("maximum", "to"), ("minLength", "at least"), ("maxLength", "at most")):
        words += [f"{text} {schema[key]}"] if key in schema else []
    return ", ".join(words)


def _sent(said: dict[str, Any]) -> str | None:
    content = said.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        return "multipart/form-data with the file in the field image"
    return _json(content["application/json"]["example"]) if content else None


def _answer(said: dict[str, Any]) -> dict[str, Any]:
    """Of the first status, which is that of success."""
    status, answer = next(iter(said["responses"].items()))
    content = answer.get("content", {})
    shown = content.get("application/json", {}).get("example")
    return {"status": status, "kinds": " or ".join(content), "text": _json(shown) if shown is not None else None}


def _errors(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for status, answer in list(said["responses"].items())[1:]:
        for content in answer.get("content", {}).values():
            for code, shown in content["examples"].items():
                yield {"status": status, "code": code, "message": shown["value"]["error"]["message"]}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
