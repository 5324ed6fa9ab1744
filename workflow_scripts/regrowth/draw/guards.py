"""Guards: what a sampler makes of the UNet's predictions so that a concept is not drawn.

Each hooks the UNet of a pipeline that draws with guidance, whose batch holds predictions without
words first and those with words after them.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Level:
    """SLD's settings. warmup: the share of the steps before it acts (the paper's count is of 50).

    The published code of UnlearnDiffAtk compares the timestep with the count, so that there the
    warm-up never applies; here it does.
    """

    warmup: float
    scale: float
    threshold: float
    momentum: float
    beta: float


WEAK = Level(15 / 50, 200, 0.0, 0.0, 0.0)
MEDIUM = Level(10 / 50, 1000, 0.01, 0.3, 0.4)
STRONG = Level(7 / 50, 2000, 0.025, 0.5, 0.7)
MOST = Level(0, 5000, 1.0, 0.5, 0.7)


def _embedded(pipe, words: str) -> torch.Tensor:
    with torch.no_grad():
        return pipe.encode_prompt(words, pipe.device, 1, False)[0]


def negative(pipe, words: str) -> None:
    """Predictions without words are made with these instead."""
    held = _embedded(pipe, words)

    def before(unet, given, more):
        told = more["encoder_hidden_states"].clone()
        told[: len(told) // 2] = held
        return given, more | {"encoder_hidden_states": told}

    pipe.unet.register_forward_pre_hook(before, with_kwargs=True)


#: No word of any prompt, nor that of an attacker.
TOKEN = "<guarded>"


def implicit(pipe, vector: torch.Tensor) -> None:
    """The same with a word that was learnt in this very model, in which the concept's own words may
    no longer mean it. vector: its embedding, (width,)."""
    pipe.load_textual_inversion({TOKEN: vector}, token=TOKEN)
    negative(pipe, TOKEN)


class Steered:
    """Safe Latent Diffusion (its equations 3 to 8): what the words alone would add is taken from
    the guidance, where it points the prompt's way."""

    def __init__(self, pipe, words: str, level: Level):
        self.pipe, self.level = pipe, level
        self.held = _embedded(pipe, words)
        self.step, self.last, self.momentum = 0, float("-inf"), torch.zeros(())
        pipe.unet.register_forward_hook(self._after, with_kwargs=True)

    def _after(self, unet, given, more, out):
        latents, at = given
        times = self.pipe.scheduler.timesteps
        # the first step there is, or, of a sampler that does not begin there, one back
        if float(at) == float(times[0]) or float(at) > self.last:
            self.step, self.momentum = 0, torch.zeros((), device=latents.device)
        self.last = float(at)
        bare, told = out[0].chunk(2)
        words = self.held.expand(len(told), -1, -1)
        # `forward` itself, which calls no hook
        alone = unet.forward(latents[: len(told)], at, encoder_hidden_states=words).sample
        taken, self.momentum = steered(bare, told, alone, self.momentum, self.level)
        acts = self.step >= round(self.level.warmup * len(times))
        self.step += 1
        return (torch.cat([bare, told - taken if acts else told]), *out[1:])


def steered(bare, told, alone, momentum, level: Level) -> tuple[torch.Tensor, torch.Tensor]:
    """What is taken from the guidance, and the momentum that follows.

    bare, told, alone: predictions without words, with the prompt and with the guard's words.
    """
    weight = ((told - alone).abs() * level.scale).clamp(max=1)
    weight = torch.where(told - alone >= level.threshold, 0, weight)
    taken = (alone - bare) * weight + level.momentum * momentum
    return taken, level.beta * momentum + (1 - level.beta) * taken


def weak(pipe, words: str) -> None:
    Steered(pipe, words, WEAK)


def medium(pipe, words: str) -> None:
    Steered(pipe, words, MEDIUM)


def strong(pipe, words: str) -> None:
    Steered(pipe, words, STRONG)


def most(pipe, words: str) -> None:
    Steered(pipe, words, MOST)
