"""The 4-bit baselines, weights only: rounding symmetric per row, and to NF4. Both map 0 to 0."""

import torch

LEVELS = 7

#: NF4's levels (Dettmers et al., QLoRA, 2023, appendix E), as shares of a block's largest weight.
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
NF4_BLOCK = 64


def quant4(weights: torch.Tensor) -> torch.Tensor:
    """Each weight to the nearest of a row's 15 levels, −7 to 7 sevenths of its largest magnitude.

    weights: floats (out, in) → float32 (out, in).
    """
    w = weights.float()
    steps = w.abs().amax(1, keepdim=True) / LEVELS
    return (w / steps.where(steps > 0, 1)).round() * steps


def nf4(weights: torch.Tensor, block: int = NF4_BLOCK) -> torch.Tensor:
    """Each weight to the nearest of NF4's 16 levels times its block's largest magnitude.

    weights: floats (out, in) → float32 (out, in). A block is `block` weights in row-major order,
    the last may be shorter. The scales stay as they are: no double quantisation.
    """
    flat = weights.float().flatten()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % block)).view(-1, block)
    scales = blocks.abs().amax(1, keepdim=True)
    levels = torch.tensor(NF4, device=flat.device)
    nearest = torch.bucketize(blocks / scales.where(scales > 0, 1), (levels[1:] + levels[:-1]) / 2)
    return (levels[nearest] * scales).flatten()[: len(flat)].view(weights.shape)
