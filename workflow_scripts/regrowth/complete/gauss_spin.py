"""Signs as spins: what is pruned is large, so its magnitude is nearly known and its sign is not.

Columns are taken for draws of one Gaussian whose precision K is estimated from the matrix itself.
*Gauss* gives every missing entry its conditional mean; *spin* then restricts it to plus or minus
the magnitude expected of a pruned entry, and finds the mean field of those signs.
"""

import math
from copy import copy

import torch
from regrowth.complete.problem import Outcome, Problem, conjugate_gradients, norm, share


def gauss_spin(
    problem: Problem,
    ridge: float = 0.5,
    sweeps: int = 2,
    outer: int = 2,
    inner: int = 6,
    tolerance: float = 3e-2,
    limit: int = 50,
    beside: torch.Tensor | None = None,
    weight: float = 0.5,
) -> Outcome:
    """Conditional means by conjugate gradients, then damped mean-field sweeps of the signs.

    ridge: added to the Gram matrix, in shares of its mean diagonal. Converged when the last
    conjugate gradients reached `tolerance` and the last spin sweep moved less than that. beside:
    (batch, more, long), rows that are known and belong to the same columns; each column of them is
    scaled to a root mean square of `weight`, where a column of the layer has 1.
    """
    sigma, expected = _scales(problem)
    scaled = Problem(problem.x / sigma, problem.gone, problem.flipped)
    known = None if beside is None else _Known(scaled, beside, weight)
    sigma_of, a = (scaled.gather(v[..., scaled.touched]) for v in (sigma, expected))
    m = scaled.zeros()
    iterations = torch.zeros(len(m), 1, dtype=torch.long, device=m.device)
    for _ in range(sweeps):
        k, push = _precision(scaled, known, m, torch.zeros_like(m), ridge)
        m, steps, residual = _conditional_mean(scaled, k, push, m, tolerance, limit)
        iterations += steps
        problem.watch(int(iterations.max()), residual)
    settled = residual <= tolerance * (1 + 1e-6)
    m = m.clamp(-a, a)
    for _ in range(outer):
        k, push = _precision(scaled, known, m, a.square() - m.square(), ridge)
        diagonal = k.diagonal(dim1=1, dim2=2).gather(1, scaled.row)
        for _ in range(inner):
            before = m
            m = 0.5 * m + 0.5 * a * torch.tanh(a * (diagonal * m - _pull(scaled, k, push, m)))
        iterations += inner
        residual = share(norm(m - before), norm(m))
        problem.watch(int(iterations.max()), residual)
    field = diagonal * m - _pull(scaled, k, push, m)
    done = (settled & (residual < tolerance))[:, 0]
    stopped = "the conditional means stopped at the iteration limit"
    moving = "the signs still moved at the last sweep"
    notes = [
        "" if d else moving if s else stopped for d, s in zip(done.tolist(), settled[:, 0].tolist())
    ]
    values, sure = sigma_of * field / diagonal, torch.tanh(a * field)
    return Outcome(values, iterations[:, 0], residual[:, 0], done, notes, sure)


def _scales(problem: Problem) -> tuple[torch.Tensor, torch.Tensor]:
    """Per column (batch, 1, long): the standard deviation before pruning, and the mean magnitude,
    in those units, of what is missing; both follow from a Gaussian whose largest share is gone."""
    n = problem.gone.shape[1]
    observed = (~problem.gone).sum(1, keepdim=True)
    missing = (n - observed).to(problem.x) / n
    problem.fill(problem.zeros())
    power = torch.linalg.vector_norm(problem.x, dim=1, keepdim=True).square()
    power[..., problem.touched] = problem.part.square().sum(1, keepdim=True)
    whole = (power.sum(2, keepdim=True) / observed.sum(2, keepdim=True)).sqrt()
    rms = (power / observed.clamp(min=1)).sqrt()
    rms = torch.where(rms > 0, rms, whole)
    z = -torch.special.ndtri(missing / 2)  # infinite where nothing is missing
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    cut = torch.where(missing > 0, 2 * z * density / (1 - missing).clamp(min=1 / n), 0)
    expected = torch.where(missing > 0, 2 * density / missing, 0)
    return rms / (1 - cut).clamp(min=1e-3).sqrt(), expected


class _Known:
    """Rows that are known, scaled by column to a root mean square of `weight`: (batch, more, long);
    their Gram matrix, and what of their products with the layer is fixed."""

    def __init__(self, scaled: Problem, beside: torch.Tensor, weight: float):
        size = beside.square().mean(1, keepdim=True).sqrt()
        rows = weight * beside.to(scaled.x) / torch.where(size > 0, size, 1).to(scaled.x)
        self.gram = rows @ rows.mT
        self.part = rows[..., scaled.touched]
        self.rest = scaled.x[..., ~scaled.touched] @ rows[..., ~scaled.touched].mT

    def cross(self, scaled: Problem) -> torch.Tensor:
        """Their products with the layer, filled as it is: (batch, short, more)."""
        return self.rest + scaled.part @ self.part.mT


def _precision(
    scaled: Problem, known: _Known | None, m: torch.Tensor, spread: torch.Tensor, ridge: float
) -> tuple[torch.Tensor, torch.Tensor | float]:
    """n (Y Y^T + variance left in the signs + ridge)^-1, its block of the layer's own rows, (batch,
    short, short); and what known rows add to its product with Y, (batch, m).

    That block is the precision of what known rows leave unexplained (a Schur complement), and they
    act by what they predict, so that no matrix of all rows is made.
    """
    scaled.fill(m)
    g = scaled.gram()
    diagonal = g.diagonal(dim1=1, dim2=2)
    diagonal.scatter_add_(1, scaled.row, spread.where(scaled.valid, 0))
    columns = scaled.x.shape[2]
    if known is None:
        diagonal += ridge * diagonal.mean(1, keepdim=True)
        return columns * torch.cholesky_inverse(torch.linalg.cholesky(g)), 0.0
    own = known.gram.clone()
    both = torch.cat([diagonal, own.diagonal(dim1=1, dim2=2)], 1).mean(1, keepdim=True)
    diagonal += ridge * both
    own.diagonal(dim1=1, dim2=2).add_(ridge * both)
    cross = known.cross(scaled)
    told = torch.cholesky_solve(cross.mT, torch.linalg.cholesky(own)).mT
    k = columns * torch.cholesky_inverse(torch.linalg.cholesky(g - told @ cross.mT))
    predicted = copy(scaled)
    predicted.part = told @ known.part
    return k, -predicted.times(k)


def _pull(
    scaled: Problem, k: torch.Tensor, push: torch.Tensor | float, m: torch.Tensor
) -> torch.Tensor:
    scaled.fill(m)
    return scaled.times(k) + push


def _conditional_mean(scaled: Problem, k, push, m, tolerance: float, limit: int):
    """Solve (K Y) = 0 on the missing entries by conjugate gradients, from m.

    Returns the entries, the steps, and what is left as a share of what it is with zeros there.
    """
    whole = norm(_pull(scaled, k, push, torch.zeros_like(m)))
    goal = -_pull(scaled, k, push, m)
    bar = tolerance * share(whole, norm(goal)).clamp(max=1e6)
    diagonal = k.diagonal(dim1=1, dim2=2).gather(1, scaled.row)
    step, steps, left = conjugate_gradients(scaled, k, goal, bar, limit, diagonal)
    return m + step, steps, left * share(norm(goal), whole)
