"""The working twin of the image model: real filters on this computer, and a ribbon that says so."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

from pixshift.gateways.ports import EditedImage, EditRequest, Usage

if TYPE_CHECKING:
    from PIL import Image

WORK_SIDE = 1600  # pixels: enough for a screen, and an eighth of the memory of a camera's picture
_AT_ONCE = 2  # each picture at work holds about 150 MB
_QUALITY = 92

# The honest term of IPTC's list: an algorithm changed a photo; no trained model was there.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


class PreviewEditor:
    """An ``ImageEditor`` that needs no account: the same photo and style always give the same picture."""

    is_twin = True

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def edit(self, request: EditRequest) -> EditedImage:
        """Filter the photo in this thread (≤ 2 s), at most two at a time; raises TransformationFailed."""
        with self._turns:
            return _edited(request)

    def warm(self) -> None:
        """Always ready."""

    def check(self) -> str:
        return "preview editor: simple filters on this computer, no AI model"

    def close(self) -> None:
        """Nothing is held open."""


def _edited(request: EditRequest) -> EditedImage:
    from PIL import Image

    from pixshift.gateways.preview_filters import FILTERS, studio

    with Image.open(io.BytesIO(request.photo), formats=["JPEG", "PNG", "WEBP"]) as source:
        source.draft("RGB", (WORK_SIDE, WORK_SIDE))
        photo = source.convert("RGB")
    photo = _cut(photo, request.aspect_ratio)
    photo.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.LANCZOS)
    made = FILTERS.get(request.style, studio)(photo)
    _ribbon(made)
    usage = Usage(model_version="preview")
    if request.style == "pixel-art":
        return EditedImage(_png(made), "image/png", usage)
    return EditedImage(_jpeg(made), "image/jpeg", usage)


def _cut(photo: Image.Image, ratio: str | None) -> Image.Image:
    """The middle of the photo in the shape that the style asks for; whole when it asks for none."""
    if ratio is None:
        return photo
    across, down = (int(part) for part in ratio.split(":"))
    width = min(photo.width, max(1, round(photo.height * across / down)))
    height = min(photo.height, max(1, round(photo.width * down / across)))
    left, top = (photo.width - width) // 2, (photo.height - height) // 2
    return photo.crop((left, top, left + width, top + height))


def _ribbon(picture: Image.Image) -> None:
    """Write PREVIEW into the upper right corner, clear of captions: nobody shall take this for what the model makes."""
    from PIL import ImageDraw, ImageFont

    size = max(9, round(min(max(picture.size) / 62, min(picture.size) / 5)))
    font = ImageFont.load_default(size)
    text = "P R E V I E W"
    draw = ImageDraw.Draw(picture, "RGBA")
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad, gap = size * 0.7, size
    box_right = picture.width - gap
    box = (box_right - (right - left) - 2 * pad, gap, box_right, gap + (bottom - top) + 2 * pad)
    draw.rounded_rectangle(box, size * 0.35, fill=(20, 22, 34, 205))
    draw.text((box[0] + pad - left, box[1] + pad - top), text, font=font, fill=(255, 255, 255, 255))


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, xmp=_XMP.encode())
    return file.getvalue()


def _png(picture: Image.Image) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", _XMP)
    file = io.BytesIO()
    picture.quantize(256).save(file, "PNG", pnginfo=notes)
    return file.getvalue()
