"""SoftImpute: the nuclear norm as a penalty, not a limit (the paper's equations 1 and 2).

Minimises 0.5 * ||P_observed(W - X)||^2 + lambda * ||X||_* by Z <- observed W, missing X;
X <- SVT_lambda(Z). With the short side first, SVT_lambda(Z) = U max(1 - lambda / s, 0) U^T Z,
where U and s come from the small Z Z^T.
"""

from collections.abc import Sequence

import torch
from regrowth.complete.problem import Outcome, Problem, norm, share

#: What a hold-out path may be wrong by: it only ranks its lambdas.
ROUGH = 1e-3


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

    lambdas: the path, in the scale of the weights; the answer is its last point, so that a single
    one is the paper's IST-SVD. By default `points` of them, evenly spaced in the logarithm, from
    below the largest singular value (where all is shrunk to zero) to a thousandth of it, as far as
    the one that best foretells a random share `holdout` of the observed entries.
    """
    n, device = len(problem.x), problem.x.device
    if lambdas is None:
        path = _path(problem, points)
        last = _best(problem, path, holdout, limit, seed)
    else:
        path = torch.tensor(lambdas, dtype=torch.float64, device=device) / problem.unit
        path = path.to(problem.x.dtype).expand(n, -1)
        last = torch.full((n, 1), len(lambdas) - 1, device=device)
    x = problem.zeros()
    total = torch.zeros(n, 1, dtype=torch.long, device=device)
    change = torch.zeros(n, 1, dtype=x.dtype, device=device)
    for i in range(int(last.max()) + 1):
        here = last >= i
        x, steps, moved = _at(problem, x, path[:, i : i + 1], here, limit, tolerance)
        total, change = total + steps, torch.where(here, moved, change)
    done = change[:, 0] < tolerance
    notes = [
        f"lambda {value:.4g}" + ("" if d else "; stopped at the iteration limit")
        for value, d in zip((path.gather(1, last) * problem.unit)[:, 0].tolist(), done.tolist())
    ]
    return Outcome(x, total[:, 0], change[:, 0], done, notes)


def _at(problem: Problem, x, value, here, limit: int, tolerance: float):
    """Iterate at one lambda a layer, `value` (batch, 1), where `here`; returns the missing entries,
    the iterations and the last change."""
    steps = torch.zeros_like(here, dtype=torch.long)
    change = torch.where(here, torch.inf, 0.0).to(x.dtype)
    for iteration in range(1, limit + 1):
        problem.fill(x)
        eigenvalues, vectors = torch.linalg.eigh(problem.gram())
        sizes = eigenvalues.clamp(min=0).sqrt()
        kept = (1 - value / sizes.clamp(min=torch.finfo(sizes.dtype).tiny)).clamp(min=0)
        after = problem.times((vectors * kept[:, None]) @ vectors.mT)
        moving = change >= tolerance
        after = torch.where(moving, after, x)
        change = torch.where(moving, share(norm(after - x), norm(after)), change)
        x, steps = after, steps + moving
        problem.watch(iteration, change)
        if (change < tolerance).all():
            break
    return x, steps, change


def _path(problem: Problem, points: int) -> torch.Tensor:
    """(batch, points), falling below each layer's largest singular value to a thousandth of it."""
    problem.fill(problem.zeros())
    largest = torch.linalg.eigvalsh(problem.gram())[:, -1:].clamp(min=0).sqrt()
    fall = torch.linspace(0, -3, points + 1, dtype=largest.dtype, device=largest.device)[1:]
    return largest * 10**fall


def _best(problem: Problem, path, holdout: float, limit: int, seed: int) -> torch.Tensor:
    """The place (batch, 1) on the path with the least squared error on held-out entries. A layer
    follows it until it has not improved for two points: small lambdas are the slow ones."""
    drawn = torch.rand(problem.x.shape[1:], generator=torch.Generator().manual_seed(seed))
    held = (drawn.to(problem.x.device) < holdout) & ~problem.gone
    trial = Problem(problem.x, problem.gone | held, problem.flipped, problem.watch)
    truth, asked = (trial.gather(a[..., trial.touched]) for a in (problem.x, held))
    x = trial.zeros()
    least = torch.full_like(x[:, :1], torch.inf)
    best = torch.zeros_like(least, dtype=torch.long)
    open_ = torch.ones_like(least, dtype=torch.bool)
    for i in range(path.shape[1]):
        x, _, _ = _at(trial, x, path[:, i : i + 1], open_, limit, ROUGH)
        error = (x - truth).where(asked, 0).square().sum(1, keepdim=True)
        better = open_ & (error < least)
        least, best = torch.where(better, error, least), torch.where(better, i, best)
        open_ = open_ & (best >= i - 1)
        if not open_.any():
            break
    return best
