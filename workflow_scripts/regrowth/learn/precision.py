"""Training at half precision, and on less memory: weights, moments and losses stay in single."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

#: By what the networks compute in, how much larger gradients begin to go through them: those of
#: float16 vanish below 6e-8, and bfloat16 reaches as far as single precision does.
LOSS_SCALE = {"float32": 1.0, "bfloat16": 1.0, "float16": 2.0**16}


class Scale:
    """Loss scaling. Gradients go through a network `value` times as large, and reach its weights as
    they are; a power of two, which rounds nothing."""

    def __init__(self, dtype: str):
        self.value = LOSS_SCALE[dtype]

    def lower(self) -> None:
        self.value /= 2


def felt(combine: Callable, step: Any, weights: list[torch.Tensor], scale: Scale) -> tuple:
    """What `combine` makes of a step: its gradient and losses. step: `targets.Step`. What overflows
    is computed again at a lower scale, which stays."""
    told = step.settings
    networks = dict.fromkeys((step.pipe.unet, step.material.frozen or step.pipe.unet))
    with ExitStack() as stack:
        if told.get("dtype", "float32") != "float32":
            for network in networks:
                stack.enter_context(_computing(network, getattr(torch, told["dtype"]), scale))
            for weight in weights if scale.value > 1 else ():
                stack.callback(weight.register_hook(lambda g: g / scale.value).remove)
        while True:
            gradients, losses = combine(step, weights)
            if scale.value == 1 or all(torch.isfinite(g).all() for g in gradients):
                return gradients, losses
            scale.lower()


@contextmanager
def saving(unet: Any, told: dict) -> Iterator[None]:
    """While parts of a prediction are computed twice rather than kept, where that is asked; as they
    are already, afterwards too."""
    asked = told.get("gradient_checkpointing") and not unet.is_gradient_checkpointing
    if asked:
        unet.enable_gradient_checkpointing()
    try:
        yield
    finally:
        if asked:
            unet.disable_gradient_checkpointing()


@contextmanager
def _computing(network: Any, dtype: torch.dtype, scale: Scale) -> Iterator[None]:
    """While a UNet computes in another precision what may be; its predictions are single."""
    plain = network.forward

    def forward(*given: Any, **told: Any) -> Any:
        with torch.autocast(network.device.type, dtype):
            said = plain(*given, **told)
        sample = said.sample.float()
        if sample.requires_grad and scale.value > 1:
            sample.register_hook(lambda gradient: gradient * scale.value)
        return type(said)(sample=sample)

    network.forward = forward
    try:
        yield
    finally:
        del network.forward
