"""Latent attacks: nothing is trained, and the concept is drawn otherwise (the probes of "When Are
Concepts Erased From Diffusion Models?"; reconstructions, in the simplest form of each)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, StableDiffusionImg2ImgPipeline
from diffusers.utils.torch_utils import randn_tensor
from regrowth.draw import pipeline


def drawn(
    pipe,
    rows: list[dict],
    own: list[bool],
    attacked: Callable[[Any], Any],
    encode: Callable[[Any], dict],
    *how: Any,
) -> list[dict]:
    """A cell a row, in order: the concept's own are drawn by what `attacked` makes of the pipeline,
    and all others, first, by the pipeline as it is. how: as in `pipeline.pictures`."""
    at = [i for told in (False, True) for i, is_own in enumerate(own) if is_own == told]
    others = [rows[i] for i in at if not own[i]]
    cells = [encode(picture) for picture in pipeline.pictures(pipe, others, *how)]
    rest = [rows[i] for i in at if own[i]]
    cells += [encode(picture) for picture in pipeline.pictures(attacked(pipe), rest, *how)]
    return [cell for _, cell in sorted(zip(at, cells), key=lambda told: told[0])]


class Louder(DDIMScheduler):
    """DDIM at η = 1, whose noise is `louder` times what its steps reckon with."""

    louder = 1.0

    def step(self, model_output, timestep, sample, eta=1.0, generator=None, return_dict=True):
        like = {"device": model_output.device, "dtype": model_output.dtype}
        noise = self.louder * randn_tensor(model_output.shape, generator=generator, **like)
        return super().step(
            model_output, timestep, sample, 1.0, variance_noise=noise, return_dict=return_dict
        )


def noised(pipe, cell: Mapping[str, str]):
    """Every step adds more noise than it is told. Their code's scheduler was not read."""
    pipe.scheduler = Louder.from_config(pipe.scheduler.config, clip_sample=False)
    pipe.scheduler.louder = float(cell["noise"])
    return pipe


class Completing:
    """Draws on from pictures, noised to where this share of the steps is left; which of them, the
    seed says."""

    def __init__(self, pipe, strength: float, pictures: torch.Tensor):
        self.pipe, self.strength, self.pictures = pipe, strength, pictures
        self.own = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
        self.own.set_progress_bar_config(disable=True)

    def __getattr__(self, name: str):
        return getattr(self.pipe, name)

    def __call__(self, latents, generator, **how):
        seeds = [own.initial_seed() for own in generator]
        begun = self.pictures[[seed % len(self.pictures) for seed in seeds]]
        own = pipeline.generators(seeds)  # so that the noise is what a picture starts from
        return self.own(image=begun.to(latents), strength=self.strength, generator=own, **how)


def completed(pipe, cell: Mapping[str, str], pictures: np.ndarray) -> Completing:
    """A noised picture of the concept is completed. pictures: latents (n, channels, height, width).

    Their code lets the model before begin the picture, at the same prompt and seed.
    """
    return Completing(pipe, float(cell["strength"]), torch.from_numpy(pictures))


def guided(pipe, cell: Mapping[str, str], likely: Callable[[torch.Tensor], torch.Tensor]):
    """Classifier guidance: ε − scale · σ · ∇ log p, of the picture that a prediction comes to, by a
    classifier of clean pictures. likely: pictures (n, 3, height, width) in [0, 1] → (n,)."""
    scale = float(cell["scale"])
    kept = DDPMScheduler.from_config(pipe.scheduler.config).alphas_cumprod
    is_noise = pipe.scheduler.config.prediction_type == "epsilon"

    def after(unet, given, more, out):
        latents, at = given[:2]
        signal, sigma = kept[int(at)] ** 0.5, (1 - kept[int(at)]) ** 0.5
        bare, told = out[0].chunk(2)
        said = bare + pipe.guidance_scale * (told - bare)
        with torch.enable_grad():
            here = latents[: len(told)].detach().requires_grad_(True)
            clean = (here - sigma * said) / signal if is_noise else signal * here - sigma * said
            shown = pipe.vae.decode(clean / pipe.vae.config.scaling_factor).sample
            value = likely(shown / 2 + 0.5).sum()
            (slope,) = torch.autograd.grad(value, here)
        push = -scale * sigma * slope / (1 if is_noise else signal)
        return (out[0] + torch.cat([push, push]), *out[1:])

    pipe.unet.register_forward_hook(after, with_kwargs=True)
    return pipe
