"""Pruned checkpoints that a user brings: which of the model's weights they have erased."""

from pathlib import Path

import numpy as np
from regrowth.models import Layer, matrices, read_weights
from safetensors import safe_open


def masks(path: Path, layers: list[Layer], weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Bool (out, in) for each layer: zero in the checkpoint, and not in the model.

    path: see `read`. weights: the model's, by layer. Raises ValueError if the checkpoint is another
    model's, or has been changed otherwise: what was erased would be unknown then.
    """
    found = {}
    for name, given in read(path, layers).items():
        # As it is stored where it is stored in fewer bits
        narrow = min(given.dtype, weights[name].dtype, key=lambda dtype: dtype.itemsize)
        given, own = given.astype(narrow), weights[name].astype(narrow)
        found[name] = (given == 0) & (own != 0)
        if (other := float(np.mean((given != own) & ~found[name]))) > 0:
            raise ValueError(
                f"{path}: of {name}, {other:.2%} of the weights are neither the model's nor zero: "
                f"this is not the model of the study with weights pruned"
            )
    return found


def read(path: Path, layers: list[Layer]) -> dict[str, np.ndarray]:
    """The layers' weights (out, in) as a checkpoint has them.

    path: a pipeline's directory, or a file with the state of the component (UNet or text encoder)
    that the layers belong to: .safetensors, or PyTorch's, read as data and never unpickled.
    Raises ValueError if it is no such file, or a layer is not there or has another shape, and
    FileNotFoundError if a directory has no weights.
    """
    if path.is_dir():
        held = matrices(path, layers[0].file.parent.name)
        held = read_weights([held[layer.name] for layer in layers if layer.name in held])
    else:
        stored = _state(path, [layer.stored for layer in layers])
        held = {layer.name: stored[layer.stored] for layer in layers if layer.stored in stored}
    for layer in layers:
        if layer.name not in held:
            raise ValueError(f"{path} holds no weight {layer.stored}")
        if held[layer.name].shape != layer.shape:
            found = "×".join(map(str, held[layer.name].shape))
            raise ValueError(
                f"{path}: {layer.stored} is {found}, the model's {layer.shape[0]}×{layer.shape[1]}"
            )
    return held


def _state(file: Path, names: list[str]) -> dict[str, np.ndarray]:
    import torch

    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as f:
                held = {name: f.get_tensor(name) for name in names if name in f.keys()}
        else:
            held = torch.load(file, map_location="cpu", weights_only=True)
            held = held.get("state_dict", held)
        kinds = {name: held[name].dtype for name in names if name in held}
    except Exception as error:
        what = "holds more than weights by name, or is damaged"
        raise ValueError(f"{file} {what}: {error}") from None
    for name, kind in kinds.items():
        if kind not in (torch.float16, torch.float32, torch.float64):
            raise ValueError(f"{file}: {name} is {kind}; wanted: torch.float16 or torch.float32")
    return {name: held[name].numpy() for name in kinds}
