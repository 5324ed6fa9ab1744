"""Low-rank matrix completion: the missing weights of a layer from the weights that were left."""

import logging
import time
from dataclasses import dataclass

import numpy as np
import torch
from regrowth.solvers.gauss_spin import gauss_spin
from regrowth.solvers.nuclear_norm import faithful, nuclear
from regrowth.solvers.problem import Problem
from regrowth.solvers.softimpute import softimpute

log = logging.getLogger(__name__)

SOLVERS = {
    "faithful": faithful,
    "nuclear": nuclear,
    "softimpute": softimpute,
    "gauss-spin": gauss_spin,
}


@dataclass(frozen=True)
class Completion:
    """values: float32 (n_missing,), row-major; residual: what the solver's stop compares."""

    values: np.ndarray
    iterations: int
    residual: float
    converged: bool
    note: str
    seconds: float
    device: str
    dtype: str = "float64"


def complete(
    weights: np.ndarray,
    missing: np.ndarray,
    solver: str = "nuclear",
    device: str = "cpu",
    layer: str = "layer",
    **options,
) -> Completion:
    """Complete one layer.

    weights: (out, in), any float dtype; what stands at missing positions is ignored, and observed
    entries are never touched. missing: bool (out, in). solver: a key of SOLVERS; `options` are its
    own. layer: the name that errors give. Works in float64 throughout.

    A row or column with nothing observed is completed, and the note says so. A layer that does not
    fit the device's memory is completed on the CPU, and the note says so. Raises ValueError if the
    shapes differ, the weights are not floating-point numbers, everything is missing, an observed
    weight is not finite, or the solver is unknown. Nothing missing returns at once, empty.
    """
    _check(weights, missing, solver, layer)
    start = time.monotonic()
    if not missing.any():
        nothing = np.empty(0, np.float32)
        return Completion(nothing, 0, 0.0, True, "nothing is missing", 0.0, device)
    notes = _empty_lines(missing)
    try:
        values, outcome = _solve(weights, missing, solver, device, options)
    except torch.OutOfMemoryError:
        notes.append(f"does not fit the memory of {device}: completed on the CPU")
        device = "cpu"
        values, outcome = _solve(weights, missing, solver, device, options)
    note = "; ".join(filter(None, [*notes, outcome.note]))
    seconds = time.monotonic() - start
    if note:
        log.info("%s: %s", layer, note)
    return Completion(
        values, outcome.iterations, outcome.residual, outcome.converged, note, seconds, device
    )


def _check(weights: np.ndarray, missing: np.ndarray, solver: str, layer: str) -> None:
    if solver not in SOLVERS:
        raise ValueError(f"unknown solver {solver!r}; known: {', '.join(SOLVERS)}")
    if weights.shape != missing.shape:
        raise ValueError(
            f"{layer}: mask of shape {missing.shape} for weights of shape {weights.shape}"
        )
    if not np.issubdtype(weights.dtype, np.floating):
        raise ValueError(f"{layer}: floating-point weights are wanted, not {weights.dtype}")
    if missing.size and missing.all():
        raise ValueError(f"{layer}: everything is missing: there is nothing to complete from")
    bad = int((~np.isfinite(weights[~missing])).sum())
    if bad:
        raise ValueError(f"{layer}: {bad} observed weights are not finite (NaN or infinite)")


def _empty_lines(missing: np.ndarray) -> list[str]:
    lost = {"row": missing.all(axis=1).sum(), "column": missing.all(axis=0).sum()}
    return [
        f"{n} {what}{'s have' if n > 1 else ' has'} nothing observed"
        for what, n in lost.items()
        if n
    ]


def _solve(weights: np.ndarray, missing: np.ndarray, solver: str, device: str, options: dict):
    flip = weights.shape[0] > weights.shape[1]
    x = torch.from_numpy(np.ascontiguousarray(weights.T if flip else weights, np.float64))
    gone = torch.from_numpy(np.ascontiguousarray(missing.T if flip else missing))
    x, gone = x.to(device), gone.to(device)
    outcome = SOLVERS[solver](Problem(x, gone, flip), **options)
    full = torch.zeros_like(x)
    full[gone] = outcome.values
    full = (full.T if flip else full).cpu().numpy()
    return full[missing].astype(np.float32), outcome
