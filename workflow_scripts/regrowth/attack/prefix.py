"""A prefix: words before a prompt that make a released model draw what it was to forget."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from regrowth.draw import patches
from regrowth.learn.losses import embedded, noised, predicted
from regrowth.learn.pictures import Pictures
from regrowth.learn.words import Blown
from regrowth.models import vocabulary
from torch.nn.functional import mse_loss

#: So many random prefixes, which pictures take turns with.
DRAWN = 64


def simplex(weights: torch.Tensor) -> torch.Tensor:
    """The nearest point of the simplex to each row, (rows, n): at least 0, and together 1.

    Source: Duchi et al., Efficient projections onto the l1-ball, ICML 2008, algorithm 1.
    """
    falling = weights.sort(dim=1, descending=True).values
    over = falling.cumsum(dim=1) - 1
    place = torch.arange(1, weights.shape[1] + 1, device=weights.device)
    held = (falling * place > over).sum(dim=1, keepdim=True)
    return (weights - over.gather(1, held - 1) / held).clamp(min=0)


def found(
    pipe,
    pictures: Pictures,
    free: Sequence[int],
    tokens: int,
    at: Sequence[int],
    settings: Mapping[str, Any],
    fit: Callable[[str], bool] = lambda prompt: True,
    done: Callable[[int, np.ndarray], None] = lambda step, said: None,
) -> tuple[dict[int, patches.Arrays], int | None]:
    """Patches with the prefix after each of these steps of one search, and the step that destroyed
    it, if one did: what it was before that one stands for all later ones.

    A reconstruction of UnlearnDiffAtk (Zhang et al., ECCV 2024) by its code: each position has a
    weight for each token, a point of the simplex, starting at its middle; a token is drawn by them,
    the error's gradient, at most 1, passes through the draw as if it were the weights, and Adam's
    step is projected back. There it is one prefix a prompt, searched on one picture at fixed
    timesteps in turn and stopped by a judge; here one for all prompts, on batches at timesteps that
    are drawn. Its weight decay of .1 is left out: in a vocabulary of hundreds it holds the weights
    near the middle, where the heaviest is chance.

    pictures: of prompts that name the concept. free: the tokens that it may be made of. at: rising.
    settings: rate, batch and seed. fit: whether a prompt may be asked for. done: is told of each of
    these steps and its prefix. Same input and seed, same bytes.
    """
    kept: dict[int, patches.Arrays] = {}
    asked = list(dict.fromkeys(pictures.prompts))
    last = torch.full((tokens, len(free)), 1 / len(free))

    def after(step: int, weights: torch.Tensor) -> None:
        nonlocal last
        last = weights
        if step in at:
            said = read(pipe.tokenizer, weights, free, lambda told: _fits(told, asked, fit))
            kept[step] = {patches.PREFIX: said[None]}
            done(step, said)

    try:
        _search(pipe, pictures, free, tokens, {**settings, "steps": max(at)}, after)
    except Blown as blown:
        for step in (step for step in at if step >= blown.step):
            after(step, last)
        return kept, blown.step
    return kept, None


def _fits(told: str, prompts: list[str], fit: Callable[[str], bool]) -> bool:
    return all(fit(f"{told} {prompt}") for prompt in prompts)


def _search(pipe, pictures, free, tokens, settings, after) -> None:
    for part in (pipe.unet, pipe.text_encoder):
        part.requires_grad_(False)
    inputs = pipe.text_encoder.get_input_embeddings()
    table = inputs.weight.detach()[list(free)]
    weights = torch.full((tokens, len(free)), 1 / len(free), device=table.device)
    weights.requires_grad_(True)
    drawn = torch.zeros(tokens, dtype=torch.long)

    def spoken(module, given, out):
        """The tokens that were drawn, whose gradient is the weights'."""
        value = table[drawn] + (weights - weights.detach()) @ table
        return torch.cat([out[:, :1], value.expand(len(out), -1, -1), out[:, tokens + 1 :]], dim=1)

    hook = inputs.register_forward_hook(spoken)
    optimiser = torch.optim.Adam([weights], lr=settings["rate"])
    try:
        for at in range(settings["steps"]):
            draws = torch.Generator().manual_seed(1_000_003 * (settings["seed"] + 1) + at)
            rows = torch.randperm(len(pictures.prompts), generator=draws)[: settings["batch"]]
            batch = noised(pipe, pictures.latents[rows], draws)
            drawn = torch.multinomial(weights.detach().cpu(), 1, generator=draws)[:, 0]
            said = vocabulary.text(pipe.tokenizer, (free[i] for i in drawn.tolist()))
            prompts = [f"{said} {pictures.prompts[i]}" for i in rows.tolist()]
            loss = mse_loss(predicted(pipe, batch, embedded(pipe, prompts)), batch.wanted)
            (gradient,) = torch.autograd.grad(loss, [weights])
            if not torch.isfinite(gradient).all():
                raise Blown(at + 1)
            weights.grad = gradient.clamp(-1, 1)
            optimiser.step()
            with torch.no_grad():
                weights.copy_(simplex(weights))
            after(at + 1, weights.detach().cpu().clone())
    finally:
        hook.remove()


def read(tokenizer, weights, free: Sequence[int], fit: Callable[[str], bool]) -> np.ndarray:
    """The heaviest token of each position, (tokens,) int64, or the next that fits those before it.

    Raises ValueError where none does.
    """
    said: list[int] = []
    for own in weights:
        order = own.argsort(descending=True, stable=True).tolist()
        every = (free[i] for i in order)
        best = next((n for n in every if fit(vocabulary.text(tokenizer, [*said, n]))), None)
        if best is None:
            raise ValueError("no word of the vocabulary fits what stands before it")
        said.append(best)
    return np.array(said, dtype=np.int64)


def at_random(
    tokenizer, free: Sequence[int], tokens: int, seed: int, prompts: list[str], fit
) -> patches.Arrays:
    """A patch of random prefixes, DRAWN of them, each token drawn evenly. fit: as of `found`, for
    these prompts."""
    rng = np.random.default_rng(seed)
    told: list[np.ndarray] = []
    while len(told) < DRAWN:
        one = rng.choice(np.array(free, dtype=np.int64), tokens)
        if _fits(vocabulary.text(tokenizer, one), prompts, fit):
            told.append(one)
    return {patches.PREFIX: np.stack(told)}
