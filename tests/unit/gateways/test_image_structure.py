"""Files built by hand, to walk into every corner of the three formats."""

import struct
import zlib

import pytest

from pixshift.errors import InvalidInput
from pixshift.gateways import image_structure
from pixshift.gateways.image_structure import Structure

FRAME = struct.pack(">BHHB", 8, 300, 400, 1) + b"\x01\x11\x00"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg(*parts: bytes, scan: bytes = b"\x12\xff\x00\x34\xff\xd0\x56", end: bytes = b"\xff\xd9") -> bytes:
    return b"\xff\xd8" + b"".join(parts) + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + scan + end


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*parts: bytes, header: tuple[int, ...] = (400, 300, 8, 2, 0, 0, 0)) -> bytes:
    first = chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    return b"\x89PNG\r\n\x1a\n" + first + b"".join(parts)


def riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)


def webp(*parts: bytes) -> bytes:
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


LOSSY = riff(b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 400, 300) + b"\x00" * 9)
LOSSLESS = riff(b"VP8L", b"\x2f" + struct.pack("<I", 399 | 299 << 14) + b"\x00")
PIXELS = (chunk(b"IDAT", b"x"), chunk(b"IEND", b""))


def canvas(width: int = 400, height: int = 300, flags: int = 0) -> bytes:
    return riff(
        b"VP8X", struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("JPEG", jpeg(segment(0xC0, FRAME))),
        ("JPEG", jpeg(segment(0xE1, b"Exif\x00\x00\xff\xd8\xff\xd9 a small picture"), segment(0xC2, FRAME))),
        ("JPEG", jpeg(b"\xff\xff\xff", segment(0xC0, FRAME), scan=b"\xff\xff\xd9")),
        ("JPEG", jpeg(segment(0xC0, FRAME)) + b"\xff\xda" * 500),
        ("PNG", png(*PIXELS)),
        ("PNG", png(chunk(b"zTXt", b"k\x00\x00not compressed"), *PIXELS)),
        ("WEBP", webp(LOSSY)),
        ("WEBP", webp(LOSSLESS)),
        ("WEBP", webp(canvas(), LOSSY, riff(b"ODD ", b"x"), riff(b"EXIF", b"II"))),
    ],
)
def test_sides_are_read_where_the_format_keeps_them(kind: str, data: bytes) -> None:
    structure = image_structure.read(kind, data, "a")

    assert (structure.width, structure.height) == (400, 300)


def test_notes_are_found() -> None:
    notes = (segment(0xE1, b"Exif\x00\x00II*"), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x/>"))
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + zlib.compress(b"<x/>"))
    expected = Structure(400, 300, b"II*", b"<x/>")

    assert image_structure.read("JPEG", jpeg(*notes, segment(0xC0, FRAME)), "a") == expected
    assert image_structure.read("PNG", png(text, chunk(b"eXIf", b"II*"), *PIXELS), "a") == expected
    assert image_structure.read("WEBP", webp(LOSSY, riff(b"EXIF", b"II*"), riff(b"XMP ", b"<x/>")), "a") == expected


ICC = segment(0xE2, b"ICC_PROFILE\x00" + b"x" * 65_000)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("JPEG", b"\xff\xd8\xff", "incomplete"),
        ("JPEG", jpeg(segment(0xC0, FRAME), end=b""), "incomplete"),
        ("JPEG", jpeg(segment(0xC0, FRAME), end=b"\xff"), "incomplete"),
        ("JPEG", b"\xff\xd8" + segment(0xC0, FRAME) + b"\xff\xd9", "damaged"),
        ("JPEG", jpeg(), "damaged"),
        ("JPEG", jpeg(segment(0xC0, FRAME), segment(0xC0, FRAME)), "damaged"),
        ("JPEG", jpeg(segment(0xC0, FRAME[:4])), "damaged"),
        ("JPEG", jpeg(segment(0xC0, struct.pack(">BHHB", 8, 0, 400, 1))), "damaged"),
        ("JPEG", jpeg(segment(0xC0, struct.pack(">BHHB", 8, 300, 400, 2))), "damaged"),
        ("JPEG", b"\xff\xd8\xff\xe0\x00\x01" + jpeg(segment(0xC0, FRAME)), "damaged"),
        ("JPEG", jpeg(segment(0xC1, struct.pack(">BHHB", 12, 300, 400, 1))), "12 bits"),
        ("JPEG", jpeg(segment(0xC9, FRAME)), "rare kind"),
        ("JPEG", jpeg(*[ICC] * 70, segment(0xC0, FRAME)), "colour profile"),
        ("JPEG", jpeg(*[segment(0xFE, b"")] * 20_001, segment(0xC0, FRAME)), "thousands of parts"),
        ("PNG", b"\x89PNG\r\n\x1a\n", "incomplete"),
        ("PNG", png(PIXELS[0]), "incomplete"),
        ("PNG", png(PIXELS[0][:-1]), "incomplete"),
        ("PNG", png(PIXELS[1]), "damaged"),
        ("PNG", png(*PIXELS, header=(0, 300, 8, 2, 0, 0, 0)), "damaged"),
        ("PNG", png(*PIXELS, header=(400, 300, 4, 2, 0, 0, 0)), "damaged"),
        ("PNG", png(*PIXELS, header=(400, 300, 8, 5, 0, 0, 0)), "damaged"),
        ("PNG", png(*PIXELS, header=(400, 300, 8, 2, 0, 0, 2)), "damaged"),
        ("PNG", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"short") + PIXELS[1], "damaged"),
        ("PNG", png(chunk(b"IHDR", b"x" * 13), *PIXELS), "damaged"),
        ("PNG", png(chunk(b"acTL", b"x" * 8), *PIXELS), "animated"),
        ("PNG", png(*[chunk(b"zTXt", b"k\x00\x00broken")] * 9, *PIXELS), "more text"),
        ("WEBP", b"RIFF\xff\x00\x00\x00WEBP", "incomplete"),
        ("WEBP", webp(), "damaged"),
        ("WEBP", webp(riff(b"VP8 ", b"\x00" * 10)), "damaged"),
        ("WEBP", webp(riff(b"VP8L", b"\x00" * 5)), "damaged"),
        ("WEBP", webp(riff(b"VP8X", b"\x00" * 4), LOSSY), "damaged"),
        ("WEBP", webp(canvas(4000, 3000), LOSSY), "damaged"),
        ("WEBP", webp(canvas(flags=2), LOSSY), "animated"),
        ("WEBP", webp(canvas(), riff(b"ANMF", b"x"), LOSSY), "animated"),
        ("WEBP", webp(canvas(), riff(b"ICCP", b"x" * (4 * 1024 * 1024 + 1)), LOSSY), "colour profile"),
    ],
)
def test_what_no_camera_writes_is_refused_by_name(kind: str, data: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        image_structure.read(kind, data, "IMG_1")

    assert refused.value.message.startswith("IMG_1 ")
    assert refused.value.details["field"] == "image"
