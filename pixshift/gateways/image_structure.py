"""How a JPEG, PNG or WebP file is put together, read without decoding a pixel and in a bounded number of steps.

Each walker gives a ``Structure`` or raises InvalidInput. It refuses what no honest camera or editor writes and what is
known to make decoders slow: hundreds of scans, text and colour profiles that inflate to megabytes, endless tiny chunks.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pixshift.domain import images

MAX_SCANS = 50  # encoders write 1 to 12; each one costs a pass over all blocks of the picture
MAX_PARTS = 20_000  # segments or chunks: PNG in 1 KB pieces stays far below
MAX_PROFILE = 4 * 1024 * 1024  # the largest profiles of printing presses have about 3 MB
MAX_INFLATED = 4 * 1024 * 1024  # all compressed text and profiles of a PNG together

_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_AFTER_SCAN = re.compile(rb"\xff(?![\x00\xd0-\xd7\xff])")  # neither a stuffed byte, nor a restart, nor padding
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {0xC0, 0xC1, 0xC2}
_RARE_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
_PIXELS = {b"IDAT", b"VP8 ", b"VP8L"}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}


@dataclass(slots=True)
class Structure:
    """Sides in pixels as stored; ``exif`` is the TIFF block without its prefix, ``xmp`` the packet."""

    width: int = 0
    height: int = 0
    exif: bytes = b""
    xmp: bytes = b""


def read(kind: str, data: bytes, name: str) -> Structure:
    """Walk a file of the format ``kind`` ("JPEG", "PNG", "WEBP"); raises InvalidInput that names the file."""
    walkers: dict[str, Callable[[bytes, str], Structure]] = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}
    structure = walkers[kind](data, name)
    if not structure.width or not structure.height:
        raise images.damaged(name)
    return structure


# --- JPEG -----------------------------------------------------------------------------------------------------------


def _jpeg(data: bytes, name: str) -> Structure:
    found = Structure()
    scans = profile = 0
    for marker, body in _segments(data, name):
        if marker in _RARE_FRAMES:
            raise images.unusual(name, "a rare kind of JPEG compression")
        if marker in _FRAMES:
            _jpeg_frame(found, body, name)
        elif marker == 0xDA:
            scans += 1
        elif marker == 0xE1:
            _jpeg_notes(found, body)
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\x00"):
            profile += len(body)
        if scans > MAX_SCANS or profile > MAX_PROFILE:
            raise images.unusual(name, "more scans or a larger colour profile than a photo has")
    if not scans:
        raise images.damaged(name)
    return found


def _segments(data: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    """Marker and content of every segment of the first picture in the file, up to its end marker."""
    position = 2
    for _ in range(MAX_PARTS):
        match = _MARKER.search(data, position)
        if match is None:
            raise images.incomplete(name)
        marker, position = match[1][0], match.end()
        if marker == 0xD9:
            return
        if marker in _NO_LENGTH:
            continue
        size = int.from_bytes(data[position : position + 2], "big")
        if position + size > len(data):
            raise images.incomplete(name)
        if size < 2:
            raise images.damaged(name)
        yield marker, data[position + 2 : position + size]
        position += size
        if marker == 0xDA:
            position = _end_of_scan(data, position, name)
    raise images.unusual(name, "thousands of parts")


def _end_of_scan(data: bytes, position: int, name: str) -> int:
    match = _AFTER_SCAN.search(data, position)
    if match is None or match.end() >= len(data):
        raise images.incomplete(name)
    return match.start()


def _jpeg_frame(found: Structure, body: bytes, name: str) -> None:
    if len(body) < 6 or found.width:
        raise images.damaged(name)
    precision, found.height, found.width, components = struct.unpack(">BHHB", body[:6])
    if precision != 8:
        raise images.unusual(name, f"{precision} bits per colour in a JPEG")
    if components not in (1, 3, 4):
        raise images.damaged(name)


def _jpeg_notes(found: Structure, body: bytes) -> None:
    if body.startswith(b"Exif\x00") and not found.exif:
        found.exif = body[6:]
    elif body.startswith(b"http://ns.adobe.com/xap/1.0/\x00"):
        found.xmp = body[29:]


# --- PNG ------------------------------------------------------------------------------------------------------------


def _png(data: bytes, name: str) -> Structure:
    found = Structure()
    kinds: set[bytes] = set()
    inflated = 0
    for kind, body in _chunks(data, 8, ">I4s", name):
        if (kind == b"IHDR") != (not kinds):
            raise images.damaged(name)
        kinds.add(kind)
        if kind == b"IHDR":
            _png_header(found, body, name)
        elif kind == b"acTL":
            raise images.animated(name)
        elif kind == b"eXIf":
            found.exif = body
        elif kind in (b"iCCP", b"zTXt", b"iTXt"):
            inflated += _inflated(found, kind, body)
        if inflated > MAX_INFLATED:
            raise images.unusual(name, "more text or a larger colour profile than a photo has")
        if kind == b"IEND":
            break
    if b"IEND" not in kinds:
        raise images.incomplete(name)
    if b"IDAT" not in kinds:
        raise images.damaged(name)
    return found


def _png_header(found: Structure, body: bytes, name: str) -> None:
    if len(body) != 13:
        raise images.damaged(name)
    found.width, found.height, depth, colour, *methods = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(colour, ()) or methods[:2] != [0, 0] or methods[2] > 1:
        raise images.damaged(name)


def _inflated(found: Structure, kind: bytes, body: bytes) -> int:
    """How many bytes a chunk of text or profile holds, found out without inflating more than the limit."""
    keyword, _, rest = body.partition(b"\x00")
    if kind == b"iTXt":
        is_compressed = rest[:1] == b"\x01"
        rest = rest[2:].partition(b"\x00")[2].partition(b"\x00")[2]
    else:
        is_compressed, rest = True, rest[1:]
    try:
        content = zlib.decompressobj().decompress(rest, MAX_INFLATED + 1) if is_compressed else rest
    except zlib.error:
        return MAX_INFLATED // 8  # decoders skip it, but each one may have cost that much
    if keyword == b"XML:com.adobe.xmp":
        found.xmp = content
    return len(content) if is_compressed else 0


def _chunks(data: bytes, position: int, head: str, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of every chunk; ``head`` is how length and name are packed, which also tells PNG from RIFF."""
    is_png = head.startswith(">")
    for _ in range(MAX_PARTS):
        if position + 8 > len(data):
            return
        first, second = struct.unpack_from(head, data, position)
        size, kind = (first, second) if is_png else (second, first)
        if position + 8 + size + (4 if is_png else 0) > len(data):
            raise images.incomplete(name)
        shown = min(size, 16) if kind in _PIXELS else size  # what is decoded elsewhere is not copied
        yield kind, data[position + 8 : position + 8 + shown]
        position += 8 + size + (4 if is_png else size % 2)
    raise images.unusual(name, "thousands of parts")


# --- WebP -----------------------------------------------------------------------------------------------------------


def _webp(data: bytes, name: str) -> Structure:
    length = int.from_bytes(data[4:8], "little") + 8
    if length > len(data):
        raise images.incomplete(name)
    found, canvas = Structure(), (0, 0)
    for kind, body in _chunks(data[:length], 12, "<4sI", name):
        if kind in (b"ANIM", b"ANMF") or (kind == b"VP8X" and body[:1] and body[0] & 2):
            raise images.animated(name)
        if kind == b"VP8X":
            canvas = _webp_canvas(body, name)
        elif kind in (b"VP8 ", b"VP8L") and not found.width:
            found.width, found.height = _webp_frame(kind, body, name)
        elif kind == b"EXIF":
            found.exif = body.removeprefix(b"Exif\x00\x00")
        elif kind == b"XMP ":
            found.xmp = body
        elif kind == b"ICCP" and len(body) > MAX_PROFILE:
            raise images.unusual(name, "a larger colour profile than a photo has")
    if canvas not in ((0, 0), (found.width, found.height)):
        raise images.damaged(name)
    return found


def _webp_canvas(body: bytes, name: str) -> tuple[int, int]:
    if len(body) < 10:
        raise images.damaged(name)
    return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1


def _webp_frame(kind: bytes, body: bytes, name: str) -> tuple[int, int]:
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) >= 10:
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise images.damaged(name)
