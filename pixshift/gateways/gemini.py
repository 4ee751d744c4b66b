"""Google's Gemini as the image editor: one HTTP call, one outer deadline, no retry of its own.

This file asks; what the answers mean is in ``gemini_answers``. The SDK gets an HTTP client from us because its own
choice, when aiohttp is installed, sends a broken call a second time by itself, and every call may be paid for.
"""

import logging
import math
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING

from pixshift.domain.failures import FailureReason
from pixshift.domain.images import ASPECT_RATIOS
from pixshift.errors import ConfigurationError, ExternalServiceError, TransformationFailed
from pixshift.gateways import gemini_answers
from pixshift.gateways.event_loop import BackgroundLoop
from pixshift.gateways.ports import EditedImage, EditRequest
from pixshift.settings_sections import Gemini

if TYPE_CHECKING:
    import httpx2
    from google import genai
    from google.genai import types

_DEFAULT_SIZE = "1K"  # what every model makes unasked; some know no other and refuse the word
_LARGEST_ANSWER = 64 * 1024 * 1024  # bytes; a 4K picture is about 30 MB in base64
_CHECK_SECONDS = 10.0


class GeminiImageEditor:
    """The ImageEditor port on Gemini; any number of threads may share one."""

    is_twin = False

    def __init__(self, settings: Gemini) -> None:
        if settings.api_key is None:
            raise ConfigurationError(["GEMINI_API_KEY is not set"])
        self._settings = settings
        self._key = settings.api_key.get_secret_value()
        self._seconds = settings.timeout / 1000
        self._loop = BackgroundLoop("gemini")
        self._lock = threading.Lock()
        self._open: tuple[genai.Client, httpx2.AsyncClient] | None = None

    def edit(self, request: EditRequest) -> EditedImage:
        """Make the picture within the configured time; raises TransformationFailed with a word of FailureReason."""
        client = self._client()
        try:
            body = self._loop.run(self._ask(client, request), self._seconds)
        except Exception as error:
            failure = _failure(error if self._is_open(client) else CancelledError())
        else:
            return gemini_answers.read(body)
        raise failure  # out here it is not chained to the SDK's error, which holds the request and the answer

    def warm(self) -> None:
        """Import the SDK, so that no job's first call comes seconds after its claim."""
        self._client()

    def check(self) -> str:
        """Whether the key works and the configured model is on offer; raises ExternalServiceError."""
        client = self._client()
        try:
            names = self._loop.run(_model_names(client), min(self._seconds, _CHECK_SECONDS))
        except Exception as error:
            raise _unusable(_failure(error)) from None
        if self._settings.model.removeprefix("models/") not in names:
            offered = ", ".join(sorted(name for name in names if "image" in name or "banana" in name)) or "none"
            raise ExternalServiceError(f"Gemini does not offer {self._settings.model}. Image models: {offered}.")
        return f"Gemini offers {self._settings.model}"

    def close(self) -> None:
        """Cancel what runs and let go of thread and connections; a later call opens them again."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            client, http = opened
            self._loop.close(http.aclose)
            client.close()

    def _client(self) -> "genai.Client":
        """The one client, made by the first caller: importing the SDK takes a second and 45 MiB."""
        with self._lock:
            if self._open is None:
                http = _http_client()
                self._open = _sdk_client(self._settings, self._key, http), http
            return self._open[0]

    def _is_open(self, client: "genai.Client") -> bool:
        return self._open is not None and self._open[0] is client

    async def _ask(self, client: "genai.Client", request: EditRequest) -> str:
        from google.genai import types

        photo = types.Part.from_bytes(data=request.photo, mime_type=request.media_type)
        answer = await client.aio.models.generate_content(
            model=request.model or self._settings.model,
            contents=types.Content(role="user", parts=[photo, types.Part.from_text(text=request.prompt)]),
            config=_config(request, self._settings.image_size),
        )
        raw = answer.sdk_http_response
        return (raw and raw.body) or ""


def nearest_ratio(width: int, height: int) -> str:
    """The offered aspect ratio that crops or stretches a photo of these sides (pixels) least."""

    def distance(ratio: str) -> float:
        across, down = ratio.split(":")
        return abs(math.log(width / height) - math.log(int(across) / int(down)))

    return min(ASPECT_RATIOS, key=distance)


def _config(request: EditRequest, size: str) -> "types.GenerateContentConfig":
    from google.genai import types

    return types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"],  # with text allowed, a refusal says so
        image_config=types.ImageConfig(
            aspect_ratio=request.aspect_ratio or nearest_ratio(request.width, request.height),
            image_size=None if size == _DEFAULT_SIZE else size,
        ),
        automatic_continuation=False,  # each continuation would be another paid call
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        should_return_http_response=True,
    )


def _sdk_client(settings: Gemini, key: str, http: "httpx2.AsyncClient") -> "genai.Client":
    from google import genai
    from google.genai import types

    options = types.HttpOptions(
        base_url=settings.endpoint,
        api_version=settings.api_version,
        timeout=settings.timeout,
        httpx_async_client=http,
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    return genai.Client(vertexai=False, api_key=key, http_options=options)


def _http_client() -> "httpx2.AsyncClient":
    """An HTTP client without redirects (the key would travel), without a cap on connections, with a cap on answers.

    The cap counts bytes on the wire, so an answer must come as it is: a few compressed MB may inflate to gigabytes.
    What is no 200 raises HTTPStatusError here: the SDK would stumble over a body that is not shaped as it expects.
    """
    import httpx2

    for name in ("httpx2", "google_genai"):
        logging.getLogger(name).setLevel(logging.WARNING)

    class CappedStream(httpx2.AsyncByteStream):
        def __init__(self, inner: httpx2.AsyncByteStream) -> None:
            self._inner = inner

        async def __aiter__(self):  # type: ignore[no-untyped-def]
            left = _LARGEST_ANSWER
            async for chunk in self._inner:
                left -= len(chunk)
                if left < 0:
                    raise httpx2.DecodingError("The answer is too large.")
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    async def accept(response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = CappedStream(response.stream)
        encoding = response.headers.pop("content-encoding", "identity")
        if response.status_code != httpx2.codes.OK:
            with suppress(httpx2.HTTPError):  # the status says enough
                await response.aread()
            raise httpx2.HTTPStatusError("no 200", request=response.request, response=response)
        if encoding.lower() != "identity":
            raise httpx2.DecodingError("The answer is compressed, which was not asked for.")

    return httpx2.AsyncClient(
        headers={"Accept-Encoding": "identity"},
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30),
        follow_redirects=False,
        event_hooks={"response": [accept]},
    )


async def _model_names(client: "genai.Client") -> set[str]:
    pages = await client.aio.models.list(config={"page_size": 1000})
    return {(model.name or "").removeprefix("models/") async for model in pages}


def _failure(error: Exception) -> TransformationFailed:
    """Any exception of the call as ours."""
    import httpx2

    wait, hint = None, type(error).__name__
    match error:
        case httpx2.HTTPStatusError():
            reason, wait, hint = gemini_answers.refusal(error.response)
        case TimeoutError() | httpx2.TimeoutException():
            reason = FailureReason.TIMEOUT
        case httpx2.DecodingError():
            reason = FailureReason.BAD_ANSWER
        case httpx2.HTTPError():
            reason = FailureReason.VENDOR_DOWN
        case CancelledError():
            reason = FailureReason.WORKER_LOST
        case _:
            reason = FailureReason.UNKNOWN
    return gemini_answers.failed(reason, hint, retry_after=wait)


def _unusable(failure: TransformationFailed) -> ExternalServiceError:
    is_away = failure.reason in (FailureReason.TIMEOUT, FailureReason.VENDOR_DOWN)
    return ExternalServiceError(
        f"Gemini did not list its models ({failure.reason}).",
        retryable=failure.retryable,
        category="NETWORK" if is_away else "API",
    )
