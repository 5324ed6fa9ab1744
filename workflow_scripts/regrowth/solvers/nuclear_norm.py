"""The nuclear norm with the observed entries held: the paper's own iteration, and a fast way there.

The minimum of ||X||_* with X = W on the observed entries is the limit of the paper's equation 1 as
lambda goes to 0. Neither solver takes an SVD: with the short side first, the polar factor of X is
G^(-1/2) X, where G = X X^T is small, so one symmetric eigendecomposition per iteration is enough.
"""

import torch
from regrowth.solvers.problem import Outcome, Problem, dot, norm, share

#: Singular values below this share of the largest count as zero.
RANK_TOLERANCE = 1e-7
#: Below this ratio of the singular values a Gram matrix in float32 says too little of the smallest.
TRUST = 3e-3


class State:
    """Nuclear norm, its gradient and its scale at one filling of the missing entries."""

    def __init__(self, problem: Problem, values: torch.Tensor, trust: float = TRUST):
        problem.fill(values)
        sizes, vectors = _eigen(problem.gram())
        if not problem.exact and (sizes[:, 0] < trust * sizes[:, -1]).any():
            problem.exact = True
            sizes, vectors = _eigen(problem.gram())
        live = sizes > RANK_TOLERANCE * sizes[:, -1:]
        inverse = torch.where(live, 1 / sizes, 0)
        root = (vectors * inverse[:, None]) @ vectors.mT
        dtype = values.dtype
        self.norm = sizes.sum(1, keepdim=True)
        self.smallest = (sizes[:, :1] * live.all(1, keepdim=True)).to(dtype)
        self.gradient = problem.times(root.to(dtype))
        diagonal = root.diagonal(dim1=1, dim2=2).clamp(min=torch.finfo(dtype).tiny).to(dtype)
        self.scale = diagonal.gather(1, problem.row)

    def where(self, chosen: torch.Tensor, other: "State") -> "State":
        """This state for the `chosen` (batch, 1) layers, the other for the rest."""
        for name in ("norm", "smallest", "gradient", "scale"):
            setattr(self, name, torch.where(chosen, getattr(self, name), getattr(other, name)))
        return self


def _eigen(g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Singular values of X, ascending, and left singular vectors, from g = X X^T."""
    eigenvalues, vectors = torch.linalg.eigh(g)
    return eigenvalues.clamp(min=0).sqrt(), vectors


def faithful(problem: Problem, limit: int = 500, tolerance: float = 1e-5) -> Outcome:
    """The iteration of the paper's own code: shrink by the smallest singular value, restore what
    is observed. On the missing entries one such step is X - sigma_min * polar(X)."""
    x = problem.column_means()
    total = problem.x.masked_fill(problem.gone, 0).square().sum((1, 2))[:, None]
    known = total.sqrt()
    before = None
    n = len(x)
    done = torch.zeros(n, 1, dtype=torch.bool, device=x.device)
    iterations = torch.zeros(n, 1, dtype=torch.long, device=x.device)
    change = torch.full((n, 1), torch.inf, dtype=x.dtype, device=x.device)
    stuck = done
    for iteration in range(1, limit + 1):
        state = State(problem, x, trust=10 * TRUST)
        if iteration == 1:
            stuck = state.smallest == 0
            done = stuck
        after = x - state.smallest * state.gradient
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


def nuclear(problem: Problem, limit: int = 60, memory: int = 8, tolerance: float = 1e-3) -> Outcome:
    """L-BFGS on the missing entries alone, each row scaled by 1 / K_ii, with unit steps; where one
    raises the norm, the memory is dropped and a plain shrinkage step taken instead."""
    x = problem.zeros()
    state, pairs = State(problem, x), []
    iterations = torch.zeros(len(x), 1, dtype=torch.long, device=x.device)
    for iteration in range(1, limit + 1):
        residual = share(norm(state.gradient / state.scale), norm(x))
        open_ = residual >= tolerance
        problem.watch(iteration - 1, residual)
        if not open_.any():
            break
        trial = torch.where(open_, x - _two_loops(state, pairs), x)
        ahead = State(problem, trial)
        rises = open_ & (ahead.norm > state.norm)
        if rises.any():
            shrink = state.smallest.clamp(min=RANK_TOLERANCE)
            trial = torch.where(rises, x - shrink * state.gradient, trial)
            ahead = State(problem, trial)
            pairs = [(s, t, r.masked_fill(rises, 0)) for s, t, r in pairs]
        step, turn = trial - x, ahead.gradient - state.gradient
        bend = dot(step, turn)
        pairs = [*pairs, (step, turn, torch.where(bend > 0, 1 / bend, 0))][-memory:]
        x, state = trial, ahead.where(open_, state)
        iterations += open_
    else:
        residual = share(norm(state.gradient / state.scale), norm(x))
    done = residual[:, 0] < tolerance
    notes = ["" if d else "stopped at the iteration limit" for d in done.tolist()]
    return Outcome(x, iterations[:, 0], residual[:, 0], done, notes)


def _two_loops(state: State, pairs: list) -> torch.Tensor:
    """The L-BFGS direction from (step, turn, 1 / step . turn); a pair of weight 0 does nothing."""
    q, alphas = state.gradient.clone(), []
    for step, turn, weight in reversed(pairs):
        alphas.append(weight * dot(step, q))
        q -= alphas[-1] * turn
    q /= state.scale
    for (step, turn, weight), alpha in zip(pairs, reversed(alphas)):
        q += (alpha - weight * dot(turn, q)) * step
    return q
