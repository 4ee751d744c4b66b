"""What programs may say about jobs."""

from typing import Any
from uuid import uuid4

import pytest

from pixshift.domain.lifecycle import Status
from pixshift.errors import InvalidInput
from pixshift.schemas.transformations import ChangeIn, CreateIn, ListIn, PhotoLinkIn


def test_a_list_has_its_defaults() -> None:
    asked = ListIn.parse({})
    assert (asked.page, asked.limit, asked.status) == (1, 10, None)
    asked = ListIn.parse({"page": "2", "limit": "100", "status": "FAILED"})
    assert (asked.page, asked.limit, asked.status) == (2, 100, Status.FAILED)


@pytest.mark.parametrize(
    "body", [{"page": 0}, {"limit": 0}, {"limit": 101}, {"limit": "x"}, {"status": "failed"}, {"sort": "x"}]
)
def test_a_list_out_of_range_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ListIn.parse(body)


@pytest.mark.parametrize("status", ["CANCELLED\n", "cancelled", " CANCELLED", "COMPLETED", "", None, 1])
def test_a_job_can_only_be_cancelled(status: Any) -> None:
    assert ChangeIn.parse({"status": "CANCELLED"}).status == "CANCELLED"
    with pytest.raises(InvalidInput):
        ChangeIn.parse({"status": status})


def test_a_job_names_its_style_and_perhaps_its_photo() -> None:
    asked = CreateIn.parse({"transformationTypeId": str(uuid4())})
    assert (asked.image_id, asked.image_url) == (None, None)
    with pytest.raises(InvalidInput):
        CreateIn.parse({"transformationTypeId": str(uuid4()), "imageUrl": "x" * 2001})


@pytest.mark.parametrize(
    "query", [{}, {"expires": "1"}, {"expires": "1" * 13, "signature": "x"}, {"expires": "1", "signature": "x" * 65}]
)
def test_a_link_needs_both_its_parts(query: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        PhotoLinkIn.parse(query)
