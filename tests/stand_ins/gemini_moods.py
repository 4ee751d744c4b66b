"""Every way in which Gemini may answer a call: one row of ``MOODS`` each, and the pieces answers are made of."""

import base64
import functools
import io
import json
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image

from tests.stand_ins.server import Exchange

MODELS = ("gemini-nano-banana-2.1", "gemini-3.1-flash-lite-image", "gemini-3-pro-image", "gemini-3.8-flash")
USAGE = {"promptTokenCount": 1130, "candidatesTokenCount": 1120, "thoughtsTokenCount": 30, "totalTokenCount": 2280}
BLOCKS = ("SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR", "JAILBREAK", "NEW_BLOCK")
RETRY_SECONDS = 13.5
HUGE_BYTES = 24 * 1024 * 1024
BROKEN_PICTURE = b"\x89PNG\r\n\x1a\n" + b"this is no picture" * 20
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64"/></svg>'
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)
PIXELS = {"pixels": (10_000, 5_000), "pixels_over": (10_000, 5_001)}  # at 50 megapixels, and one row more
Reply = Callable[[Exchange, dict[str, Any]], None]


# --- pieces ---------------------------------------------------------------------------------------------------------


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


@functools.cache
def plain(size: tuple[int, int]) -> bytes:
    """A PNG of one colour, quick to make however large."""
    buffer = io.BytesIO()
    Image.new("L", size, 90).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@functools.cache
def bomb(gigabytes: int = 4) -> bytes:
    """Some MB of gzip that inflate to as many gigabytes: one compressed block over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(16 * 1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + block * (gigabytes * 64)


def part(data: bytes, media_type: str = "image/png", **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}, **more}


def candidate_of(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, **more}
    if parts:
        candidate["content"] = {"role": "model", "parts": list(parts)}
    if finish:
        candidate["finishReason"] = finish
    return candidate


def answer_of(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidates = [candidate_of(*parts, finish=finish)]
    return {"candidates": candidates, "usageMetadata": USAGE, "modelVersion": MODELS[0], "responseId": "r-1", **more}


def error_of(status: int, word: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": word, "details": list(details)}}


def blocked(word: str) -> dict[str, Any]:
    """``SAFETY``: a blocked prompt; ``SAFETY:bare`` without usage, ``SAFETY:with_picture`` with one."""
    word, _, extra = word.partition(":")
    answer: dict[str, Any] = answer_of(part(picture())) if extra == "with_picture" else {"modelVersion": MODELS[0]}
    answer |= {} if extra == "bare" else {"usageMetadata": USAGE}
    return answer | {"promptFeedback": {"blockReason": word, "blockReasonMessage": "a word about why"}}


def finished(word: str) -> dict[str, Any]:
    """``SAFETY``: the model stopped for this reason; ``SAFETY:with_picture`` with one all the same."""
    word, _, extra = word.partition(":")
    parts = [part(picture())] if extra else []
    return answer_of() | {"candidates": [candidate_of(*parts, finish=word, finishMessage="a word about why")]}


# --- how it goes over the wire --------------------------------------------------------------------------------------


def _asked_picture(request: dict[str, Any]) -> bytes:
    """A picture as asked: proportions and size of the request's imageConfig."""
    asked = request.get("generationConfig", {}).get("imageConfig", {})
    long_side = {"1K": 1024, "2K": 2048, "4K": 4096}[asked.get("imageSize", "1K")]
    return picture(asked.get("aspectRatio", "1:1"), long_side)


def _ok(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.reply_json(200, answer_of(part(_asked_picture(request))))


def _drip(exchange: Exchange, request: dict[str, Any]) -> None:
    content = json.dumps(answer_of(part(picture()))).encode()
    exchange.head(200, len(content))
    exchange.drip(content)


def _drip_head(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Patience: " + b"a" * 1000)


def _hang_body(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.head(200, 100_000)
    exchange.hang()


def _cut_body(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.head(200, 100_000)
    exchange.wfile.write(b'{"candidates": [{"content": ')
    exchange.cut()


def _cut_chunk(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.head(200, None)
    exchange.chunk(b'{"candidates": [{"content": ')
    exchange.wfile.write(b"ffff\r\nnot all of it")
    exchange.cut()


def _chunked(exchange: Exchange, request: dict[str, Any]) -> None:
    content = json.dumps(answer_of(part(picture()))).encode()
    exchange.head(200, None)
    for start in range(0, len(content), 1000):
        exchange.chunk(content[start : start + 1000])
    exchange.chunk(b"")


def _bomb(exchange: Exchange, request: dict[str, Any]) -> None:
    exchange.reply(200, bomb(), Content_Encoding="gzip")


def _parts(*parts: dict[str, Any], **more: Any) -> Reply:
    return lambda exchange, request: exchange.reply_json(200, answer_of(*parts, **more))


def _json(status: int, value: Any, **headers: str) -> Reply:
    return lambda exchange, request: exchange.reply_json(status, value, **headers)


def _raw(status: int, content: bytes, media_type: str = "application/json", **headers: str) -> Reply:
    return lambda exchange, request: exchange.reply(status, content, media_type, **headers)


def _pixels(name: str) -> Reply:
    return lambda exchange, request: exchange.reply_json(200, answer_of(part(plain(PIXELS[name]))))


def _busy(delay: Any) -> dict[str, Any]:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return error_of(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", _QUOTA, info)


_QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}
_BUSY = error_of(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.")
_OVERLOADED = error_of(503, "UNAVAILABLE", "The model is overloaded.")
_TEXT = {"text": "I would rather not change this picture."}
_THOUGHT = part(picture("1:1", 64), thought=True)
_PICTURE = part(picture())
_URLSAFE = base64.urlsafe_b64encode(picture()).decode().rstrip("=")
_DEEP = b'{"candidates": ' + b"[" * 100_000


def _with_usage(value: Any) -> Reply:
    return _json(200, answer_of(_PICTURE, usageMetadata=value))


MOODS: dict[str, Reply] = {
    "ok": _ok,
    "slow": _ok,
    "chunked": _chunked,
    # nothing comes, or not all
    "drip": _drip,
    "drip_head": _drip_head,
    "hang": lambda exchange, request: exchange.hang(),
    "hang_body": _hang_body,
    "cut": lambda exchange, request: exchange.cut(),
    "cut_body": _cut_body,
    "cut_chunk": _cut_chunk,
    # refusals
    "400": _json(400, error_of(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")),
    "401": _json(401, error_of(401, "UNAUTHENTICATED", "API key not valid.")),
    "403": _json(403, error_of(403, "PERMISSION_DENIED", "The caller does not have permission.")),
    "404": _json(404, error_of(404, "NOT_FOUND", "models/gone is not found for API version v1beta.")),
    "408": _raw(408, b""),
    "413": _raw(413, b"<html>too large</html>", "text/html"),
    "429": _json(429, _busy(f"{RETRY_SECONDS}s")),
    "429_header": _json(429, _BUSY, Retry_After="7"),
    "429_date": _json(429, _BUSY, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"),
    "429_past": _json(429, _BUSY, Retry_After="Mon, 01 Jan 0001 00:00:00 -0000"),
    "429_no_date": _json(429, _BUSY, Retry_After="Mon, 99999999999999999999 Jan 2099 00:00:00 GMT"),
    "429_bare": _json(429, _BUSY),
    "429_negative": _json(429, _busy("-20s")),
    "429_enormous": _json(429, _busy("1" + "0" * 400 + "s")),
    "429_nan": _json(429, _busy("nans")),
    "429_nan_header": _json(429, _BUSY, Retry_After="nan"),
    "429_odd": _json(429, {"error": {"details": [{"retryDelay": 3}, "what"]}}, Retry_After="soon"),
    "500": _json(500, error_of(500, "INTERNAL", "An internal error has occurred.")),
    "500_list": _json(500, [error_of(500, "INTERNAL", "An internal error has occurred."), {}]),
    "500_null": _json(500, None),
    "500_text": _json(500, {"error": "out of order"}),
    "500_deep": _raw(500, _DEEP),
    "500_bytes": _raw(500, b"\xff\xfe\x00\xd8" * 100),
    "500_gzip": _raw(500, b"no gzip", Content_Encoding="gzip"),
    "501": _raw(501, b""),
    "503": _json(503, _OVERLOADED, Retry_After="4"),
    "504": _json(504, error_of(504, "DEADLINE_EXCEEDED", "The deadline has passed.")),
    "redirect": _json(307, {}, Location="http://127.0.0.1:9/elsewhere"),
    "redirect_odd": _json(302, {}, Location="http://[::1"),
    "html": _raw(502, b"<html><h1>Bad Gateway</h1></html>", "text/html"),
    # 200 and not to be read
    "error_ok": _json(200, _OVERLOADED),
    "error_ok_busy": _json(200, _busy("9s")),
    "error_ok_gone": _json(200, error_of(404, "NOT_FOUND", "models/gone is not found.")),
    "error_ok_text": _json(200, {"error": "out of order", "usageMetadata": USAGE}),
    "html_ok": _raw(200, b"<html>a captive portal</html>", "text/html"),
    "broken_json": _raw(200, b'{"candidates": [{"content": {"parts": ['),
    "broken_gzip": _raw(200, b"no gzip", Content_Encoding="gzip"),
    "gzip_bomb": _bomb,
    "big_number": _raw(200, b'{"candidates": ' + b"9" * 10_000 + b"}"),
    "charset": _raw(200, json.dumps(answer_of(_PICTURE)).encode(), "application/json; charset=no-such"),
    "bytes": _raw(200, b"\xff\xfe\x00\xd8" * 100),
    "deep_json": _raw(200, _DEEP),
    "huge_headers": _raw(200, b"{}", X_Filler="a" * 300_000),
    "odd_shape": _json(200, {"candidates": "none", "usageMetadata": 7}),
    "odd_shape_paid": _json(200, answer_of() | {"candidates": [None]}),
    "empty_body": _raw(200, b""),
    "bad_base64": _json(200, answer_of({"inlineData": {"mimeType": "image/png", "data": "%%%"}})),
    # no picture
    "empty": _json(200, {"candidates": [], "usageMetadata": USAGE}),
    "nothing": _json(200, {}),
    "no_parts": _parts(),
    "text_only": _parts(_TEXT),
    "blank_text": _parts({"text": "  \n"}),
    "thought_only": _parts({"text": "Let me think.", "thought": True}, _THOUGHT),
    "empty_picture": _parts(part(b"")),
    "link": _parts({"fileData": {"mimeType": "image/png", "fileUri": "http://127.0.0.1:9/picture.png"}}),
    "wrong_type": _parts(part(b"%PDF-1.7", "application/pdf")),
    "continuation": _json(200, answer_of(finish="CONTINUATION", continuationToken="YWJj")),
    # a picture
    "no_finish": _parts(_PICTURE, finish=None),
    "urlsafe_base64": _json(200, answer_of({"inlineData": {"mime_type": "image/png", "data": _URLSAFE}})),
    "text_first": _parts({"text": "Here you are:"}, _PICTURE),
    "thought": _parts({"text": "Let me think.", "thought": True}, _THOUGHT, _PICTURE),
    "thought_last": _parts(_PICTURE, _THOUGHT),
    "several": _parts(part(picture("1:1", 64)), {"text": "or rather"}, _PICTURE),
    "candidates": _json(200, answer_of() | {"candidates": [candidate_of(_PICTURE), candidate_of(_TEXT)]}),
    "other_type": _parts(part(picture(), "image/jpeg")),
    "upper_type": _parts(part(picture(), "IMAGE/PNG")),
    "pdf_type": _parts(part(picture(), "application/pdf")),
    "no_type": _parts({"inlineData": {"mimeType": None, "data": _PICTURE["inlineData"]["data"]}}),
    "pixels": _pixels("pixels"),
    "no_usage": _json(200, {"candidates": [candidate_of(_PICTURE)]}),
    "odd_usage": _with_usage({"promptTokenCount": "many", "candidatesTokenCount": 2.5, "totalTokenCount": True}),
    "usage_number": _with_usage(7),
    "usage_huge": _with_usage({"promptTokenCount": 2**31, "candidatesTokenCount": 2**31 - 1, "thoughtsTokenCount": 9}),
    "usage_negative": _with_usage({"promptTokenCount": -1, "candidatesTokenCount": -5, "totalTokenCount": 12}),
    "odd_names": _json(200, answer_of(_PICTURE, modelVersion=["m"], responseId="r\x00")),
    "long_names": _json(200, answer_of(_PICTURE, modelVersion="m" * 500, responseId="r" * 500)),
    # what looks like one
    "corrupt": _parts(part(BROKEN_PICTURE)),
    "truncated": _parts(part(picture()[:-2000])),
    "huge": _parts(part(b"\x89PNG" + bytes(HUGE_BYTES))),
    "odd_type": _parts(part(picture("1:1", 64, "GIF"), "image/gif")),
    "gif": _parts(part(picture("1:1", 64, "GIF"))),
    "svg": _parts(part(SVG, "image/svg+xml")),
    "heic": _parts(part(HEIC, "image/heic")),
    "html_picture": _parts(part(b"<html><script>alert(1)</script></html>")),
    "pixels_over": _pixels("pixels_over"),
}  # fmt: skip
