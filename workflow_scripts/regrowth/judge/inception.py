"""torchmetrics' FID, torch-fidelity's Inception, and no torchvision: neither computes with it."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


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
