"""Pipelines: loading, a variant's weights put in place, pictures that depend on their seed."""

import io
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from PIL import Image, ImageFilter

log = logging.getLogger(__name__)


def load_pipeline(folder: Path, dtype: str, device: str) -> StableDiffusionPipeline:
    """Load a Stable Diffusion directory; no code and no pickle from it is ever run."""
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    pipe = StableDiffusionPipeline.from_pretrained(
        folder,
        torch_dtype=getattr(torch, dtype),
        use_safetensors=True,
        local_files_only=True,
        safety_checker=None,
        requires_safety_checker=False,
    ).to(device)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.to(memory_format=torch.channels_last)
    return pipe


def put_weights(unet: torch.nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Overwrite the named parameters; a name or shape the UNet does not have is an error."""
    parameters = dict(unet.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            if parameters[name].shape != value.shape:
                raise ValueError(f"{name}: {value.shape} does not fit {parameters[name].shape}")
            parameters[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))


def noise(pipe: StableDiffusionPipeline, seeds: list[int]) -> torch.Tensor:
    """Each picture's own starting noise, drawn on the CPU from its seed."""
    side = pipe.unet.config.sample_size
    shape = (pipe.unet.config.in_channels, side, side)
    draws = [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return torch.stack(draws).to(pipe.device, pipe.unet.dtype)


def pictures(
    pipe: StableDiffusionPipeline, rows: list[dict], steps: int, guidance: float, batch: int
) -> Iterator[Image.Image]:
    """One picture per row (prompt, seed), in order."""
    start = time.monotonic()
    for at in range(0, len(rows), batch):
        some = rows[at : at + batch]
        yield from pipe(
            prompt=[row["prompt"] for row in some],
            latents=noise(pipe, [row["seed"] for row in some]),
            num_inference_steps=steps,
            guidance_scale=guidance,
        ).images
        done = at + len(some)
        log.info(
            "%d of %d pictures, %.1f a second", done, len(rows), done / (time.monotonic() - start)
        )


def encode_png(picture: Image.Image) -> dict:
    """A picture as a `datasets` image cell."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def decode(cell: dict) -> Image.Image:
    return Image.open(io.BytesIO(cell["bytes"])).convert("RGB")


def blur(picture: Image.Image) -> Image.Image:
    """Past recognition: a sixteenth of the side."""
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 16))


def frame(rows: list[dict], cells: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(rows).assign(image=cells)


def thumbnails(shard: pd.DataFrame, blurred: bool, each: int = 8, side: int = 128) -> pd.DataFrame:
    """The first `each` pictures of every class, small, and blurred if told so."""
    few = shard.groupby(["prompt_set", "class"], sort=False).head(each).copy()
    small = []
    for cell in few["image"]:
        picture = decode(cell)
        picture.thumbnail((side, side))
        small.append(encode_png(blur(picture) if blurred else picture))
    return few.assign(image=small, blurred=blurred)
