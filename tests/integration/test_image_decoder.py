"""The decoder with its real helper processes: what it accepts, what it refuses, what it survives."""

import io
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from pixshift.domain import images
from pixshift.errors import FileTooLarge, InternalError, InvalidFileType, InvalidInput, RateLimitExceeded
from pixshift.gateways import image_work
from pixshift.gateways.image_decoder import PooledImageDecoder
from pixshift.gateways.ports import NormalisedImage

PHOTOS = Path(__file__).parents[1] / "photos"
FORMATS = ["JPEG", "PNG", "WEBP"]
FLIPS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
CORNERS = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 220, 30))


@pytest.fixture(scope="module")
def decoder() -> Iterator[PooledImageDecoder]:
    made = PooledImageDecoder()
    made.warm()
    yield made
    made.close()


def photo(name: str = "coffee.png") -> Image.Image:
    with Image.open(PHOTOS / name) as source:
        return source.convert("RGB")


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opened(result: NormalisedImage) -> Image.Image:
    picture = Image.open(io.BytesIO(result.data))
    picture.load()
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (result.width, result.height))
    return picture


def near(picture: Image.Image, at: tuple[int, int], colour: tuple[int, ...], slack: int = 12) -> bool:
    pixel = picture.getpixel(at)
    assert isinstance(pixel, tuple)
    return all(abs(seen - meant) <= slack for seen, meant in zip(pixel, colour, strict=True))


def four_corners() -> Image.Image:
    picture = Image.new("RGB", (240, 160))
    for index, colour in enumerate(CORNERS):
        picture.paste(colour, (index % 2 * 120, index // 2 * 80, index % 2 * 120 + 120, index // 2 * 80 + 80))
    return picture


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(extra: bytes) -> bytes:
    """A good PNG with more chunks behind its header."""
    data = encoded(photo(), "PNG")
    return data[:33] + extra + data[33:]


def segments(data: bytes) -> list[int]:
    """The markers of a JPEG up to its first scan."""
    found, position = [], 2
    while data[position + 1] != 0xDA:
        found.append(data[position + 1])
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return found


# --- what is accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_out_upright_without_place_or_camera(
    decoder: PooledImageDecoder, kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Secret Camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    stored = four_corners().transpose(FLIPS[orientation]) if orientation in FLIPS else four_corners()

    result = decoder.normalise(encoded(stored, kind, exif=exif))

    picture = opened(result)
    assert (result.facts.format, result.facts.orientation, result.facts.has_location) == (kind, orientation, True)
    assert (result.facts.width, result.facts.height) == stored.size
    assert picture.size == (240, 160)
    for index, colour in enumerate(CORNERS):
        assert near(picture, (index % 2 * 120 + 60, index // 2 * 80 + 40), colour)
    assert not picture.getexif()
    assert b"Secret" not in result.data


def test_a_png_that_says_behind_its_pixels_how_it_lies_comes_out_upright_too(decoder: PooledImageDecoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(four_corners().transpose(FLIPS[6]), "PNG")

    result = decoder.normalise(data[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + data[-12:])

    assert opened(result).size == (240, 160)
    assert near(opened(result), (60, 40), CORNERS[0])


def test_nothing_but_the_picture_is_in_our_encoding(decoder: PooledImageDecoder) -> None:
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><exif:GPSLatitude>52,31N</exif:GPSLatitude></x:xmpmeta>"
    data = encoded(photo(), "JPEG", comment=b"made by me", xmp=xmp, icc_profile=srgb_profile())

    result = decoder.normalise(data)

    assert result.facts.has_location
    assert set(segments(result.data)) <= {0xE0, 0xDB, 0xC0, 0xC4}
    assert set(opened(result).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("size", "expected"), [((5000, 2500), (2048, 1024)), ((2600, 5000), (1065, 2048)), ((300, 200), (300, 200))]
)
def test_large_pictures_shrink_and_small_ones_do_not_grow(
    decoder: PooledImageDecoder, kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    result = decoder.normalise(encoded(photo("rocket.jpg").resize(size), kind))

    assert abs(result.width - expected[0]) <= 1
    assert abs(result.height - expected[1]) <= 1
    assert max(opened(result).size) <= images.MODEL_SIDE


def test_a_phones_picture_with_a_second_one_inside_is_a_jpeg(decoder: PooledImageDecoder) -> None:
    data = encoded(photo(), "MPO", save_all=True, append_images=[photo("rocket.jpg")])

    result = decoder.normalise(data)

    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert result.facts.format == "JPEG"
    assert (result.width, result.height) == photo().size


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "I;16"])
def test_other_kinds_of_png_become_eight_bit_colour(decoder: PooledImageDecoder, mode: str) -> None:
    source = photo()
    grey = source.convert("L")
    if mode == "I;16":
        stored = Image.frombytes(mode, source.size, bytes(value for value in grey.tobytes() for _ in range(2)))
    else:
        stored = source.convert(mode)

    picture = opened(decoder.normalise(encoded(stored, "PNG")))

    expected = grey if mode == "I;16" else stored
    spot = (280, 40, 320, 80)  # an even one, because dithering makes single pixels differ
    mean = ImageStat.Stat(picture.crop(spot)).mean
    assert mean == pytest.approx(ImageStat.Stat(expected.convert("RGB").crop(spot)).mean, abs=6)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_becomes_white(decoder: PooledImageDecoder, kind: str) -> None:
    clear = photo().convert("RGBA")
    clear.putalpha(0)

    assert near(opened(decoder.normalise(encoded(clear, kind))), (5, 5), (255, 255, 255), slack=2)


def test_printers_colours_become_screen_colours(decoder: PooledImageDecoder) -> None:
    cyan = Image.new("CMYK", (200, 200), (255, 0, 0, 0))

    red, green, blue = opened(decoder.normalise(encoded(cyan, "JPEG"))).getpixel((100, 100))  # type: ignore[misc]

    assert red < 80
    assert min(green, blue) > 130


def test_a_wide_colour_profile_is_applied_and_dropped(decoder: PooledImageDecoder) -> None:
    import pyvips

    profile = pyvips.Image.profile_load("p3")
    data = encoded(Image.new("RGB", (200, 200), (230, 120, 60)), "JPEG", icc_profile=bytes(profile), quality=95)

    picture = opened(decoder.normalise(data))

    assert near(picture, (100, 100), (247, 112, 39), slack=4)
    assert "icc_profile" not in picture.info


@pytest.mark.parametrize("profile", [b"garbage" * 40, b"\x00" * 128], ids=["garbage", "zeros"])
def test_a_broken_colour_profile_does_not_matter(decoder: PooledImageDecoder, profile: bytes) -> None:
    assert opened(decoder.normalise(encoded(photo(), "JPEG", icc_profile=profile))).size == photo().size


@pytest.mark.parametrize("kind", FORMATS)
def test_what_hangs_on_the_end_of_a_file_is_left_out(decoder: PooledImageDecoder, kind: str) -> None:
    result = decoder.normalise(encoded(photo(), kind) + b"<script>alert(1)</script>" * 100)

    assert b"script" not in result.data


def test_progressive_interlaced_and_lossless_are_fine(decoder: PooledImageDecoder) -> None:
    import pyvips

    for data in (
        encoded(photo(), "JPEG", progressive=True),
        encoded(photo(), "WEBP", lossless=True),
        pyvips.Image.new_from_buffer(encoded(photo(), "PNG"), "").pngsave_buffer(interlace=True),
        encoded(photo(), "JPEG")[:-2] + b"\x12\x34\xff\xd9",  # a few bytes some cameras leave behind
    ):
        assert opened(decoder.normalise(data)).size == photo().size


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_file_that_ends_early_is_refused(decoder: PooledImageDecoder, kind: str, share: float) -> None:
    data = encoded(photo(), kind)

    with pytest.raises(InvalidInput, match=r"IMG\.x is (empty|incomplete|damaged)"):
        decoder.normalise(data[: max(int(len(data) * share), 16 if share else 0)], "IMG.x")


def test_a_jpeg_whose_rest_would_be_grey_is_refused(decoder: PooledImageDecoder) -> None:
    data = encoded(photo(), "JPEG")

    with pytest.raises(InvalidInput, match="damaged"):
        decoder.normalise(data[: len(data) // 2] + b"\xff\xd9")


def test_a_png_with_too_few_pixels_is_refused(decoder: PooledImageDecoder) -> None:
    data = encoded(photo(), "PNG")
    pixels = zlib.compress(b"\x00" * 5000)

    with pytest.raises(InvalidInput, match="damaged"):
        decoder.normalise(data[:33] + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


BOMB = zlib.compress(b"\x00" * (32 * 1024 * 1024), 9)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"k\x00\x00" + BOMB),
        chunk(b"iTXt", b"k\x00\x01\x00\x00\x00" + BOMB),
        chunk(b"iCCP", b"k\x00\x00" + BOMB),
        b"".join(chunk(b"zTXt", b"k\x00\x00" + zlib.compress(b"\x00" * 900_000)) for _ in range(6)),
        chunk(b"tEXt", b"k\x00v") * 20_001,
    ],
    ids=["text", "international text", "profile", "many texts", "many chunks"],
)
def test_bombs_in_notes_are_refused_without_being_inflated(decoder: PooledImageDecoder, extra: bytes) -> None:
    with pytest.raises(InvalidInput, match="uses"):
        decoder.inspect(png_with(extra))


def test_a_bomb_of_pixels_is_refused_by_its_header(decoder: PooledImageDecoder) -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", BOMB) + chunk(b"IEND", b"")

    with pytest.raises(InvalidInput, match="50000 × 50000"):
        decoder.normalise(data)


def test_a_jpeg_of_hundreds_of_scans_is_refused(decoder: PooledImageDecoder) -> None:
    data = encoded(photo(), "JPEG", progressive=True)
    last_scan = data[data.rfind(b"\xff\xda") : -2]

    with pytest.raises(InvalidInput, match="more scans"):
        decoder.inspect(data[:-2] + last_scan * 50 + b"\xff\xd9")


@pytest.mark.parametrize(("frame", "words"), [(0xC9, "rare kind"), (0xC3, "rare kind"), (0xCA, "rare kind")])
def test_rare_kinds_of_jpeg_are_refused_in_words(decoder: PooledImageDecoder, frame: int, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        decoder.inspect(encoded(photo(), "JPEG").replace(b"\xff\xc0", bytes((0xFF, frame)), 1))


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_moving_pictures_are_refused(decoder: PooledImageDecoder, kind: str) -> None:
    data = encoded(photo(), kind, save_all=True, append_images=[photo().rotate(9)])

    with pytest.raises(InvalidInput, match="is animated"):
        decoder.inspect(data)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "AVIF", "ICO", "JPEG2000", "PDF"])
def test_other_types_are_refused_whatever_they_are_called(decoder: PooledImageDecoder, kind: str) -> None:
    with pytest.raises(InvalidFileType, match=r"^holiday\.jpg is "):
        decoder.inspect(encoded(photo(), kind), "holiday.jpg")


@pytest.mark.parametrize(
    ("size", "is_fine"), [((100, 100), True), ((99, 100), False), ((5000, 100), True), ((5001, 100), False)]
)
def test_limits_on_sides(decoder: PooledImageDecoder, size: tuple[int, int], is_fine: bool) -> None:
    data = encoded(Image.new("RGB", size), "PNG")

    if is_fine:
        assert decoder.normalise(data).facts.width == size[0]
    else:
        with pytest.raises(InvalidInput, match=f"{size[0]} × {size[1]}"):
            decoder.normalise(data)


def test_ten_megabytes_are_fine_and_one_byte_more_is_not(decoder: PooledImageDecoder) -> None:
    data = encoded(photo(), "JPEG")
    padding = b"\x00" * (images.MAX_BYTES - len(data))

    assert decoder.inspect(data + padding).format == "JPEG"
    with pytest.raises(FileTooLarge, match=r"10\.1 MB"):
        decoder.inspect(data + padding + b"\x00")


@pytest.mark.parametrize("kind", FORMATS)
def test_thousands_of_damaged_headers_give_a_verdict_each(decoder: PooledImageDecoder, kind: str) -> None:
    data = bytearray(encoded(photo().resize((120, 100)), kind))
    for position in range(400):
        for value in (0x00, 0xFF, data[position] ^ 0x10):
            broken = data[:position] + bytes((value,)) + data[position + 1 :]
            try:
                decoder.inspect(bytes(broken))
            except (InvalidInput, InvalidFileType, FileTooLarge):
                continue


# --- what it survives -----------------------------------------------------------------------------------------------


@pytest.fixture
def one_helper() -> Iterator[PooledImageDecoder]:
    """One helper with room for one more job, ready and stopped: whatever it is given stays under way."""
    made = PooledImageDecoder(workers=1, waiting=1, seconds=30)
    made.normalise(encoded(photo(), "JPEG"))
    os.kill(helper_pid(made), signal.SIGSTOP)
    yield made
    made.close()


def helper_pid(decoder: PooledImageDecoder) -> int:
    (helper,) = decoder._pool.helpers
    assert helper.pid is not None
    return helper.pid


def test_a_helper_that_is_killed_costs_one_request(
    one_helper: PooledImageDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = image_work.send

    def send_and_kill(channel: socket.socket, header: dict[str, Any], payload: bytes = b"") -> None:
        send(channel, header, payload)
        os.kill(helper_pid(one_helper), signal.SIGKILL)

    with monkeypatch.context() as patched:
        patched.setattr(image_work, "send", send_and_kill)
        with pytest.raises(InvalidInput, match=r"IMG_1\.jpg could not be read"):
            one_helper.normalise(encoded(photo(), "JPEG"), "IMG_1.jpg")

    assert one_helper.normalise(encoded(photo(), "JPEG")).width == 600


def test_an_idle_helper_that_is_killed_costs_nothing(one_helper: PooledImageDecoder) -> None:
    process = one_helper._pool.helpers[0]._process
    assert process is not None
    process.kill()
    process.wait()

    assert one_helper.normalise(encoded(photo(), "JPEG")).width == 600


def test_a_picture_that_takes_too_long_is_refused() -> None:
    decoder = PooledImageDecoder(workers=1, seconds=0.2)
    decoder.verify(encoded(photo(), "JPEG"))
    os.kill(helper_pid(decoder), signal.SIGSTOP)

    with pytest.raises(InvalidInput, match="took too long"):
        decoder.normalise(encoded(photo(), "JPEG"))

    assert decoder.normalise(encoded(photo("rocket.jpg").resize((200, 200)), "JPEG")).width == 200
    decoder.close()


def test_a_result_that_takes_too_long_to_check_is_our_shortage_and_not_the_pictures_fault() -> None:
    decoder = PooledImageDecoder(workers=1, seconds=0.2)
    decoder.verify(encoded(photo(), "JPEG"))
    os.kill(helper_pid(decoder), signal.SIGSTOP)

    with pytest.raises(RateLimitExceeded):
        decoder.verify(encoded(photo(), "JPEG"))

    decoder.close()


def test_a_full_queue_asks_to_come_back(one_helper: PooledImageDecoder) -> None:
    data = encoded(photo(), "JPEG")
    with ThreadPoolExecutor(6) as threads:
        finished = as_completed([threads.submit(one_helper.normalise, data) for _ in range(6)], timeout=60)
        refused = [next(finished).exception() for _ in range(4)]
        os.kill(helper_pid(one_helper), signal.SIGCONT)
        done = [future.result() for future in finished]

    assert all(isinstance(error, RateLimitExceeded) and error.retry_after == 2 for error in refused)
    assert len(done) == 2


def test_whoever_waited_long_is_asked_to_come_back_instead_of_being_called_too_slow() -> None:
    decoder = PooledImageDecoder(workers=1, seconds=2)
    data = encoded(photo(), "JPEG")
    decoder.normalise(data)
    helper = decoder._pool._idle.get()  # as if somebody else's photo were being read
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(decoder.normalise, data)
        with pytest.raises(TimeoutError):
            waits.exception(timeout=0.8)
        os.kill(helper_pid(decoder), signal.SIGSTOP)
        decoder._pool._idle.put(helper)
        error = waits.exception(timeout=5)

    assert isinstance(error, RateLimitExceeded)
    assert 2 < time.monotonic() - begun < 3
    assert decoder.normalise(data).width == 600
    decoder.close()


def test_a_picture_that_needs_too_much_memory_is_refused() -> None:
    usual = PooledImageDecoder(workers=1)
    usual.normalise(encoded(photo(), "JPEG"))
    status = Path(f"/proc/{helper_pid(usual)}/status").read_text()
    usual.close()
    needed = int(status.partition("VmPeak:")[2].split()[0]) * 1024
    decoder = PooledImageDecoder(workers=1, seconds=30, memory_bytes=needed + 24 * 1024 * 1024)
    hungry = encoded(photo().resize((5000, 5000)), "JPEG", progressive=True, quality=60, subsampling=0)

    with pytest.raises(InvalidInput, match="damaged"):
        decoder.normalise(hungry)

    assert decoder.normalise(encoded(photo(), "JPEG")).width == 600
    decoder.close()


def test_helpers_end_when_their_parent_is_killed() -> None:
    program = (
        "import io, sys\n"
        "from pixshift.gateways.image_decoder import PooledImageDecoder\n"
        "decoder = PooledImageDecoder(workers=1)\n"
        f"decoder.normalise(open({str(PHOTOS / 'coffee.png')!r}, 'rb').read())\n"
        "print(decoder._pool.helpers[0].pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=PHOTOS.parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        helper = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([helper], [], [], 10)
        os.close(helper)

    assert ended


def test_a_helper_that_cannot_start_is_no_fault_of_the_photo() -> None:
    decoder = PooledImageDecoder(workers=1, memory_bytes=20 * 1024 * 1024)

    with pytest.raises(InternalError):
        decoder.normalise(encoded(photo(), "JPEG"))


def test_a_helper_knows_nothing_of_our_environment(
    decoder: PooledImageDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_live_secret")
    fresh = PooledImageDecoder(workers=1)
    fresh.normalise(encoded(photo(), "JPEG"))

    environment = Path(f"/proc/{helper_pid(fresh)}/environ").read_bytes()

    fresh.close()
    assert b"STRIPE" not in environment
    assert b"PATH" not in environment


def test_a_start_of_the_web_process_loads_no_decoder() -> None:
    program = (
        "import sys\n"
        "from pixshift.gateways.image_decoder import PooledImageDecoder\n"
        "from pixshift.gateways.preview_editor import PreviewEditor\n"
        "from pixshift.gateways.storage import LocalStorage, S3Storage\n"
        "PooledImageDecoder(), PreviewEditor()\n"
        "print(sorted({'boto3', 'botocore', 'numpy', 'pyvips', 'PIL'} & set(sys.modules)))\n"
    )
    seen = subprocess.run([sys.executable, "-c", program], cwd=PHOTOS.parents[1], capture_output=True, check=True)

    assert seen.stdout.decode().strip() == "[]"


def test_large_photos_leave_no_memory_behind_in_the_web_process() -> None:
    program = (
        "import sys, threading\n"
        "from pixshift.gateways.image_decoder import PooledImageDecoder\n"
        "def resident():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith('VmRSS'))\n"
        "PooledImageDecoder()\n"
        "before, together = resident(), threading.Barrier(8)\n"
        "def handle():\n"
        "    for _ in range(4):\n"
        "        photo = bytearray(b'x') * (10 * 1024 * 1024)\n"
        "        together.wait()\n"
        "        small = bytes(photo[:2_000])\n"
        "        del photo\n"
        "threads = [threading.Thread(target=handle) for _ in range(8)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "print(resident() - before)\n"
    )
    grown = subprocess.run([sys.executable, "-c", program], cwd=PHOTOS.parents[1], capture_output=True, check=True)

    assert int(grown.stdout) < 24


# --- results of the model -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_results_are_told_by_content_and_decoded(decoder: PooledImageDecoder, kind: str) -> None:
    result = decoder.verify(encoded(photo("hubble_deep_field.jpg"), kind))

    assert (result.media_type, result.width, result.height) == (Image.MIME[kind], 1000, 872)


@pytest.mark.parametrize(
    "data",
    [b"", b"I cannot draw that.", b"\xff\xd8\xff\xd9", b"<svg xmlns='http://www.w3.org/2000/svg'/>"],
    ids=["nothing", "text", "no picture", "drawing"],
)
def test_what_is_no_picture_is_not_verified(decoder: PooledImageDecoder, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        decoder.verify(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_half_a_result_is_not_verified(decoder: PooledImageDecoder, kind: str) -> None:
    data = encoded(photo(), kind)

    with pytest.raises(InvalidInput):
        decoder.verify(data[: len(data) // 2])


def test_a_result_of_more_than_fifty_megapixels_is_not_decoded(decoder: PooledImageDecoder) -> None:
    header = struct.pack(">IIBBBBB", 10_000, 5001, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")

    with pytest.raises(InvalidInput, match="too many pixels"):
        decoder.verify(data)


# --- the half-and-half of a style -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_half_the_photo_stands_beside_half_the_picture(decoder: PooledImageDecoder, kind: str) -> None:
    red, blue = (Image.new("RGB", size, colour) for size, colour in (((900, 600), "red"), ((500, 700), "blue")))

    made = decoder.pair(encoded(red, "JPEG"), encoded(blue, kind))

    with Image.open(io.BytesIO(made)) as picture:
        assert (picture.format, picture.size) == ("WEBP", images.STYLE_THUMBNAIL)
        shown = picture.convert("RGB")
    left, right = (shown.getpixel((x, 160)) for x in (100, 380))
    assert (left[0] > 200, left[2] < 60, right[0] < 60, right[2] > 200) == (True, True, True, True)


def test_a_pair_of_noise_still_becomes_small(decoder: PooledImageDecoder) -> None:
    noise = Image.frombytes("RGB", (1200, 800), os.urandom(1200 * 800 * 3))

    made = decoder.pair(encoded(noise, "JPEG", quality=95), encoded(noise, "PNG"))

    assert len(made) <= images.STYLE_THUMBNAIL_BYTES
    with Image.open(io.BytesIO(made)) as picture:
        assert picture.width * 2 == picture.height * 3


@pytest.mark.parametrize("broken", [b"", b"I cannot draw that.", b"half"])
def test_no_pair_of_what_is_no_picture(decoder: PooledImageDecoder, broken: bytes) -> None:
    whole = encoded(photo(), "JPEG")
    part = whole[: len(whole) // 2] if broken == b"half" else broken
    for pair in ((whole, part), (part, whole)):
        with pytest.raises(InvalidInput):
            decoder.pair(*pair)


def srgb_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
