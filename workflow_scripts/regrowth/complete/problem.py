"""Layers to complete, and what a solver says of them.

Solvers work on a batch of layers of one shape: matrices are (batch, short, long), and the missing
entries of every layer, row-major, are one row of a (batch, m) matrix, padded with zeros. A number
a layer is a (batch, 1) column, so that one layer alone and a layer in a batch take the same steps.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field

import torch

#: On one layer, products with the long side are taken in blocks of about this many numbers.
BLOCK = 1 << 20


@dataclass
class Outcome:
    """values: (batch, m); iterations, residual, converged: (batch,); notes: one text a layer. sure:
    (batch, m), the sign that is expected, from −1 to 1, of a solver that tells it."""

    values: torch.Tensor
    iterations: torch.Tensor
    residual: torch.Tensor
    converged: torch.Tensor
    notes: list[str] = field(default_factory=list)
    sure: torch.Tensor | None = None


class Problem:
    """Equally shaped layers, short side first, and the part of their Gram matrices that is fixed.

    x: float32 or float64 (batch, short, long), never changed; what stands at missing positions is
    ignored. gone: bool, the same shape, something in every layer. watch: called with (iteration,
    residuals) as a solver goes on. unit: (batch, 1), what one of x is in the weights as given.

    part, gone_part: a copy of the columns in which anything is missing, its missing entries filled
    by `fill`. valid: bool (batch, m), which of the padded entries are real; row: their rows.
    """

    def __init__(
        self,
        x: torch.Tensor,
        gone: torch.Tensor,
        flipped: bool = False,
        watch: Callable[[int, torch.Tensor], None] = lambda iteration, residual: None,
        unit: torch.Tensor | float = 1.0,
    ):
        self.x, self.gone, self.flipped, self.watch, self.unit = x, gone, flipped, watch, unit
        self.exact = x.dtype == torch.float64
        self.touched = gone.any(dim=1).any(dim=0)
        self.gone_part = gone[..., self.touched]
        self.part = x[..., self.touched].masked_fill_(self.gone_part, 0)
        self.rest: dict[torch.dtype, torch.Tensor] = {}
        counts = self.gone_part.sum((1, 2))
        self.valid = torch.arange(int(counts.max()), device=x.device) < counts[:, None]
        self.row = self.gather(torch.arange(x.shape[1], device=x.device)[:, None])

    def zeros(self) -> torch.Tensor:
        return torch.zeros(self.valid.shape, dtype=self.x.dtype, device=self.x.device)

    def gather(self, y: torch.Tensor) -> torch.Tensor:
        """The missing entries (batch, m) of something that broadcasts to the shape of `part`."""
        out = torch.zeros(self.valid.shape, dtype=y.dtype, device=y.device)
        out[self.valid] = y.expand_as(self.gone_part)[self.gone_part]
        return out

    def fill(self, values: torch.Tensor) -> None:
        """Put `values` at the missing entries of `part`."""
        self.part[self.gone_part] = values[self.valid]

    def times(self, k: torch.Tensor) -> torch.Tensor:
        """The missing entries of k @ part; k: (batch, short, short)."""
        if len(k) > 1:
            return self.gather(k @ self.part)
        step = max(1, BLOCK // self.part.shape[2])
        blocks = zip(k[0].split(step), self.gone_part[0].split(step))
        return torch.cat([(some @ self.part[0])[gone] for some, gone in blocks])[None]

    def blank(self) -> "Problem":
        """This problem with zeros for everything observed in `part`; for products only."""
        other = copy(self)
        other.part = torch.zeros_like(self.part)
        return other

    def gram(self) -> torch.Tensor:
        """The Gram matrices of the whole, filled layers; float64 once `exact` is set."""
        dtype = torch.float64 if self.exact else self.x.dtype
        if dtype not in self.rest:
            self.rest = {dtype: gram(self.x, dtype, (~self.touched).nonzero()[:, 0])}
        return gram(self.part, dtype) + self.rest[dtype]

    def column_means(self) -> torch.Tensor:
        """The mean of each column (as given, before any flip) over its observed entries."""
        self.fill(self.zeros())
        if self.flipped:
            total = self.part.sum(2, True) + self.x[..., ~self.touched].sum(2, True)
            seen = (~self.gone).sum(2, True)
        else:
            total, seen = self.part.sum(1, True), (~self.gone_part).sum(1, True)
        return self.gather(total / seen.clamp(min=1))


def gram(y: torch.Tensor, dtype: torch.dtype, columns: torch.Tensor | None = None) -> torch.Tensor:
    """y @ y.T over all columns or these, in `dtype`. A choice of columns, or another precision
    than y's own, is reached block by block, so that no second y is held."""
    if columns is None and y.dtype == dtype:
        return y @ y.mT
    if columns is None:
        columns = torch.arange(y.shape[2], device=y.device)
    out = torch.zeros(*y.shape[:2], y.shape[1], dtype=dtype, device=y.device)
    for block in columns.split(max(1, BLOCK // y.shape[1])):
        some = y[..., block].to(dtype)
        out += some @ some.mT
    return out


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(batch, m), (batch, m) → (batch, 1)."""
    return (a * b).sum(1, keepdim=True)


def norm(a: torch.Tensor) -> torch.Tensor:
    return a.norm(dim=1, keepdim=True)


def share(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a / b, and where b is zero: infinity, or 0 if a is zero too."""
    return torch.where(b > 0, a / b, torch.where(a > 0, torch.inf, 0.0))


def conjugate_gradients(
    problem: Problem,
    k: torch.Tensor,
    goal: torch.Tensor,
    tolerance: float | torch.Tensor,
    limit: int,
    diagonal: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Solve (k @ S) = goal on the missing entries for an S that is zero elsewhere.

    k: symmetric positive (batch, short, short); diagonal: its diagonal, by entry, for the scaling.
    tolerance: one for all or (batch, 1); a layer stops at ||rest|| <= tolerance * ||goal||.
    Returns S at the missing entries, and (batch, 1) each: the steps taken, and ||rest|| / ||goal||.
    """
    blank = problem.blank()
    m, rest = torch.zeros_like(goal), goal
    scaled = rest / diagonal
    direction, product = scaled, dot(rest, scaled)
    bar = tolerance * norm(goal)
    steps = torch.zeros(len(m), 1, dtype=torch.long, device=m.device)
    for _ in range(limit):
        moving = norm(rest) > bar
        if not moving.any():
            break
        blank.fill(direction)
        turned = blank.times(k)
        length = torch.where(moving, product / dot(direction, turned), 0)
        m, rest = m + length * direction, rest - length * turned
        scaled = rest / diagonal
        product, old = dot(rest, scaled), product
        direction = scaled + torch.where(moving, product / old, 0) * direction
        steps += moving
    return m, steps, share(norm(rest), norm(goal))
