"""Patches: a variant stored as what differs from the released model.

A values patch holds, per layer, the changed positions as packed bits and a value for each; a quant4
patch holds codes and scales. Both are flat dicts of arrays, as safetensors keeps them.
"""

from collections.abc import Mapping

import numpy as np
from regrowth.masks import pack, unpack
from regrowth.quantise import dequantise, quantise

Arrays = dict[str, np.ndarray]


def values_patch(layer: str, missing: np.ndarray, values: np.ndarray) -> Arrays:
    """missing: bool (out, in); values: (n_missing,), row-major."""
    return {f"{layer}:positions": pack(missing), f"{layer}:values": values}


def quant4_patch(layer: str, weights: np.ndarray) -> Arrays:
    codes, scales = quantise(weights)
    return {
        f"{layer}:codes": codes,
        f"{layer}:scales": scales,
        f"{layer}:shape": np.array(weights.shape),
    }


def apply(released: Mapping[str, np.ndarray], patch: Arrays) -> Arrays:
    """The variant's weights: every released layer and every layer of the patch, by name."""
    out = dict(released)
    for layer in dict.fromkeys(name.split(":")[0] for name in patch):
        if f"{layer}:codes" in patch:
            shape = tuple(patch[f"{layer}:shape"])
            codes, scales = patch[f"{layer}:codes"], patch[f"{layer}:scales"]
            out[layer] = dequantise(codes, scales, shape)
        else:
            weights = released[layer].astype(np.float32)
            missing = unpack(patch[f"{layer}:positions"], weights.shape)
            weights[missing] = patch[f"{layer}:values"]
            out[layer] = weights
    return out
