"""What is learnt from: pictures that a model itself draws, before they are decoded."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from regrowth.draw import pipeline
from regrowth.files.store import read_about, read_arrays, write_arrays
from regrowth.learn.recipes import Recipe

#: Far from the seeds of pictures that are judged; an attacker's pictures are no eraser's.
FIRST_SEED, ATTACKERS_SEED = 1_000_000_000, 2_000_000_000
#: ESD's own partial sampling is guided so.
TRAJECTORY_GUIDANCE = 3.0
#: What may be learnt from: the concept's pictures, states on the way to them, and pictures of what
#: it is held against.
SHOWN = ("target", "states", "base")


@dataclass(frozen=True)
class Pictures:
    """Latents (n, channels, height, width) of prompts; steps: (n,), where they are states on the
    way to pictures and not noised anew."""

    latents: torch.Tensor
    prompts: list[str]
    steps: torch.Tensor | None = None

    def batch(self, rows: torch.Tensor) -> "Pictures":
        steps = None if self.steps is None else self.steps[rows]
        return Pictures(self.latents[rows], [self.prompts[i] for i in rows.tolist()], steps)


@dataclass(frozen=True)
class Material:
    """The concept's pictures, those of what it is held against, as many, and the frozen UNet; None
    where nobody asks it."""

    forget: Pictures
    retain: Pictures
    frozen: Any


def asked(prompts: list[str], n: int, first: int) -> list[dict]:
    """n pictures, the prompts taking turns, each with a seed of its own from the first on."""
    return [{"prompt": prompts[i % len(prompts)], "seed": first + i} for i in range(n)]


def material(pipe, recipe: Recipe, shown: Callable[[str], Pictures]) -> Material:
    """What a recipe learns from. shown: one of `SHOWN` → its pictures."""
    forget, retain = map(shown, recipe.shown)
    frozen = copy.deepcopy(pipe.unet).requires_grad_(False) if recipe.asks_frozen else None
    return Material(forget, retain, frozen)


def shown(pipe, of: str, pairs, n: int, steps: int, guidance: float, batch: int) -> Pictures:
    """n of `SHOWN`, drawn by the model itself. pairs: (held against, concept) prompts, taking
    turns."""
    base, target = zip(*pairs)
    rows = asked(list(base if of == "base" else target), n, FIRST_SEED)
    if of == "states":
        return trajectory(pipe, rows, steps, batch)
    return own(pipe, rows, steps, guidance, batch)


def write(file: str | Path, pictures: Pictures, **about: Any) -> None:
    """For `read`, by `store.write_arrays`."""
    arrays = {"latents": pictures.latents.float().cpu().numpy()}
    if pictures.steps is not None:
        arrays["steps"] = pictures.steps.cpu().numpy()
    write_arrays(file, arrays, prompts=pictures.prompts, **about)


def read(file: str | Path, device) -> Pictures:
    """What `write` wrote. Raises `store.Damaged`."""
    held = {name: torch.from_numpy(found).to(device) for name, found in read_arrays(file).items()}
    return Pictures(held["latents"], read_about(file)["prompts"], held.get("steps"))


def own(pipe, rows: list[dict], steps: int, guidance: float, batch: int) -> Pictures:
    made = torch.from_numpy(pipeline.latents(pipe, rows, steps, guidance, batch))
    return Pictures(made.to(pipe.device, pipe.unet.dtype), [row["prompt"] for row in rows])


def encoded(pipe, shown: list[Image.Image], batch: int) -> np.ndarray:
    """Pictures as the model's VAE has them, float32 (n, channels, height, width); cut to the middle
    that has the model's shape, at its size."""
    size = pipe.unet.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    sides = width * pipe.vae_scale_factor, height * pipe.vae_scale_factor
    found = []
    for at in range(0, len(shown), batch):
        fitting = [ImageOps.fit(picture, sides) for picture in shown[at : at + batch]]
        pixels = pipe.image_processor.preprocess(fitting).to(pipe.device, pipe.vae.dtype)
        with torch.no_grad():
            made = pipe.vae.encode(pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
        found.append(made.float().cpu().numpy())
    return np.concatenate(found)


def decoded(pipe, latents: np.ndarray, batch: int) -> Iterator[Image.Image]:
    """Latents as pictures."""
    for at in range(0, len(latents), batch):
        some = torch.from_numpy(latents[at : at + batch]).to(pipe.device, pipe.vae.dtype)
        with torch.no_grad():
            made = pipe.vae.decode(some / pipe.vae.config.scaling_factor).sample
        yield from pipe.image_processor.postprocess(made, output_type="pil")


def trajectory(pipe, rows: list[dict], steps: int, batch: int) -> Pictures:
    """Of each row a state that sampling comes to, as the UNet reads it, each at a step of its own.

    Raises ValueError where sampling makes one step, which comes to none.
    """
    draws = torch.Generator().manual_seed(rows[0]["seed"])
    found, at = [], []
    for first in range(0, len(rows), batch):
        some = rows[first : first + batch]
        seeds = pipeline.generators([row["seed"] for row in some])
        reached: list[torch.Tensor] = []

        def after(pipe, step, timestep, tensors, reached=reached):
            times = pipe.scheduler.timesteps
            if step + 1 < len(times):
                following = times[step + 1]
                reached.append(pipe.scheduler.scale_model_input(tensors["latents"], following))
            return tensors

        pipe(
            prompt=[row["prompt"] for row in some],
            latents=pipeline.noise(pipe, seeds),
            generator=seeds,
            num_inference_steps=steps,
            guidance_scale=TRAJECTORY_GUIDANCE,
            output_type="latent",
            callback_on_step_end=after,
        )
        if not reached:
            raise ValueError("states on the way to a picture need two denoising steps or more")
        chosen = torch.randint(len(reached), (len(some),), generator=draws)
        found.append(torch.stack([reached[k][i] for i, k in enumerate(chosen.tolist())]))
        at.append(pipe.scheduler.timesteps[1:].to(pipe.device)[chosen.to(pipe.device)])
    return Pictures(torch.cat(found), [row["prompt"] for row in rows], torch.cat(at))
