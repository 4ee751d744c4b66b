"""Everything that can go wrong, named once.

One class per code of the public error contract. A service or a gateway raises; ``blueprints/errors.py`` alone says
what it looks like outside (JSON, fragment or page). ``message`` is shown to people: short, kind, exact.
"""

from typing import Any, ClassVar


class PixShiftError(Exception):
    """Base of all expected errors.

    ``code``, ``category`` and ``status`` are the wire contract; ``details`` is a small dict of plain values that is
    sent to the caller, so it never carries secrets, SQL or paths. ``retryable`` says whether the same call may
    succeed later, ``retry_after`` (seconds) when.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    category: str = "API"
    status: int = 500
    default_message: ClassVar[str] = "Something went wrong on our side. Please try again in a minute."

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        way_out: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        details: dict[str, Any] | None = None,
        category: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        self.field = field
        self.way_out = way_out
        self.retryable = retryable
        self.retry_after = retry_after
        self.details: dict[str, Any] = dict(details or {})
        if field is not None:
            self.details.setdefault("field", field)
        if category is not None:
            self.category = category
        if status is not None:
            self.status = status


class AuthRequired(PixShiftError):
    code, category, status = "AUTH_REQUIRED", "AUTHENTICATION", 401
    default_message = "Please sign in first."


class AuthInvalid(PixShiftError):
    code, category, status = "AUTH_INVALID", "AUTHENTICATION", 401
    default_message = "That sign-in is not right."


class AuthExpired(PixShiftError):
    code, category, status = "AUTH_EXPIRED", "AUTHENTICATION", 401
    default_message = "Your sign-in has ended. Please sign in again."


class AuthForbidden(PixShiftError):
    code, category, status = "AUTH_FORBIDDEN", "AUTHENTICATION", 403
    default_message = "You may not do that."


class InvalidInput(PixShiftError):
    code, category, status = "VALIDATION_ERROR", "VALIDATION", 400
    default_message = "Something in the request is not right."


class FileTooLarge(PixShiftError):
    code, category, status = "FILE_TOO_LARGE", "VALIDATION", 400
    default_message = "That file is too large."


class InvalidFileType(PixShiftError):
    code, category, status = "INVALID_FILE_TYPE", "VALIDATION", 400
    default_message = "That is not a JPG, PNG or WebP picture."


class NotFound(PixShiftError):
    code, category, status = "NOT_FOUND", "VALIDATION", 404
    default_message = "There is nothing here."


class FreeTierExhausted(PixShiftError):
    code, category, status = "FREE_TIER_EXHAUSTED", "BILLING", 402
    default_message = "Your free pictures are used up."


class PaymentRequired(PixShiftError):
    code, category, status = "PAYMENT_REQUIRED", "BILLING", 402
    default_message = "This picture needs a payment first."


class PaymentFailed(PixShiftError):
    code, category, status = "PAYMENT_FAILED", "BILLING", 402
    default_message = "The payment did not go through. Nothing was charged."


class TransformationFailed(PixShiftError):
    """The picture could not be made.

    ``reason`` is an internal word of ``domain.failures.FailureReason``; ``usage`` is what the model reported it
    consumed (``gateways.ports.Usage``), because a refusal is paid for as well.
    """

    code, category, status = "TRANSFORMATION_FAILED", "API", 500
    default_message = "We could not make this picture."

    def __init__(self, message: str | None = None, *, reason: str = "UNKNOWN", usage: Any = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.reason = reason
        self.usage = usage


class ExternalServiceError(PixShiftError):
    """A vendor answered wrongly (``category`` API) or could not be reached in time (``category`` NETWORK)."""

    code, category, status = "API_ERROR", "API", 502
    default_message = "A service we need did not answer as it should. Please try again in a minute."


class RateLimitExceeded(PixShiftError):
    code, category, status = "RATE_LIMIT_EXCEEDED", "API", 429
    default_message = "That was a bit fast. Please wait a moment and try again."


class InternalError(PixShiftError):
    code, category, status = "INTERNAL_ERROR", "API", 500


class ConfigurationError(Exception):
    """The settings are wrong; ``faults`` lists every one, without values of secrets."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("The configuration is not right:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults
