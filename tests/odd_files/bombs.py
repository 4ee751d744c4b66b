"""Small files that are made to cost much: inflated notes, vast pictures, endless scans and parts."""

import struct
import zlib
from collections.abc import Iterator
from functools import cache

from tests.odd_files import building as b
from tests.odd_files.odd_file import IS_EITHER, IS_REFUSED, IS_TOO_LARGE, OddFile, accepted

MIB = 1024 * 1024


@cache
def zeros(size: int) -> bytes:
    """So many zero bytes, packed: a thousandth of them. A packed MiB that stands for itself may be repeated."""
    head = b"\x78\x9c" + _packed(MIB) * (size // MIB) + _packed(size % MIB)
    return head + b"\x03\x00" + struct.pack(">HH", size % 65521, 1)


@cache
def _packed(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)


def files(_canary: bytes) -> Iterator[OddFile]:
    yield from _notes()
    yield from _vast()
    yield from _scans()
    yield from _parts()


def _notes() -> Iterator[OddFile]:
    fronts = {b"zTXt": b"k\x00\x00", b"iTXt": b"k\x00\x01\x00\x00\x00", b"iCCP": b"p\x00\x00"}
    data = b.encoded("PNG")
    for kind, front in fronts.items():
        for size in (5, 16, 64, 512):
            bomb = b.chunk(kind, front + zeros(size * MIB))
            yield OddFile(f"PNG whose {kind.decode()} inflates to {size} MiB", b.behind_header(data, bomb), IS_REFUSED)
            late = data[:-12] + bomb + data[-12:]
            yield OddFile(f"PNG with the same behind its pixels, {kind.decode()}, {size}", late, IS_REFUSED)
        for size in (1, 2, 3):
            large = b.behind_header(data, b.chunk(kind, front + zeros(size * MIB)))
            yield OddFile(f"PNG whose {kind.decode()} has {size} MiB", large, accepted(160, 120))
        many = b"".join(b.chunk(kind, front + zeros(900_000)) for _ in range(8))
        yield OddFile(f"PNG with eight times 0.9 MB of {kind.decode()}", b.behind_header(data, many), IS_REFUSED)
        within = b.chunk(kind, front + zlib.compress(zeros(600 * MIB)))
        yield OddFile(
            f"PNG whose {kind.decode()} holds a bomb in a bomb", b.behind_header(data, within), accepted(160, 120)
        )
    plain = b.chunk(b"tEXt", b"k\x00" + b"long " * MIB)
    yield OddFile("PNG with 5 MiB of plain text", b.behind_header(data, plain), accepted(160, 120))
    for count in (70, 100, 140):
        profile = b"".join(b.segment(0xE2, b"ICC_PROFILE\x00\x01\xff" + bytes(65_000)) for _ in range(count))
        yield OddFile(f"JPEG with a profile of {count} parts", b.behind_start(b.encoded("JPEG"), profile), IS_REFUSED)
    for size in (5, 9):
        profile = b.with_profile("WEBP", bytes(size * MIB))
        yield OddFile(f"WebP with a profile of {size} MiB", profile, IS_REFUSED)


def _vast() -> Iterator[OddFile]:
    for colour, depth in ((0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (3, 8), (6, 8), (6, 16)):
        for interlaced in (False, True):
            legal = _empty_png(5000, 5000, depth, colour, interlaced)
            name = f"PNG of 5000 × 5000 in {len(legal) // 1024} KB, colour {colour}, {depth} bits"
            yield OddFile(name + ", interlaced" * interlaced, legal, accepted(5000, 5000))
    yield OddFile("JPEG of 5000 × 5000 in few KB", b.encoded("JPEG", 5000, 5000, "L", quality=1), accepted(5000, 5000))
    for mode, options in (("RGB", {}), ("RGB", {"progressive": True}), ("CMYK", {"progressive": True})):
        image = b.Image.new(mode, (5000, 5000), (9, 90, 180, 10)[: len(mode)])
        data = b.saved(image, "JPEG", **options)
        yield OddFile(f"JPEG of one colour, 5000 × 5000, {mode}, {options}", data, accepted(5000, 5000))
    for lossless in (True, False):
        data = b.saved(b.Image.new("RGB", (5000, 5000), (9, 90, 180)), "WEBP", lossless=lossless, method=0)
        yield OddFile(f"WebP of one colour, 5000 × 5000, lossless {lossless}", data, accepted(5000, 5000))
    jpeg = b.encoded("JPEG")
    for width, height in ((65535, 65535), (65535, 100), (100, 65535), (30000, 30000)):
        lie = b.replaced(jpeg, b.frame_at(jpeg) + 1, struct.pack(">HH", height, width))
        yield OddFile(f"JPEG that says {width} × {height}", lie, IS_REFUSED)
        vast = b.SIGNATURE + b.header(width, height) + b.chunk(b"IDAT", zeros(64 * MIB)) + b.chunk(b"IEND", b"")
        yield OddFile(f"PNG that says {width} × {height}", vast, IS_REFUSED)
    for size in (1, 16, 256, 1024):
        front = b.SIGNATURE + b.header(160, 120)
        bomb = front + b.chunk(b"IDAT", zeros(size * MIB)) + b.chunk(b"IEND", b"")
        yield OddFile(f"PNG of 160 × 120 whose pixels inflate to {size} MiB", bomb, IS_EITHER)
        rows = zlib.compress((b"\x00" + b"\x40" * 480) * 120)
        second = front + b.chunk(b"IDAT", rows) + b.chunk(b"IDAT", zeros(size * MIB)) + b.chunk(b"IEND", b"")
        yield OddFile(f"PNG with {size} MiB behind its pixels", second, IS_EITHER)


@cache
def _empty_png(width: int, height: int, depth: int, colour: int, interlaced: bool) -> bytes:
    bits = depth * b.CHANNELS[colour]
    passes = b.ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = sum(
        -(-(height - y) // down) * (1 + (-(-(width - x) // across) * bits + 7) // 8) for x, y, across, down in passes
    )
    palette = b.chunk(b"PLTE", bytes(3 * 256)) if colour == 3 else b""
    head = b.SIGNATURE + b.header(width, height, depth, colour, 0, 0, int(interlaced))
    return head + palette + b.chunk(b"IDAT", zeros(rows)) + b.chunk(b"IEND", b"")


def _scans() -> Iterator[OddFile]:
    for side in (160, 2000):
        data = b.encoded("JPEG", side, side, progressive=True)
        last = data[data.rfind(b"\xff\xda") : -2]
        for count in (45, 60, 200, 1000):
            many = data[:-2] + last * count + b.END
            found = len(list(b.segments(many))) and many.count(b"\xff\xda")
            if len(many) <= 10 * MIB:
                verdict = IS_EITHER if found <= 50 else IS_REFUSED
                yield OddFile(f"JPEG of {side} px with {found} scans", many, verdict)
    vast = b.saved(b.Image.new("RGB", (5000, 5000)), "JPEG", progressive=True)
    last = vast[vast.rfind(b"\xff\xda") : -2]
    for count in (10, 40):
        yield OddFile(f"JPEG of 5000 px with {count} scans more", vast[:-2] + last * count + b.END, IS_EITHER)
    baseline = b.encoded("JPEG")
    scan = baseline[slice(*b.find_segment(baseline, 0xDA))]
    yield OddFile("JPEG, not progressive, with 60 scans", baseline[:-2] + scan * 60 + b.END, IS_REFUSED)


def _parts() -> Iterator[OddFile]:
    jpeg, png, webp = (b.encoded(kind) for kind in b.FORMATS)
    for count, verdict in ((1000, accepted(160, 120)), (15_000, accepted(160, 120)), (30_000, IS_REFUSED)):
        yield OddFile(f"JPEG with {count} remarks", b.behind_start(jpeg, b.segment(0xFE, b"") * count), verdict)
        yield OddFile(f"PNG with {count} texts", b.behind_header(png, b.chunk(b"tEXt", b"k\x00v") * count), verdict)
        noted = b.webp(b.canvas(160, 120), webp[12:], b.riff(b"abcd", b"x") * count)
        yield OddFile(f"WebP with {count} notes", noted, verdict)
    yield OddFile("PNG with 600,000 empty texts", b.behind_header(png, b.chunk(b"tEXt", b"") * 600_000), IS_REFUSED)
    yield OddFile("PNG with 20 profiles of 10,000 bytes",
                  b.behind_header(png, b.chunk(b"iCCP", b"p\x00\x00" + zeros(10_000)) * 20), IS_EITHER)  # fmt: skip
    yield OddFile("JPEG of restarts only", jpeg[:-2] + b"\xff\xd0" * 2_000_000 + b.END, IS_EITHER)
    yield OddFile("JPEG of filling only", b"\xff\xd8" + b"\xff" * 9_000_000 + jpeg[2:], IS_EITHER)
    yield OddFile("JPEG of stuffed bytes only", jpeg[:-2] + b"\xff\x00" * 4_000_000 + b.END, IS_EITHER)
    yield OddFile("JPEG of starts only", b"\xff\xd8" * 4_000_000, IS_REFUSED)
    for kind, data in (("JPEG", jpeg), ("PNG", png), ("WEBP", webp)):
        room = 10 * MIB - len(data)
        yield OddFile(f"{kind} of exactly 10 MiB", data + bytes(room), accepted(160, 120))
        yield OddFile(f"{kind} of 10 MiB and a byte", data + bytes(room + 1), IS_TOO_LARGE)
