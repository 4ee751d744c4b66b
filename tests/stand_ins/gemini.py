"""Gemini at the wire: ``models.generateContent`` and ``models.list`` with a mood for every way an answer can look.

``python -m tests.stand_ins.gemini --port 9001 --mood slow --delay 3`` runs it by hand.
"""

import argparse
import base64
import contextlib
import functools
import io
import json
import threading
from collections.abc import Callable
from typing import Any

from PIL import Image
from pydantic import SecretStr

from pixshift.settings_sections import Gemini, Retry
from tests.stand_ins.server import Exchange, StandIn

MODELS = ("gemini-nano-banana-2.1", "gemini-3.1-flash-lite-image", "gemini-3-pro-image", "gemini-3.8-flash")
USAGE = {"promptTokenCount": 1130, "candidatesTokenCount": 1120, "thoughtsTokenCount": 30, "totalTokenCount": 2280}
BLOCKS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK", "NEW_BLOCK")
RETRY_SECONDS = 13.5
_Reply = Callable[[Exchange, dict[str, Any]], None]
HUGE_BYTES = 24 * 1024 * 1024
BROKEN_PICTURE = b"\x89PNG\r\n\x1a\n" + b"this is no picture" * 20


@functools.cache
def picture(ratio: str = "1:1", long_side: int = 1024, kind: str = "PNG") -> bytes:
    """A real picture of these proportions, the same bytes each time."""
    across, down = (int(part) for part in ratio.split(":"))
    scale = long_side / max(across, down)
    size = (max(1, round(across * scale)), max(1, round(down * scale)))
    tone = Image.linear_gradient("L").resize(size)
    buffer = io.BytesIO()
    Image.merge("RGB", (tone, tone.transpose(Image.Transpose.FLIP_TOP_BOTTOM), tone)).save(buffer, kind)
    return buffer.getvalue()


def part(data: bytes, media_type: str = "image/png", **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}, **more}


def answer_of(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": list(parts)}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": MODELS[0], "responseId": "r-1", **more}


def error_of(status: int, word: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": word, "details": list(details)}}


class GeminiStandIn(StandIn):
    """Moods: see ``_MOODS``, ``block:<REASON>``, ``finish:<REASON>`` and ``finish:<REASON>:with_picture``."""

    def __init__(self, mood: str = "ok", port: int = 0, delay: float = 0.0, keep: int = 500) -> None:
        self.keep = keep
        super().__init__(mood, port)
        self.delay = delay  # seconds before each answer; mood "slow" waits at least 1
        self.models: tuple[str, ...] = MODELS
        self.gate: threading.Event | None = None  # when there is one, answers wait for it
        self.result: tuple[bytes, str] | None = None  # what "ok" and "slow" give back instead of a drawn picture

    def settings(self, **more: Any) -> Gemini:
        """Settings that lead here; any value may be another one, even one that the configuration would refuse."""
        values: dict[str, Any] = {
            "api_key": SecretStr("key-of-the-tests"),
            "endpoint": self.url,
            "api_version": "v1beta",
            "model": MODELS[0],
            "timeout": 20_000,
            "image_size": "2K",
            "retry": Retry(max_attempts=3, backoff_multiplier=2, initial_delay=1000),
        }
        return Gemini.model_construct(**values | more)

    def counts(self, exchange: Exchange) -> bool:
        return exchange.path.split("?")[0].endswith(":generateContent")

    def answer(self, exchange: Exchange, mood: str) -> None:
        if not exchange.headers.get("x-goog-api-key"):
            exchange.reply_json(403, error_of(403, "PERMISSION_DENIED", "The request is missing a valid API key."))
        elif self.counts(exchange):
            self._wait(1.0 if mood == "slow" else 0.0)
            self._generate(exchange, mood)
        elif exchange.path.split("?")[0].endswith("/models"):
            self._list(exchange, mood)
        else:
            exchange.reply_json(404, error_of(404, "NOT_FOUND", "No such method."))

    def _wait(self, least: float) -> None:
        if self.gate is not None:
            self.gate.wait(30)
        if seconds := max(self.delay, least):
            self.stopping.wait(seconds)

    def _list(self, exchange: Exchange, mood: str) -> None:
        if mood in ("400", "500", "503", "hang", "cut"):
            _MOODS[mood](exchange, {})
        else:
            exchange.reply_json(200, {"models": [{"name": f"models/{name}"} for name in self.models]})

    def _generate(self, exchange: Exchange, mood: str) -> None:
        kind, _, word = mood.partition(":")
        if kind == "block":
            feedback = {"promptFeedback": {"blockReason": word}, "usageMetadata": USAGE, "modelVersion": MODELS[0]}
            exchange.reply_json(200, feedback)
        elif kind == "finish":
            name, _, extra = word.partition(":")
            parts = [part(picture())] if extra else []
            exchange.reply_json(200, answer_of(*parts, finish=name, finishMessage="a word about why"))
        elif self.result is not None and mood in ("ok", "slow"):
            exchange.reply_json(200, answer_of(part(*self.result)))
        else:
            _MOODS[mood](exchange, _parsed(exchange.body))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _asked_picture(request: dict[str, Any]) -> bytes:
    """A picture as asked: proportions and size of the request's imageConfig."""
    asked = request.get("generationConfig", {}).get("imageConfig", {})
    long_side = {"1K": 1024, "2K": 2048, "4K": 4096}[asked.get("imageSize", "1K")]
    return picture(asked.get("aspectRatio", "1:1"), long_side)


def _ok(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.reply_json(200, answer_of(part(_asked_picture(request))))


def _cut_body(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.head(200, 100_000)
    exchange.wfile.write(b'{"candidates": [{"content": ')
    exchange.cut()


def _parts(*parts: dict[str, Any], **more: Any) -> _Reply:
    return lambda exchange, request: exchange.reply_json(200, answer_of(*parts, **more))


def _json(status: int, value: Any, **headers: str) -> _Reply:
    return lambda exchange, request: exchange.reply_json(status, value, **headers)


def _raw(status: int, content: bytes, media_type: str = "application/json") -> _Reply:
    return lambda exchange, request: exchange.reply(status, content, media_type)


_RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{RETRY_SECONDS}s"}
_QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}
_BUSY = error_of(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.")
_TEXT = {"text": "I would rather not change this picture."}
_THOUGHT = part(picture("1:1", 64), thought=True)
_URLSAFE = base64.urlsafe_b64encode(picture()).decode().rstrip("=")

_MOODS: dict[str, _Reply] = {
    "ok": _ok,
    "slow": _ok,
    "drip": lambda exchange, request: exchange.drip(json.dumps(answer_of(part(picture()))).encode()),
    "hang": lambda exchange, request: exchange.hang(),
    "cut": lambda exchange, request: exchange.cut(),
    "cut_body": _cut_body,
    "400": _json(400, error_of(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")),
    "401": _json(401, error_of(401, "UNAUTHENTICATED", "API key not valid.")),
    "403": _json(403, error_of(403, "PERMISSION_DENIED", "The caller does not have permission.")),
    "404": _json(404, error_of(404, "NOT_FOUND", "models/gone is not found for API version v1beta.")),
    "413": _raw(413, b"<html>too large</html>", "text/html"),
    "429": _json(429, error_of(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", _QUOTA, _RETRY_INFO)),
    "429_header": _json(429, _BUSY, Retry_After="7"),
    "429_date": _json(429, _BUSY, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
    "429_bare": _json(429, _BUSY),
    "429_odd": _json(429, {"error": {"details": [{"retryDelay": 3}, "what"]}}, Retry_After="soon"),
    "500": _json(500, error_of(500, "INTERNAL", "An internal error has occurred.")),
    "503": _json(503, error_of(503, "UNAVAILABLE", "The model is overloaded."), Retry_After="4"),
    "504": _json(504, error_of(504, "DEADLINE_EXCEEDED", "The deadline has passed.")),
    "redirect": _json(307, {}, Location="http://127.0.0.1:9/elsewhere"),
    "html": _raw(502, b"<html><h1>Bad Gateway</h1></html>", "text/html"),
    "html_ok": _raw(200, b"<html>a captive portal</html>", "text/html"),
    "broken_json": _raw(200, b'{"candidates": [{"content": {"parts": ['),
    "broken_gzip": lambda exchange, request: exchange.reply(
        200, b"no gzip", "application/json", Content_Encoding="gzip"
    ),
    "deep_json": _raw(200, b'{"candidates": ' + b"[" * 100_000),
    "odd_shape": _json(200, {"candidates": "none", "usageMetadata": 7}),
    "urlsafe_base64": _json(200, answer_of({"inlineData": {"mime_type": "image/png", "data": _URLSAFE}})),
    "bad_base64": _json(200, answer_of({"inlineData": {"mimeType": "image/png", "data": "%%%"}})),
    "empty_body": _raw(200, b""),
    "empty": _json(200, {"candidates": [], "usageMetadata": USAGE}),
    "nothing": _json(200, {}),
    "no_parts": _parts(),
    "no_finish": _parts(part(picture()), finish=None),
    "text_only": _parts(_TEXT),
    "blank_text": _parts({"text": "  \n"}),
    "text_first": _parts({"text": "Here you are:"}, part(picture())),
    "thought": _parts({"text": "Let me think.", "thought": True}, _THOUGHT, part(picture())),
    "thought_last": _parts(part(picture()), _THOUGHT),
    "thought_only": _parts({"text": "Let me think.", "thought": True}, _THOUGHT),
    "several": _parts(part(picture("1:1", 64)), {"text": "or rather"}, part(picture())),
    "corrupt": _parts(part(BROKEN_PICTURE)),
    "empty_picture": _parts(part(b"")),
    "huge": _parts(part(b"\x89PNG" + bytes(HUGE_BYTES))),
    "wrong_type": _parts(part(b"%PDF-1.7", "application/pdf")),
    "odd_type": _parts(part(picture("1:1", 64, "GIF"), "image/gif")),
    "continuation": _json(200, answer_of(finish="CONTINUATION", continuationToken="YWJj")),
    "no_usage": _json(200, {"candidates": [{"content": {"parts": [part(picture())]}, "finishReason": "STOP"}]}),
    "odd_usage": _json(200, answer_of(part(picture()), usageMetadata={"promptTokenCount": "many"})),
}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=9001)
    options.add_argument("--mood", default="ok", help=f"one of {', '.join(_MOODS)}, block:…, finish:…")
    options.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    chosen = options.parse_args()
    with GeminiStandIn(chosen.mood, chosen.port, chosen.delay, keep=1) as stand_in:
        print(f"GEMINI_ENDPOINT={stand_in.url}", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            stand_in.stopping.wait()


if __name__ == "__main__":
    main()
