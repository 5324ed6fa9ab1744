"""A classifier whose pictures were erased by zeroing a mask: of each late convolution, as a matrix
(out, in × height × width)."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from regrowth.classify.lesson import Lesson
from regrowth.classify.saliency import felt, scores
from regrowth.classify.train import Taught
from regrowth.erase.conceptprune import conceptprune_mask
from regrowth.learn.shares import least
from torch import nn
from torch.nn import functional as F

#: Pictures in one pass.
BATCH = 256


def cut(network: nn.Module, lesson: Lesson, settings: dict) -> dict:
    """Facts: each layer's density."""
    layers = [name for name in convolutions(network) if lesson.is_late(name)]
    prune = conceptprune if settings["score"] == "conceptprune" else salient
    masks = prune(network, layers, lesson, settings)
    held = dict(network.named_parameters())
    with torch.no_grad():
        for name, mask in masks.items():
            gone = torch.from_numpy(mask).reshape(held[name].shape)
            held[name].masked_fill_(gone.to(held[name].device), 0)
    return {"density": {name: float(mask.mean()) for name, mask in masks.items()}}


def convolutions(network: nn.Module) -> list[str]:
    return [name for name, weight in network.named_parameters() if weight.ndim == 4]


def salient(network: nn.Module, layers: list[str], lesson: Lesson, settings: dict) -> dict:
    """The share of each layer that forgetting hangs on most: masks (out, in × height × width)."""
    weighed = {"salun": "no", "scissorhands": "absolute"}[settings["score"]]
    found = scores(network, felt(network, lesson.forget, BATCH), weighed)
    flat = {name: found[name].reshape(len(found[name]), -1) for name in layers}
    return {n: (s >= least([s], settings["share"])) & (s > 0) for n, s in flat.items()}


def conceptprune(network: nn.Module, layers: list[str], lesson: Lesson, settings: dict) -> dict:
    """ConceptPrune's masks, what is forgotten held against what is kept."""
    target, base = (norms(network, layers, of) for of in (lesson.forget, lesson.retain))
    masks = {}
    for name in layers:
        weight = network.get_parameter(name).detach().cpu().numpy()
        matrix, own = weight.reshape(len(weight), -1), (target[name][None], base[name][None])
        masks[name] = conceptprune_mask(matrix, *own, settings["share"])
    return masks


@torch.no_grad()
def norms(network: nn.Module, layers: list[str], taught: Taught) -> dict[str, np.ndarray]:
    """How strongly each column of a convolution is used, (in × height × width): the root of its
    mean square over all places of all pictures, the values at a place scaled to unit length."""
    total: dict[str, torch.Tensor] = {name: torch.zeros(()) for name in layers}
    places = dict.fromkeys(layers, 0)

    def see(name: str, module: nn.Conv2d, x: torch.Tensor) -> None:
        seen = F.unfold(x, module.kernel_size, module.dilation, module.padding, module.stride)
        unit = F.normalize(seen, dim=1)
        total[name] = total[name].to(x.device) + unit.square().sum((0, 2))
        places[name] += seen.shape[0] * seen.shape[2]

    network.eval()
    with _watched(network, layers, see):
        for images, _ in taught.batches(BATCH):
            network(images)
    return {name: (total[name] / places[name]).sqrt().cpu().numpy() for name in layers}


@contextmanager
def _watched(network: nn.Module, layers: list[str], see) -> Iterator[None]:
    def hook(name):
        return lambda module, given: see(name, module, given[0])

    modules = {name: network.get_submodule(name.removesuffix(".weight")) for name in layers}
    hooks = [module.register_forward_pre_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for one in hooks:
            one.remove()
