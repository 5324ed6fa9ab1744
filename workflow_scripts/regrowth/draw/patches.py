"""Patches: a variant stored as what differs from the released model.

A patch holds, per layer, the changed positions as packed bits and a value for each, or the whole
weight; or the embedding of a word of its own; or words for a prompt: a flat dict of arrays, as
safetensors keeps them. A training's file holds several, after several steps.
"""

from collections.abc import Mapping

import numpy as np
from regrowth.files.bits import pack, unpack

Arrays = dict[str, np.ndarray]


def values_patch(layer: str, missing: np.ndarray, values: np.ndarray) -> Arrays:
    """missing: bool (out, in); values: (n_missing,), row-major."""
    return {f"{layer}:positions": pack(missing), f"{layer}:values": values}


#: A word's embedding, (width,), in a patch: of a token that the text encoder reads, or of what the
#: UNet reads at a name's last token.
WORD, SAID = "word:embedding", "said:embedding"
#: Tokens that stand before prompts, int64 (several, length), which pictures take turns with.
PREFIX = "prefix:tokens"


def whole(weights: Mapping[str, np.ndarray]) -> Arrays:
    """Weights by name, which take the place of the released ones."""
    return {f"{name}:whole": value for name, value in weights.items()}


def apply(released: Mapping[str, np.ndarray], patch: Arrays) -> Arrays:
    """The variant's weights: every released layer, those of the patch in float32, by name."""
    out, told = dict(released), (WORD, SAID, PREFIX)
    for layer in dict.fromkeys(name.split(":")[0] for name in patch if name not in told):
        if f"{layer}:whole" in patch:
            out[layer] = patch[f"{layer}:whole"]
            continue
        weights = released[layer].astype(np.float32)
        weights[unpack(patch[f"{layer}:positions"], weights.shape)] = patch[f"{layer}:values"]
        out[layer] = weights
    return out
