"""Transformation types as written in a file."""

from typing import Any, Self

from pydantic import ConfigDict, Field

from pixshift.models import TransformationType
from pixshift.schemas.admin_types import Ratio
from pixshift.schemas.base import In


class TypeIn(In):
    """One type of an import; ``slug`` is its identity and names its thumbnail."""

    model_config = ConfigDict(str_strip_whitespace=True)

    slug: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)
    name: str = Field(min_length=1, max_length=80)
    description: str = Field(default="", max_length=500)
    prompt_template: str = Field(min_length=10, max_length=8000)
    enabled: bool = True
    position: int = Field(default=100, ge=0, le=100_000)
    model: str | None = Field(default=None, max_length=80)
    aspect_ratio: Ratio = None

    @classmethod
    def of(cls, kind: TransformationType) -> Self:
        values = {name: getattr(kind, name) for name in cls.model_fields}
        return cls.model_validate(values | {"description": kind.description or ""})

    def wire(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True)
