"""A layer to complete, and what a solver says of it."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Outcome:
    """values: (n_missing,), row-major in the problem's own layout."""

    values: torch.Tensor
    iterations: int
    residual: float
    converged: bool
    note: str = ""


class Problem:
    """One layer with its short side first, and the part of its Gram matrix that never changes.

    x: float64 (short, long), zero where missing. gone: bool, the same shape. part, gone_part: the
    columns in which anything is missing; row: the row of each missing entry, in their order.
    """

    def __init__(self, x: torch.Tensor, gone: torch.Tensor, flipped: bool):
        self.x, self.gone, self.flipped = x.masked_fill(gone, 0), gone, flipped
        touched = gone.any(dim=0)
        rest = self.x[:, ~touched]
        self.fixed = rest @ rest.T
        self.part, self.gone_part = self.x[:, touched], gone[:, touched]
        self.row = self.gone_part.nonzero()[:, 0]

    def filled(self, values: torch.Tensor) -> torch.Tensor:
        """`part` with `values` at the missing entries."""
        y = self.part.clone()
        y[self.gone_part] = values
        return y

    def scaled(self, sigma: torch.Tensor) -> "Problem":
        """The same layer with every column divided by its `sigma`, (long,)."""
        return Problem(self.x / sigma, self.gone, self.flipped)

    def column_means(self) -> torch.Tensor:
        """The mean of each column (as given, before any flip) over its observed entries."""
        dim = 1 if self.flipped else 0
        n = (~self.gone).sum(dim, keepdim=True).clamp(min=1)
        return (self.x.sum(dim, keepdim=True) / n).expand_as(self.x)[self.gone]
