"""SoftImpute: the nuclear norm as a penalty, not a limit (the paper's equations 1 and 2).

Minimises 0.5 * ||P_observed(W - X)||^2 + lambda * ||X||_* by Z <- observed W, missing X;
X <- SVT_lambda(Z). With the short side first, SVT_lambda(Z) = U max(1 - lambda / s, 0) U^T Z,
where U and s come from the small Z Z^T.
"""

from collections.abc import Sequence

import torch
from regrowth.solvers.problem import Outcome, Problem


def softimpute(
    problem: Problem,
    lambdas: Sequence[float] | None = None,
    points: int = 16,
    holdout: float = 0.1,
    limit: int = 100,
    tolerance: float = 1e-4,
    seed: int = 0,
) -> Outcome:
    """Follow a falling path of lambdas, each from the last one's answer.

    lambdas: the path; the answer is its last point, so a single one is the paper's IST-SVD. By
    default `points` of them, evenly spaced in the logarithm, from the largest singular value to a
    thousandth of it, as far as the one that best foretells a random share `holdout` of the observed
    entries.
    """
    if lambdas is None:
        lambdas = _chosen(problem, points, holdout, limit, tolerance, seed)
    x, total = torch.zeros_like(problem.row, dtype=problem.x.dtype), 0
    for value in lambdas:
        x, iterations, change = _at(problem, x, value, limit, tolerance)
        total += iterations
    note = f"lambda {lambdas[-1]:.4g}"
    if change >= tolerance:
        return Outcome(x, total, change, False, f"{note}; stopped at the iteration limit")
    return Outcome(x, total, change, True, note)


def _at(problem: Problem, x: torch.Tensor, value: float, limit: int, tolerance: float):
    """Iterate at one lambda; returns the missing entries, the iterations and the last change."""
    change, iterations = float("inf"), 0
    while change >= tolerance and iterations < limit:
        y = problem.filled(x)
        eigenvalues, vectors = torch.linalg.eigh(problem.fixed + y @ y.T)
        sizes = eigenvalues.clamp(min=0).sqrt()
        kept = (1 - value / sizes.clamp(min=torch.finfo(sizes.dtype).tiny)).clamp(min=0)
        after = ((vectors * kept) @ (vectors.T @ y))[problem.gone_part]
        size = after.norm().item()
        change = (after - x).norm().item() / size if size else 0.0
        x = after
        iterations += 1
    return x, iterations, change


def _chosen(
    problem: Problem, points: int, holdout: float, limit: int, tolerance: float, seed: int
) -> list[float]:
    """The path as far as the lambda with the least squared error on held-out entries."""
    drawn = torch.rand(problem.x.shape, generator=torch.Generator().manual_seed(seed))
    held = (drawn.to(problem.x.device) < holdout) & ~problem.gone
    trial = Problem(problem.x, problem.gone | held, problem.flipped)
    largest = torch.linalg.eigvalsh(problem.x @ problem.x.T)[-1].sqrt().item()
    path = [largest * 10 ** (-3 * i / (points - 1)) for i in range(points)]
    x, errors = torch.zeros_like(trial.row, dtype=problem.x.dtype), []
    truth, asked = problem.x[trial.gone], held[trial.gone]
    for value in path:
        x, _, _ = _at(trial, x, value, limit, tolerance)
        errors.append((x - truth)[asked].square().mean().item())
    return path[: errors.index(min(errors)) + 1]
