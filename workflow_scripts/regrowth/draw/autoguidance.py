"""Autoguidance: away from a worse version of a model, as MemoRa samples what it has trained."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from regrowth.draw.pipeline import put_weights


def steer(pipe, weights: Mapping[str, np.ndarray], weight: float) -> None:
    """Predictions are from now on those of the UNet as it is, and `weight` of the way from there
    to those of the UNet with these weights: 0 is the one model, 1 the other, exactly."""
    worse = copy.deepcopy(pipe.unet)
    put_weights(pipe, weights)

    def after(unet, given, more, out):
        said = worse(*given, **more)[0]
        return (torch.lerp(said, out[0], weight), *out[1:])

    pipe.unet.register_forward_hook(after, with_kwargs=True)
