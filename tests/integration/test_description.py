"""The open description of the API: complete, true, and readable by people and programs."""

import json
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pixshift.blueprints.description import document, reading
from pixshift.blueprints.limits import Calls
from pixshift.domain.rates import Rate
from pixshift.domain.roles import UserRole
from pixshift.errors import PixShiftError
from tests import factories
from tests.factories import Person

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection,
]  # fmt: skip
CODES = {kind.code: kind for kind in PixShiftError.__subclasses__()}
EXAMPLES = 8  # of each kind, for each operation and role


@pytest.fixture
def described(quick: Flask) -> dict[str, Any]:
    return dict(quick.test_client().get("/api/v1/openapi.json").json)


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, said) for path, item in described["paths"].items() for method, said in item.items()]


def validator(described: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """With the document's schemas at hand."""
    return Draft202012Validator({**schema, "components": described["components"]})


# --- what it says ---------------------------------------------------------------------------------------------------


def test_it_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")
    validate(described)


def test_every_route_is_described_and_nothing_else(quick: Flask, described: dict[str, Any]) -> None:
    routes = {
        (rule.rule.removeprefix("/api/v1").replace("<uuid:", "{").replace("<", "{").replace(">", "}"), method.lower())
        for rule in quick.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(described)} == routes
    endpoints = {rule.endpoint for rule in quick.url_map.iter_rules() if rule.rule.startswith("/api/v1/")}
    assert set(document.ENDPOINTS) == endpoints


def test_every_operation_has_a_name_of_its_own_and_words(described: dict[str, Any]) -> None:
    names = [said["operationId"] for _, _, said in operations(described)]
    assert len(names) == len(set(names)) >= 30
    summaries = [said["summary"] for _, _, said in operations(described)]
    assert len(summaries) == len(set(summaries))
    assert all(said["tags"][0] in {tag["name"] for tag in described["tags"]} for _, _, said in operations(described))


def test_every_example_is_what_its_schema_says(described: dict[str, Any]) -> None:
    tried = 0
    for path, method, said in operations(described):
        contents = [said.get("requestBody", {}), *said["responses"].values()]
        for content in (media for part in contents for media in part.get("content", {}).values()):
            shown = [content["example"]] if "example" in content else []
            for value in [*shown, *(one["value"] for one in content.get("examples", {}).values())]:
                faults = [fault.message for fault in validator(described, content["schema"]).iter_errors(value)]
                assert faults == [], (path, method)
                tried += 1
    assert tried > 200


def test_every_error_is_one_of_the_contract_with_its_status(described: dict[str, Any]) -> None:
    others = {("AUTH_INVALID", 400), ("VALIDATION_ERROR", 409), ("VALIDATION_ERROR", 414)}
    for path, method, said in operations(described):
        for status, answer in said["responses"].items():
            for code, shown in answer.get("content", {}).get("application/json", {}).get("examples", {}).items():
                assert shown["value"]["error"]["category"] == CODES[code].category
                assert CODES[code].status == int(status) or (code, int(status)) in others, (path, method)


def test_no_example_says_nothing(described: dict[str, Any]) -> None:
    """A field whose name is not in the table of examples would say "text"."""
    silent = [
        (path, method)
        for path, method, said in operations(described)
        for part in (said.get("requestBody", {}), *said["responses"].values())
        for content in part.get("content", {}).values()
        if '"text"' in json.dumps(content.get("example"))
    ]
    assert silent == []


def test_programs_keep_it(quick: Flask) -> None:
    client = quick.test_client()
    answer = client.get("/api/v1/openapi.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer.headers
    again = client.get("/api/v1/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/api/openapi.json").data == answer.data


def test_people_read_all_of_it_without_a_script(quick: Flask, described: dict[str, Any]) -> None:
    page = quick.test_client().get("/api/v1/docs").text
    for path, method, said in operations(described):
        assert f'id="{said["operationId"]}"' in page
        assert f"<strong>{method.upper()}</strong> /api/v1{path}" in page
    assert "VALIDATION_ERROR" in page
    assert page.count('class="endpoint"') == len(operations(described))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "maxLength": 5}, "text, at most 5"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "whole number, from 1, to 9"),
        ({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}, "uuid or null"),
        ({"enum": ["A", "B"]}, "A or B"),
        ({"const": "A"}, "A"),
        ({"$ref": "#/components/schemas/Status"}, "Status"),
        ({}, "anything"),
    ],
)
def test_what_a_value_is_in_words(schema: dict[str, Any], words: str) -> None:
    assert reading.kind(schema) == words


# --- whether it is true ---------------------------------------------------------------------------------------------


def call(who: Person, described: dict[str, Any], method: str, path: str, **more: Any) -> Any:
    """The answer, which is as described for its status."""
    answer = who.client.open(f"/api/v1{path}", method=method, headers=who.headers, **more)
    said = next(
        item for template, verb, item in operations(described)
        if verb == method.lower() and matches(template, path.partition("?")[0])
    )  # fmt: skip
    content = said["responses"][str(answer.status_code)]["content"]["application/json"]
    faults = [fault.message for fault in validator(described, content["schema"]).iter_errors(answer.json)]
    assert faults == [], (method, path, answer.json)
    return answer.json


def matches(template: str, path: str) -> bool:
    parts = list(zip(template.split("/"), path.split("/"), strict=False))
    return len(template.split("/")) == len(path.split("/")) and all(a == b or a.startswith("{") for a, b in parts)


def test_a_guests_answers_are_as_described(quick: Flask, described: dict[str, Any]) -> None:
    who, style = factories.person(quick), factories.style(quick)
    ready = factories.picture(quick, who, style)
    photo = factories.upload(who)
    call(who, described, "GET", "/auth/session")
    call(who, described, "GET", "/users/profile")
    call(who, described, "PUT", "/users/profile", json={"phone": factories.phone()})
    call(who, described, "GET", "/transformation-types")
    wanted = {"transformationTypeId": str(style), "imageId": photo["imageId"]}
    made = call(who, described, "POST", "/transformations", json=wanted)["transformation"]["id"]
    call(who, described, "PUT", f"/transformations/{made}", json={"status": "CANCELLED"})
    call(who, described, "PUT", f"/transformations/{made}", json={"status": "CANCELLED"})
    for job_id in (ready, made, UUID(int=7)):
        call(who, described, "GET", f"/transformations/{job_id}")
    call(who, described, "GET", "/transformations?status=COMPLETED")
    call(who, described, "GET", "/transformations?status=nothing")
    call(who, described, "POST", f"/transformations/{ready}/share", json={"platform": "facebook"})
    for path in ("free-tier", "pricing-tiers", "history", "subscription"):
        call(who, described, "GET", f"/billing/{path}")
    call(who, described, "POST", "/billing/pricing-tier", json={"pricingTier": "basic"})
    call(who, described, "POST", "/billing/subscription", json={})
    call(who, described, "GET", "/admin/users")
    call(who, described, "POST", "/auth/logout")
    call(who, described, "GET", "/auth/session")


def test_an_admins_answers_are_as_described(quick: Flask, described: dict[str, Any]) -> None:
    boss, guest, style = factories.person(quick, role=UserRole.ADMIN), factories.person(quick), factories.style(quick)
    call(boss, described, "GET", "/admin/stats")
    new = {"name": "Person in armour", "promptTemplate": "Put the person into shining armour, please."}
    made = call(boss, described, "POST", "/admin/transformation-types", json=new)["type"]["id"]
    call(boss, described, "POST", "/admin/transformation-types", json=new)
    for body in ({"enabled": False, "edits": 0}, {"name": "Knight", "edits": 0}, {"name": None}):
        call(boss, described, "PUT", f"/admin/transformation-types/{made}", json=body)
    call(boss, described, "GET", "/admin/transformation-types")
    for type_id in (made, made, style):
        call(boss, described, "DELETE", f"/admin/transformation-types/{type_id}")
    call(boss, described, "GET", "/admin/users?role=GUEST&limit=2")
    for role in ("ADMIN", "GUEST", "KING"):
        call(boss, described, "PUT", f"/admin/users/{guest.id}/role", json={"role": role})
    assert call(boss, described, "GET", "/admin/actions?page=1&limit=10")["pagination"]["total"] >= 4


# --- what strangers send --------------------------------------------------------------------------------------------


def many(case: Case, who: Person) -> None:
    """Send it signed in, and compare the answer with the description."""
    headers = {**who.bearer, **who.headers, "Accept-Encoding": "identity"}
    flow = who.client.get_cookie("flow")
    cookies = {"flow": flow.value} if flow else {}
    case.validate_response(case.call(headers=headers, cookies=cookies), checks=CHECKS, headers=headers)


def tried(operation: APIOperation, known: dict[str, str]) -> st.SearchStrategy[Case]:
    """What the description allows, for things that are there and things that are not; what it does not; its example."""
    kinds = [operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)]
    if wanted := {name: known[name] for name in known if f"{{{name}}}" in operation.path}:
        kinds.append(operation.as_strategy(path_parameters=wanted))
    content = operation.definition.raw.get("requestBody", {}).get("content", {})
    if "example" in content.get("application/json", {}):
        shown = content["application/json"]["example"]
        kinds.append(operation.as_strategy(body=shown, path_parameters=wanted or None))
    return st.one_of(*kinds)


def probe(operation: APIOperation, who: Person, known: dict[str, str]) -> None:
    """The same examples at every run."""

    @seed(20260101)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=tried(operation, known))
    def holds(case: Case) -> None:
        many(case, who)

    holds()


@pytest.mark.parametrize("role", list(UserRole))
def test_whatever_is_sent_the_answer_is_as_described(quick: Flask, role: UserRole, subtests: pytest.Subtests) -> None:
    quick.extensions["rates"] = dict.fromkeys(Calls, Rate(1_000_000, 1_000_000, 1))
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", quick)
    style = factories.style(quick)
    walked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        who = factories.person(quick, role=role)
        known = {"transformation_id": str(factories.job(who, style)), "type_id": str(style), "user_id": str(who.id)}

        with subtests.test(operation.label):
            probe(operation, who, known)
        walked += 1
    assert walked == len(document.ENDPOINTS) - 1  # the description itself was read first
