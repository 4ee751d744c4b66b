"""Headers that do not tell the truth: sides, depths, counts, lengths, order, check sums."""

import struct
import zlib
from collections.abc import Iterator

from tests.odd_files import building as b
from tests.odd_files.odd_file import IS_EITHER, IS_REFUSED, OddFile, accepted

_OUTSIDE = (0, 1, 99, 5001, 16383, 65535)


def files(_canary: bytes) -> Iterator[OddFile]:
    yield from _jpeg_sides()
    yield from _jpeg_parts()
    yield from _png_headers()
    yield from _png_parts()
    yield from _webp()


def _jpeg_sides() -> Iterator[OddFile]:
    for name, data in (
        ("baseline", b.encoded("JPEG")), ("progressive", b.encoded("JPEG", progressive=True)),
        ("grey", b.encoded("JPEG", mode="L")),
    ):  # fmt: skip
        at = b.frame_at(data)
        for value in _OUTSIDE:
            for side, place in (("height", at + 1), ("width", at + 3)):
                lie = b.replaced(data, place, struct.pack(">H", value))
                yield OddFile(f"JPEG {name} says {side} {value}", lie, IS_REFUSED)
        for width, height, verdict in (
            (160, 240, IS_REFUSED), (160, 1200, IS_REFUSED), (320, 120, IS_REFUSED), (5000, 5000, IS_REFUSED),
            (160, 100, IS_EITHER), (144, 120, IS_EITHER), (120, 160, IS_EITHER), (161, 121, IS_EITHER),
        ):  # fmt: skip
            lie = b.replaced(data, at + 1, struct.pack(">HH", height, width))
            # A progressive file has no fixed number of bytes for its blocks, so that some lies cannot be seen.
            yield OddFile(f"JPEG {name} says {width} × {height}", lie, IS_EITHER if name != "baseline" else verdict)


def _jpeg_parts() -> Iterator[OddFile]:
    data = b.encoded("JPEG")
    at = b.frame_at(data)
    for depth in (0, 1, 2, 7, 9, 12, 16, 255):
        yield OddFile(f"JPEG of {depth} bits", b.replaced(data, at, bytes((depth,))), IS_REFUSED)
    for count in (0, 1, 2, 4, 5, 255):
        yield OddFile(
            f"JPEG of {count} components in three's space", b.replaced(data, at + 5, bytes((count,))), IS_REFUSED
        )
    for sampling in (0x00, 0x11, 0x15, 0x44, 0x51, 0xFF):
        lie = b.replaced(data, at + 7, bytes((sampling,)))
        yield OddFile(f"JPEG with sampling {sampling:02x}", lie, IS_REFUSED if sampling != 0x11 else IS_EITHER)
    for table in (4, 9, 255):
        yield OddFile(f"JPEG with table {table}", b.replaced(data, at + 8, bytes((table,))), IS_REFUSED)
    for marker in (0xDB, 0xC4, 0xC0, 0xDA):
        start, end = b.find_segment(data, marker)
        # Moving JPEG leaves its Huffman tables out, because everybody knows them: such a still is whole without.
        without = accepted(160, 120) if marker == 0xC4 else IS_REFUSED
        yield OddFile(f"JPEG without {marker:02x}", data[:start] + data[end:], without)
        for size in (0, 1, 2, 3, 65535):
            lie = b.replaced(data, start + 2, struct.pack(">H", size))
            verdict = IS_EITHER if (marker, size) == (0xC4, 2) else IS_REFUSED
            yield OddFile(f"JPEG whose {marker:02x} says length {size}", lie, verdict)
        for more in (-1, 1, 7):
            lie = b.replaced(
                data, start + 2, struct.pack(">H", int.from_bytes(data[start + 2 : start + 4], "big") + more)
            )
            yield OddFile(f"JPEG whose {marker:02x} lies by {more}", lie, IS_EITHER)
    frame = data[slice(*b.find_segment(data, 0xC0))]
    scan = data[slice(*b.find_segment(data, 0xDA))]
    start = b.find_segment(data, 0xDA)[0]
    yield OddFile("JPEG with two frames", data[:start] + frame + data[start:], IS_REFUSED)
    yield OddFile("JPEG whose frame follows its scan", data.replace(frame, b"")[:-2] + frame + b.END, IS_REFUSED)
    yield OddFile("JPEG with its scan twice", data[:-2] + scan + b.END, IS_EITHER)
    yield OddFile("JPEG that starts twice", b"\xff\xd8" + data, IS_EITHER)
    yield OddFile(
        "JPEG with filling between its parts", data.replace(b"\xff\xdb", b"\xff\xff\xff\xff\xdb"), accepted(160, 120)
    )
    yield OddFile("JPEG with a height to come", b.replaced(data, at + 1, b"\x00\x00")[:-2]
                  + b"\xff\xdc\x00\x04\x00\x78" + b.END, IS_REFUSED)  # fmt: skip
    gap = data[:20] + b"\x12\x34\x56" + data[20:]
    yield OddFile("JPEG with a gap between its parts", gap, accepted(160, 120))
    yield OddFile("JPEG with a gap and half of its pixels", gap[: len(gap) * 2 // 3] + b.END, IS_REFUSED)
    restarting = b.encoded("JPEG", restart_marker_blocks=4)
    yield OddFile("JPEG that lost a restart", restarting.replace(b"\xff\xd3", b"", 1), IS_REFUSED)
    yield OddFile("JPEG with restarts it does not have", b.behind_start(data, b"\xff\xdd\x00\x04\x00\x04"), IS_REFUSED)


def _png_headers() -> Iterator[OddFile]:
    data = b.encoded("PNG")
    rest = data[33:]
    for value in (*_OUTSIDE, 2**31 - 1, 2**31, 2**32 - 1):
        yield OddFile(f"PNG says width {value}", b.SIGNATURE + b.header(value, 120) + rest, IS_REFUSED)
        yield OddFile(f"PNG says height {value}", b.SIGNATURE + b.header(160, value) + rest, IS_REFUSED)
    for width, height in ((160, 121), (160, 5000), (161, 120), (5000, 5000), (320, 240)):
        yield OddFile(f"PNG says {width} × {height}", b.SIGNATURE + b.header(width, height) + rest, IS_REFUSED)
    for width, height in ((160, 119), (159, 120), (100, 100)):
        yield OddFile(f"PNG says {width} × {height}", b.SIGNATURE + b.header(width, height) + rest, IS_EITHER)
    for depth in (0, 1, 2, 3, 4, 5, 7, 9, 12, 17, 32, 255):
        yield OddFile(f"PNG colour of {depth} bits", b.SIGNATURE + b.header(160, 120, depth) + rest, IS_REFUSED)
    for colour in (1, 5, 7, 8, 255):
        yield OddFile(f"PNG of colour kind {colour}", b.SIGNATURE + b.header(160, 120, 8, colour) + rest, IS_REFUSED)
    yield OddFile("PNG that says it has a palette", b.SIGNATURE + b.header(160, 120, 8, 3) + rest, IS_REFUSED)
    yield OddFile("PNG that says it is transparent", b.SIGNATURE + b.header(160, 120, 8, 6) + rest, IS_REFUSED)
    for methods in ((1, 0, 0), (255, 0, 0), (0, 1, 0), (0, 64, 0), (0, 0, 2), (0, 0, 255)):
        yield OddFile(f"PNG by methods {methods}", b.SIGNATURE + b.header(160, 120, 8, 2, *methods) + rest, IS_REFUSED)
    yield OddFile("PNG that says it is interlaced", b.SIGNATURE + b.header(160, 120, 8, 2, 0, 0, 1) + rest, IS_EITHER)
    for size in (0, 12, 14, 2**31 - 1, 2**31, 2**32 - 1):
        yield OddFile(f"PNG whose header says length {size}", b.replaced(data, 8, struct.pack(">I", size)), IS_REFUSED)


def _png_parts() -> Iterator[OddFile]:
    data, pixels = b.encoded("PNG"), b.encoded("PNG", mode="P")
    for source, kind in ((data, b"IHDR"), (data, b"IDAT"), (pixels, b"PLTE")):
        start, end = next((start, end) for part, start, end in b.chunks(source) if part == kind)
        name = f"PNG's {kind.decode()}"
        part = source[start:end]
        yield OddFile(f"{name} with a wrong check sum", b.replaced(source, end - 4, b"\x00\x11\x22\x33"), IS_REFUSED)
        yield OddFile(f"{name} left out", source.replace(part, b""), IS_REFUSED)
        yield OddFile(f"{name} empty", source.replace(part, b.chunk(kind, b"")), IS_REFUSED)
        yield OddFile(f"{name} behind the end", source.replace(part, b"") + part, IS_REFUSED)
        yield OddFile(f"{name} twice", source.replace(part, part + part), IS_EITHER)
        for size in (0, 1, 2**31, 2**32 - 1, len(source)):
            yield OddFile(f"{name} says length {size}", b.replaced(source, start, struct.pack(">I", size)), IS_REFUSED)
    for kind in (b"tEXt", b"gAMA", b"pHYs", b"zzZz"):
        wrong = b.chunk(kind, b"k\x00v......")[:-4] + b"\x00\x11\x22\x33"
        yield OddFile(f"PNG's {kind.decode()} with a wrong check sum", b.behind_header(data, wrong), IS_EITHER)
    yield OddFile("PNG with a necessary chunk nobody knows", b.behind_header(data, b.chunk(b"ABCD", b"x")), IS_EITHER)
    yield OddFile("PNG with text before its header", b.SIGNATURE + b.chunk(b"tEXt", b"k\x00v") + data[8:], IS_REFUSED)
    yield OddFile("PNG that ends with an empty IEND twice", data + b.chunk(b"IEND", b""), accepted(160, 120))
    yield OddFile("PNG whose IEND has content", data[:-12] + b.chunk(b"IEND", b"more"), IS_EITHER)
    yield OddFile("PNG whose pixels are no zlib", _with_pixels(b"no zlib at all" * 40), IS_REFUSED)
    yield OddFile(
        "PNG whose lines have filters 9", _with_pixels(zlib.compress((b"\x09" + b"\x40" * 480) * 120)), IS_REFUSED
    )
    apart = zlib.compress((b"\x00" + b"\x40" * 480) * 120)
    yield OddFile("PNG whose pixels have a wrong check sum", _with_pixels(apart[:-4] + bytes(4)), IS_EITHER)
    pieces = b"".join(b.chunk(b"IDAT", apart[at : at + 1]) for at in range(len(apart)))
    yield OddFile("PNG whose pixels come byte by byte",
                  b.SIGNATURE + b.header(160, 120) + pieces + b.chunk(b"IEND", b""), accepted(160, 120))  # fmt: skip
    between = b.chunk(b"IDAT", apart[:20]) + b.chunk(b"tEXt", b"k\x00v") + b.chunk(b"IDAT", apart[20:])
    yield OddFile("PNG with text between its pixels",
                  b.SIGNATURE + b.header(160, 120) + between + b.chunk(b"IEND", b""), IS_EITHER)  # fmt: skip


def _with_pixels(body: bytes) -> bytes:
    return b.SIGNATURE + b.header(160, 120) + b.chunk(b"IDAT", body) + b.chunk(b"IEND", b"")


def _webp() -> Iterator[OddFile]:
    lossy, lossless = b.encoded("WEBP"), b.encoded("WEBP", lossless=True)
    for name, data in (("lossy", lossy), ("lossless", lossless)):
        for size in (0, 4, 12, len(data), 2**31, 2**32 - 1):
            yield OddFile(f"WebP {name} says length {size}", b.replaced(data, 4, struct.pack("<I", size)), IS_REFUSED)
            yield OddFile(
                f"WebP {name}, part says length {size}", b.replaced(data, 16, struct.pack("<I", size)), IS_REFUSED
            )
        for width, height in ((161, 120), (160, 119), (1, 1), (5000, 5000), (16384, 16384), (2**24, 2**24)):
            lie = b.webp(b.canvas(width, height), data[12:])
            yield OddFile(f"WebP {name} on a canvas of {width} × {height}", lie, IS_REFUSED)
        for flags in (2, 0x12, 0xFE):
            lie = b.webp(b.canvas(160, 120, flags), data[12:])
            yield OddFile(f"WebP {name} with the animation flag in {flags:02x}", lie, IS_REFUSED)
        for flags in (0x10, 0x20, 0x04, 0x08, 0x3C, 0xC1):
            lie = b.webp(b.canvas(160, 120, flags), data[12:])
            yield OddFile(f"WebP {name} with empty promises {flags:02x}", lie, IS_EITHER)
        yield OddFile(f"WebP {name} with a short canvas", b.webp(b.riff(b"VP8X", b"\x00" * 4), data[12:]), IS_REFUSED)
        yield OddFile(f"WebP {name} without pixels", b.webp(b.canvas(160, 120)), IS_REFUSED)
        yield OddFile(f"WebP {name}, canvas last", b.webp(data[12:], b.canvas(160, 120)), IS_EITHER)
        yield OddFile(f"WebP {name}, pixels twice", b.webp(b.canvas(160, 120), data[12:], data[12:]), IS_EITHER)
        yield OddFile(f"WebP {name} under the other's name",
                      data.replace(b"VP8 ", b"VP8x", 1) if name == "lossy" else data.replace(b"VP8L", b"VP8 ", 1),
                      IS_REFUSED)  # fmt: skip
    for value in (0, 1, 99, 5001, 16383):
        yield OddFile(f"WebP says width {value}", b.replaced(lossy, 26, struct.pack("<H", value)), IS_REFUSED)
        yield OddFile(f"WebP says height {value}", b.replaced(lossy, 28, struct.pack("<H", value)), IS_REFUSED)
        bits = (max(value, 1) - 1) | 119 << 14
        yield OddFile(
            f"WebP, lossless, says width {value}", b.replaced(lossless, 21, struct.pack("<I", bits)), IS_REFUSED
        )
    yield OddFile("WebP with a wrong start code", b.replaced(lossy, 23, b"\x00\x00\x00"), IS_REFUSED)
    yield OddFile("WebP that is not a key frame", b.replaced(lossy, 20, bytes((lossy[20] | 1,))), IS_REFUSED)
    yield OddFile(
        "WebP whose first part fills all", b.replaced(lossy, 20, bytes((lossy[20] | 0xE0, 0xFF, 0xFF))), IS_REFUSED
    )
    yield OddFile("WebP of another version", b.replaced(lossless, 24, bytes((lossless[24] | 0xE0,))), IS_REFUSED)
