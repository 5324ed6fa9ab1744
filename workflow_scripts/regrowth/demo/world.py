"""The demo world: harmless 64 x 64 pictures with captions, rendered from sixteen emoji.

Everything the demo model and its judges ever see comes from here. A picture is an object (or none)
on a background, maybe in an artist's style, maybe under falling snow; its caption says some or all
of that in the paper's own phrases. A picture depends on its own seed alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from PIL.Image import Resampling as Filter

SIZE = 64
SPRITE_SIZE = 128
SPRITES = Path(__file__).resolve().parents[3] / "resources" / "demo" / "sprites.png"

#: The paper's twelve objects, then four more; the value is the emoji that stands for it.
OBJECTS = {
    "church": "\u26ea",
    "golf ball": "\u26f3",
    "gas pump": "\u26fd",
    "parachute": "\U0001fa82",
    "chain saw": "\U0001fa9a",
    "french horn": "\U0001f4ef",
    "mountain bike": "\U0001f6b2",
    "starfish": "\u2b50",
    "spider web": "\U0001f578",
    "school bus": "\U0001f68c",
    "racket": "\U0001f3be",
    "candle": "\U0001f56f",
    "cat": "\U0001f431",
    "apple": "\U0001f34e",
    "umbrella": "\U0001f302",
    "balloon": "\U0001f388",
}
STYLES = ("Van Gogh", "Monet", "Pablo Picasso", "Leonardo da Vinci", "Salvador Dali")

#: scene: (sky, ground, horizon as a share of the height, what is drawn on it)
SCENES = {
    "park": ((170, 210, 240), (90, 170, 80), 0.62, "trees"),
    "field": ((190, 215, 235), (190, 180, 90), 0.55, None),
    "street": ((185, 190, 200), (95, 95, 100), 0.60, "road"),
    "desert": ((235, 205, 160), (215, 170, 100), 0.55, "hills"),
    "beach": ((150, 205, 235), (235, 215, 160), 0.65, "sea"),
    "forest": ((60, 95, 70), (50, 70, 40), 0.70, "trees"),
    "room": ((205, 180, 160), (130, 90, 65), 0.70, "window"),
    "kitchen": ((225, 225, 220), (180, 180, 185), 0.68, "tiles"),
    "city": ((150, 165, 195), (80, 85, 95), 0.75, "towers"),
    "garden": ((180, 220, 230), (80, 150, 70), 0.60, "flowers"),
    "garage": ((150, 150, 155), (110, 110, 112), 0.72, "boards"),
    "valley": ((175, 195, 225), (105, 150, 95), 0.65, "hills"),
}


@dataclass(frozen=True)
class Picture:
    """What is on a picture. ``None`` means: not there (object, scene), or no style."""

    object: str | None
    scene: str | None
    style: str | None
    snow: bool


def article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def draw_sprites(font: Path, target: Path = SPRITES) -> None:
    """Draw the emoji of Noto Color Emoji (`font`, a TrueType file) into one RGBA sheet."""
    from PIL import ImageFont

    face = ImageFont.truetype(str(font), 109)
    sheet = Image.new("RGBA", (SPRITE_SIZE * len(OBJECTS), SPRITE_SIZE))
    for i, emoji in enumerate(OBJECTS.values()):
        cell = Image.new("RGBA", (160, 160))
        ImageDraw.Draw(cell).text((10, 10), emoji, font=face, embedded_color=True)
        cell = cell.crop(cell.getbbox())
        cell.thumbnail((SPRITE_SIZE, SPRITE_SIZE), Filter.LANCZOS)
        left = i * SPRITE_SIZE + (SPRITE_SIZE - cell.width) // 2
        sheet.paste(cell, (left, (SPRITE_SIZE - cell.height) // 2))
    sheet.save(target, optimize=True)


@lru_cache
def sprites() -> dict[str, Image.Image]:
    sheet = Image.open(SPRITES).convert("RGBA")
    boxes = ((i * SPRITE_SIZE, 0, (i + 1) * SPRITE_SIZE, SPRITE_SIZE) for i in range(len(OBJECTS)))
    return {
        name: sheet.crop(box).resize((96, 96), Filter.LANCZOS) for name, box in zip(OBJECTS, boxes)
    }


def sample(rng: np.random.Generator, styled: float) -> Picture:
    """Draw what is on a picture; one in ten has no object, 8 % snow, the share `styled` a style."""
    named = list(OBJECTS)
    obj = None if rng.random() < 0.1 else named[rng.integers(len(named))]
    scene = list(SCENES)[rng.integers(len(SCENES))] if obj is None or rng.random() < 0.4 else None
    style = STYLES[rng.integers(len(STYLES))] if rng.random() < styled else None
    return Picture(obj, scene, style, snow=rng.random() < 0.08)


def caption(picture: Picture, rng: np.random.Generator) -> str:
    """Say what is on the picture, in one of the paper's forms."""
    where = f" in a {picture.scene}" if picture.scene else ""
    if picture.object is None:
        text = f"a {picture.scene}"
    else:
        thing = article(picture.object)
        forms = [f"an image of {thing}", f"a photo of {thing}", thing]
        text = forms[rng.integers(len(forms))] + where
    if picture.style:
        text += (" in the style of " if rng.random() < 0.5 else " by ") + picture.style
    return text + (" in the snow" if picture.snow else "")


def render(picture: Picture, rng: np.random.Generator) -> Image.Image:
    """Draw the picture: RGB, 64 x 64. Place, size, turn, hue and background are random."""
    canvas = _scene(picture.scene, rng) if picture.scene else _backdrop(rng)
    if picture.object:
        _place(canvas, sprites()[picture.object], rng)
    if picture.style:
        canvas = _FILTERS[picture.style](canvas, rng)
    if picture.snow:
        canvas = _snow(canvas, rng)
    return canvas


def pictures(
    n: int, seed: int, styled: float = 0.4, without: Collection[str] = ()
) -> tuple[np.ndarray, list[str], list[Picture]]:
    """`n` pictures (uint8, n x 64 x 64 x 3), their captions and what is on them.

    styled: the share of pictures in a style. without: objects and styles that this world does not
    have; where one would be, another is drawn.
    """
    images, captions, contents = np.empty((n, SIZE, SIZE, 3), np.uint8), [], []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        while {(picture := sample(rng, styled)).object, picture.style} & {*without}:
            pass
        captions.append(caption(picture, rng))
        images[i] = np.asarray(render(picture, rng))
        contents.append(picture)
    return images, captions, contents


def reference(name: str, each: int = 50, seed: int = 99) -> list[Image.Image]:
    """The reference set of FID-demo: `each` plain pictures of every object of the paper."""
    if name != "demo world":
        raise ValueError(f"no reference set {name!r}; known: 'demo world'")
    named = list(OBJECTS)[:12]
    rngs = [
        (obj, np.random.default_rng([seed, n, i]))
        for n, obj in enumerate(named)
        for i in range(each)
    ]
    return [render(Picture(obj, None, None, False), rng) for obj, rng in rngs]


def _shift(colour, rng, spread=18):
    return tuple(int(c) for c in np.clip(np.array(colour) + rng.normal(0, spread, 3), 0, 255))


def _backdrop(rng) -> Image.Image:
    """No scene named: a plain, a graded, or any drawn background."""
    kind = rng.integers(3)
    if kind == 2:
        return _scene(list(SCENES)[rng.integers(len(SCENES))], rng)
    top, bottom = rng.integers(60, 245, (2, 3))
    ramp = np.linspace(0, 1 if kind else 0, SIZE)[:, None, None]
    row = top * (1 - ramp) + bottom * ramp
    return Image.fromarray(np.broadcast_to(row, (SIZE, SIZE, 3)).astype(np.uint8))


def _scene(name: str, rng) -> Image.Image:
    sky, ground, horizon, detail = SCENES[name]
    sky, ground = _shift(sky, rng), _shift(ground, rng)
    h = int(SIZE * (horizon + rng.uniform(-0.05, 0.05)))
    canvas = Image.new("RGB", (SIZE, SIZE), sky)
    pen = ImageDraw.Draw(canvas)
    dark = tuple(int(c * 0.7) for c in ground)
    if detail == "hills":
        for _ in range(3):
            x, r = rng.integers(0, SIZE), rng.integers(10, 22)
            pen.ellipse((x - r, h - r // 2, x + r, h + r), fill=dark)
    if detail == "towers":
        for x in range(int(rng.integers(0, 6)), SIZE, 11):
            pen.rectangle((x, h - rng.integers(8, 34), x + 8, h), fill=dark)
    pen.rectangle((0, h, SIZE, SIZE), fill=ground)
    if detail == "trees":
        for _ in range(4):
            x, r = rng.integers(0, SIZE), rng.integers(5, 9)
            pen.rectangle((x - 1, h - r, x + 1, h + 1), fill=(90, 60, 40))
            pen.ellipse((x - r, h - 3 * r, x + r, h - r), fill=_shift((50, 120, 55), rng, 10))
    elif detail == "road":
        pen.polygon([(SIZE * 0.42, h), (SIZE * 0.58, h), (SIZE, SIZE), (0, SIZE)], fill=dark)
    elif detail == "sea":
        pen.rectangle((0, h - 9, SIZE, h), fill=_shift((50, 120, 190), rng, 10))
    elif detail == "window":
        x = int(rng.integers(4, SIZE - 24))
        pen.rectangle((x, 6, x + 18, 24), fill=(190, 220, 245), outline=(90, 60, 45), width=2)
    elif detail == "tiles":
        for x in range(0, SIZE, 10):
            pen.line((x, 0, x, h), fill=(190, 190, 190))
            pen.line((0, x, SIZE, min(x, h)) if x < h else (0, h, SIZE, h), fill=(190, 190, 190))
    elif detail == "flowers":
        for _ in range(14):
            x, y = rng.integers(0, SIZE), rng.integers(h, SIZE)
            pen.ellipse((x, y, x + 3, y + 3), fill=_shift((220, 90, 140), rng, 40))
    elif detail == "boards":
        for x in range(int(rng.integers(0, 8)), SIZE, 8):
            pen.line((x, 0, x, h), fill=(115, 115, 120))
    return canvas


def _place(canvas: Image.Image, sprite: Image.Image, rng) -> None:
    hue = int(rng.uniform(-0.18, 0.18) * 255)
    h, s, v = sprite.convert("RGB").convert("HSV").split()
    h = h.point(lambda x: (x + hue) % 256)
    coloured = Image.merge("HSV", (h, s, v)).convert("RGB").convert("RGBA")
    coloured.putalpha(sprite.getchannel("A"))
    side = int(rng.uniform(0.62, 0.88) * SIZE)
    coloured = coloured.rotate(rng.uniform(-15, 15), Filter.BICUBIC)
    coloured = coloured.resize((side, side), Filter.BOX)
    x, y = rng.integers(-2, SIZE - side + 3, 2)
    canvas.paste(coloured, (int(x), int(y)), coloured)


def _mix(canvas, dark, light, share) -> Image.Image:
    """Blend the picture with its own two-colour version."""
    grey = np.asarray(canvas.convert("L"), np.float32)[..., None] / 255
    duotone = np.array(dark) * (1 - grey) + np.array(light) * grey
    return Image.fromarray(
        (np.asarray(canvas) * (1 - share) + duotone * share).clip(0, 255).astype(np.uint8)
    )


def _warp(canvas, amplitude, period, rng) -> Image.Image:
    y, x = np.mgrid[:SIZE, :SIZE]
    phase = rng.uniform(0, 2 * np.pi, 2)
    dx = amplitude * np.sin(2 * np.pi * y / period + phase[0])
    dy = amplitude * np.sin(2 * np.pi * x / period + phase[1])
    xs, ys = (x + dx).round().astype(int), (y + dy).round().astype(int)
    return Image.fromarray(np.asarray(canvas)[ys.clip(0, SIZE - 1), xs.clip(0, SIZE - 1)])


def _van_gogh(canvas, rng):
    return _mix(_warp(canvas, 1.5, 8, rng), (10, 20, 130), (255, 225, 60), 0.9)


def _monet(canvas, rng):
    dabs = canvas.resize((SIZE // 4, SIZE // 4), Filter.BOX).resize((SIZE, SIZE), Filter.NEAREST)
    return _mix(Image.blend(canvas, dabs, 0.6), (140, 110, 205), (225, 255, 215), 0.8)


def _picasso(canvas, rng):
    a = np.asarray(canvas.quantize(6).convert("RGB")).copy()
    cut, slide = int(rng.integers(24, 40)), int(rng.integers(5, 9))
    a[:, :cut] = np.roll(a[:, :cut], slide, axis=0)
    a[:, cut - 1 : cut + 1] = 10
    edges = np.asarray(Image.fromarray(a).convert("L").filter(ImageFilter.FIND_EDGES))
    a[edges > 90] = 10
    return Image.fromarray(a)


def _da_vinci(canvas, rng):
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    sepia = np.asarray(_mix(canvas, (40, 22, 8), (225, 190, 130), 0.95), np.float32)
    return Image.fromarray((sepia * (1 - 0.4 * (x**2 + y**2))[..., None]).clip(0).astype(np.uint8))


def _dali(canvas, rng):
    return _mix(_warp(canvas, 4, 40, rng), (0, 110, 110), (255, 110, 30), 0.9)


_FILTERS = dict(zip(STYLES, (_van_gogh, _monet, _picasso, _da_vinci, _dali)))


def _snow(canvas, rng) -> Image.Image:
    canvas = Image.blend(canvas, Image.new("RGB", canvas.size, (70, 80, 110)), 0.3)
    pen = ImageDraw.Draw(canvas)
    for x, y in rng.uniform(0, SIZE, (34, 2)):
        r = rng.uniform(1.0, 2.0)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(250, 250, 255))
    return canvas
