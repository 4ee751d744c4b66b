"""What Gemini's answers mean, in our words: two tables, the answer's shape, and how it becomes a picture or a reason.

The answer is read from the raw body with a shape of our own: names stay plain strings, so that a finish reason that is
new tomorrow is just a word without a row in the table.
"""

import base64
import json
import logging
import math
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from pixshift.domain import image_formats
from pixshift.domain.failures import FailureReason as Reason
from pixshift.errors import TransformationFailed
from pixshift.gateways.ports import EditedImage, Usage

if TYPE_CHECKING:
    import httpx2

logger = logging.getLogger(__name__)

# The call was not answered with 200. Other 5xx: VENDOR_DOWN, all the rest, redirects too: VENDOR_REFUSED.
STATUSES = {404: Reason.MODEL_GONE, 408: Reason.TIMEOUT, 429: Reason.RATE_LIMITED, 504: Reason.TIMEOUT}

# The call went well and the model stopped for this reason. A word that is not here: NO_IMAGE.
FINISHES = {
    "SAFETY": Reason.PICTURE_BLOCKED,
    "RECITATION": Reason.PICTURE_BLOCKED,
    "BLOCKLIST": Reason.PICTURE_BLOCKED,
    "PROHIBITED_CONTENT": Reason.PICTURE_BLOCKED,
    "SPII": Reason.PICTURE_BLOCKED,
    "ESCALATION": Reason.PICTURE_BLOCKED,
    "MODEL_ARMOR": Reason.PICTURE_BLOCKED,
    "IMAGE_SAFETY": Reason.PICTURE_BLOCKED,
    "IMAGE_PROHIBITED_CONTENT": Reason.PICTURE_BLOCKED,
    "IMAGE_RECITATION": Reason.PICTURE_BLOCKED,
    "LANGUAGE": Reason.VENDOR_REFUSED,
    "PUP_LIMITED_DISABLED": Reason.VENDOR_REFUSED,  # the account is limited: ours to settle with Google
    "MALFORMED_RESPONSE": Reason.BAD_ANSWER,
    "NO_IMAGE": Reason.NO_IMAGE,
    "IMAGE_OTHER": Reason.NO_IMAGE,
    "OTHER": Reason.NO_IMAGE,
    "CONTINUATION": Reason.NO_IMAGE,
    "MALFORMED_FUNCTION_CALL": Reason.NO_IMAGE,
    "UNEXPECTED_TOOL_CALL": Reason.NO_IMAGE,
    "TOO_MANY_TOOL_CALLS": Reason.NO_IMAGE,
    "MISSING_THOUGHT_SIGNATURE": Reason.NO_IMAGE,
}
# With these a picture counts (it is verified later); without one, text means TEXT_ONLY and nothing means NO_IMAGE.
_USABLE = {None, "STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"}
_MOST_BELIEVED_SECONDS = 3600.0
_LARGEST_COUNT = 2**31 - 1  # what fits beside the attempt; nobody was ever billed more for a picture
_LONGEST_NAME = 80
_FOR_OPERATORS = (Reason.MODEL_GONE, Reason.VENDOR_REFUSED, Reason.UNKNOWN)


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class _Blob(_Wire):
    mime_type: str | None = None
    data: str | None = None  # base64, decoded for the one picture we keep

    @property
    def is_picture(self) -> bool:
        """By its label; without that by its content, for a picture that is paid for is not thrown away."""
        if not self.data:
            return False
        if (self.mime_type or "").lower().startswith("image/"):
            return True
        head = _decoded(self.data[: image_formats.HEAD_BYTES])
        return head is not None and image_formats.sniff(head) in image_formats.SUPPORTED


class _Part(_Wire):
    text: str | None = None
    thought: bool | None = None
    inline_data: _Blob | None = None


class _Content(_Wire):
    parts: list[_Part] | None = None


class _Candidate(_Wire):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(_Wire):
    block_reason: str | None = None


class _Bill(_Wire):
    """What is said of the call itself. No picture is lost over it, so it may be anything."""

    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None


class _Answer(_Bill):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    error: Any = None

    @property
    def parts(self) -> list[_Part]:
        """What the first candidate says, without its thinking aloud."""
        content = self.candidates[0].content if self.candidates else None
        return [part for part in (content and content.parts) or [] if not part.thought]

    @property
    def picture(self) -> _Blob | None:
        blobs = [part.inline_data for part in self.parts if part.inline_data]
        return next((blob for blob in reversed(blobs) if blob.is_picture), None)

    @property
    def word(self) -> str:
        """The vendor's own word for what happened."""
        blocked = self.prompt_feedback and self.prompt_feedback.block_reason
        return blocked or (self.candidates and self.candidates[0].finish_reason) or ""


_Shape = TypeVar("_Shape", bound=_Wire)


def read(body: str) -> EditedImage:
    """The picture in a 200 answer, its bytes as the model made them.

    Raises TransformationFailed, with the usage as far as it is known, when there is none.
    """
    answer = _parsed(body, _Answer)
    if answer is None:
        raise failed(Reason.BAD_ANSWER, usage=_usage(_parsed(body, _Bill)))
    usage, blob = _usage(answer), answer.picture
    if answer.error and not answer.candidates:
        raise _error_in(answer, usage)
    reason = _reason(answer)
    if reason is not None or blob is None:
        raise failed(reason or Reason.NO_IMAGE, _plain(answer.word), usage=usage)
    data = _decoded(blob.data or "")
    if data is None:
        raise failed(Reason.BAD_ANSWER, usage=usage)
    return EditedImage(data=data, media_type=blob.mime_type or "", usage=usage)


def _parsed(body: str, shape: type[_Shape]) -> _Shape | None:
    try:
        return shape.model_validate_json(body)
    except ValidationError:  # it holds the whole answer: it ends here, no error of ours is chained to it
        return None


def _decoded(text: str) -> bytes | None:
    """Base64 in either alphabet, padded or not, as protobuf's JSON allows; None for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None


def failed(
    reason: Reason, hint: str = "", *, usage: Usage | None = None, retry_after: float | None = None
) -> TransformationFailed:
    """The failure, and a line about it for the operator; ``hint`` holds no part of photo, prompt or answer."""
    logger.log(
        logging.ERROR if reason in _FOR_OPERATORS else logging.WARNING, "gemini made no picture: %s %s", reason, hint
    )
    return TransformationFailed(
        reason.sentence, reason=reason, retryable=reason.retryable, retry_after=retry_after, usage=usage or Usage()
    )


def _plain(word: Any) -> str:
    """A word of the vendor's that may be logged, new ones too: one constant and nothing else."""
    return word if isinstance(word, str) and re.fullmatch(r"[A-Z0-9_]{1,60}", word) else ""


def _error_in(answer: _Answer, usage: Usage) -> TransformationFailed:
    """An error that came with status 200."""
    error: dict[str, Any] = answer.error if isinstance(answer.error, dict) else {}
    status: Any = error.get("code")
    is_status = isinstance(status, int) and 400 <= status < 600
    reason = reason_of_status(status) if is_status else Reason.BAD_ANSWER
    hint = f"an error in a 200 {_plain(error.get('status'))}"
    return failed(reason, hint, usage=usage, retry_after=_wait(_retry_info({"error": error})))


def _reason(answer: _Answer) -> Reason | None:
    """Why there is no picture to hand out; None when there is one."""
    if answer.prompt_feedback and answer.prompt_feedback.block_reason:
        return Reason.PROMPT_BLOCKED
    finish = answer.candidates[0].finish_reason if answer.candidates else None
    if finish not in _USABLE:
        return FINISHES.get(finish or "", Reason.NO_IMAGE)
    if answer.picture is not None:
        return None
    said_something = any(part.text and part.text.strip() for part in answer.parts)
    return Reason.TEXT_ONLY if said_something else Reason.NO_IMAGE


def _usage(answer: _Bill | None) -> Usage:
    if answer is None:
        return Usage()
    said = answer.usage_metadata if isinstance(answer.usage_metadata, dict) else {}
    made = [said[name] for name in ("candidatesTokenCount", "thoughtsTokenCount") if _count(said.get(name)) is not None]
    return Usage(
        prompt_tokens=_count(said.get("promptTokenCount")),
        output_tokens=_count(sum(made)) if made else None,  # thinking is billed as output
        total_tokens=_count(said.get("totalTokenCount")),
        model_version=_name(answer.model_version),
        response_id=_name(answer.response_id),
    )


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT
    return value if is_count else None


def _name(value: Any) -> str | None:
    return value[:_LONGEST_NAME] if isinstance(value, str) and value.isprintable() else None


def reason_of_status(status: int) -> Reason:
    return STATUSES.get(status, Reason.VENDOR_DOWN if status >= 500 else Reason.VENDOR_REFUSED)


def refusal(response: "httpx2.Response") -> tuple[Reason, float | None, str]:
    """What an answer other than 200 means: the reason, the seconds to wait if it says so, a hint for the operator."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError, RuntimeError):  # RuntimeError: it could not be read to its end
        body = None
    wait = _wait(_retry_info(body))
    if wait is None:
        wait = _wait(_retry_after(response.headers.get("retry-after", "")))
    error = body.get("error") if isinstance(body, dict) else None
    word = _plain(error.get("status")) if isinstance(error, dict) else ""
    return reason_of_status(response.status_code), wait, f"HTTP {response.status_code} {word}"


def _wait(seconds: float | None) -> float | None:
    """How long the vendor asks us to wait, at most an hour; None for what is no number."""
    return None if seconds is None or math.isnan(seconds) else min(max(seconds, 0.0), _MOST_BELIEVED_SECONDS)


def _retry_info(body: Any) -> float | None:
    """``error.details[].retryDelay``, a protobuf duration like ``"13.5s"``."""
    try:
        delays = [row["retryDelay"] for row in body["error"]["details"] if "retryDelay" in row]
        return float(delays[0].removesuffix("s"))
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _retry_after(header: str) -> float | None:
    """Seconds, or the time of day in HTTP's form."""
    try:
        return float(header)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
