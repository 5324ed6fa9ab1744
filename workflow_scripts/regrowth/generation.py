"""Pipelines: loading, a variant's weights put in place, pictures that depend on their seed."""

import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from PIL import Image

log = logging.getLogger(__name__)


def load_pipeline(folder: Path, dtype: str, device: str) -> StableDiffusionPipeline:
    """Load a Stable Diffusion directory; no code and no pickle from it is ever run."""
    diffusers_logging.disable_progress_bar()
    pipe = StableDiffusionPipeline.from_pretrained(
        folder,
        dtype=getattr(torch, dtype),
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
