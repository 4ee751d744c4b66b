"""Small numeric tools of the preview filters: planes of float32 between 0 (black) and 1 (white).

numpy is loaded by the first picture, never by the start of a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[Any]  # of float32

_SEED = 1976  # every picture comes out the same each time


def plane(image: Image.Image) -> Plane:
    """Brightness as people see it."""
    import numpy as np

    return np.asarray(image.convert("L"), np.float32) / 255


def picture(values: Plane) -> Image.Image:
    """A plane (height, width) or three of them (height, width, 3) as a Pillow image."""
    import numpy as np

    return Image.fromarray((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8))


def noise(shape: tuple[int, int], seed: int = 0) -> Plane:
    """White noise, 0 to 1."""
    import numpy as np

    return np.random.default_rng(_SEED + seed).random(shape, np.float32)


def clouds(shape: tuple[int, int], cell: int, seed: int = 0) -> Plane:
    """Soft noise with spots of about ``cell`` pixels, 0 to 1."""
    import numpy as np

    height, width = shape
    small = noise((height // cell + 3, width // cell + 3), seed)
    soft = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(soft, np.float32), 0, 1)


def blur(values: Plane, radius: float) -> Plane:
    """Very nearly Gaussian: three running means one after another."""
    size = max(1, round(radius))
    for _ in range(3):
        values = _running_mean(_running_mean(values, size, 0), size, 1)
    return values


def _running_mean(values: Plane, size: int, axis: int) -> Plane:
    import numpy as np

    pad = [(0, 0), (0, 0)]
    pad[axis] = (size + 1, size)
    sums = np.cumsum(np.pad(values, pad, mode="edge"), axis=axis, dtype=np.float32)
    window = 2 * size + 1
    difference = sums[window:] - sums[:-window] if axis == 0 else sums[:, window:] - sums[:, :-window]
    difference /= window
    return difference


def step(values: Plane, low: float, high: float) -> Plane:
    """0 below ``low``, 1 above ``high``, a smooth slope between."""
    import numpy as np

    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def even_tones(values: Plane, local: float = 0.5, middle: float = 0.5) -> Plane:
    """Use the whole range, lift the dark so that night works too, bring out detail by ``local`` (0 to 1)."""
    import numpy as np

    low, high = (float(edge) for edge in np.percentile(values[::4, ::4], (0.5, 99.5)))
    spread = np.clip((values - low) / max(high - low, 0.12), 0, 1)
    average = min(max(float(np.median(spread)), 0.04), 0.96)
    power = min(max(np.log(middle) / np.log(average), 0.5), 1.8)
    toned = np.power(spread, np.float32(power))
    around = blur(toned, max(toned.shape) / 30)
    return np.clip(toned + local * (toned - around), 0, 1)


def flow(values: Plane, radius: float) -> tuple[Plane, Plane]:
    """Along which direction forms run, as unit vectors (x, y); where there are none, nearly level."""
    import numpy as np

    dy, dx = np.gradient(blur(values, 1.5))
    xx, yy, xy = (blur(part, radius) for part in (dx * dx, dy * dy, dx * dy))
    level = np.float32(1e-5)  # what a quiet sky has: its grain shall not decide
    angle = 0.5 * np.arctan2(2 * xy + level * 0.4, xx - yy - level) + np.float32(np.pi / 2)
    return np.cos(angle), np.sin(angle)


def smear(values: Plane, field: tuple[Plane, Plane], reach: int, stride: float = 1.5) -> Plane:
    """Average along the flow, ``reach`` steps both ways: noise becomes strokes, colour becomes paint."""
    import numpy as np

    height, width = values.shape[:2]
    total = values.astype(np.float32, copy=True)
    field_x, field_y = (part.ravel() for part in field)
    pixels = values.reshape(height * width, -1)
    rows, columns = np.indices((height, width), np.float32)
    for sign in (1.0, -1.0):
        x, y = columns.ravel().copy(), rows.ravel().copy()
        at = np.arange(height * width, dtype=np.int32)
        going_x, going_y = field_x * np.float32(sign * stride), field_y * np.float32(sign * stride)
        for _ in range(reach):
            step_x, step_y = going_x[at], going_y[at]
            x = np.clip(x + step_x, 0, width - 1)
            y = np.clip(y + step_y, 0, height - 1)
            at = y.astype(np.int32) * np.int32(width) + x.astype(np.int32)
            total += pixels[at].reshape(values.shape)
    return total / np.float32(2 * reach + 1)


def blend(coverage: Plane, ink: Sequence[float] | Plane, paper: Sequence[float] | Plane) -> Plane:
    """Ink over paper, each a colour (0 to 255) or a picture (0 to 1); ``coverage`` 1 is all ink."""
    amount = coverage[..., None]
    mixed: Plane = _colour(paper) * (1 - amount) + _colour(ink) * amount
    return mixed


def _colour(value: Any) -> Any:
    import numpy as np

    return value if isinstance(value, np.ndarray) else np.asarray(value, np.float32) / 255


def ramp(values: Plane, colours: Sequence[Sequence[float]]) -> Plane:
    """Brightness to colour, through evenly spaced ``colours`` (0 to 255) from dark to light."""
    import numpy as np

    table = np.asarray(colours, np.float32) / 255
    stops = np.linspace(0, 1, len(colours))
    levels = np.linspace(0, 1, 1024)
    lookup = np.stack([np.interp(levels, stops, table[:, band]) for band in range(3)], axis=1).astype(np.float32)
    return lookup[(np.clip(values, 0, 1) * 1023).astype(np.int16)]


def screen(shape: tuple[int, int], period: float, degrees: float, bend: Plane | float = 0.0) -> Plane:
    """Parallel lines as a wave of 0 to 1, turned by ``degrees``; ``bend`` shifts them, in pixels, across their run."""
    import numpy as np

    rows, columns = np.indices(shape, np.float32)
    turn = np.float32(np.radians(degrees))
    across = rows * np.cos(turn) + columns * np.sin(turn) + bend
    wave: Plane = np.cos(across * np.float32(2 * np.pi / period))
    return 0.5 + 0.5 * wave


def vignette(shape: tuple[int, int]) -> Plane:
    """0 in the middle to 1 in the corners."""
    import numpy as np

    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    return (rows * rows + columns * columns) / 2
