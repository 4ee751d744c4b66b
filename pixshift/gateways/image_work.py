"""What runs in a helper process: decode a stranger's picture, encode our own.

This file is started as a script of its own and imports nothing of the package: a helper is up in a twentieth of a
second, knows no secret and holds nothing a broken decoder could reach. It reads a job from its socket, answers it, and
ends with its parent. Each message is a block of JSON and a payload of the length that block names.
"""

import contextlib
import io
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_QUALITY = 90
_HEADER_BYTES = 4096
_LOADERS = {"JPEG": "jpegload_buffer", "PNG": "pngload_buffer", "WEBP": "webpload_buffer"}
_CLASSES = ("VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp")
_MAX_NOTE = 4 * 1024 * 1024  # of one text or profile of a PNG: what the walk in front of us lets pass
# What libjpeg says when coded pixels are missing or wrong. "Extraneous bytes", which some cameras leave, lose nothing
# unless a restart was looked for: those are the pixels it did not find.
_LOST_PIXELS = re.compile(r"remature end|bad Huffman code|instead of RST|extraneous bytes before marker 0xd[0-7]")
_LOST_AT_END = "extraneous bytes before marker 0xd9"  # a file of one scan is read so far only when pixels are missing
_SMALLER = [(scale, quality) for scale in (1, 0.75, 0.5, 0.25) for quality in (82, 66, 50, 34)]
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")  # with a length; the others say nothing in a header

_Answer = tuple[dict[str, Any], bytes]


class PeerGone(Exception):
    """The other side closed the socket or died."""


def send(channel: socket.socket, header: dict[str, Any], payload: bytes = b"") -> None:
    """Send one message; raises PeerGone, or TimeoutError after the socket's timeout."""
    line = json.dumps(header | {"size": len(payload)}).encode()
    try:
        channel.sendall(line.ljust(_HEADER_BYTES))
        channel.sendall(payload)
    except (BrokenPipeError, ConnectionError) as error:
        raise PeerGone from error


def receive(channel: socket.socket) -> _Answer:
    """The next message; raises PeerGone, or TimeoutError after the socket's timeout."""
    header = json.loads(_exactly(channel, _HEADER_BYTES))
    return header, _exactly(channel, header["size"])


def _exactly(channel: socket.socket, size: int) -> bytes:
    buffer = bytearray(size)
    view, filled = memoryview(buffer), 0
    while filled < size:
        try:
            count = channel.recv_into(view[filled:])
        except ConnectionError as error:
            raise PeerGone from error
        if not count:
            raise PeerGone
        filled += count
    view.release()
    return bytes(buffer)


# --- the work -------------------------------------------------------------------------------------------------------


def normalise(job: dict[str, Any], data: bytes) -> _Answer:
    """An upright sRGB JPEG of ≤ ``side`` px without metadata; raises ValueError when the file is not as announced."""
    side = job["side"]
    shrink = _shrink_on_load(job["format"], max(job["width"], job["height"]), side)

    def encode(source: bytes, fail_on: str) -> _Answer:
        image = _turned(job, _load(job, source, fail_on=fail_on, **shrink))
        image = _to_srgb(image.thumbnail_image(side, height=side, size="down"))
        if image.hasalpha():
            image = image.flatten(background=[255, 255, 255])
        payload = image.jpegsave_buffer(Q=_QUALITY, keep="none", subsample_mode="on")
        return {"width": image.width, "height": image.height}, payload

    return _strictly(encode, job["format"], data)


def _turned(job: dict[str, Any], image: Any) -> Any:
    """With the orientation that its reader did not get to: a PNG may bring it behind its pixels."""
    import pyvips

    if job["orientation"] > 1 and not image.get_typeof("exif-data"):
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", job["orientation"])
    return image


def verify(job: dict[str, Any], data: bytes) -> _Answer:
    """Decode every pixel; all that is kept is a thumbnail, WebP, cut to the ``thumbnail`` sides."""
    width, height = job["thumbnail"]

    def decode(source: bytes, fail_on: str) -> _Answer:
        image = _load(job, source, fail_on=fail_on)
        image.avg()
        shrink = _shrink_on_load(job["format"], min(image.width, image.height), 2 * width)
        small = _load(job, source, fail_on="none", **shrink)
        small = _to_srgb(small.thumbnail_image(width, height=height, crop="centre"))
        payload = small.webpsave_buffer(Q=70, keep="none")
        return {"width": image.width, "height": image.height}, payload

    return _strictly(decode, job["format"], data)


def pair(job: dict[str, Any], data: bytes) -> _Answer:
    """The left half of one picture beside the right half of another: a WebP of ``sides``, at most ``most`` bytes.

    Fine lines all over cost more bytes than that: such a pair becomes smaller.
    """
    width, height = job["sides"]
    halves = []
    for part, source, left in zip(job["parts"], _parts(job, data), (0, width // 2), strict=True):
        shrink = _shrink_on_load(part["format"], min(part["width"], part["height"]), width)
        small = _load(part, source, fail_on="none", **shrink).thumbnail_image(width, height=height, crop="centre")
        small = _to_srgb(small)
        small = small.flatten(background=[255, 255, 255]) if small.hasalpha() else small
        halves.append(small.crop(left, 0, width // 2, height).copy_memory())
    both = halves[0].join(halves[1], "horizontal")
    for scale, quality in _SMALLER:
        fitting = both.resize(scale) if scale < 1 else both
        payload = fitting.webpsave_buffer(Q=quality, keep="none", effort=6)
        if len(payload) <= job["most"]:
            return {"width": fitting.width, "height": fitting.height}, payload
    raise ValueError("it does not become small enough")


def _parts(job: dict[str, Any], data: bytes) -> tuple[bytes, bytes]:
    return data[: job["split"]], data[job["split"] :]


def _strictly(work: Callable[[bytes, str], _Answer], kind: str, data: bytes) -> _Answer:
    """Refuse a JPEG whose pixels are lost, though its decoder would paint them grey; other warnings are harmless.

    libjpeg tells its first warning only. So what it stumbled over in the header is taken out before it looks again.
    """
    import pyvips

    if kind != "JPEG":
        return work(data, "error")
    for source in _as_sent_and_tidied(data):
        try:
            return work(source, "warning")
        except pyvips.Error as error:
            if _has_lost_pixels(str(error), data):
                raise
    return work(data, "error")


def _has_lost_pixels(warning: str, data: bytes) -> bool:
    import pyvips

    if _LOST_AT_END in warning:
        return not pyvips.Image.jpegload_buffer(data).get("jpeg-multiscan")
    return bool(_LOST_PIXELS.search(warning))


def _as_sent_and_tidied(data: bytes) -> Iterator[bytes]:
    """A JPEG; then, if bytes of no segment lie between those before its first scan, the same without them."""
    yield data
    kept, position = [data[:2]], 2
    while (match := _MARKER.search(data, position)) and match[1] != b"\xda":
        position = match.end() + int.from_bytes(data[match.end() : match.end() + 2], "big")
        kept.append(data[match.start() : position])
    tidied = b"".join([*kept, data[match.start() :] if match else b""])
    if len(tidied) < len(data):
        yield tidied


def _load(job: dict[str, Any], data: bytes, fail_on: str, **options: Any) -> Any:
    import pyvips

    loader = getattr(pyvips.Image, _LOADERS[job["format"]])
    as_stored = loader(data, access="sequential", fail_on=fail_on)  # reads the header, decodes nothing yet
    if (as_stored.width, as_stored.height) != (job["width"], job["height"]):
        raise ValueError("the decoder sees other sides than the header said")
    return loader(data, access="sequential", fail_on=fail_on, **options) if options else as_stored


def _shrink_on_load(kind: str, side: int, wanted: int) -> dict[str, Any]:
    """JPEG halves and WebP scales while decoding, which saves half of the work and most of the memory."""
    if kind == "JPEG" and side >= 2 * wanted:
        return {"shrink": 2}
    if kind == "WEBP" and side > wanted:
        return {"scale": wanted / side}
    return {}


def _to_srgb(image: Any) -> Any:
    """By its own colour profile where it has a usable one; after shrinking, because that is a quarter of the pixels."""
    import pyvips

    if image.get_typeof("icc-profile-data") or image.interpretation == "cmyk":
        with contextlib.suppress(pyvips.Error):
            # Without a profile of its own a CMYK picture is taken for an ordinary printing press.
            image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", intent="perceptual")
    return image.colourspace("srgb").cast("uchar")


# --- the process ----------------------------------------------------------------------------------------------------


def main(descriptor: int, memory_bytes: int, seconds: float) -> None:
    """Serve jobs from the inherited socket until the parent closes it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a Ctrl-C reaches the whole group; the parent decides when we end
        signal.signal(number, signal.SIG_IGN)
    channel = socket.socket(fileno=descriptor)
    threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
    _limit(memory_bytes)
    _prepare()
    send(channel, {"ready": True})
    while True:
        job, data = receive(channel)
        _limit_job(seconds)
        send(channel, *_answer(job, data))
        signal.setitimer(signal.ITIMER_REAL, 0)
        del data


def _answer(job: dict[str, Any], data: bytes) -> _Answer:
    try:
        if job["do"] == "pair":
            for part, source in zip(job["parts"], _parts(job, data), strict=True):
                _second_opinion(part, source)
            return pair(job, data)
        _second_opinion(job, data)
        return {"normalise": normalise, "verify": verify}[job["do"]](job, data)
    except Exception:
        # Decoders raise whatever the bytes led them to, and none of it is anything but the file's fault.
        return {"fault": "damaged"}, b""


def _second_opinion(job: dict[str, Any], data: bytes) -> None:
    """Pillow must see the same picture: a file that two readers understand differently is nobody's photo."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=list(_LOADERS)) as picture:
        # Phones append a depth map or a brighter twin to a JPEG; Pillow calls that MPO. Its first picture is the photo.
        kind = "JPEG" if picture.format == "MPO" else picture.format
        if (kind, *picture.size) != (job["format"], job["width"], job["height"]):
            raise ValueError("Pillow sees another picture than the header said")


def _end_with_parent(descriptor: int) -> None:
    """A decoder may be busy when the parent is killed: nobody waits for its answer any more."""
    watcher = select.poll()
    watcher.register(descriptor, getattr(select, "POLLRDHUP", select.POLLHUP))
    watcher.poll()
    os._exit(0)


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # a decoder has no business with files


def _limit_job(seconds: float) -> None:
    """Should the parent not be there to stop us: the clock and the kernel do."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = usage.ru_utime + usage.ru_stime
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent + 4 * seconds) + 1, hard))
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)


def _prepare() -> None:
    import pyvips
    from PIL import Image, PngImagePlugin

    Image.preinit()
    PngImagePlugin.MAX_TEXT_CHUNK = _MAX_NOTE
    pyvips.cache_set_max(0)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _CLASSES:
        pyvips.operation_block_set(name, False)


if __name__ == "__main__":
    with contextlib.suppress(PeerGone):
        main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
