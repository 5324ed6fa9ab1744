"""Pictures as table cells, and the small, maybe blurred ones that the report shows."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter, ImageOps

#: What is decoded of pictures that others bring; for some formats Pillow would start a program.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")

#: How each format is saved: without loss, WebP at two thirds of PNG's size.
SAVING = {"png": {"format": "PNG"}, "webp": {"format": "WEBP", "lossless": True, "method": 4}}


def encode(picture: Image.Image, format: str = "png") -> dict[str, Any]:
    """A picture as a `datasets` image cell. format: "png" or "webp"."""
    buffer = io.BytesIO()
    how: Any = SAVING[format]
    picture.save(buffer, **how)
    return {"bytes": buffer.getvalue(), "path": None}


def decode(cell: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(cell["bytes"])).convert("RGB")


def read(file: Path) -> Image.Image:
    """A picture that others bring, as people see it: upright, on white, RGB; of 16 bits the upper
    8. Raises ValueError that names the file."""
    try:
        with Image.open(file, formats=FORMATS) as held:
            picture = ImageOps.exif_transpose(held)
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} is no whole picture: {error}") from None
    if picture.mode == "F":
        raise ValueError(f"{file} holds floating-point values: whole numbers are wanted")
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def verify(file: Path) -> None:
    """Raises ValueError that names the file where it is no picture, or a PNG that is damaged; no
    pixel is decoded."""
    try:
        with Image.open(file, formats=FORMATS) as held:
            held.verify()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file.name} is no whole picture: {error}") from None


def blur(picture: Image.Image) -> Image.Image:
    """Past recognition: a sixteenth of the side."""
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 16))


def frame(rows: list[dict[str, Any]], cells: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows).assign(image=cells)


def thumbnails(shard: pd.DataFrame, blurred: bool, each: int = 8, side: int = 128) -> pd.DataFrame:
    """The first `each` pictures of every class, small, and blurred if told so."""
    few = shard.groupby(["prompt_set", "class"], sort=False).head(each).copy()
    small = []
    for cell in few["image"]:
        picture = decode(cell)
        picture.thumbnail((side, side))
        small.append(encode(blur(picture) if blurred else picture))
    return few.assign(image=small, blurred=blurred)
