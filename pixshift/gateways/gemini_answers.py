"""What Gemini's answers mean, in our words: two tables, the answer's shape, and how it becomes a picture or a reason.

The answer is read from the raw body with a shape of our own: names stay plain strings, so that a finish reason that is
new tomorrow is just a word without a row in the table.
"""

import base64
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from pixshift.domain.failures import FailureReason as Reason
from pixshift.errors import TransformationFailed
from pixshift.gateways.ports import EditedImage, Usage

if TYPE_CHECKING:
    from google.genai.errors import APIError

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
_LONGEST_WAIT_SECONDS = 3600.0


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class _Blob(_Wire):
    mime_type: str = ""
    data: str = ""  # base64, decoded for the one picture we keep


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


class _Answer(_Wire):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: dict[str, Any] | None = None
    model_version: str | None = None
    response_id: str | None = None

    @property
    def parts(self) -> list[_Part]:
        """What the first candidate says, without its thinking aloud."""
        content = self.candidates[0].content if self.candidates else None
        return [part for part in (content and content.parts) or [] if not part.thought]

    @property
    def picture(self) -> _Blob | None:
        blobs = [part.inline_data for part in self.parts if part.inline_data]
        return next((blob for blob in reversed(blobs) if blob.data and blob.mime_type.startswith("image/")), None)


def read(body: str) -> EditedImage:
    """The picture in a 200 answer, its bytes as the model made them.

    Raises TransformationFailed, with the usage as far as it is known, when there is none.
    """
    answer = _parsed(body)
    if answer is None:
        raise failed(Reason.BAD_ANSWER)
    usage, blob, reason = _usage(answer), answer.picture, _reason(answer)
    if reason is not None or blob is None:
        raise failed(reason or Reason.NO_IMAGE, usage=usage)
    data = _decoded(blob.data)
    if data is None:
        raise failed(Reason.BAD_ANSWER, usage=usage)
    return EditedImage(data=data, media_type=blob.mime_type, usage=usage)


def _parsed(body: str) -> _Answer | None:
    try:
        return _Answer.model_validate_json(body)
    except ValidationError:  # it holds the whole answer: it ends here, no error of ours is chained to it
        return None


def _decoded(text: str) -> bytes | None:
    """Base64 in either alphabet, padded or not, as protobuf's JSON allows; None for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None


def failed(reason: Reason, *, usage: Usage | None = None, retry_after: float | None = None) -> TransformationFailed:
    return TransformationFailed(
        reason.sentence, reason=reason, retryable=reason.retryable, retry_after=retry_after, usage=usage or Usage()
    )


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


def _usage(answer: _Answer) -> Usage:
    counts = {name: value for name, value in (answer.usage_metadata or {}).items() if isinstance(value, int)}
    made = [counts[name] for name in ("candidatesTokenCount", "thoughtsTokenCount") if name in counts]
    return Usage(
        prompt_tokens=counts.get("promptTokenCount"),
        output_tokens=sum(made) if made else None,  # thinking is billed as output
        total_tokens=counts.get("totalTokenCount"),
        model_version=answer.model_version,
        response_id=answer.response_id,
    )


def reason_of_status(status: int) -> Reason:
    return STATUSES.get(status, Reason.VENDOR_DOWN if status >= 500 else Reason.VENDOR_REFUSED)


def seconds_asked_for(error: "APIError") -> float | None:
    """How long the vendor asks us to wait: RetryInfo in the body, else the Retry-After header; at most an hour."""
    seconds = _retry_info(error.details)
    if seconds is None:
        seconds = _retry_after(getattr(error.response, "headers", {}).get("retry-after", ""))
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)


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
    except ValueError:
        return None
