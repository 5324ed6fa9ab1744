"""Low-rank matrix completion: the missing weights of a layer from the weights that were left."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from regrowth.complete import SOLVERS
from regrowth.complete.problem import Outcome, Problem

log = logging.getLogger(__name__)

#: Seconds between two lines of a long solve's log.
PACE = 10
#: Completed values are in single precision, so weights must fit it.
FITS = np.finfo(np.float32)


@dataclass(frozen=True)
class Completion:
    """values: float32 (n_missing,), row-major; residual: what the solver's stop compares; seconds:
    of the layer alone, or its share of a batch; dtype: of the products, then of the Gram matrix.
    sure: float32 (n_missing,), the expected sign, from −1 to 1, of a solver that tells it."""

    values: np.ndarray
    iterations: int
    residual: float
    converged: bool
    note: str
    seconds: float
    device: str
    dtype: str
    sure: np.ndarray | None = None

    def told(self) -> dict[str, Any]:
        """How it went, for a file's metadata."""
        names = ("iterations", "residual", "converged", "note", "device", "dtype")
        return {name: getattr(self, name) for name in names}


def complete(
    weights: np.ndarray,
    missing: np.ndarray,
    solver: str = "nuclear",
    device: str = "cpu",
    layer: str = "layer",
    **options,
) -> Completion:
    """Complete one layer: `complete_all` for a single one. layer: the name that errors give."""
    return complete_all({layer: (weights, missing)}, solver, device, **options)[layer]


def complete_all(
    layers: Mapping[str, tuple[np.ndarray, np.ndarray]],
    solver: str = "nuclear",
    device: str = "cpu",
    batch: int | None = None,
    beside: Mapping[str, np.ndarray] | None = None,
    **options,
) -> dict[str, Completion]:
    """Complete layers by name, each given as (weights, missing).

    beside: by layer, known rows (more, in) of the same columns, for `gauss-spin`; what a layer with
    more rows than columns has is left out.

    weights: (out, in), any float dtype; what stands at missing positions is ignored, and observed
    entries are never touched. missing: bool (out, in). solver: a key of SOLVERS; `options` are its
    own. batch: how many layers of one shape are solved at once; by default one on the CPU, where
    more gains nothing, and eight elsewhere.

    float64 weights are worked on in float64, others in float32, with Gram matrices in float64 where
    the conditioning asks for it. A row or column with nothing observed is completed, and the note
    says so. Layers that do not fit the device's memory are completed one by one, on the CPU if need
    be, and the note says so. Where nothing is missing the result is empty; where everything
    observed is zero it is zero, and not converged. Raises ValueError if the shapes differ or are no
    matrices', the weights are not floating-point numbers, the mask is not bool, everything is
    missing, an observed weight is not finite, the largest is beyond single precision, or the solver
    is unknown.
    """
    SOLVERS[solver]  # or raise
    layers = {name: (np.asarray(w), np.asarray(m)) for name, (w, m) in layers.items()}
    for name, (weights, missing) in layers.items():
        _check(weights, missing, name)
    batch = batch or (1 if device == "cpu" else 8)
    options |= {"beside": beside} if beside else {}
    done: dict[str, Completion] = {}
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, (weights, missing) in layers.items():
        if missing.any() and not weights[~missing].any():
            nought, why = np.zeros(missing.sum(), np.float32), "everything observed is zero"
            done[name] = Completion(nought, 0, 0.0, False, why, 0.0, device, "")
        elif missing.any():
            known = beside[name].shape if beside and name in beside else None
            alike = weights.shape, weights.dtype == np.float64, known
            groups.setdefault(alike, []).append(name)
        else:
            nothing = np.empty(0, np.float32)
            done[name] = Completion(nothing, 0, 0.0, True, "nothing is missing", 0.0, device, "")
    for names in groups.values():
        for i in range(0, len(names), batch):
            done |= _complete_batch(names[i : i + batch], layers, solver, device, options)
    return {name: done[name] for name in layers}


def _check(weights: np.ndarray, missing: np.ndarray, layer: str) -> None:
    if weights.shape != missing.shape:
        raise ValueError(
            f"{layer}: mask of shape {missing.shape} for weights of shape {weights.shape}"
        )
    if weights.ndim != 2:
        raise ValueError(f"{layer}: a matrix is wanted, not an array of shape {weights.shape}")
    if missing.dtype != bool:
        raise ValueError(f"{layer}: a mask of bool is wanted, not of {missing.dtype}")
    if not np.issubdtype(weights.dtype, np.floating):
        raise ValueError(f"{layer}: floating-point weights are wanted, not {weights.dtype}")
    if missing.size and missing.all():
        raise ValueError(f"{layer}: everything is missing: there is nothing to complete from")
    bad = int((~(np.isfinite(weights) | missing)).sum())
    if bad:
        raise ValueError(f"{layer}: {bad} observed weights are not finite (NaN or infinite)")
    largest = np.abs(weights[~missing]).max(initial=0)
    if largest and not FITS.tiny <= largest <= FITS.max / 2:
        raise ValueError(f"{layer}: weights as large as {largest:.3g} do not fit single precision")


def _complete_batch(names, layers, solver: str, device: str, options: dict):
    """Solve layers of one shape at once; where they do not fit, one by one, then on the CPU."""
    try:
        return _solve(names, layers, solver, device, options)
    except torch.OutOfMemoryError:
        if len(names) > 1:
            parts = [_complete_batch([n], layers, solver, device, options) for n in names]
            return {name: one for part in parts for name, one in part.items()}
        solved = _solve(names, layers, solver, "cpu", options)
        told = f"does not fit the memory of {device}: completed on the CPU"
        log.warning("%s: %s", names[0], told)
        return {
            n: replace(c, note="; ".join(filter(None, [told, c.note]))) for n, c in solved.items()
        }


def _solve(names, layers, solver: str, device: str, options: dict) -> dict[str, Completion]:
    start = time.monotonic()
    shape = layers[names[0]][0].shape
    flip = shape[0] > shape[1]
    own = [layers[name] for name in names]
    powers = [_power(*pair) for pair in own]
    scaled = [_scaled(w, m, -power) for (w, m), power in zip(own, powers)]
    x = _stack(scaled, flip, device)
    gone = _stack([missing for _, missing in own], flip, device)
    unit = torch.tensor(powers, dtype=torch.float64, device=x.device).exp2()[:, None]
    problem = Problem(x, gone, flip, _progress(names, start), unit)
    told = options.get("beside", {})
    if "beside" in options:
        rows = None if flip or names[0] not in told else [told[name] for name in names]
        options = options | {"beside": rows and _stack(rows, False, device)}
    outcome: Outcome = SOLVERS[solver](problem, **options)
    seconds = (time.monotonic() - start) / len(names)
    dtype = str(x.dtype).removeprefix("torch.")
    if problem.exact and dtype == "float32":
        dtype = "float32, float64"
    done = {}
    for i, name in enumerate(names):
        missing = layers[name][1]
        values, *sure = (
            _in_rows(of[i][problem.valid[i]].cpu().numpy(), missing, flip)
            for of in (outcome.values, outcome.sure)
            if of is not None
        )
        note = "; ".join(filter(None, [*_empty_lines(missing), outcome.notes[i]]))
        done[name] = Completion(
            np.ldexp(values, powers[i]).astype(np.float32),
            int(outcome.iterations[i]),
            float(outcome.residual[i]),
            bool(outcome.converged[i]),
            note,
            seconds,
            device,
            dtype,
            sure[0].astype(np.float32) if sure else None,
        )
    return done


def _in_rows(values: np.ndarray, missing: np.ndarray, flip: bool) -> np.ndarray:
    """Row-major in the layer itself, whatever was turned to be solved."""
    if not flip:
        return values
    place = np.empty(missing.shape[::-1], np.int32)
    place[missing.T] = np.arange(len(values))
    return values[place.T[missing]]


def _power(weights: np.ndarray, missing: np.ndarray) -> int:
    """The power of two that the largest observed weight is about as large as."""
    largest = np.abs(weights[~missing]).max()
    return int(np.frexp(np.float64(largest))[1])


def _scaled(weights: np.ndarray, missing: np.ndarray, power: int) -> np.ndarray:
    """Times 2^power, which rounds nothing: squares of weights that are very small or large would be
    zeros or infinite. Zero where missing."""
    wide = weights if weights.dtype == np.float64 else weights.astype(np.float32)
    return np.ldexp(np.where(missing, wide.dtype.type(0), wide), power)


def _stack(arrays: list[np.ndarray], flip: bool, device: str) -> torch.Tensor:
    """(batch, short, long) on the device."""
    rows = [np.ascontiguousarray(a.T if flip else a) for a in arrays]
    tensors = [torch.from_numpy(a).to(device)[None] for a in rows]
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _empty_lines(missing: np.ndarray) -> list[str]:
    lost = {"row": missing.all(axis=1).sum(), "column": missing.all(axis=0).sum()}
    return [
        f"{n} {what}{'s have' if n > 1 else ' has'} nothing observed"
        for what, n in lost.items()
        if n
    ]


def _progress(names: list[str], start: float):
    """Log the residual of a long solve every PACE seconds."""
    told = start
    what = names[0] if len(names) == 1 else f"{len(names)} layers from {names[0]}"

    def watch(iteration: int, residual: torch.Tensor) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= PACE:
            told = now
            worst = float(residual.max())
            log.info("%s: iteration %d, residual %.2e, %.0f s", what, iteration, worst, now - start)

    return watch
