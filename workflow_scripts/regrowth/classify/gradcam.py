"""Grad-CAM: where in a picture a classifier finds what speaks for a class."""

import numpy as np
import torch
from torch import nn


def maps(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(n, height, width), in the units of a logit: of each picture, over the channels of the last
    stage, the sum of values times the mean slope of the label's logit, where that is positive
    (Selvaraju et al., 2017); by captum, between points of that stage linearly.

    images: (n, channels, height, width), 0 to 1. labels: (n,).
    """
    from captum.attr import LayerAttribution, LayerGradCam

    network.eval()
    last = network.get_submodule(f"layer{network.stages}")
    found = LayerGradCam(network, last).attribute(images, labels, relu_attributions=True)
    size = tuple(images.shape[2:])
    return LayerAttribution.interpolate(found, size, "bilinear")[:, 0].detach()


def some(parts: np.ndarray, labels: np.ndarray, n: int) -> np.ndarray:
    """Places of the first n forgotten pictures, and of the first n kept ones, each of a class of
    its own as far as there are any."""
    gone, kept = np.flatnonzero(parts == "forget"), np.flatnonzero(parts == "retain")
    _, first = np.unique(labels[kept], return_index=True)
    rest = np.delete(kept, first)
    return np.concatenate([gone[:n], np.concatenate([np.sort(kept[first]), rest])[:n]])
