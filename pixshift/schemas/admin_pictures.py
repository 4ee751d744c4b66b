"""Jobs as the desk asks for them, and the words it has for what it finds."""

from datetime import date
from typing import Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from pixshift.domain.failures import FailureReason
from pixshift.domain.lifecycle import Purse, Status
from pixshift.schemas.base import In

STATUSES = {
    Status.PENDING: "Waiting",
    Status.PROCESSING: "Being made",
    Status.COMPLETED: "Made",
    Status.FAILED: "Not made",
}
PURSES = {Purse.FREE: "Free", Purse.BASIC: "Paid by itself", Purse.PREMIUM: "Premium month"}
REASONS = {
    FailureReason.PROMPT_BLOCKED: "Declined by the model",
    FailureReason.PICTURE_BLOCKED: "Picture held back by the model",
    FailureReason.TEXT_ONLY: "Words instead of a picture",
    FailureReason.NO_IMAGE: "No picture in the answer",
    FailureReason.VENDOR_REFUSED: "Our request was refused",
    FailureReason.MODEL_GONE: "The model is gone",
    FailureReason.RATE_LIMITED: "The model was too busy",
    FailureReason.VENDOR_DOWN: "The model did not answer",
    FailureReason.TIMEOUT: "The model took too long",
    FailureReason.BAD_ANSWER: "The answer could not be read",
    FailureReason.RESULT_BROKEN: "The picture was broken",
    FailureReason.CANCELLED: "Cancelled by its owner",
    FailureReason.STOPPED: "Stopped by us",
    FailureReason.NOT_PAID: "Not paid in time",
    FailureReason.PHOTO_GONE: "The photo was gone",
    FailureReason.STORAGE_DOWN: "Our storage did not answer",
    FailureReason.DECODER_DOWN: "Our check did not answer",
    FailureReason.WORKER_LOST: "Our worker was lost",
    FailureReason.UNKNOWN: "Something unknown",
}
DAYS = {"1": "The last 24 hours", "7": "The last 7 days", "30": "The last 30 days", "90": "The last 90 days"}


def outcome(word: str | None) -> str:
    """How a try ended, in words; None: its worker was lost before it could say."""
    if word == Status.COMPLETED:
        return STATUSES[Status.COMPLETED]
    if word == "LEASE_LOST":
        return "Finished too late"
    return REASONS[FailureReason(word)] if word else "No end was written down"


class SpanIn(In):
    """``days`` counts back from now; ``since`` and ``until`` are whole days in UTC, both of them shown."""

    days: int | None = Field(default=None, ge=1, le=366)
    since: date | None = None
    until: date | None = None
    user: UUID | None = None
    page: int = Field(default=1, ge=1, le=1_000_000)

    @field_validator("since", "until")
    @classmethod
    def _is_near(cls, value: date | None) -> date | None:
        if value is not None and not 2000 <= value.year <= 2200:
            raise ValueError("must be a day between 2000 and 2200")
        return value

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError("the first day must not lie after the last one")
        return self


class JobsIn(SpanIn):
    status: Status | None = None
    style: UUID | None = None
    reason: FailureReason | None = None
    purse: Purse | None = None
    job: UUID | None = None

    @field_validator("reason", mode="before")
    @classmethod
    def _is_a_reason(cls, value: object) -> object:
        """A stored word that is not known reads as UNKNOWN; one that is asked for is a mistake."""
        if value is not None and value not in list(FailureReason):
            raise ValueError("this reason is not known")
        return value
