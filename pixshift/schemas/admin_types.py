"""Styles as admins write and read them, in the desk's forms and over the API."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from pixshift.domain import images, styles
from pixshift.models import TransformationType
from pixshift.schemas.base import In, Out
from pixshift.schemas.transformations import Asset, thumbnail_of


def _unix(value: Any) -> Any:
    return value.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(value, str) else value


def _or_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _no_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("no_null", "may not be null")
    return value


def _one_line(value: str) -> str:
    return _plain(value, lines=False)


def _some_lines(value: str) -> str:
    return _plain(value, lines=True)


def _plain(value: str, *, lines: bool) -> str:
    if odd := styles.odd_character(value, lines=lines):
        raise PydanticCustomError("odd_character", "holds a character that no text has: {odd}", {"odd": odd})
    return value


def _ratio(value: str) -> str:
    if value not in images.ASPECT_RATIOS:
        known = ", ".join(images.ASPECT_RATIOS)
        raise PydanticCustomError("ratio", "is none of {known}; leave it out for the photo's own", {"known": known})
    return value


def _length(least: int, most: int) -> AfterValidator:
    """Our own words, because the validator's speak of items."""

    def check(value: str) -> str:
        if not least <= len(value) <= most:
            bounds = {"least": least, "most": f"{most:,}", "actual": f"{len(value):,}"}
            if least:
                raise PydanticCustomError("length", "must have {least} to {most} characters, not {actual}", bounds)
            raise PydanticCustomError("length", "may have at most {most} characters, not {actual}", bounds)
        return value

    return AfterValidator(check)


def _said(least: int, most: int) -> Any:
    """Bounds that a validator of ours checks, for the description of the API."""
    return Field(json_schema_extra={"minLength": least, "maxLength": most})


_TIDY, _ONE_LINE, _SOME_LINES = BeforeValidator(_unix), AfterValidator(_one_line), AfterValidator(_some_lines)
_PROMPT = (styles.PROMPT_SHORTEST, styles.PROMPT_LENGTH)
Name = Annotated[str, _TIDY, _length(1, styles.NAME_LENGTH), _ONE_LINE, _said(1, styles.NAME_LENGTH)]
Description = Annotated[
    str, _TIDY, _length(0, styles.DESCRIPTION_LENGTH), _SOME_LINES, _said(0, styles.DESCRIPTION_LENGTH)
]
Prompt = Annotated[str, _TIDY, _length(*_PROMPT), _SOME_LINES, _said(*_PROMPT)]
Reason = Annotated[str, _TIDY, _length(0, styles.REASON_LENGTH), _ONE_LINE, _said(0, styles.REASON_LENGTH)]
Model = Annotated[Annotated[str, Field(max_length=80), AfterValidator(_one_line)] | None, BeforeValidator(_or_none)]
_RATIOS = Field(json_schema_extra={"enum": list(images.ASPECT_RATIOS)})
Ratio = Annotated[Annotated[str, AfterValidator(_ratio), _RATIOS] | None, BeforeValidator(_or_none)]
Position = Annotated[int, Field(ge=0, le=styles.LAST_POSITION)]


class NewTypeIn(In):
    """A style to add; ``model`` null is the configured one, ``aspectRatio`` null the photo's own."""

    name: Name
    description: Description = ""
    prompt_template: Prompt
    enabled: bool = True
    model: Model = None
    aspect_ratio: Ratio = None
    position: Position | None = None


class TypeChangeIn(In):
    """What is to be different; a key that is missing changes nothing. ``edits`` is the state that was read."""

    name: Annotated[Name | None, BeforeValidator(_no_null)] = None
    description: Annotated[Description | None, BeforeValidator(_no_null)] = None
    prompt_template: Annotated[Prompt | None, BeforeValidator(_no_null)] = None
    enabled: Annotated[bool | None, BeforeValidator(_no_null)] = None
    position: Annotated[Position | None, BeforeValidator(_no_null)] = None
    model: Model = None
    aspect_ratio: Ratio = None
    edits: Annotated[int | None, Field(ge=0)] = None
    reason: Reason = ""

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class MoveIn(In):
    """One place up (-1) or down (1)."""

    step: Literal["-1", "1"]


class OfferIn(In):
    enabled: bool


class AdminTypeOut(Out):
    """A style with all that admins may change; ``version`` is the number of the published prompt."""

    id: UUID
    name: str
    enabled: bool
    description: str
    usage_count: int
    prompt_template: str
    model: str | None
    aspect_ratio: str | None
    position: int
    version: int
    edits: int
    slug: str
    thumbnail_url: str | None

    @classmethod
    def of(cls, kind: TransformationType, usage_count: int, asset: Asset) -> Self:
        same = ("id", "name", "enabled", "prompt_template", "model", "aspect_ratio", "position", "edits", "slug")
        return cls(
            **{name: getattr(kind, name) for name in same},
            description=kind.description or "",
            version=kind.prompt_version,
            usage_count=usage_count,
            thumbnail_url=thumbnail_of(kind, asset),
        )


class AdminTypesOut(Out):
    types: list[AdminTypeOut]


class AdminTypeDoneOut(Out):
    success: bool = True
    type: AdminTypeOut


class LabIn(In):
    """What the lab shows: a version beside the live one, and a run."""

    version: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    run: UUID | None = None


class DraftIn(In):
    prompt_template: Prompt


class RunIn(In):
    """``photos`` are keys of our samples and ids of one's own photos."""

    versions: Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], Field(max_length=12)]
    photos: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=24)]


class PublishIn(In):
    """``seen`` is the version that was live when the page was shown."""

    seen: Annotated[int, Field(ge=1)]
    reason: Annotated[Reason, _length(1, styles.REASON_LENGTH)]


class VoteIn(In):
    value: Annotated[int, Field(ge=-1, le=1)]
