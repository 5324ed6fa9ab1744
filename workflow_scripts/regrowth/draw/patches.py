"""Patches: a variant stored as what differs from the released model.

A patch holds, per layer, the changed positions as packed bits and a value for each, or the whole
weight; or the embedding of a word of its own: a flat dict of arrays, as safetensors keeps them. A
training's file holds several, after several steps.
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


def at(step: int | str) -> str:
    """What stands before the names of a patch in a file of several."""
    return f"{step}/"


def whole(weights: Mapping[str, np.ndarray], step: int) -> Arrays:
    """weights: by name, after that step of a training."""
    return {f"{at(step)}{name}:whole": value for name, value in weights.items()}


def word(embedding: np.ndarray, step: int) -> Arrays:
    return {f"{at(step)}{WORD}": embedding}


def taken(held: Arrays, step: str) -> Arrays:
    """The patch after that step. Raises KeyError if the file has none."""
    found = {n.removeprefix(at(step)): a for n, a in held.items() if n.startswith(at(step))}
    if not found:
        raise KeyError(f"no patch after step {step}")
    return found


def apply(released: Mapping[str, np.ndarray], patch: Arrays) -> Arrays:
    """The variant's weights: every released layer, those of the patch in float32, by name."""
    out = dict(released)
    for layer in dict.fromkeys(name.split(":")[0] for name in patch if name not in (WORD, SAID)):
        if f"{layer}:whole" in patch:
            out[layer] = patch[f"{layer}:whole"]
            continue
        weights = released[layer].astype(np.float32)
        weights[unpack(patch[f"{layer}:positions"], weights.shape)] = patch[f"{layer}:values"]
        out[layer] = weights
    return out
