"""What is written beside the pixels: which way is up, where it was taken, colours, words; sound, private and broken."""

import struct
import zlib
from collections.abc import Iterator
from typing import Literal

from PIL import Image, ImageCms

from tests.odd_files import building as b
from tests.odd_files.odd_file import OddFile, accepted

_SOUND = accepted(160, 120)
_TURNED = range(5, 9)


def files(canary: bytes) -> Iterator[OddFile]:
    yield from _orientations()
    yield from _broken_exif()
    yield from _private(canary)
    yield from _profiles(canary)


def _orientations() -> Iterator[OddFile]:
    for kind in b.FORMATS:
        for orientation in range(1, 9):
            for width, height in ((160, 120), (101, 140)):
                for order in "<>":
                    sides = (height, width) if orientation in _TURNED else (width, height)
                    name = f"{kind} of {width} × {height}, orientation {orientation}, {order}"
                    data = b.with_exif(kind, b.upright(orientation, order), width, height)
                    yield OddFile(name, data, accepted(*sides))
        for orientation in (0, 9, 255, 65535):
            yield OddFile(f"{kind}, orientation {orientation}", b.with_exif(kind, b.upright(orientation)), _SOUND)


def _broken_exif() -> Iterator[OddFile]:
    for kind in b.FORMATS:
        for name, block in broken_blocks().items():
            yield OddFile(f"{kind} whose EXIF is {name}", b.with_exif(kind, block), _SOUND)
    for order, count in (("<", 2), (">", 7)):
        parts = [b.segment(0xE1, b"Exif\x00\x00" + b.upright(1, order))] * count
        yield OddFile(f"JPEG with EXIF {count} times", b.behind_start(b.encoded("JPEG"), *parts), _SOUND)
    short = b.behind_start(
        b.encoded("JPEG"), b.segment(0xE1, b"Exif"), b.segment(0xE1, b""), b.segment(0xE1, b"Exif\x00")
    )
    yield OddFile("JPEG with EXIF of nothing", short, _SOUND)


def broken_blocks() -> dict[str, bytes]:
    """EXIF that no reader may trip over: the picture is fine."""
    ascii_tag, ifd_tag, gps_tag = (0x010F, 2), (0x8769, 4), (0x8825, 4)
    long = struct.pack
    return {
        "empty": b"", "one byte": b"I", "its order only": b"II", "no directory": b"II*\x00",
        "of no order": b"XX*\x00" + bytes(20), "of magic 43": b"II+\x00" + b.upright(1)[4:],
        "random": b.random.Random("exif").randbytes(3000), "zeros": bytes(2000), "ones": b"\xff" * 2000,
        "beginning behind its end": b"II*\x00" + long("<I", 2**31), "beginning at itself": b"II*\x00" + bytes(4),
        "beginning at the last byte": b"MM\x00*" + long(">I", 9) + bytes(2),
        "of 65535 entries": b"II*\x00" + long("<IH", 8, 65535) + bytes(600),
        "followed by itself": b.tiff((0x0112, 3, 1, b"\x01\x00\x00\x00"), following=8),
        "followed by nothing": b.tiff((0x0112, 3, 1, b"\x01\x00\x00\x00"), following=2**32 - 1),
        "inside itself": b.tiff((*ifd_tag, 1, long("<I", 8))),
        "inside itself, of places": b.tiff((*gps_tag, 1, long("<I", 8))),
        "two that call each other": b.tiff(
            (*ifd_tag, 1, long("<I", 26)), behind=b.tiff((*ifd_tag, 1, long("<I", 8)))[8:]
        ),
        "of a text of 4 GB": b.tiff((*ascii_tag, 2**32 - 1, long("<I", 8))),
        "of a text outside": b.tiff((*ascii_tag, 400, long("<I", 2**31))),
        "of a text before it": b.tiff((*ascii_tag, 400, long("<I", 0))),
        "of a count that wraps round": b.tiff((0x0112, 12, 2**29 + 1, long("<I", 8))),
        "of types nobody knows": b.tiff(*((tag, 99, 1, b"\xff" * 4) for tag in range(40))),
        "of type zero": b.tiff((0x0112, 0, 1, bytes(4))),
        "of an orientation in words": b.tiff((0x0112, 2, 4, b"abc\x00")),
        "of orientations without number": b.tiff((0x0112, 3, 0, bytes(4))),
        "of many orientations": b.tiff((0x0112, 3, 2**31, long("<I", 8))),
        "of orientation twice": b.tiff(*[(0x0112, 3, 1, b"\x01\x00\x00\x00")] * 2),
        "of a resolution by zero": b.tiff(
            (0x011A, 5, 1, long("<I", 26)), (0x0128, 3, 1, b"\x02\x00\x00\x00"), behind=bytes(8)
        ),
        "of a resolution outside": b.tiff((0x011A, 5, 1, long("<I", 2**31)), (0x0128, 3, 1, b"\x02\x00\x00\x00")),
        "of a resolution in words": b.tiff((0x011A, 2, 4, b"abc\x00"), (0x0128, 2, 4, b"abc\x00")),
        "of a small picture outside": b.tiff((0x0201, 4, 1, long("<I", 2**31)), (0x0202, 4, 1, long("<I", 2**31))),
        "of a maker's note that points away": b.tiff((0x927C, 7, 2**24, long("<I", 2**24))),
        "of 3000 entries": b.tiff(*((tag, 4, 1, bytes(4)) for tag in range(3000))),
        "cut in an entry": b.upright(1)[:17], "the wrong way round": b"MM\x00*" + b.upright(1)[4:],
    }  # fmt: skip


def _private(canary: bytes) -> Iterator[OddFile]:
    """Places, names, serial numbers and addresses: accepted, and nothing of them is kept."""
    place = Image.Exif()
    place[0x010F], place[0x9C9B], place[0x0131] = canary.decode(), canary, canary.decode()
    place.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0), 29: canary.decode()})
    block = place.tobytes().removeprefix(b"Exif\x00\x00")
    packets = {
        "place": b"<x:xmpmeta><exif:GPSLatitude>52,31N</exif:GPSLatitude>" + canary + b"</x:xmpmeta>",
        "entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "' + canary + b'">]><x:xmpmeta>&e;</x:xmpmeta>',
        "laughs": b"<!DOCTYPE l [<!ENTITY a 'ha'>" + b"".join(
            b"<!ENTITY %c '%s'>" % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(98, 108)
        ) + b"]><l>&k;</l>" + canary,
        "not closed": b"<x:xmpmeta" + canary * 900, "not text": b"\xff\xfe\x00" + canary + bytes(range(256)),
    }  # fmt: skip
    for kind in b.FORMATS:
        yield OddFile(f"{kind} with place and names in EXIF", b.with_exif(kind, block), _SOUND)
        for name, packet in packets.items():
            yield OddFile(f"{kind} with XMP, {name}", b.with_xmp(kind, packet), _SOUND)
    jpeg, png = b.encoded("JPEG"), b.encoded("PNG")
    for marker, body in (
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + canary),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\x00" + canary),
        (0xE0, b"JFXX\x00\x10" + canary), (0xEC, b"Ducky\x00" + canary), (0xE2, b"MPF\x00" + canary),
        (0xE2, b"FPXR\x00" + canary),
        (0xE3, b"META\x00" + canary), (0xEB, b"JP\x00\x01" + canary), (0xEF, canary), (0xFE, canary),
        (0xEE, b"Adobe" + canary),
    ):  # fmt: skip
        yield OddFile(f"JPEG with {body[:8]!r} in {marker:02x}", b.behind_start(jpeg, b.segment(marker, body)), _SOUND)
        yield OddFile(
            f"JPEG with {body[:8]!r} in {marker:02x}, late", jpeg[:-2] + b.segment(marker, body) + b.END, _SOUND
        )
    for chunk, body in (
        (b"tEXt", b"Author\x00" + canary), (b"zTXt", b"Author\x00\x00" + zlib.compress(canary)),
        (b"iTXt", b"Author\x00\x00\x00de\x00\x00" + canary), (b"tEXt", b"Raw profile type exif\x00" + canary),
        (b"zTXt", b"Raw profile type exif\x00\x00" + zlib.compress(b"\nexif\n      99\n" + canary.hex().encode())),
        (b"tEXt", canary), (b"zTXt", canary), (b"iTXt", canary), (b"iTXt", b"k\x00\x01\x07de\x00\x00" + canary),
        (b"prVt", canary), (b"caBX", canary), (b"dSIG", canary),
    ):  # fmt: skip
        yield OddFile(f"PNG with {body[:10]!r} in {chunk.decode()}", b.behind_header(png, b.chunk(chunk, body)), _SOUND)
        yield OddFile(
            f"PNG with {body[:10]!r} in {chunk.decode()}, late", png[:-12] + b.chunk(chunk, body) + png[-12:], _SOUND
        )


def _profile(space: Literal["LAB", "XYZ", "sRGB"]) -> bytes:
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()
    return b.replaced(made, 24, bytes(12))  # where it says when it was made


def _profiles(canary: bytes) -> Iterator[OddFile]:
    sound, paper = _profile("sRGB"), _profile("LAB")
    profiles = {
        "sound": sound, "with more behind it": sound + canary, "of another space": paper, "empty": b"",
        "zeros": bytes(200),
        "words": canary, "cut": sound[:150], "that says 4 GB": b"\xff" * 4 + sound[4:],
        "that says 0": bytes(4) + sound[4:],
        "of a million tags": b.replaced(sound, 128, struct.pack(">I", 1_000_000)),
        "whose tags lie outside": b.replaced(sound, 132, b"\xff" * 120), "of grey": sound.replace(b"RGB ", b"GRAY"),
        "of four colours": sound.replace(b"RGB ", b"CMYK"), "of no class": b.replaced(sound, 12, b"zzzz"),
    }  # fmt: skip
    for kind in b.FORMATS:
        for name, profile in profiles.items():
            yield OddFile(f"{kind} with a profile {name}", b.with_profile(kind, profile), _SOUND)
    for number, total in ((0, 0), (2, 1), (1, 9), (255, 255)):
        part = b.segment(0xE2, b"ICC_PROFILE\x00" + bytes((number, total)) + sound)
        yield OddFile(
            f"JPEG with part {number} of {total} of a profile", b.behind_start(b.encoded("JPEG"), part), _SOUND
        )
