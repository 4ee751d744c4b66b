"""What somebody may type to find a person."""

from uuid import UUID

import pytest

from pixshift.domain.lookups import Sought, sought

ID = "1f360eaf-bf04-466d-8aaf-eba3b5760c7d"


@pytest.mark.parametrize("text", [ID, ID.upper(), f"  {ID} ", ID.replace("-", "")])
def test_an_id_is_an_id(text: str) -> None:
    assert sought(text, ("US",)) == Sought(user_id=UUID(ID))


@pytest.mark.parametrize(
    "text",
    [
        "+1 202 555 0142", "+12025550142", "12025550142", "(202) 555-0142", "202.555.0142", "202\u2011555\u20110142",
        "001 202 555 0142", "+1 (202) 555/0142", "\uff0b1 202 555 0142",
    ],
)  # fmt: skip
def test_a_number_is_the_same_however_it_is_spelled(text: str) -> None:
    assert "+12025550142" in sought(text, ("US", "GB")).phones


def test_a_number_without_its_country_may_be_several() -> None:
    assert set(sought("7911 123456", ("GB", "DE")).phones) >= {"+447911123456", "+497911123456"}


def test_without_regions_only_a_whole_number_is_one() -> None:
    assert sought("+1 202 555 0142", ()).phones == ("+12025550142",)


@pytest.mark.parametrize("text", ["Dana@Example.com", "dana", "12", "12345", "1" * 40, "%", "0142 dana", ""])
def test_everything_else_is_the_beginning_of_an_email(text: str) -> None:
    assert sought(text, ("US",)) == Sought(email=text.lower())


def test_no_letter_is_read_that_a_database_refuses() -> None:
    assert sought("da\0na", ("US",)) == Sought(email="dana")
