"""Gradients of the denoising loss on a concept's pictures, for every weight of some layers."""

import numpy as np
import torch
from regrowth.draw.pipeline import parameter
from regrowth.learn.losses import GUIDANCE, embedded, noised, predicted
from regrowth.learn.precision import saving

#: Pictures in one pass. Fixed, since the sum of magnitudes depends on it.
BATCH = 8


def gradients(
    pipe,
    latents: np.ndarray | torch.Tensor,
    prompts: list[str],
    layers: list[str],
    loss: str,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """By "layer:sum" and "layer:absolute", float32 of the weight's shape: the sum over batches of
    the mean loss's gradient, and of its magnitude.

    latents: (n, channels, height, width), of pictures of `prompts`. layers: weights and biases by
    name. loss: "noise", the mean squared
    error of the prediction, or "guided", of one guided at GUIDANCE.
    """
    for part in (pipe.unet, pipe.text_encoder):
        part.requires_grad_(False)
    held = {name: parameter(pipe, name) for name in layers}
    for weight in held.values():
        weight.requires_grad_(True)
    total = {f"{n}:{k}": torch.zeros_like(w) for n, w in held.items() for k in ("sum", "absolute")}
    given = torch.as_tensor(latents).to(pipe.device, pipe.unet.dtype)
    draws = torch.Generator().manual_seed(seed)
    guidance = GUIDANCE if loss == "guided" else None
    for at in range(0, len(given), BATCH):
        batch = noised(pipe, given[at : at + BATCH], draws)
        words = embedded(pipe, prompts[at : at + BATCH])
        # a GPU's memory would hold few models' whole predictions of such a batch, guided ones twice
        with saving(pipe.unet, {"gradient_checkpointing": pipe.device.type != "cpu"}):
            said = predicted(pipe, batch, words, guidance)
            error = torch.nn.functional.mse_loss(said.float(), batch.wanted.float())
            found = torch.autograd.grad(error, list(held.values()))
        for name, gradient in zip(held, found):
            total[f"{name}:sum"] += gradient
            total[f"{name}:absolute"] += gradient.abs()
    for weight in held.values():
        weight.requires_grad_(False)
    return {name: value.float().cpu().numpy() for name, value in total.items()}
