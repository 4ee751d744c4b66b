"""Which kind of file is this? Told by its first bytes only, never by its name or a declared type."""

from pixshift.errors import InvalidFileType

SUPPORTED = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
HEAD_BYTES = 1024

_AS_JPG = "Please save it as a JPG, PNG or WebP picture and choose that."
_EXPORT = (
    "Please export it as JPG. On an iPhone: Share › Options › Most Compatible, then save it to Files. "
    "Elsewhere: open it and choose Export or Save as, JPG."
)
_TEXTS = {
    "HEIC": f"is a HEIC picture, which cannot be read here. {_EXPORT}",
    "AVIF": f"is an AVIF picture, which cannot be read here. {_AS_JPG}",
    "GIF": f"is a GIF. {_AS_JPG}",
    "TIFF": f"is a TIFF or a camera's raw file. {_AS_JPG}",
    "BMP": f"is a BMP picture. {_AS_JPG}",
    "ICO": f"is an icon file. {_AS_JPG}",
    "PSD": f"is a Photoshop document. {_AS_JPG}",
    "JXL": f"is a JPEG XL picture. {_AS_JPG}",
    "JP2": f"is a JPEG 2000 picture. {_AS_JPG}",
    "SVG": f"is an SVG drawing. {_AS_JPG}",
    "PDF": "is a PDF document. Please take a screenshot of the picture in it, or export the page as JPG.",
    "ZIP": "is a ZIP archive or an office document. Please unpack it and choose the picture inside.",
    "VIDEO": "is a video. Please choose a photo: a screenshot of the video will do.",
    "HTML": "is a web page, not a picture. Open the picture itself and save that.",
    "OTHER": "is not a picture we can read. Please choose a JPG, PNG or WebP picture.",
}
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"8BPS", "PSD"),
    (b"\xff\x0a", "JXL"),
    (b"\x00\x00\x00\x0cJXL ", "JXL"),
    (b"\x00\x00\x00\x0cjP  ", "JP2"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"\x1aE\xdf\xa3", "VIDEO"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}


def sniff(data: bytes) -> str:
    """The kind of file as a short word: a key of ``SUPPORTED``, or "HEIC", "GIF", "PDF" …, or "OTHER"."""
    head = data[:HEAD_BYTES]
    if head[:4] == b"RIFF" and len(head) >= 12:
        return "WEBP" if head[8:12] == b"WEBP" else "VIDEO" if head[8:12] == b"AVI " else "OTHER"
    if head[4:8] == b"ftyp":
        return _brand(head)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return _markup(head)


def require_supported(data: bytes, name: str) -> str:
    """The format ("JPEG", "PNG", "WEBP"); raises InvalidFileType that says what the file is instead and the way out."""
    kind = sniff(data)
    if kind in SUPPORTED:
        return kind
    details = {"limit": list(SUPPORTED.values()), "actual": kind}
    raise InvalidFileType(f"{name} {_TEXTS[kind]}", field="image", details=details)


def _brand(head: bytes) -> str:
    """ISO media files say in their first box which family they are of; an AVIF may call itself ``mif1`` first."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    if head[8:11] == b"crx":  # what Canon's cameras write
        return "TIFF"
    brands = {head[8:12]} | {head[start : start + 4] for start in range(16, size, 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIC" if brands & _HEIC_BRANDS else "VIDEO"


def _markup(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith(b"<"):
        return "OTHER"
    return "SVG" if b"<svg" in text else "HTML"
