"""What all In and Out models share."""

from uuid import UUID, uuid4

import pytest

from pixshift.errors import InvalidInput
from pixshift.schemas.accounts import CodeSentOut, ProfileStatsOut, RequestCodeIn
from pixshift.schemas.base import In, Out
from pixshift.schemas.transformations import ListIn


class Nested(In):
    a_number: int


class Asked(In):
    an_id: UUID
    some_text: str = "x"
    inner: Nested | None = None


class Said(Out):
    an_id: UUID
    long_name: str | None = None


def test_the_wire_is_camel_case() -> None:
    known = uuid4()
    assert Asked.parse({"anId": str(known)}).an_id == known
    assert Said(an_id=known).wire() == {"anId": str(known), "longName": None}


def test_the_first_fault_is_the_message_and_all_are_listed() -> None:
    with pytest.raises(InvalidInput) as caught:
        Asked.parse({"anId": "secret-value", "someText": 5, "colour": "red", "inner": {"aNumber": "x"}})
    error = caught.value
    assert error.field == "anId"
    assert error.message == "anId: must be an id (UUID)"
    assert error.details["fields"] == {
        "anId": "must be an id (UUID)",
        "someText": "must be text",
        "inner.aNumber": "must be a whole number",
        "colour": "this field is not known",
    }
    assert "secret-value" not in str(error.details)


@pytest.mark.parametrize("body", [None, [], "text", 5, True])
def test_what_is_no_object_is_said_so(body: object) -> None:
    with pytest.raises(InvalidInput, match="body: must be a JSON object"):
        Asked.parse(body)


def test_a_missing_field_is_said_so() -> None:
    with pytest.raises(InvalidInput, match="anId: this field is required"):
        Asked.parse({})


def test_models_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        RequestCodeIn(phone="x").phone = "y"  # type: ignore[misc]


def test_the_message_of_a_code_is_only_on_the_wire_where_it_is_shown() -> None:
    assert CodeSentOut().wire() == {"success": True, "message": "OTP sent successfully"}
    assert CodeSentOut(shown_text="x").wire()["shownText"] == "x"


def test_money_is_a_json_number() -> None:
    from decimal import Decimal

    assert ProfileStatsOut(total_transformations=1, total_spent=Decimal("0.99")).wire()["totalSpent"] == 0.99


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"page": 0}, "page: must be at least 1"),
        ({"limit": 101}, "limit: must be at most 100"),
        ({"page": "x"}, "page: must be a whole number"),
        ({"status": "X"}, "status: must be 'PENDING', 'PROCESSING', 'COMPLETED' or 'FAILED'"),
        ({"sort": "x"}, "sort: this field is not known"),
    ],
)
def test_what_is_wrong_is_said_with_its_limit_and_without_jargon(sent: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ListIn.parse(sent)
    assert refused.value.message == said
