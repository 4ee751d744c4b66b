"""Pictures of every kind the three formats know: those of cameras, printers and editors, and the rare ones."""

import struct
from collections.abc import Iterator

from tests.odd_files import building as b
from tests.odd_files.odd_file import IS_EITHER, IS_REFUSED, OddFile, accepted

_SIZES = ((100, 100), (137, 101), (333, 100))
_PNG_KINDS = [(colour, depth) for colour, depths in {
    0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16),
}.items() for depth in depths]  # fmt: skip


def files(_canary: bytes) -> Iterator[OddFile]:
    yield from _jpeg()
    yield from _rare_jpeg()
    yield from _png()
    yield from _webp()
    yield from _moving()
    yield from _sides()


def _jpeg() -> Iterator[OddFile]:
    for width, height in _SIZES:
        for mode in ("RGB", "L", "CMYK"):
            for options in ({}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 2}, {"quality": 1},
                            {"quality": 100}, {"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}):  # fmt: skip
                if mode == "RGB" or "subsampling" not in options:
                    data = b.encoded("JPEG", width, height, mode, **options)
                    yield OddFile(f"JPEG {mode} {width} × {height} {options}", data, accepted(width, height))
        printed = b.encoded("JPEG", width, height, "CMYK")
        at = printed.index(b"Adobe\x00") + 11
        for transform in (0, 1, 2):
            verdict = IS_EITHER if transform == 1 else accepted(width, height)
            yield OddFile(f"JPEG of four colours {width} × {height}, Adobe transform {transform}",
                          b.replaced(printed, at, bytes((transform,))), verdict)  # fmt: skip
        bare = printed.replace(printed[slice(*b.find_segment(printed, 0xEE))], b"")
        yield OddFile(f"JPEG of four colours {width} × {height} without Adobe's word", bare, accepted(width, height))
        plain = b.encoded("JPEG", width, height, subsampling=0, keep_rgb=True)
        yield OddFile(f"JPEG that keeps red, green and blue, {width} × {height}", plain, accepted(width, height))
        for sampling in (0x21, 0x12, 0x41):
            yield OddFile(
                f"JPEG sampled {sampling:02x}, {width} × {height}", _resampled(width, height, sampling), IS_EITHER
            )
        small = b.tiff(behind=b.encoded("JPEG", 100, 80))
        late = b.with_exif("JPEG", small, width, height, progressive=True)[:-2] + b"\x12\x34" + b.END
        yield OddFile(
            f"JPEG with a small one inside and bytes left over {width} × {height}", late, accepted(width, height)
        )
        quiet = b.encoded("JPEG", width, height)
        yield OddFile(f"JPEG without JFIF {width} × {height}", quiet[:2] + quiet[20:], accepted(width, height))
        yield OddFile(
            f"JPEG with a few bytes left over {width} × {height}",
            quiet[:-2] + b"\x12\x34" + b.END,
            accepted(width, height),
        )


def _resampled(width: int, height: int, sampling: int) -> bytes:
    data = b.encoded("JPEG", width, height, subsampling=0)
    return b.replaced(data, b.frame_at(data) + 7, bytes((sampling,)))


def _rare_jpeg() -> Iterator[OddFile]:
    names = {0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical, progressive", 0xC7: "hierarchical, lossless",
             0xC9: "arithmetic", 0xCA: "arithmetic, progressive", 0xCB: "arithmetic, lossless",
             0xCD: "arithmetic, hierarchical", 0xCE: "arithmetic, hierarchical, progressive",
             0xCF: "arithmetic, hierarchical, lossless", 0xC8: "reserved"}  # fmt: skip
    for mode in ("RGB", "L", "CMYK"):
        for progressive in (False, True):
            data = b.encoded("JPEG", mode=mode, progressive=progressive)
            at = b.frame_at(data) - 3
            for marker, name in names.items():
                rare = b.replaced(data, at, bytes((marker,)))
                if marker in (0xC9, 0xCA):  # has no Huffman tables, but conditions of its own
                    rare = b.behind_start(_without_tables(rare), b.segment(0xCC, b"\x00\x10\x10\x05"))
                yield OddFile(f"JPEG {name}, {mode}, progressive {progressive}", rare, IS_REFUSED)
            deep = b.replaced(b.replaced(data, at, b"\xc1"), at + 3, b"\x0c")
            yield OddFile(f"JPEG of 12 bits, {mode}, progressive {progressive}", deep, IS_REFUSED)
            levels = b.segment(0xDE, data[at + 3 : at + 9 + 3 * data[at + 8]])
            yield OddFile(f"JPEG with levels, {mode}, {progressive}", b.behind_start(data, levels), IS_REFUSED)


def _without_tables(data: bytes) -> bytes:
    places = [(start, end) for marker, start, end in b.segments(b.replaced(data, 0, b"\xff\xd8")) if marker == 0xC4]
    for start, end in reversed(places):
        data = data[:start] + data[end:]
    return data


def _png() -> Iterator[OddFile]:
    for colour, depth in _PNG_KINDS:
        for width, height in _SIZES:
            for interlaced in (False, True):
                name = f"PNG of colour {colour}, {depth} bits, {width} × {height}" + ", interlaced" * interlaced
                yield OddFile(name, b.png(width, height, depth, colour, interlaced), accepted(width, height))
        for name, extra in _clear(colour, depth).items():
            data = b.png(120, 100, depth, colour, extra=extra)
            verdict = accepted(120, 100) if name.startswith("some") else IS_EITHER
            yield OddFile(f"PNG of colour {colour}, {depth} bits, {name} clear", data, verdict)
    for name, extra in {
        "gamma": b.chunk(b"gAMA", struct.pack(">I", 45455)), "gamma zero": b.chunk(b"gAMA", bytes(4)),
        "density": b.chunk(b"pHYs", struct.pack(">IIB", 2**31 - 1, 1, 1)), "background": b.chunk(b"bKGD", bytes(6)),
        "histogram": b.chunk(b"hIST", bytes(8)), "time": b.chunk(b"tIME", b"\xff" * 7),
        "sRGB": b.chunk(b"sRGB", b"\x09"),
        "HDR": b.chunk(b"cICP", b"\x09\x10\x00\x01"), "offset": b.chunk(b"oFFs", b"\x7f" * 9),
        "bits": b.chunk(b"sBIT", b"\xff" * 3),
    }.items():  # fmt: skip
        yield OddFile(f"PNG with a remark on {name}", b.png(120, 100, 8, 2, extra=extra), IS_EITHER)


def _clear(colour: int, depth: int) -> dict[str, bytes]:
    """Chunks that say which colours are transparent, as the kind of PNG wants them, and as none does."""
    if colour == 3:
        return {"some": b.chunk(b"tRNS", bytes(range(1 << depth))), "one": b.chunk(b"tRNS", b"\x00"),
                "too many": b.chunk(b"tRNS", bytes(300))}  # fmt: skip
    if colour in (0, 2):
        size = 2 * b.CHANNELS[colour]
        return {"some": b.chunk(b"tRNS", bytes(size)), "a bit": b.chunk(b"tRNS", b"\x00")}
    return {"twice": b.chunk(b"tRNS", bytes(4))}


def _webp() -> Iterator[OddFile]:
    for width, height in _SIZES:
        for mode in ("RGB", "RGBA"):
            for options in ({"quality": 1}, {"quality": 80}, {"quality": 100}, {"lossless": True}, {"method": 0},
                            {"lossless": True, "exact": True}):  # fmt: skip
                image = b.picture(width, height).convert(mode)
                if mode == "RGBA":
                    image.putalpha(b.picture(width, height, "L"))
                yield OddFile(
                    f"WebP {mode} {width} × {height} {options}",
                    b.saved(image, "WEBP", **options),
                    accepted(width, height),
                )
        plain = b.encoded("WEBP", width, height)
        boxed = b.webp(b.canvas(width, height), plain[12:])
        yield OddFile(f"WebP in a box {width} × {height}", boxed, accepted(width, height))
        noted = b.webp(b.canvas(width, height), b.riff(b"abcd", b"what is this"), plain[12:], b.riff(b"zzzz", b"!"))
        yield OddFile(f"WebP with parts nobody knows {width} × {height}", noted, IS_EITHER)


def _moving() -> Iterator[OddFile]:
    for width, height in _SIZES:
        more = tuple(b.picture(width, height).rotate(9 * turn) for turn in (1, 2))
        for count in (1, 2):
            for kind in ("WEBP", "PNG"):
                for options in ({}, {"loop": 0}, {"duration": 40}):
                    data = b.saved(
                        b.picture(width, height), kind, save_all=True, append_images=list(more[:count]), **options
                    )
                    yield OddFile(f"{kind} of {count + 1} frames, {width} × {height}, {options}", data, IS_REFUSED)
        still = b.encoded("PNG", width, height)
        plays = b.chunk(b"acTL", struct.pack(">II", 30, 0))
        yield OddFile(f"PNG that says it moves {width} × {height}", b.behind_header(still, plays), IS_REFUSED)
        yield OddFile(f"PNG that says so late {width} × {height}", still[:-12] + plays + still[-12:], IS_REFUSED)
        frame = b.chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, 0, 0))
        yield OddFile(f"PNG with a frame alone {width} × {height}", b.behind_header(still, frame), IS_EITHER)


def _sides() -> Iterator[OddFile]:
    """Sides at the limits, and pictures that are all length."""
    for kind in b.FORMATS:
        for width, height, is_fine in (
            (99, 99, False), (99, 100, False), (100, 99, False), (100, 100, True), (101, 100, True), (100, 101, True),
            (1, 1, False), (1, 5000, False), (5000, 1, False), (99, 5000, False), (5000, 99, False),
            (5000, 100, True), (100, 5000, True), (4999, 101, True), (101, 4999, True), (5000, 5000, True),
            (5001, 100, False), (100, 5001, False), (5001, 99, False), (99, 5001, False), (16000, 100, False),
            (100, 16000, False), (2048, 2048, True), (2049, 100, True),
        ):  # fmt: skip
            options = {"WEBP": {"method": 0}, "PNG": {"compress_level": 1}}.get(kind, {})
            data = b.saved(b.Image.new("RGB", (width, height), (20, 120, 200)), kind, **options)
            yield OddFile(f"{kind} of {width} × {height}", data, accepted(width, height) if is_fine else IS_REFUSED)
