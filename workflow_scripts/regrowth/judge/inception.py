"""Inception: the features of FID itself. torchmetrics' FID, torch-fidelity's Inception, and no
torchvision: neither computes with it."""

import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
from regrowth.files import hub
from regrowth.judge.settings import Judge

#: Its weights, where torch-fidelity has them.
URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)


def score(judge: Judge, root: Path, images, rows, device: str):
    """No score, but each picture's features."""
    from regrowth.judge.networks import row

    return [row(i, None, None, v) for i, v in enumerate(vectors(judge, root, images, device))]


def vectors(judge: Judge, root: Path, images, device: str) -> np.ndarray:
    """float32 (n, 2048). Pictures of one size at a time: the network stretches each to its own."""
    import torch
    from regrowth.judge.networks import batches

    net = _net(root / (judge.model or ""), device)
    out = np.empty((len(images), 2048), np.float32)
    for size in dict.fromkeys(image.size for image in images):
        alike = [i for i, image in enumerate(images) if image.size == size]
        for at in batches(alike):
            pixels = torch.stack([torch.from_numpy(np.array(images[i])) for i in at])
            out[at] = net(pixels.permute(0, 3, 1, 2).to(device)).cpu().numpy()
    return out


@lru_cache
def _net(weights: Path, device: str):
    return network(weights).to(device)


def mistakes(judge: Judge, root: Path) -> list[str]:
    if judge.model is None:
        return [f"a judge of kind {judge.kind} needs a model"]
    if find_spec("torch_fidelity") is None:
        return [
            "a judge of kind inception needs torch-fidelity: "
            "pip install --no-deps -r requirements-alone.txt"
        ]
    if not (root / judge.model).is_file():
        return [f"{hub.nowhere(judge.model, root)}: torch-fidelity's Inception, {URL}"]
    return []


def fid():
    """The module torchmetrics.image.fid.

    torch-fidelity imports torchvision at its top, for other networks and data sets, and the one on
    PyPI cannot be loaded beside torch's CPU build; so its parts are imported without its top.
    """
    spec = find_spec("torch_fidelity") if "torch_fidelity" not in sys.modules else None
    if spec:
        package = sys.modules["torch_fidelity"] = ModuleType("torch_fidelity")
        package.__spec__, package.__path__ = spec, list(spec.submodule_search_locations or ())
    from torchmetrics.image import fid

    return fid


def network(weights: Path):
    """torch-fidelity's Inception, float32: uint8 (n, 3, h, w) → (n, 2048). It resizes by itself.

    weights: weights-inception-2015-12-05-6726825d.pth. Raises ValueError for any other file, and
    for one with anything but tensors: nothing in it is run.
    """
    import torch

    try:
        torch.load(weights, map_location="cpu", weights_only=True)  # the library's own load is not
        return fid().NoTrainInceptionV3("inception-v3-compat", ["2048"], str(weights)).eval()
    except Exception as error:
        told = " ".join(str(error).split())
        raise ValueError(
            f"{weights.name} is not torch-fidelity's Inception "
            f"(weights-inception-2015-12-05-6726825d.pth): {told[:300]}"
        ) from None
