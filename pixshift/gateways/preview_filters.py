"""What the preview editor does to a photo: one function a style, each from an RGB picture to an RGB picture.

They are honest filters, not a model: they change tone, line and colour, and put nothing into the picture that is not
there.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageEnhance, ImageFilter

from pixshift.gateways import preview_tools as tools

Filter = Callable[[Image.Image], Image.Image]

_CREAM, _NIGHT = (247, 243, 232), (22, 24, 44)


def engraving(photo: Image.Image) -> Image.Image:
    """Swelling lines that bend over the forms, crossed where it is dark, as on a banknote."""
    import numpy as np

    tone = tools.even_tones(tools.plane(photo), local=0.9, middle=0.62)
    form = tools.blur(tone, max(photo.size) / 130)
    period = max(photo.size) / 235
    ink = np.zeros_like(tone)
    for degrees, below, seed in ((24.0, 1.0, 1), (-38.0, 0.46, 2), (78.0, 0.22, 3)):
        bend = form * (period * 6) + tools.clouds(tone.shape, 160, seed) * period * 2
        lines = tools.screen(tone.shape, period, degrees, bend)
        width = np.clip((below - tone) / below, 0, 1)
        ink = np.maximum(ink, tools.step(lines - (1 - width), -0.16, 0.16) * (width > 0.03))
    edges = tools.step(tools.blur(tone, 3) - tools.blur(tone, 1), 0.025, 0.1)
    return tools.picture(tools.blend(np.maximum(ink, edges), _NIGHT, _CREAM))


def pencil_sketch(photo: Image.Image) -> Image.Image:
    """Outlines by dodging, shade by strokes of graphite in two directions, on grained paper."""
    import numpy as np

    tone = tools.even_tones(tools.plane(photo), local=0.6, middle=0.66)
    soft = tools.blur(tone, max(photo.size) / 180)
    outline = np.clip((soft - tone) / (soft + 0.12), 0, 1)
    shade = np.zeros_like(tone)
    for slope, start, seed in ((1, 0.95, 1), (-1, 0.6, 2), (1, 0.3, 4)):
        strokes = tools.step(_strokes(tone.shape, slope, seed), 0.25, 0.8)
        shade = 1 - (1 - shade) * (1 - np.clip(start - soft, 0, 0.8) * strokes)
    grain = 0.72 + 0.5 * tools.blur(tools.noise(tone.shape, 3), 1)
    graphite = np.clip((outline * 1.9 + shade) * grain, 0, 0.93)
    return tools.picture(tools.blend(graphite, (44, 44, 50), (248, 246, 240)))


def _strokes(shape: tuple[int, int], slope: int, seed: int) -> tools.Plane:
    """Short slanting strokes, stretched to use the whole range."""
    import numpy as np

    values = tools.noise(shape, seed)
    for reach in (1, 2, 4, 8, 16):  # doubling the length each time costs five sums for 32 pixels
        values = (values + np.roll(values, (reach, -slope * reach), (0, 1))) / 2
    spread: tools.Plane = (values - values.mean()) / (values.std() * 4) + 0.5
    return np.clip(spread, 0, 1)


def oil_painting(photo: Image.Image) -> Image.Image:
    """Paint pulled along the forms, with the light of a lamp on its ridges."""
    import numpy as np

    small = photo.copy()
    small.thumbnail((1200, 1200), Image.Resampling.LANCZOS)
    flat = ImageEnhance.Color(small.filter(ImageFilter.MedianFilter(3))).enhance(1.45)
    tone = tools.plane(small)
    field = tools.flow(tone, 7)
    paint = tools.smear(np.asarray(flat, np.float32) / 255, field, 6)
    bristles = tools.smear(tools.noise(tone.shape), field, 10)
    ridges = bristles - np.roll(bristles, (2, 2), (0, 1))
    lit = np.clip(paint + np.clip(ridges * 0.55, -0.16, 0.16)[..., None], 0, 1)
    return tools.picture(lit).filter(ImageFilter.UnsharpMask(20, 30, 0)).resize(photo.size, Image.Resampling.BICUBIC)


def pop_art(photo: Image.Image) -> Image.Image:
    """Five loud colours, dots between them, and bold black outlines."""
    import numpy as np

    tone = tools.even_tones(tools.blur(tools.plane(photo), 1), local=0.9, middle=0.55)
    period = max(photo.size) / 150
    dots = (tools.screen(tone.shape, period, 45) + tools.screen(tone.shape, period, -45)) / 2
    levels = np.clip(tone, 0, 0.9999) * 4
    whole = np.floor(levels)
    printed = whole + tools.step(levels - whole - (1 - dots), -0.1, 0.1)
    loud = ((38, 10, 66), (226, 32, 98), (255, 126, 28), (255, 212, 42), (255, 248, 226))
    colours = tools.ramp(printed / 4, loud)
    ink = tools.step(tools.blur(tone, 5) - tools.blur(tone, 2), 0.05, 0.1)
    return tools.picture(tools.blend(ink, (24, 8, 40), colours))


def linocut(photo: Image.Image) -> Image.Image:
    """One colour of ink: solid in the dark, carved along the forms in between, paper in the light."""
    tone = tools.even_tones(tools.blur(tools.plane(photo), 2), local=0.9, middle=0.56)
    carved = tools.step(tone + (_gouges(photo) - 0.5) * 0.38, 0.47, 0.53)
    specks = tools.step(tools.blur(tools.noise(tone.shape, 1), 1), 0.6, 0.68) * 0.5
    ink = (1 - carved) * (1 - specks * tools.clouds(tone.shape, 60, 2))
    return tools.picture(tools.blend(ink, (150, 30, 22), _CREAM))


def _gouges(photo: Image.Image) -> tools.Plane:
    """The marks of a tool that follows the forms; found on a smaller copy, because they are coarse anyway."""
    import numpy as np

    small = photo.copy()
    small.thumbnail((900, 900), Image.Resampling.BILINEAR)
    tone = tools.plane(small)
    cuts = tools.smear(tools.blur(tools.noise(tone.shape), 1.6), tools.flow(tone, 7), 14, stride=2.0)
    cuts = np.clip((cuts - cuts.mean()) / (cuts.std() * 5) + 0.5, 0, 1)
    return np.asarray(Image.fromarray(cuts).resize(photo.size, Image.Resampling.BICUBIC))


def cyanotype(photo: Image.Image) -> Image.Image:
    """Prussian blue on watercolour paper, brushed on by hand up to a rough edge."""
    import numpy as np

    tone = tools.even_tones(tools.plane(photo), local=0.5, middle=0.5)
    blues = ((8, 24, 58), (14, 52, 108), (46, 104, 164), (148, 186, 212), (244, 242, 230))
    print_ = tools.ramp(tone + (tools.clouds(tone.shape, 90, 1) - 0.5) * 0.035, blues)
    height, width = tone.shape
    rows = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    columns = np.minimum(np.arange(width), np.arange(width)[::-1])[None, :]
    margin = np.minimum(rows, columns).astype(np.float32) / max(height, width)
    rough = sum(tools.clouds(tone.shape, cell, cell) * weight for cell, weight in ((80, 0.5), (24, 0.3), (7, 0.2)))
    brushed = tools.step(margin - 0.012 - rough * 0.034, -0.001, 0.0015)
    paper = np.asarray((246, 243, 232), np.float32) / 255 - (tools.noise(tone.shape, 5)[..., None] - 0.5) * 0.025
    return tools.picture(tools.blend(brushed, print_, paper))


def pixel_art(photo: Image.Image) -> Image.Image:
    """About 128 large pixels across in 32 colours, with darker outlines."""
    cell = max(1, round(max(photo.size) / 128))
    size = (max(1, round(photo.width / cell)), max(1, round(photo.height / cell)))
    vivid = ImageEnhance.Contrast(ImageEnhance.Color(photo).enhance(1.5)).enhance(1.15)
    twice = vivid.resize((size[0] * 2, size[1] * 2), Image.Resampling.BOX)
    dark = twice.filter(ImageFilter.MinFilter(3)).resize(size, Image.Resampling.BOX)
    small = Image.blend(twice.resize(size, Image.Resampling.BOX), dark, 0.3)
    small = small.filter(ImageFilter.UnsharpMask(1, 90, 2))
    palette = small.quantize(32, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)
    return palette.convert("RGB").resize((size[0] * cell, size[1] * cell), Image.Resampling.NEAREST)


def print_1970s(photo: Image.Image) -> Image.Image:
    """Faded dyes, lifted shadows, a light leak, grain and a pale border."""
    import numpy as np

    values = np.asarray(photo, np.float32) / 255
    faded = values @ np.asarray(((0.86, 0.08, 0.04), (0.10, 0.80, 0.10), (0.06, 0.14, 0.62)), np.float32)
    faded = np.asarray((0.13, 0.085, 0.07), np.float32) + faded * np.asarray((0.86, 0.82, 0.76), np.float32)
    shape = values.shape[:2]
    grain = tools.blur(tools.noise(shape), 1) + tools.noise(shape, 1) * 0.35 - 0.675
    faded = faded * (1 - 0.35 * tools.vignette(shape)[..., None]) + grain[..., None] * 0.22
    across = np.linspace(0, 1, shape[1], dtype=np.float32)[None, :]
    leak = tools.step(across + (tools.clouds(shape, max(shape), 2) - 0.5) * 0.3, 0.72, 1.25)
    leaked = 1 - (1 - np.clip(faded, 0, 1)) * (1 - leak[..., None] * np.asarray((0.95, 0.42, 0.12), np.float32))
    return _bordered(tools.picture(leaked), (243, 236, 220))


def _bordered(photo: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """A border as of a print, with corners a little round."""
    from PIL import ImageDraw

    margin = round(min(max(photo.size) * 0.028, min(photo.size) * 0.08))
    mask = Image.new("L", photo.size, 0)
    inside = (margin, margin, photo.width - margin, photo.height - margin)
    ImageDraw.Draw(mask).rounded_rectangle(inside, margin * 0.6, fill=255)
    return Image.composite(photo, Image.new("RGB", photo.size, colour), mask.filter(ImageFilter.GaussianBlur(0.8)))


def studio(photo: Image.Image) -> Image.Image:
    """For every other style: warm light, deeper colour, a soft glow and darker corners."""
    import numpy as np

    values = np.asarray(ImageEnhance.Color(photo).enhance(1.22), np.float32) / 255
    around = photo.filter(ImageFilter.GaussianBlur(max(photo.size) / 40))
    values = values + 0.22 * (values - np.asarray(around, np.float32) / 255)
    curve = values * values * (3 - 2 * values)
    values = 0.55 * values + 0.45 * curve
    bright = tools.picture(values - 0.55).filter(ImageFilter.GaussianBlur(max(photo.size) / 60))
    values = 1 - (1 - np.clip(values, 0, 1)) * (1 - np.asarray(bright, np.float32) / 255 * 0.8)
    values = values * np.asarray((1.06, 1.0, 0.9), np.float32) + np.asarray((0.0, 0.0, 0.025), np.float32)
    return tools.picture(values * (1 - 0.55 * tools.step(tools.vignette(values.shape[:2]), 0.2, 1.1)[..., None]))


FILTERS: dict[str, Filter] = {
    "engraving": engraving,
    "pencil-sketch": pencil_sketch,
    "oil-painting": oil_painting,
    "pop-art": pop_art,
    "linocut": linocut,
    "cyanotype": cyanotype,
    "pixel-art": pixel_art,
    "1970s-print": print_1970s,
}
