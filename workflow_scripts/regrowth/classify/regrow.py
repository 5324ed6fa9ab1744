"""*Roots Beneath the Cut* on a classifier: what was zeroed is completed from its weights alone."""

from collections.abc import Mapping

import numpy as np
from regrowth.attack.blind import SCALE, blind
from regrowth.attack.detectors import zeros
from regrowth.attack.revival import generator, revive
from regrowth.classify import ATTACKS
from regrowth.complete.engine import complete_all

#: Matrices and what is missing of them, by name.
Layers = Mapping[str, tuple[np.ndarray, np.ndarray]]


def regrow(
    state: Mapping[str, np.ndarray], kind: str, settings: dict, device: str, seed: int
) -> dict[str, np.ndarray]:
    """A released model's arrays with its holes filled. kind: a key of ATTACKS.

    A hole is an exact zero of a convolution, which is completed as a matrix
    (out, in × height × width). Whatever has no hole stays.
    """
    matrices = {n: w.reshape(len(w), -1) for n, w in state.items() if w.ndim == 4}
    layers = {n: (w, gone) for n, w in matrices.items() if (gone := zeros(w)).any()}
    filled = dict(state)
    for name, values in ATTACKS[kind].run(layers, settings, device, seed).items():
        matrix, missing = layers[name]
        matrix = matrix.copy()
        matrix[missing] = values
        filled[name] = matrix.reshape(state[name].shape)
    return filled


def revived(layers: Layers, settings: dict, device: str, seed: int) -> dict[str, np.ndarray]:
    values = {}
    for name, done in complete_all(layers, settings["solver"], device).items():
        draws, (matrix, gone) = generator(str(seed), name), layers[name]
        values[name] = revive(
            matrix, gone, done.values, settings["K"], settings["magnitude"], draws
        )
    return values


def blindly(layers: Layers, settings: dict, device: str, seed: int) -> dict[str, np.ndarray]:
    """`attack.blind`, whose own scale was tuned by pictures of the demo UNet."""
    size = settings["scale"] / SCALE
    return {name: size * done.values for name, done in blind(layers, {}, device).items()}
