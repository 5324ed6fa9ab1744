"""How fast each solver completes, against the iteration with a full SVD that it replaces.

Layers have SD-v1.5's shapes, a singular spectrum taken from MiniLM's FFN layers and masks made as
ConceptPrune makes them. Everything is measured in one run, the solvers of a shape taking turns.
"""

import multiprocessing
import platform
import time
from importlib.metadata import version
from pathlib import Path

import minilm
import numpy as np
import pandas as pd
import torch
from regrowth.attack.blind import blind
from regrowth.complete import SOLVERS
from regrowth.complete.engine import complete, complete_all
from regrowth.erase.conceptprune import conceptprune_mask

#: (out, in) of SD-v1.5's sixteen ff.net.2: how many there are of each.
SHAPES = {(320, 1280): 5, (640, 2560): 5, (1280, 5120): 6}
RATIO, STEPS = 0.02, 10


def spectrum() -> np.ndarray:
    """Mean singular values of MiniLM's FFN layers, falling, the largest 1."""
    weights, _ = minilm.load()
    values = [np.linalg.svd(w, compute_uv=False) for w in weights.values()]
    return np.mean([v / v[0] for v in values], axis=0)


def layer(shape: tuple[int, int], values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights with this spectrum, stretched to the shape, and a mask; float32, bool."""
    rng = np.random.default_rng(seed)
    short, long = shape
    place = np.linspace(0, 1, len(values))
    sizes = np.interp(np.linspace(0, 1, short), place, values)
    left = np.linalg.qr(rng.standard_normal((short, short), np.float32))[0]
    right = np.linalg.qr(rng.standard_normal((long, short), np.float32))[0]
    weights = (left * sizes.astype(np.float32)) @ right.T
    target = np.exp(rng.normal(size=(1, long)) + 0.1 * rng.normal(size=(STEPS, long)))
    base = np.exp(rng.normal(size=(1, long)) + 0.1 * rng.normal(size=(STEPS, long)))
    return weights, conceptprune_mask(weights, target, base, RATIO)


def svd_iteration(weights: np.ndarray, missing: np.ndarray, device: str) -> float:
    """Seconds of one iteration of the paper's code: a full SVD of the layer, in float32."""
    w, gone = torch.from_numpy(weights).to(device), torch.from_numpy(missing).to(device)
    start = time.perf_counter()
    u, s, v = torch.linalg.svd(w, full_matrices=False)
    x = (u * (s - s[-1])) @ v
    torch.where(gone, x, w)[0, 0].item()
    return time.perf_counter() - start


def rates(device: str) -> tuple[float, float]:
    """Measured float32 operations and copied bytes a second."""
    a, b = torch.randn(2, 2048, 2048, device=device), torch.empty(1 << 26, device=device)
    best = [float("inf")] * 2
    for _ in range(5):
        for i, work in enumerate((lambda: a[0] @ a[1], lambda: b.clone())):
            start = time.perf_counter()
            work()[0, ...].sum().item()
            best[i] = min(best[i], time.perf_counter() - start)
    return 2 * 2048**3 / best[0], 2 * 4 * (1 << 26) / best[1]


def floor(solver: str, shape, touched: int, iterations: int, rate: tuple[float, float]) -> float:
    """Seconds that no implementation of the same steps could undercut at these rates: one product
    with the touched columns a step, and where a step has an eigendecomposition (9 n^3) also a Gram
    matrix and a root."""
    product = 2 * shape[0] ** 2 * touched
    step = product if solver == "gauss-spin" else 2 * product + 11 * shape[0] ** 3
    read = 4 * shape[0] * touched * (1 if solver == "gauss-spin" else 2)
    return iterations * max(step / rate[0], read / rate[1])


def measure_shape(shape, values, device: str, rounds: int, rate) -> tuple[list[dict], float, int]:
    """One row per solver on one layer of this shape, medians over `rounds` turns; then the density
    of the mask and how many columns it touches."""
    weights, missing = layer(shape, values, 0)
    touched = int(missing.any(0).sum())
    seconds = {name: [] for name in ("full SVD", *SOLVERS)}
    found = {}
    for _ in range(rounds):
        seconds["full SVD"].append(svd_iteration(weights, missing, device))
        for solver in SOLVERS:
            start = time.perf_counter()
            found[solver] = complete(weights, missing, solver, device)
            seconds[solver].append(time.perf_counter() - start)
    middle = {name: float(np.median(taken)) for name, taken in seconds.items()}
    steps = found["faithful"].iterations
    whole = middle["full SVD"] * steps
    rows = [
        {
            "solver": "full SVD, to faithful's stop",
            "iterations": steps,
            "s an iteration": middle["full SVD"],
            "seconds": whole,
            "times faster": 1.0,
        }
    ]
    optimum = np.sign(found["nuclear"].values)
    for solver, done in found.items():
        row = {
            "solver": solver,
            "iterations": done.iterations,
            "s an iteration": middle[solver] / done.iterations,
            "seconds": middle[solver],
            "floor (s)": floor(solver, shape, touched, done.iterations, rate),
            "times faster": whole / middle[solver],
            "signs as nuclear's": f"{(np.sign(done.values) == optimum).mean():.5f}",
            "precision": done.dtype,
            "converged": "yes" if done.converged else "no",
        }
        if device == "cpu":
            row["peak memory (layers)"] = memory(weights, missing, solver)
        rows.append(row)
    return rows, float(missing.mean()), touched


def memory(weights: np.ndarray, missing: np.ndarray, solver: str) -> float:
    """Peak memory of one solve, in a fresh process, beyond its input: in layers of float32."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_peak, args=(theirs, weights, missing, solver))
    child.start()
    grown = ours.recv()
    child.join()
    return grown / weights.nbytes


def _peak(pipe, weights, missing, solver) -> None:
    warm = np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)
    complete(warm, np.abs(warm) > 2, solver)  # what starting costs
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts anew
    before = _resident("VmHWM")
    complete(weights, missing, solver)
    pipe.send(_resident("VmHWM") - before)


def _resident(what: str) -> int:
    """A figure of /proc/self/status in bytes."""
    (line,) = [x for x in open("/proc/self/status", encoding="utf-8") if x.startswith(what)]
    return 1024 * int(line.split()[1])


def whole_model(values, device: str, svd: float) -> list[dict]:
    """All sixteen layers in one call, as the sweep completes them; `blind` with as many known rows
    beside each, which tell nothing here, and all its tries. svd: seconds by full SVD."""
    layers = {}
    for shape, count in SHAPES.items():
        for i in range(count):
            layers[f"{shape} {i}"] = layer(shape, values, i)
    rng = np.random.default_rng(0)
    known = {n: rng.standard_normal(w.shape, np.float32) for n, (w, _) in layers.items()}
    rows = []
    for solver in ("faithful", "nuclear", "gauss-spin", "blind"):
        start = time.perf_counter()
        if solver == "blind":
            done = blind(layers, known, device)
        else:
            done = complete_all(layers, solver, device)
        taken = time.perf_counter() - start
        right = sum(
            (np.sign(done[n].values) == np.sign(w[gone])).sum() for n, (w, gone) in layers.items()
        )
        total = sum(len(d.values) for d in done.values())
        rows.append(
            {
                "solver": solver,
                "seconds": taken,
                "times faster": svd / taken,
                "converged": f"{sum(d.converged for d in done.values())} of {len(done)}",
                "signs right": f"{right / total:.3f}",
            }
        )
    return rows


def table(frame: pd.DataFrame) -> str:
    """Markdown: three digits, nothing where nothing was measured."""
    shown = frame.map(lambda x: f"{x:.3g}" if isinstance(x, float) else x).replace("nan", "")
    return shown.fillna("").to_markdown(index=False, disable_numparse=True)


def machine() -> str:
    name = platform.processor() or platform.machine()
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return f"{name}, {torch.get_num_threads()} threads{gpu}; torch {version('torch')}"


def markdown(rounds: int = 3) -> str:
    values = spectrum()
    out = []
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        rate, svd = rates(device), 0.0
        out.append(
            f"On {device} ({machine()}), which multiplies matrices at {rate[0] / 1e9:.0f} Gflop/s "
            f"and copies at {rate[1] / 1e9:.1f} GB/s. Medians of {rounds} turns."
        )
        for shape, count in SHAPES.items():
            rows, density, touched = measure_shape(shape, values, device, rounds, rate)
            svd += count * rows[0]["seconds"]
            out.append(
                f"One layer of {shape[0]}×{shape[1]}, {density:.3f} of it missing, in "
                f"{touched} columns:"
            )
            out.append(pd.DataFrame(rows).pipe(table))
        out.append(f"All sixteen layers of SD-v1.5 (by full SVD: {svd:.0f} s, from the above):")
        rows = whole_model(values, device, svd)
        out.append(pd.DataFrame(rows).pipe(table))
    return "\n\n".join(out)
