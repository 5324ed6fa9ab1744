"""The nuclear norm with the observed entries held: the paper's own iteration, and a fast way there.

The minimum of ||X||_* with X = W on the observed entries is the limit of the paper's equation 1 as
lambda goes to 0. Neither solver takes an SVD: with the short side first, the polar factor of X is
G^(-1/2) X, where G = X X^T is small, so one symmetric eigendecomposition per iteration is enough.
"""

import torch
from regrowth.complete.problem import Outcome, Problem, conjugate_gradients, norm, share

#: Singular values below this share of the largest count as zero.
RANK_TOLERANCE = 1e-7
#: The share of the largest that `nuclear` takes smaller ones for, so that its weights stay finite.
FLOOR = 1e-4
#: Below this ratio of the singular values a Gram matrix in float32 says too little of the smallest.
TRUST = 3e-3


def polar(
    problem: Problem, values: torch.Tensor, floor: float = 0.0, trust: float = TRUST
) -> tuple[torch.Tensor, torch.Tensor]:
    """G^(-1/2) with the missing entries filled by `values`, (batch, short, short), and the smallest
    singular values, (batch, 1), 0 where the rank is not full.

    Singular values are raised to the share `floor` of the largest; at 0, those that count as zero
    are left out (the pseudo-inverse).
    """
    problem.fill(values)
    sizes, vectors = _eigen(problem.gram())
    if not problem.exact and (sizes[:, 0] < trust * sizes[:, -1]).any():
        problem.exact = True
        sizes, vectors = _eigen(problem.gram())
    live = sizes > RANK_TOLERANCE * sizes[:, -1:]
    smallest = sizes[:, :1] * live.all(1, keepdim=True)
    inverse = torch.where(live, 1 / sizes, 0)
    if floor:
        inverse = 1 / torch.maximum(sizes, floor * sizes[:, -1:])
    root = (vectors * inverse[:, None]) @ vectors.mT
    return root.to(values.dtype), smallest.to(values.dtype)


def _eigen(g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Singular values of X, ascending, and left singular vectors, from g = X X^T."""
    eigenvalues, vectors = torch.linalg.eigh(g)
    return eigenvalues.clamp(min=0).sqrt(), vectors


def faithful(problem: Problem, limit: int = 500, tolerance: float = 1e-5) -> Outcome:
    """The iteration of the paper's own code: shrink by the smallest singular value, restore what
    is observed. On the missing entries one such step is X - sigma_min * polar(X)."""
    x = problem.column_means()
    problem.fill(problem.zeros())
    known = problem.gram().diagonal(dim1=1, dim2=2).sum(1, True).sqrt().to(x.dtype)
    before = None
    n = len(x)
    done = torch.zeros(n, 1, dtype=torch.bool, device=x.device)
    iterations = torch.zeros(n, 1, dtype=torch.long, device=x.device)
    change = torch.full((n, 1), torch.inf, dtype=x.dtype, device=x.device)
    stuck = done
    for iteration in range(1, limit + 1):
        root, smallest = polar(problem, x, trust=10 * TRUST)
        if iteration == 1:
            stuck = smallest == 0
            done = stuck
        after = x - smallest * problem.times(root)
        if before is not None:
            moved = norm(after - before) / torch.hypot(known, norm(before))
            change = torch.where(done, change, moved)
        before, x = x, torch.where(done, x, after)
        iterations += ~done
        done = done | (change < tolerance)
        problem.watch(iteration, change)
        if done.all():
            break
    notes = {
        "stuck": "the matrix has no full rank (a zero or repeated row): values are column means",
        "limit": "stopped at the iteration limit",
    }
    told = [
        notes["stuck"] if s else "" if d else notes["limit"]
        for s, d in zip(stuck.flatten().tolist(), done.flatten().tolist())
    ]
    change = torch.where(stuck, 0, change)
    return Outcome(x, iterations[:, 0], change[:, 0], (done & ~stuck)[:, 0], told)


def nuclear(
    problem: Problem,
    limit: int = 60,
    tolerance: float = 1e-3,
    inner: int = 8,
    inner_tolerance: float = 0.1,
) -> Outcome:
    """Reweighted least squares: with K = G^(-1/2) held, tr(X^T K X) bounds the nuclear norm from
    above, and its minimum on the missing entries, (K X) = 0 there, lowers the norm at every step.

    Each step takes a few conjugate gradients, scaled by K's diagonal. The residual is the gradient
    divided by that diagonal, as a share of the values.
    """
    x = problem.zeros()
    iterations = torch.zeros(len(x), 1, dtype=torch.long, device=x.device)
    for iteration in range(limit + 1):
        root, _ = polar(problem, x, FLOOR)
        gradient = problem.times(root)
        diagonal = root.diagonal(dim1=1, dim2=2).gather(1, problem.row)
        residual = share(norm(gradient / diagonal), norm(x))
        open_ = residual >= tolerance
        problem.watch(iteration, residual)
        if iteration == limit or not open_.any():
            break
        step, _, _ = conjugate_gradients(
            problem, root, -gradient, inner_tolerance, inner, diagonal=diagonal
        )
        x = torch.where(open_, x + step, x)
        iterations += open_
    done = ~open_[:, 0]
    notes = ["" if d else "stopped at the iteration limit" for d in done.tolist()]
    return Outcome(x, iterations[:, 0], residual[:, 0], done, notes)
