"""Signs as spins: what is pruned is large, so its magnitude is nearly known and its sign is not.

Columns are taken for draws of one Gaussian whose precision K is estimated from the matrix itself.
*Gauss* gives every missing entry its conditional mean; *spin* then restricts it to plus or minus
the magnitude expected of a pruned entry, and finds the mean field of those signs.
"""

import math

import torch
from regrowth.solvers.problem import Outcome, Problem


def gauss_spin(
    problem: Problem,
    ridge: float = 0.5,
    sweeps: int = 2,
    outer: int = 2,
    inner: int = 6,
    tolerance: float = 3e-2,
    limit: int = 50,
) -> Outcome:
    """Conditional means by conjugate gradients, then damped mean-field sweeps of the signs.

    ridge: added to the Gram matrix, in shares of its mean diagonal. Converged when the last
    conjugate gradients reached `tolerance` and the last spin sweep moved less than that.
    """
    sigma, expected = _scales(problem)
    columns = problem.gone.nonzero()[:, 1]
    sigma_of, a = sigma[columns], expected[columns]
    scaled = problem.scaled(sigma)
    m = torch.zeros_like(sigma_of)
    iterations = 0
    for _ in range(sweeps):
        k = _precision(scaled, m, torch.zeros_like(m), ridge)
        m, steps, residual = _conditional_mean(scaled, k, m, tolerance, limit)
        iterations += steps
    settled = residual <= tolerance * (1 + 1e-9)
    m = m.clamp(-a, a)
    for _ in range(outer):
        k = _precision(scaled, m, a.square() - m.square(), ridge)
        diagonal = k.diagonal()[problem.row]
        for _ in range(inner):
            before = m
            field = diagonal * m - (k @ scaled.filled(m))[problem.gone_part]
            m = 0.5 * m + 0.5 * a * torch.tanh(a * field)
        iterations += inner
    residual = ((m - before).norm() / m.norm().clamp(min=torch.finfo(m.dtype).tiny)).item()
    field = diagonal * m - (k @ scaled.filled(m))[problem.gone_part]
    note = "" if settled else "the conditional means stopped at the iteration limit"
    done = settled and residual < tolerance
    return Outcome(sigma_of * field / diagonal, iterations, residual, done, note)


def _scales(problem: Problem) -> tuple[torch.Tensor, torch.Tensor]:
    """Per column: the standard deviation before pruning, and the mean magnitude, in those units, of
    what is missing. Both follow from a Gaussian of which the largest share is gone."""
    n = problem.gone.shape[0]
    observed = (~problem.gone).sum(0)
    share = (n - observed).to(problem.x) / n
    whole = (problem.x.square().sum() / observed.sum()).sqrt()
    rms = (problem.x.square().sum(0) / observed.clamp(min=1)).sqrt()
    rms = torch.where(rms > 0, rms, whole)
    z = -torch.special.ndtri(share / 2)  # infinite where nothing is missing
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    cut = torch.where(share > 0, 2 * z * density / (1 - share).clamp(min=1 / n), 0)
    expected = torch.where(share > 0, 2 * density / share, 0)
    return rms / (1 - cut).clamp(min=1e-3).sqrt(), expected


def _precision(scaled: Problem, m: torch.Tensor, spread: torch.Tensor, ridge: float):
    """n (Y Y^T + variance left in the signs + ridge)^-1, short side squared."""
    y = scaled.filled(m)
    gram = scaled.fixed + y @ y.T
    gram.diagonal().index_add_(0, scaled.row, spread)
    gram.diagonal().add_(ridge * gram.diagonal().mean())
    return scaled.x.shape[1] * torch.cholesky_inverse(torch.linalg.cholesky(gram))


def _conditional_mean(scaled: Problem, k, m, tolerance: float, limit: int):
    """Solve (K Y) = 0 on the missing entries by conjugate gradients, from m.

    Returns the entries, the steps, and what is left as a share of the right-hand side.
    """
    gone, empty = scaled.gone_part, torch.zeros_like(scaled.part)

    def on_missing(values):
        y = empty.clone()
        y[gone] = values
        return (k @ y)[gone]

    goal = -(k @ scaled.part)[gone]
    rest = goal - on_missing(m)
    direction, square, bar = rest, rest @ rest, tolerance * goal.norm()
    steps = 0
    while square.sqrt() > bar and steps < limit:
        turned = on_missing(direction)
        length = square / (direction @ turned)
        m, rest = m + length * direction, rest - length * turned
        square, old = rest @ rest, square
        direction = rest + (square / old) * direction
        steps += 1
    residual = (square.sqrt() / goal.norm().clamp(min=torch.finfo(goal.dtype).tiny)).item()
    return m, steps, residual
