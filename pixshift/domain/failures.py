"""Why a picture was not made: what each reason means for another try, for the person who waits, for the vendor."""

from dataclasses import dataclass
from enum import StrEnum

from pixshift.domain.lifecycle import MAX_ATTEMPTS


class FailureReason(StrEnum):
    """One word per way to fail; a word this version does not know (an old row, a newer worker) reads as UNKNOWN."""

    # the model judged
    PROMPT_BLOCKED = "PROMPT_BLOCKED"
    PICTURE_BLOCKED = "PICTURE_BLOCKED"
    TEXT_ONLY = "TEXT_ONLY"
    NO_IMAGE = "NO_IMAGE"
    # the vendor answered wrongly, or not at all
    VENDOR_REFUSED = "VENDOR_REFUSED"
    MODEL_GONE = "MODEL_GONE"
    RATE_LIMITED = "RATE_LIMITED"
    VENDOR_DOWN = "VENDOR_DOWN"
    TIMEOUT = "TIMEOUT"
    BAD_ANSWER = "BAD_ANSWER"
    RESULT_BROKEN = "RESULT_BROKEN"
    # our side
    CANCELLED = "CANCELLED"
    STOPPED = "STOPPED"
    NOT_PAID = "NOT_PAID"
    PHOTO_GONE = "PHOTO_GONE"
    STORAGE_DOWN = "STORAGE_DOWN"
    DECODER_DOWN = "DECODER_DOWN"
    WORKER_LOST = "WORKER_LOST"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> "FailureReason":
        return cls.UNKNOWN

    @property
    def retryable(self) -> bool:
        """Whether the same photo and style may succeed another time."""
        return self.max_attempts > 1

    @property
    def max_attempts(self) -> int:
        """How many attempts there may be in all, the failed one counted."""
        return _FAILURES[self].max_attempts

    @property
    def is_vendor_fault(self) -> bool:
        """Whether it speaks of the vendor's health (for the circuit breaker), not of this photo or of us."""
        return _FAILURES[self].is_vendor_fault

    @property
    def is_answer(self) -> bool:
        """Whether the vendor judged or refused: then it is well."""
        return self in _ANSWERS

    @property
    def sentence(self) -> str:
        """What happened, for the person who waits."""
        return _FAILURES[self].sentence

    @property
    def way_out(self) -> str:
        """What that person can do next."""
        return _FAILURES[self].way_out

    def allows_another(self, attempts_made: int, limit: int = MAX_ATTEMPTS) -> bool:
        """Whether attempt number ``attempts_made + 1`` may be started; ``limit`` is the configured most."""
        return attempts_made < min(self.max_attempts, limit)


@dataclass(frozen=True, slots=True)
class _Failure:
    max_attempts: int
    is_vendor_fault: bool
    sentence: str
    way_out: str


_ANSWERS = frozenset(
    {
        FailureReason.PROMPT_BLOCKED,
        FailureReason.PICTURE_BLOCKED,
        FailureReason.TEXT_ONLY,
        FailureReason.NO_IMAGE,
        FailureReason.VENDOR_REFUSED,
        FailureReason.MODEL_GONE,
    }
)
_ANOTHER = "Try another photo or another style."
_AGAIN = "Please try again."
_LATER = "Please try again in a few minutes."

# Every attempt that reached the model may be paid for: a judgement is never asked for twice; an answer that came
# without a picture that can be shown, once more.
_FAILURES = {
    FailureReason.PROMPT_BLOCKED: _Failure(1, False, "The model declined this photo with this style.", _ANOTHER),
    FailureReason.PICTURE_BLOCKED: _Failure(1, False, "The model held the finished picture back.", _ANOTHER),
    FailureReason.TEXT_ONLY: _Failure(2, False, "The model answered in words, without a picture.", _ANOTHER),
    FailureReason.NO_IMAGE: _Failure(2, False, "The model made no picture this time.", "Try again, or another style."),
    FailureReason.VENDOR_REFUSED: _Failure(
        1, False, "The model did not accept our request.", "Try another photo or style. We look into it on our side."
    ),
    FailureReason.MODEL_GONE: _Failure(
        1, False, "The model behind this style is not available any more.", "Try another style while we replace it."
    ),
    FailureReason.RATE_LIMITED: _Failure(3, True, "The model is very busy right now.", _LATER),
    FailureReason.VENDOR_DOWN: _Failure(3, True, "The model did not answer.", _LATER),
    FailureReason.TIMEOUT: _Failure(3, True, "The model took too long.", _LATER),
    FailureReason.BAD_ANSWER: _Failure(2, True, "The model's answer could not be read.", _LATER),
    FailureReason.RESULT_BROKEN: _Failure(2, True, "The picture that came back could not be opened.", _AGAIN),
    FailureReason.CANCELLED: _Failure(1, False, "You cancelled this picture.", "Start it again whenever you like."),
    FailureReason.STOPPED: _Failure(1, False, "We had to stop this picture.", _AGAIN),
    FailureReason.NOT_PAID: _Failure(
        1, False, "This picture was not paid for in time.", "Start it again whenever you like."
    ),
    FailureReason.PHOTO_GONE: _Failure(1, False, "The photo is already deleted.", "Upload it again to go on."),
    FailureReason.STORAGE_DOWN: _Failure(3, False, "We could not reach our picture store.", _LATER),
    FailureReason.DECODER_DOWN: _Failure(3, False, "We could not check the finished picture.", _LATER),
    FailureReason.WORKER_LOST: _Failure(3, False, "We were interrupted before the picture was ready.", _AGAIN),
    FailureReason.UNKNOWN: _Failure(1, False, "Something went wrong on our side.", "Please try again in a minute."),
}
