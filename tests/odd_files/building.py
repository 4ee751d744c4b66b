"""The bricks: small sound pictures, and the segments, chunks and blocks of which the three formats are made."""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
END = b"\xff\xd9"


@cache
def picture(width: int = 160, height: int = 120, mode: str = "RGB") -> Image.Image:
    """Soft patches of colour, always the same ones."""
    patches = random.Random(f"{width} {height}").randbytes(16 * 12 * 3)
    return Image.frombytes("RGB", (16, 12), patches).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


@cache
def encoded(kind: str, width: int = 160, height: int = 120, mode: str = "RGB", **options: Any) -> bytes:
    return saved(picture(width, height, mode), kind, **options)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# --- JPEG -----------------------------------------------------------------------------------------------------------


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment; that of a scan ends where the next marker begins."""
    position = 2
    while jpeg[position + 1] != 0xD9:
        marker, start = jpeg[position + 1], position
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
        if marker == 0xDA:
            while jpeg[position] != 0xFF or jpeg[position + 1] in (0, *range(0xD0, 0xD8)):
                position += 1
        yield marker, start, position


def find_segment(jpeg: bytes, *markers: int) -> tuple[int, int]:
    """Start and end of the first segment of one of these kinds."""
    return next((start, end) for marker, start, end in segments(jpeg) if marker in markers)


def frame_at(jpeg: bytes) -> int:
    """Where the frame header's content begins: depth, height, width, components."""
    return find_segment(jpeg, 0xC0, 0xC1, 0xC2)[0] + 4


def behind_start(jpeg: bytes, *parts: bytes) -> bytes:
    return jpeg[:2] + b"".join(parts) + jpeg[2:]


def replaced(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


# --- PNG ------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = 2, *methods: int) -> bytes:
    compression, filtering, interlace = methods or (0, 0, 0)
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, filtering, interlace))


def chunks(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk."""
    position = 8
    while position < len(png):
        end = position + 12 + int.from_bytes(png[position : position + 4], "big")
        yield png[position + 4 : position + 8], position, end
        position = end


def behind_header(png: bytes, *parts: bytes) -> bytes:
    return png[:33] + b"".join(parts) + png[33:]


def raw_rows(width: int, height: int, bits: int, seed: str) -> bytes:
    """Lines of noise, none of them filtered."""
    length, noise = (width * bits + 7) // 8, random.Random(seed)
    return b"".join(b"\x00" + noise.randbytes(length) for _ in range(height))


@cache
def png(width: int, height: int, depth: int, colour: int, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """A PNG of any kind there is, with noise in it and ``extra`` chunks before its pixels."""
    bits, seed = depth * CHANNELS[colour], f"{width} {height} {depth} {colour}"
    if interlaced:
        passes = [(-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in ADAM7]
        rows = b"".join(raw_rows(*sides, bits, seed) for sides in passes if min(sides) > 0)
    else:
        rows = raw_rows(width, height, bits, seed)
    palette = chunk(b"PLTE", random.Random(seed).randbytes(3 << depth)) if colour == 3 else b""
    parts = (palette, extra, chunk(b"IDAT", zlib.compress(rows, 1)), chunk(b"IEND", b""))
    return SIGNATURE + header(width, height, depth, colour, 0, 0, int(interlaced)) + b"".join(parts)


# --- WebP -----------------------------------------------------------------------------------------------------------


def riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)


def webp(*parts: bytes) -> bytes:
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    sides = (side - 1 for side in (width, height))
    return riff(b"VP8X", struct.pack("<I", flags) + b"".join(side.to_bytes(3, "little") for side in sides))


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk, with its padding."""
    position = 12
    while position < len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        yield data[position : position + 4], position, position + 8 + size + size % 2
        position += 8 + size + size % 2


# --- what is written beside the pixels --------------------------------------------------------------------------------


def tiff(*entries: tuple[int, int, int, bytes], order: str = "<", behind: bytes = b"", following: int = 0) -> bytes:
    """An EXIF block: tag, type, count and the four bytes of each entry, then whatever they point at (from 14 + 12n)."""
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    lines = b"".join(struct.pack(order + "HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    start = mark + struct.pack(order + "IH", 8, len(entries))
    return start + lines + struct.pack(order + "I", following) + behind


def upright(orientation: int, order: str = "<") -> bytes:
    return tiff((0x0112, 3, 1, struct.pack(order + "HH", orientation, 0)), order=order)


def with_exif(kind: str, block: bytes, width: int = 160, height: int = 120, **options: Any) -> bytes:
    """A sound picture that carries this EXIF block."""
    data = encoded(kind, width, height, **options)
    if kind == "JPEG":
        return behind_start(data, segment(0xE1, b"Exif\x00\x00" + block))
    if kind == "PNG":
        return behind_header(data, chunk(b"eXIf", block))
    return webp(canvas(width, height, 8), data[12:], riff(b"EXIF", block))


def with_xmp(kind: str, packet: bytes) -> bytes:
    data = encoded(kind)
    if kind == "JPEG":
        return behind_start(data, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + packet))
    if kind == "PNG":
        return behind_header(data, chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + packet))
    return webp(canvas(160, 120, 4), data[12:], riff(b"XMP ", packet))


def with_profile(kind: str, profile: bytes) -> bytes:
    data = encoded(kind)
    if kind == "JPEG":
        return behind_start(data, segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + profile))
    if kind == "PNG":
        return behind_header(data, chunk(b"iCCP", b"p\x00\x00" + zlib.compress(profile)))
    return webp(canvas(160, 120, 32), riff(b"ICCP", profile), data[12:])
