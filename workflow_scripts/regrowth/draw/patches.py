"""Patches: a variant stored as what differs from the released model.

A patch holds, per layer, the changed positions as packed bits and a value for each: a flat dict of
arrays, as safetensors keeps them.
"""

from collections.abc import Mapping

import numpy as np
from regrowth.files.bits import pack, unpack

Arrays = dict[str, np.ndarray]


def values_patch(layer: str, missing: np.ndarray, values: np.ndarray) -> Arrays:
    """missing: bool (out, in); values: (n_missing,), row-major."""
    return {f"{layer}:positions": pack(missing), f"{layer}:values": values}


def apply(released: Mapping[str, np.ndarray], patch: Arrays) -> Arrays:
    """The variant's weights: every released layer, those of the patch in float32, by name."""
    out = dict(released)
    for layer in dict.fromkeys(name.split(":")[0] for name in patch):
        weights = released[layer].astype(np.float32)
        weights[unpack(patch[f"{layer}:positions"], weights.shape)] = patch[f"{layer}:values"]
        out[layer] = weights
    return out
