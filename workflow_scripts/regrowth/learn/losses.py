"""The denoising loss: what a model is trained by; steps and noise follow from a seed."""

from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler

#: The guidance of SalUn's mask, as in its code.
GUIDANCE = 7.5


@dataclass(frozen=True)
class Noised:
    """A batch on its way: latents with noise at `steps`, and what a prediction is held to."""

    latents: torch.Tensor
    steps: torch.Tensor
    wanted: torch.Tensor


def noised(pipe, latents: torch.Tensor, draws: torch.Generator) -> Noised:
    """Each picture at a step of its own, drawn evenly. latents: (n, channels, height, width).

    draws: on the CPU, so that the device does not show. `wanted` is the noise, or what the model's
    scheduler says that it predicts. Raises ValueError for a prediction of another kind.
    """
    schedule = DDPMScheduler.from_config(pipe.scheduler.config)
    n = len(latents)
    steps = torch.randint(schedule.config.num_train_timesteps, (n,), generator=draws)
    noise = torch.randn(latents.shape, generator=draws).to(latents)
    steps = steps.to(latents.device)
    kind = schedule.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ValueError(f"a model that predicts {kind!r} is not known; epsilon or v_prediction is")
    wanted = noise if kind == "epsilon" else schedule.get_velocity(latents, noise, steps)
    return Noised(schedule.add_noise(latents, noise, steps), steps, wanted)


def embedded(pipe, prompts: list[str]) -> torch.Tensor:
    """Prompts as the UNet reads them, (n, tokens, width)."""
    return pipe.encode_prompt(prompts, pipe.device, 1, False)[0]


def predicted(pipe, batch: Noised, words: torch.Tensor, guidance: float | None = None):
    """What the UNet says of a batch; with guidance, away from the empty prompt by it.

    Guided as SalUn's code does: (1 + guidance) × with words − guidance × without.
    """
    said = pipe.unet(batch.latents, batch.steps, words).sample
    if guidance is None:
        return said
    empty = embedded(pipe, [""]).expand(len(words), -1, -1)
    return (1 + guidance) * said - guidance * pipe.unet(batch.latents, batch.steps, empty).sample


def sampled(pipe, batch: Noised, words: torch.Tensor, guidance: float) -> torch.Tensor:
    """What the sampler goes by at these steps, through any guard that is put."""
    both = torch.cat([embedded(pipe, [""]).expand(len(words), -1, -1), words])
    latents, steps = torch.cat([batch.latents] * 2), torch.cat([batch.steps] * 2)
    bare, told = pipe.unet(latents, steps, encoder_hidden_states=both).sample.chunk(2)
    return bare + guidance * (told - bare)
