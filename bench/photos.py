"""Photos: the checks before decoding, and the normalising, beside Pillow doing it naively."""

import io
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bench import wsgi
from bench.measure import Row, cpu, mib, ms, side_by_side
from bench.served import cpu_of_one
from pixshift.gateways.image_decoder import PooledImageDecoder

LIMIT = 10 * 1024 * 1024
NAIVE = """
import io, sys, time
from PIL import Image, ImageOps
data = open(sys.argv[1], "rb").read()
def memory(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))
Image.init()
before = memory("VmRSS")
begun = time.process_time()
with Image.open(io.BytesIO(data)) as picture:
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((2048, 2048), Image.Resampling.LANCZOS)
    upright.save(io.BytesIO(), "JPEG", quality=90)
print(time.process_time() - begun, memory("VmHWM") - before)
"""


def photo(width: int, height: int, kind: str, most: int = LIMIT) -> bytes:
    """Something like a photograph: soft shapes and grain, as much of it as ``most`` bytes allow."""
    random = np.random.default_rng(7)
    small = Image.fromarray(random.integers(0, 255, (max(2, height // 60), max(2, width // 60), 3), dtype=np.uint8))
    soft = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = random.standard_normal((height, width, 1), dtype=np.float32)
    amounts = {"JPEG": (14, 9, 6), "PNG": (0.5, 0), "WEBP": (6, 3)}[kind]
    for amount, mask in (*((amount, 255) for amount in amounts), (0, 252), (0, 248), (0, 240)):
        pixels = np.clip(soft + grain * amount, 0, 255).astype(np.uint8) & np.uint8(mask)
        file = io.BytesIO()
        options = {"PNG": {"compress_level": 4}, "WEBP": {"quality": 92, "method": 2}}.get(kind, {"quality": 92})
        Image.fromarray(pixels).save(file, kind, **options)
        if file.tell() <= most:
            return file.getvalue()
    raise RuntimeError(f"no {kind} of {width} × {height} below {most} bytes")


def rows(folder: Path) -> list[Row]:
    return [*_checks(photo(4900, 4900, "JPEG")), *_normalise(folder)]


def _checks(data: bytes) -> list[Row]:
    decoder = PooledImageDecoder()
    hello = wsgi.hello()
    border = b"frontier"
    head = b'--%s\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' % border
    body = head + data + b"\r\n--%s--\r\n" % border
    kind = f"multipart/form-data; boundary={border.decode()}"

    def header_read() -> None:
        with Image.open(io.BytesIO(data)) as picture:
            picture.size  # noqa: B018

    def receive() -> object:
        return wsgi.request(hello, "/", "POST", body, Content_Type=kind)

    name = f"accept a {len(data) / 1e6:.1f} MB JPEG (checks before decoding), CPU"
    first = side_by_side(lambda: cpu(lambda: decoder.inspect(data), 20), lambda: cpu(header_read, 20))
    second = side_by_side(lambda: cpu(lambda: decoder.inspect(data), 20), lambda: cpu(receive, 5))
    decoder.close()
    return [
        Row(name, ms(first.ours), f"Pillow header read {ms(first.reference)}", first.ratio, "a few ms"),
        Row("the same", ms(second.ours), f"Flask reading the upload {ms(second.reference)}", second.ratio, "≤ 0.5"),
    ]


def _normalise(folder: Path) -> list[Row]:
    found = []
    for kind, width, height in (
        ("JPEG", 4000, 3000), ("JPEG", 5000, 5000), ("PNG", 4000, 3000), ("PNG", 5000, 5000), ("WEBP", 4000, 3000),
        ("WEBP", 5000, 5000),
    ):  # fmt: skip
        data = photo(width, height, kind)
        file = folder / "photo"
        file.write_bytes(data)
        ours = [_helper(data) for _ in range(3)]
        naive = [_naive(file) for _ in range(3)]
        mine, theirs = (statistics.median(one[0] for one in runs) for runs in (ours, naive))
        memory, their_memory = (max(one[1] for one in runs) for runs in (ours, naive))
        wall = statistics.median(one[2] for one in ours)
        found.append(
            Row(
                f"normalise {kind} {width}×{height}, {len(data) / 1e6:.1f} MB",
                f"{ms(mine)} CPU ({ms(wall)} waited), {mib(memory)}",
                f"naive Pillow {ms(theirs)}, {mib(their_memory)}",
                mine / theirs,
                "≤ 100 MiB",
            )
        )
    return found


def _helper(data: bytes) -> tuple[float, int, float]:
    """CPU seconds, bytes above idle at the peak, seconds waited: in a helper process that has just started."""
    decoder = PooledImageDecoder(workers=1, seconds=20)
    small = io.BytesIO()
    Image.new("RGB", (200, 200)).save(small, "JPEG")
    decoder.normalise(small.getvalue())  # libraries are loaded
    pid = decoder._pool.helpers[0].pid
    idle, before, begun = _memory(pid, "VmRSS"), cpu_of_one(pid), time.perf_counter()
    decoder.normalise(data)
    waited = time.perf_counter() - begun
    result = (cpu_of_one(pid) - before, _memory(pid, "VmHWM") - idle, waited)
    decoder.close()
    return result


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _naive(file: Path) -> tuple[float, int]:
    words = subprocess.run([sys.executable, "-c", NAIVE, str(file)], capture_output=True, text=True, check=True).stdout
    seconds, peak = words.split()
    return float(seconds), int(peak)
