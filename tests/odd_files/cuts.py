"""Files that end too early: in every kind of part, and at the points of the pixel data that decoders treat apart."""

import random
import zlib
from collections.abc import Iterator

from tests.odd_files import building as b
from tests.odd_files.odd_file import IS_ANYTHING, IS_EITHER, IS_REFUSED, IS_WRONG_TYPE, OddFile, Verdict, accepted

_SIGNED = {"JPEG": 3, "PNG": 8, "WEBP": 12}  # so many bytes tell what kind of file it is
_FLIPS = 34


def bases(canary: bytes) -> dict[str, tuple[str, bytes]]:
    """Sound files that together have every kind of part; the first word of a name is the format."""
    noted = b.behind_start(
        b.with_exif("JPEG", b.upright(6)),
        b.segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + b.random.Random("profile").randbytes(600)),
        b.segment(0xFE, canary),
    )
    lettered = b.behind_header(
        b.encoded("PNG"),
        b.chunk(b"tEXt", b"Title\x00" + canary),
        b.chunk(b"zTXt", b"k\x00\x00" + zlib.compress(canary)),
    )
    found = {
        "JPEG baseline": b.encoded("JPEG"),
        "JPEG progressive": b.encoded("JPEG", progressive=True),
        "JPEG with restarts": b.encoded("JPEG", restart_marker_blocks=4),
        "JPEG grey": b.encoded("JPEG", mode="L"),
        "JPEG of a printer": b.encoded("JPEG", mode="CMYK"),
        "JPEG with notes": noted,
        "PNG colour": b.encoded("PNG"),
        "PNG palette": b.encoded("PNG", mode="P"),
        "PNG of 16 bits": b.png(110, 100, 16, 2),
        "PNG interlaced": b.png(110, 100, 8, 6, interlaced=True),
        "PNG with notes": lettered,
        "WEBP lossy": b.encoded("WEBP"),
        "WEBP lossless": b.encoded("WEBP", lossless=True),
        "WEBP transparent": b.saved(_see_through(), "WEBP"),
        "WEBP with notes": b.with_exif("WEBP", b.upright(3)),
    }
    return {name: (name.split()[0], data) for name, data in found.items()}


def _see_through() -> b.Image.Image:
    image = b.picture().convert("RGBA")
    image.putalpha(b.picture(mode="L"))
    return image


def files(canary: bytes) -> Iterator[OddFile]:
    for name, (kind, data) in bases(canary).items():
        for length in sorted(_points(kind, data)):
            verdict = IS_WRONG_TYPE if 0 < length < _SIGNED[kind] else IS_REFUSED
            yield OddFile(f"{name}, cut at {length} of {len(data)}", data[:length], verdict)
        yield from _closed(name, kind, data)
    yield from _second_pictures()


def _points(kind: str, data: bytes) -> set[int]:
    walk = {"JPEG": b.segments, "PNG": b.chunks, "WEBP": b.riff_chunks}[kind]
    points = {0, 1, 2, 3, 5, 8, 10, len(data) - 1, len(data) - 2}
    for _, start, end in walk(data):
        length = end - start
        points |= {start, start + 1, start + 3, start + 6, start + length // 2, end - 1}
        if length > 500:
            points |= {start + length // 10, start + length * 9 // 10, start + 64, end - 16}
    return {point for point in points if point < len(data)}


def _closed(name: str, kind: str, data: bytes) -> Iterator[OddFile]:
    """Pixels are missing, and yet the file is closed as if they were all there."""
    for percent in (10, 30, 50, 70):
        yield OddFile(f"{name}, {percent} % of its pixels, then closed", _close(kind, data, percent), IS_REFUSED)


def _close(kind: str, data: bytes, percent: int) -> bytes:
    if kind == "JPEG":
        start, end = b.find_segment(data, 0xDA)
        return data[: start + 20 + (end - start - 20) * percent // 100] + b.END
    if kind == "PNG":
        start = next(start for chunk, start, _ in b.chunks(data) if chunk == b"IDAT")
        rows = zlib.decompress(b"".join(data[s + 8 : e - 4] for chunk, s, e in b.chunks(data) if chunk == b"IDAT"))
        fewer = b.chunk(b"IDAT", zlib.compress(rows[: len(rows) * percent // 100]))
        return data[:start] + fewer + b.chunk(b"IEND", b"")
    parts = [(part, data[start:end]) for part, start, end in b.riff_chunks(data)]
    cut = (b.riff(p, body[8 : 8 + (len(body) - 8) * percent // 100]) if p[:3] == b"VP8" and p != b"VP8X" else body
           for p, body in parts)  # fmt: skip
    return b.webp(*cut)


def _second_pictures() -> Iterator[OddFile]:
    """A phone's file holds a second picture behind the photo; the photo alone is ours."""
    whole = b.saved(b.picture(), "MPO", save_all=True, append_images=[b.picture(120, 160)])
    first = whole.index(b"\xff\xd9\xff\xd8") + 2
    yield OddFile("MPO, whole", whole, accepted(160, 120), "IMG_0001.JPG")
    for share in (0, 1, 20, 50, 90, 99):
        end = first + (len(whole) - first) * share // 100
        yield OddFile(f"MPO, {share} % of its second picture", whole[:end], accepted(160, 120))
    for end in (first - 1, first - 2, first // 2, 700):
        yield OddFile(f"MPO, cut at {end} in its first picture", whole[:end], IS_REFUSED)


def flipped(canary: bytes) -> Iterator[OddFile]:
    """Bits, bytes and runs of bytes that changed on the way: half of them in the headers."""
    for name, (_, data) in bases(canary).items():
        dice = random.Random(f"flips of {name}")
        for number in range(_FLIPS):
            broken = bytearray(data)
            at = dice.randrange(min(700, len(data)) if number % 2 else len(data))
            if number % 3 == 0:
                broken[at] ^= 1 << dice.randrange(8)
            elif number % 3 == 1:
                broken[at] = dice.choice((0, 0xFF, 0x7F, 0x80))
            else:
                broken[at : at + 16] = dice.randbytes(min(16, len(data) - at))
            verdict: Verdict = IS_ANYTHING if at < 12 else IS_EITHER
            yield OddFile(f"{name}, flip {number} at {at}", bytes(broken), verdict)
