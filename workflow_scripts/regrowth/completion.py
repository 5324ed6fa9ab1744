"""Low-rank matrix completion: the missing weights from the weights that were left.

Both solvers minimise the nuclear norm of X with the observed entries held (the paper's equation 1
as lambda goes to 0). Neither takes an SVD: with the short side first, the polar factor of X is
G^(-1/2) X, where G = X X^T is small, so one symmetric eigendecomposition per iteration is enough.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch

log = logging.getLogger(__name__)

#: Singular values below this share of the largest count as zero.
RANK_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Completion:
    """values: float32 (n_missing,), row-major; residual: what the solver's stop compares."""

    values: np.ndarray
    iterations: int
    residual: float
    converged: bool
    note: str = ""


def complete(
    weights: np.ndarray, missing: np.ndarray, solver: str, device: str = "cpu"
) -> Completion:
    """Complete one layer.

    weights: (out, in), any float dtype; what stands at missing positions is ignored.
    missing: bool (out, in). solver: "faithful" or "nuclear". Works in float64 throughout.
    Raises ValueError if the shapes differ, everything is missing, an observed weight is not finite,
    or the solver is unknown. Nothing missing returns at once, empty.
    """
    if solver not in SOLVERS:
        raise ValueError(f"unknown solver {solver!r}; known: {', '.join(SOLVERS)}")
    if weights.shape != missing.shape:
        raise ValueError(f"mask of shape {missing.shape} for weights of shape {weights.shape}")
    if not missing.any():
        return Completion(np.empty(0, np.float32), 0, 0.0, True, "nothing is missing")
    if missing.all():
        raise ValueError("everything is missing: there is nothing to complete from")
    if not np.isfinite(weights[~missing]).all():
        raise ValueError("an observed weight is not finite")
    flip = weights.shape[0] > weights.shape[1]
    x = torch.from_numpy(np.ascontiguousarray(weights.T if flip else weights, np.float64))
    gone = torch.from_numpy(np.ascontiguousarray(missing.T if flip else missing))
    x, gone = x.to(device), gone.to(device)
    values, iterations, residual, converged, note = SOLVERS[solver](_Problem(x, gone, flip))
    full = torch.zeros_like(x)
    full[gone] = values
    full = (full.T if flip else full).cpu().numpy()
    return Completion(full[missing].astype(np.float32), iterations, residual, converged, note)


class _Problem:
    """One layer with its short side first, and the part of its Gram matrix that never changes."""

    def __init__(self, x: torch.Tensor, gone: torch.Tensor, flipped: bool):
        self.x, self.gone, self.flipped = x.masked_fill(gone, 0), gone, flipped
        touched = gone.any(dim=0)
        rest = self.x[:, ~touched]
        self.fixed = rest @ rest.T
        self.part, self.gone_part = self.x[:, touched], gone[:, touched]
        self.row = self.gone_part.nonzero()[:, 0]

    def column_means(self) -> torch.Tensor:
        """The mean of each column (as given, before any flip) over its observed entries."""
        dim = 1 if self.flipped else 0
        n = (~self.gone).sum(dim, keepdim=True).clamp(min=1)
        return (self.x.sum(dim, keepdim=True) / n).expand_as(self.x)[self.gone]

    def at(self, values: torch.Tensor) -> "_State":
        y = self.part.clone()
        y[self.gone_part] = values
        return _State(self, y)


class _State:
    """Value, gradient and scale of the nuclear norm at one filling of the missing entries."""

    def __init__(self, problem: _Problem, y: torch.Tensor):
        eigenvalues, vectors = torch.linalg.eigh(problem.fixed + y @ y.T)
        sizes = eigenvalues.clamp(min=0).sqrt()
        self.norm = sizes.sum().item()
        live = sizes > RANK_TOLERANCE * sizes[-1]
        self.smallest = sizes[0].item() if live.all() else 0.0
        root = (vectors[:, live] / sizes[live]) @ vectors[:, live].T
        self.gradient = (root @ y)[problem.gone_part]
        self.diagonal = root.diagonal()[problem.row].clamp(min=torch.finfo(root.dtype).tiny)


def _faithful(problem: _Problem, limit: int = 500, tolerance: float = 1e-5):
    """The iteration of the paper's own code: shrink by the smallest singular value, restore what
    is observed. On the missing entries one such step is X - sigma_min * polar(X)."""
    x, before, change = problem.column_means(), None, float("inf")
    total = problem.x.norm() ** 2
    for iteration in range(1, limit + 1):
        state = problem.at(x)
        if state.smallest == 0:
            note = "the matrix has no full rank (a zero or repeated row): values are column means"
            return x, iteration - 1, 0.0, False, note
        after = x - state.smallest * state.gradient
        if before is not None:
            change = ((after - before).norm() / (total + before.norm() ** 2).sqrt()).item()
        before, x = x, after
        if change < tolerance:
            return x, iteration, change, True, ""
    return x, limit, change, False, "stopped at the iteration limit"


def _nuclear(problem: _Problem, limit: int = 60, memory: int = 8, tolerance: float = 1e-3):
    """L-BFGS on the missing entries alone, each row scaled by 1 / K_ii, with unit steps; where one
    raises the norm, the memory is dropped and a plain shrinkage step taken instead."""
    x = torch.zeros(len(problem.row), dtype=problem.x.dtype, device=problem.x.device)
    state, pairs, residual = problem.at(x), [], float("inf")
    for iteration in range(1, limit + 1):
        newton = state.gradient / state.diagonal
        residual = (newton.norm() / x.norm()).item() if x.any() else float("inf")
        if residual < tolerance:
            return x, iteration - 1, residual, True, ""
        trial = x - _two_loops(state, pairs)
        ahead = problem.at(trial)
        if ahead.norm > state.norm:
            pairs.clear()
            trial = x - max(state.smallest, RANK_TOLERANCE) * state.gradient
            ahead = problem.at(trial)
        step, turn = trial - x, ahead.gradient - state.gradient
        if step @ turn > 0:
            pairs = [*pairs, (step, turn)][-memory:]
        x, state = trial, ahead
    return x, limit, residual, False, "stopped at the iteration limit"


def _two_loops(state: _State, pairs: list) -> torch.Tensor:
    q, alphas = state.gradient.clone(), []
    for step, turn in reversed(pairs):
        alphas.append((step @ q) / (step @ turn))
        q -= alphas[-1] * turn
    q /= state.diagonal
    for (step, turn), alpha in zip(pairs, reversed(alphas)):
        q += (alpha - (turn @ q) / (step @ turn)) * step
    return q


SOLVERS = {"faithful": _faithful, "nuclear": _nuclear}
