"""LoRA: in the place of a matrix, two of a low rank are trained, whose product is added to it."""

import re
from collections.abc import Iterable

import torch
from torch.nn.utils import parametrize

#: The matrices that have them: the attentions' four.
ADAPTED = re.compile(r"\.attn[12]\.(to_q|to_k|to_v|to_out\.0)$")


class Added(torch.nn.Module):
    """W + up @ down. up begins at 0, so that nothing is changed before the first step."""

    def __init__(self, shape: torch.Size, rank: int, draws: torch.Generator):
        super().__init__()
        down = torch.randn(rank, shape[1], generator=draws) / rank
        self.down = torch.nn.Parameter(down)
        self.up = torch.nn.Parameter(torch.zeros(shape[0], rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.up @ self.down


def adapt(network: torch.nn.Module, rank: int, seed: int) -> list[str]:
    """Give every attention's matrices such a pair, in place; their names."""
    draws = torch.Generator().manual_seed(seed)
    names = [name for name, _ in network.named_modules() if ADAPTED.search(name)]
    for name in names:
        module = network.get_submodule(name)
        added = Added(module.weight.shape, rank, draws).to(module.weight)
        parametrize.register_parametrization(module, "weight", added)
    return [f"{name}.weight" for name in names]


def settle(network: torch.nn.Module, names: Iterable[str]) -> None:
    """Leave the sums as plain weights, in place."""
    for name in names:
        module = network.get_submodule(name.removesuffix(".weight"))
        parametrize.remove_parametrizations(module, "weight")
