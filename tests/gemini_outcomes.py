"""What each mood of the stand-in comes to: the reason, what was spent, the wait that was asked for; or the picture."""

import dataclasses

from pixshift.domain.failures import FailureReason as Reason
from pixshift.gateways.ports import Usage
from tests.stand_ins.gemini_moods import (
    BLOCKS,
    BROKEN_PICTURE,
    HEIC,
    HUGE_BYTES,
    PIXELS,
    RETRY_SECONDS,
    SVG,
    picture,
    plain,
)

SPENT = Usage(1130, 1150, 2280, "gemini-nano-banana-2.1", "r-1")
UNCOUNTED = Usage(model_version=SPENT.model_version, response_id="r-1")
NOTHING = Usage()

BLOCKED = (
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR",
)  # fmt: skip
WITHOUT_PICTURE = (
    "NO_IMAGE", "IMAGE_OTHER", "OTHER", "CONTINUATION", "MAX_TOKENS", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "FINISH_REASON_UNSPECIFIED", "BRAND_NEW_FINISH",
)  # fmt: skip

# mood: the reason, what was spent, the seconds that the vendor asks for
FAILURES: dict[str, tuple[Reason, Usage, float | None]] = {
    "cut": (Reason.VENDOR_DOWN, NOTHING, None),
    "cut_body": (Reason.VENDOR_DOWN, NOTHING, None),
    "cut_chunk": (Reason.VENDOR_DOWN, NOTHING, None),
    "huge_headers": (Reason.VENDOR_DOWN, NOTHING, None),
    "400": (Reason.VENDOR_REFUSED, NOTHING, None),
    "401": (Reason.VENDOR_REFUSED, NOTHING, None),
    "403": (Reason.VENDOR_REFUSED, NOTHING, None),
    "404": (Reason.MODEL_GONE, NOTHING, None),
    "408": (Reason.TIMEOUT, NOTHING, None),
    "413": (Reason.VENDOR_REFUSED, NOTHING, None),
    "redirect": (Reason.VENDOR_REFUSED, NOTHING, None),
    "redirect_odd": (Reason.VENDOR_REFUSED, NOTHING, None),
    "429": (Reason.RATE_LIMITED, NOTHING, RETRY_SECONDS),
    "429_header": (Reason.RATE_LIMITED, NOTHING, 7.0),
    "429_date": (Reason.RATE_LIMITED, NOTHING, 3600.0),
    "429_past": (Reason.RATE_LIMITED, NOTHING, 0.0),
    "429_no_date": (Reason.RATE_LIMITED, NOTHING, None),
    "429_bare": (Reason.RATE_LIMITED, NOTHING, None),
    "429_negative": (Reason.RATE_LIMITED, NOTHING, 0.0),
    "429_enormous": (Reason.RATE_LIMITED, NOTHING, 3600.0),
    "429_nan": (Reason.RATE_LIMITED, NOTHING, None),
    "429_nan_header": (Reason.RATE_LIMITED, NOTHING, None),
    "429_odd": (Reason.RATE_LIMITED, NOTHING, None),
    "500": (Reason.VENDOR_DOWN, NOTHING, None),
    "500_list": (Reason.VENDOR_DOWN, NOTHING, None),
    "500_null": (Reason.VENDOR_DOWN, NOTHING, None),
    "500_text": (Reason.VENDOR_DOWN, NOTHING, None),
    "500_deep": (Reason.VENDOR_DOWN, NOTHING, None),
    "500_bytes": (Reason.VENDOR_DOWN, NOTHING, None),
    "500_gzip": (Reason.VENDOR_DOWN, NOTHING, None),
    "501": (Reason.VENDOR_DOWN, NOTHING, None),
    "503": (Reason.VENDOR_DOWN, NOTHING, 4.0),
    "504": (Reason.TIMEOUT, NOTHING, None),
    "html": (Reason.VENDOR_DOWN, NOTHING, None),
    "error_ok": (Reason.VENDOR_DOWN, NOTHING, None),
    "error_ok_busy": (Reason.RATE_LIMITED, NOTHING, 9.0),
    "error_ok_gone": (Reason.MODEL_GONE, NOTHING, None),
    "error_ok_text": (Reason.BAD_ANSWER, Usage(1130, 1150, 2280), None),
    "html_ok": (Reason.BAD_ANSWER, NOTHING, None),
    "broken_json": (Reason.BAD_ANSWER, NOTHING, None),
    "broken_gzip": (Reason.BAD_ANSWER, NOTHING, None),
    "gzip_bomb": (Reason.BAD_ANSWER, NOTHING, None),
    "bytes": (Reason.BAD_ANSWER, NOTHING, None),
    "deep_json": (Reason.BAD_ANSWER, NOTHING, None),
    "big_number": (Reason.BAD_ANSWER, NOTHING, None),
    "odd_shape": (Reason.BAD_ANSWER, NOTHING, None),
    "odd_shape_paid": (Reason.BAD_ANSWER, SPENT, None),
    "empty_body": (Reason.BAD_ANSWER, NOTHING, None),
    "bad_base64": (Reason.BAD_ANSWER, SPENT, None),
    "empty": (Reason.NO_IMAGE, Usage(1130, 1150, 2280), None),
    "nothing": (Reason.NO_IMAGE, NOTHING, None),
    "no_parts": (Reason.NO_IMAGE, SPENT, None),
    "blank_text": (Reason.NO_IMAGE, SPENT, None),
    "thought_only": (Reason.NO_IMAGE, SPENT, None),
    "empty_picture": (Reason.NO_IMAGE, SPENT, None),
    "wrong_type": (Reason.NO_IMAGE, SPENT, None),
    "link": (Reason.NO_IMAGE, SPENT, None),
    "continuation": (Reason.NO_IMAGE, SPENT, None),
    "text_only": (Reason.TEXT_ONLY, SPENT, None),
    "finish:MALFORMED_RESPONSE": (Reason.BAD_ANSWER, SPENT, None),
    "finish:LANGUAGE": (Reason.VENDOR_REFUSED, SPENT, None),
    "finish:PUP_LIMITED_DISABLED": (Reason.VENDOR_REFUSED, SPENT, None),
    "finish:SAFETY:with_picture": (Reason.PICTURE_BLOCKED, SPENT, None),
    "finish:BRAND_NEW_FINISH:with_picture": (Reason.NO_IMAGE, SPENT, None),
    "block:SAFETY:bare": (Reason.PROMPT_BLOCKED, Usage(model_version=SPENT.model_version), None),
    "block:OTHER:with_picture": (Reason.PROMPT_BLOCKED, SPENT, None),
    **{f"block:{word}": (Reason.PROMPT_BLOCKED, Usage(1130, 1150, 2280, SPENT.model_version), None) for word in BLOCKS},
    **{f"finish:{word}": (Reason.PICTURE_BLOCKED, SPENT, None) for word in BLOCKED},
    **{f"finish:{word}": (Reason.NO_IMAGE, SPENT, None) for word in WITHOUT_PICTURE},
}

PICTURES: dict[str, tuple[bytes, str, Usage]] = {
    "ok": (picture("3:2", 2048), "image/png", SPENT),
    "no_finish": (picture(), "image/png", SPENT),
    "finish:MAX_TOKENS:with_picture": (picture(), "image/png", SPENT),
    "finish:STOP:with_picture": (picture(), "image/png", SPENT),
    "text_first": (picture(), "image/png", SPENT),
    "thought": (picture(), "image/png", SPENT),
    "thought_last": (picture(), "image/png", SPENT),
    "several": (picture(), "image/png", SPENT),
    "urlsafe_base64": (picture(), "image/png", SPENT),
    "chunked": (picture(), "image/png", SPENT),
    "candidates": (picture(), "image/png", SPENT),
    "charset": (picture(), "image/png", SPENT),
    "other_type": (picture(), "image/jpeg", SPENT),
    "upper_type": (picture(), "IMAGE/PNG", SPENT),
    "pdf_type": (picture(), "application/pdf", SPENT),
    "no_type": (picture(), "", SPENT),
    "corrupt": (BROKEN_PICTURE, "image/png", SPENT),
    "odd_type": (picture("1:1", 64, "GIF"), "image/gif", SPENT),
    "truncated": (picture()[:-2000], "image/png", SPENT),
    "gif": (picture("1:1", 64, "GIF"), "image/png", SPENT),
    "svg": (SVG, "image/svg+xml", SPENT),
    "heic": (HEIC, "image/heic", SPENT),
    "html_picture": (b"<html><script>alert(1)</script></html>", "image/png", SPENT),
    "pixels": (plain(PIXELS["pixels"]), "image/png", SPENT),
    "pixels_over": (plain(PIXELS["pixels_over"]), "image/png", SPENT),
    "huge": (b"\x89PNG" + bytes(HUGE_BYTES), "image/png", SPENT),
    "no_usage": (picture(), "image/png", NOTHING),
    "odd_usage": (picture(), "image/png", UNCOUNTED),
    "usage_number": (picture(), "image/png", UNCOUNTED),
    "usage_huge": (picture(), "image/png", UNCOUNTED),
    "usage_negative": (picture(), "image/png", dataclasses.replace(UNCOUNTED, total_tokens=12)),
    "odd_names": (picture(), "image/png", Usage(1130, 1150, 2280)),
    "long_names": (picture(), "image/png", Usage(1130, 1150, 2280, "m" * 80, "r" * 80)),
}

# Of these only a decoder can say that there is nothing to show.
BROKEN = ("corrupt", "truncated", "huge", "odd_type", "gif", "svg", "heic", "html_picture", "pixels_over")
# Nothing comes in time; for a test they need a short deadline.
ENDLESS = ("drip", "drip_head", "hang", "hang_body")
