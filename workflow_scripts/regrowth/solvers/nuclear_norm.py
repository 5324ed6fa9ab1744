"""The nuclear norm with the observed entries held: the paper's own iteration, and a fast way there.

The minimum of ||X||_* with X = W on the observed entries is the limit of the paper's equation 1 as
lambda goes to 0. Neither solver takes an SVD: with the short side first, the polar factor of X is
G^(-1/2) X, where G = X X^T is small, so one symmetric eigendecomposition per iteration is enough.
"""

import torch
from regrowth.solvers.problem import Outcome, Problem

#: Singular values below this share of the largest count as zero.
RANK_TOLERANCE = 1e-7


class State:
    """Value, gradient and scale of the nuclear norm at one filling of the missing entries."""

    def __init__(self, problem: Problem, values: torch.Tensor):
        y = problem.filled(values)
        eigenvalues, vectors = torch.linalg.eigh(problem.fixed + y @ y.T)
        sizes = eigenvalues.clamp(min=0).sqrt()
        self.norm = sizes.sum().item()
        live = sizes > RANK_TOLERANCE * sizes[-1]
        self.smallest = sizes[0].item() if live.all() else 0.0
        root = (vectors[:, live] / sizes[live]) @ vectors[:, live].T
        self.gradient = (root @ y)[problem.gone_part]
        self.diagonal = root.diagonal()[problem.row].clamp(min=torch.finfo(root.dtype).tiny)


def faithful(problem: Problem, limit: int = 500, tolerance: float = 1e-5) -> Outcome:
    """The iteration of the paper's own code: shrink by the smallest singular value, restore what
    is observed. On the missing entries one such step is X - sigma_min * polar(X)."""
    x, before, change = problem.column_means(), None, float("inf")
    total = problem.x.norm() ** 2
    for iteration in range(1, limit + 1):
        state = State(problem, x)
        if state.smallest == 0:
            note = "the matrix has no full rank (a zero or repeated row): values are column means"
            return Outcome(x, iteration - 1, 0.0, False, note)
        after = x - state.smallest * state.gradient
        if before is not None:
            change = ((after - before).norm() / (total + before.norm() ** 2).sqrt()).item()
        before, x = x, after
        if change < tolerance:
            return Outcome(x, iteration, change, True)
    return Outcome(x, limit, change, False, "stopped at the iteration limit")


def nuclear(problem: Problem, limit: int = 60, memory: int = 8, tolerance: float = 1e-3) -> Outcome:
    """L-BFGS on the missing entries alone, each row scaled by 1 / K_ii, with unit steps; where one
    raises the norm, the memory is dropped and a plain shrinkage step taken instead."""
    x = torch.zeros(len(problem.row), dtype=problem.x.dtype, device=problem.x.device)
    state, pairs, residual = State(problem, x), [], float("inf")
    for iteration in range(1, limit + 1):
        newton = state.gradient / state.diagonal
        residual = (newton.norm() / x.norm()).item() if x.any() else float("inf")
        if residual < tolerance:
            return Outcome(x, iteration - 1, residual, True)
        trial = x - _two_loops(state, pairs)
        ahead = State(problem, trial)
        if ahead.norm > state.norm:
            pairs.clear()
            trial = x - max(state.smallest, RANK_TOLERANCE) * state.gradient
            ahead = State(problem, trial)
        step, turn = trial - x, ahead.gradient - state.gradient
        if step @ turn > 0:
            pairs = [*pairs, (step, turn)][-memory:]
        x, state = trial, ahead
    return Outcome(x, limit, residual, False, "stopped at the iteration limit")


def _two_loops(state: State, pairs: list) -> torch.Tensor:
    q, alphas = state.gradient.clone(), []
    for step, turn in reversed(pairs):
        alphas.append((step @ q) / (step @ turn))
        q -= alphas[-1] * turn
    q /= state.diagonal
    for (step, turn), alpha in zip(pairs, reversed(alphas)):
        q += (alpha - (turn @ q) / (step @ turn)) * step
    return q
