"""What an error carries."""

import importlib

import pytest

from pixshift.errors import ConfigurationError, InvalidInput, PixShiftError, TransformationFailed

CLASSES = [
    item
    for item in vars(importlib.import_module("pixshift.errors")).values()
    if isinstance(item, type) and issubclass(item, PixShiftError)
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_says_something_to_people_without_being_told(kind: type[PixShiftError]) -> None:
    error = kind()
    assert error.message == kind.default_message == str(error)
    assert error.message.endswith(".")
    assert (error.details, error.field, error.retryable, error.retry_after) == ({}, None, False, None)


def test_a_field_goes_into_the_details_unless_they_name_another() -> None:
    assert InvalidInput(field="phone").details == {"field": "phone"}
    assert InvalidInput(field="phone", details={"field": "x"}).details == {"field": "x"}


def test_details_are_a_copy() -> None:
    details = {"limit": 1}
    InvalidInput(field="phone", details=details)
    assert details == {"limit": 1}


def test_one_errors_category_and_status_do_not_touch_its_class() -> None:
    error = InvalidInput(status=405, category="NETWORK")
    assert (error.status, error.category) == (405, "NETWORK")
    assert (InvalidInput.status, InvalidInput.category) == (400, "VALIDATION")


def test_a_failed_transformation_keeps_its_reason() -> None:
    error = TransformationFailed(reason="TIMEOUT", retryable=True, retry_after=3)
    assert (error.reason, error.retryable, error.retry_after, error.usage) == ("TIMEOUT", True, 3, None)
    assert TransformationFailed().reason == "UNKNOWN"


def test_wrong_settings_are_listed_line_by_line() -> None:
    error = ConfigurationError(["PORT: no", "HOST: no"])
    assert str(error) == "The configuration is not right:\n  - PORT: no\n  - HOST: no"
    assert error.faults == ["PORT: no", "HOST: no"]
