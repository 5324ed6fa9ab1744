"""Calibration: how strongly each input column of a layer is used, with and without the concept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from regrowth.draw.pipeline import generators, noise, submodule

#: Prompts in one pass. Fixed, since a sum's order shows in its last digit.
BATCH = 8


class ColumnNorms:
    """Accumulates, per denoising step, the L2 norm of each input column of each watched layer.

    Every token's row is first scaled to unit length (ConceptPrune's reading of Wanda).
    """

    def __init__(self, pipe, layers: list[str]):
        self.modules = {name: submodule(pipe, name.removesuffix(".weight")) for name in layers}
        self.squares: dict[str, dict[int, torch.Tensor]] = {name: {} for name in layers}
        self.step = 0

    @contextmanager
    def watching(self) -> Iterator["ColumnNorms"]:
        hooks = [m.register_forward_pre_hook(self._hook(n)) for n, m in self.modules.items()]
        try:
            yield self
        finally:
            for hook in hooks:
                hook.remove()

    def _hook(self, name: str) -> Callable:
        def hook(module, args):
            tokens = args[0].detach().float().flatten(0, -2)
            total = torch.nn.functional.normalize(tokens, dim=1).square().sum(dim=0)
            known = self.squares[name]
            known[self.step] = known.get(self.step, 0) + total

        return hook

    def result(self) -> dict[str, np.ndarray]:
        """Layer → float32 (steps, in)."""
        return {
            name: torch.stack([steps[i] for i in sorted(steps)]).sqrt().cpu().numpy()
            for name, steps in self.squares.items()
        }


def column_norms(
    pipe, prompts: list[str], layers: list[str], steps: int, guidance: float, first: int, seed: int
) -> dict[str, np.ndarray]:
    """Column norms of `layers` over `prompts`, for the `first` of `steps` denoising steps.

    Both halves of the guidance enter, as in the paper's code; every prompt's noise comes from the
    same seed. Returns layer → float32 (first, in); a text encoder's layers run once, (1, in).
    Raises ValueError where the sampler makes fewer steps than `first`.
    """
    norms = ColumnNorms(pipe, layers)

    def after_step(pipe, step, timestep, tensors):
        norms.step = step + 1
        pipe._interrupt = step + 1 >= first
        return tensors

    with norms.watching():
        for at in range(0, len(prompts), BATCH):
            some = list(prompts[at : at + BATCH])
            norms.step = 0
            own = generators([seed] * len(some))
            pipe(
                prompt=some,
                latents=noise(pipe, own),
                generator=own,
                num_inference_steps=steps,
                guidance_scale=guidance,
                output_type="latent",
                callback_on_step_end=after_step,
            )
            if norms.step < first:
                raise ValueError(f"{first} steps are wanted, but the sampler makes {norms.step}")
    return norms.result()
