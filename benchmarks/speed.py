"""How fast each solver completes, against the iteration with a full SVD that it replaces.

Layers have SD-v1.5's shapes, a singular spectrum taken from MiniLM's FFN layers and masks made as
ConceptPrune makes them. Everything is measured in one run, the solvers of a shape one after the
other in turns, each solve in a process of its own when its memory is asked for.
"""

import argparse
import multiprocessing
import platform
import resource
import time
from importlib.metadata import version

import minilm
import numpy as np
import pandas as pd
import torch
from regrowth.completion import SOLVERS, complete, complete_all
from regrowth.masks import conceptprune_mask

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


def measure_shape(shape, values, device: str, rounds: int) -> tuple[list[dict], dict]:
    """One row per solver on one layer of this shape: medians over `rounds` turns."""
    weights, missing = layer(shape, values, 0)
    seconds = {name: [] for name in ("full SVD", *SOLVERS)}
    found = {}
    for _ in range(rounds):
        seconds["full SVD"].append(svd_iteration(weights, missing, device))
        for solver in SOLVERS:
            start = time.perf_counter()
            found[solver] = complete(weights, missing, solver, device)
            seconds[solver].append(time.perf_counter() - start)
    middle = {name: float(np.median(taken)) for name, taken in seconds.items()}
    whole = middle["full SVD"] * found["faithful"].iterations
    rows = [
        {
            "shape": f"{shape[0]}×{shape[1]}",
            "solver": "full SVD (iterations of faithful)",
            "iterations": found["faithful"].iterations,
            "seconds an iteration": middle["full SVD"],
            "seconds": whole,
            "times faster": 1.0,
        }
    ]
    optimum = np.sign(found["nuclear"].values)
    for solver, done in found.items():
        rows.append(
            {
                "shape": rows[0]["shape"],
                "solver": solver,
                "iterations": done.iterations,
                "seconds an iteration": middle[solver] / max(done.iterations, 1),
                "seconds": middle[solver],
                "times faster": whole / middle[solver],
                "memory (layers)": memory(weights, missing, solver) if device == "cpu" else None,
                "signs as nuclear": float((np.sign(done.values) == optimum).mean()),
                "precision": done.dtype,
                "converged": done.converged,
            }
        )
    about = {"density": float(missing.mean()), "touched": float(missing.any(0).mean())}
    return rows, about


def memory(weights: np.ndarray, missing: np.ndarray, solver: str) -> float:
    """Peak memory of one solve beyond what was there before, in layers of float32."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_peak, args=(theirs, weights, missing, solver))
    child.start()
    grown = ours.recv()
    child.join()
    return grown / weights.nbytes


def _peak(pipe, weights, missing, solver) -> None:
    torch.set_num_threads(1)  # a forked process must not use its parent's threads
    complete(np.eye(8, 16) + 1e-3, np.eye(8, 16) > 0, solver)  # what starting costs
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    complete(weights, missing, solver)
    pipe.send(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


def whole_model(values, device: str, solvers) -> list[dict]:
    """All sixteen layers at once, as the sweep completes them."""
    layers = {}
    for shape, count in SHAPES.items():
        for i in range(count):
            layers[f"{shape}:{i}"] = layer(shape, values, i)
    rows = []
    for solver in solvers:
        start = time.perf_counter()
        done = complete_all(layers, solver, device)
        taken = time.perf_counter() - start
        steps = [d.iterations for d in done.values()]
        rows.append({"solver": solver, "seconds": taken, "iterations": sum(steps)})
    return rows


def machine() -> str:
    name = platform.processor() or platform.machine()
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return f"{name}, {torch.get_num_threads()} threads{gpu}; torch {version('torch')}"


def markdown(rounds: int, shapes) -> str:
    values = spectrum()
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    out = [f"Machine: {machine()}. Median of {rounds} rounds."]
    for device in devices:
        for shape in shapes:
            rows, about = measure_shape(shape, values, device, rounds)
            out.append(
                f"On {device}, one layer of {rows[0]['shape']}, {about['density']:.3f} of it "
                f"missing, in {about['touched']:.2f} of the columns:"
            )
            frame = pd.DataFrame(rows).drop(columns="shape").dropna(axis=1, how="all")
            out.append(frame.to_markdown(index=False, floatfmt=".3g"))
        rows = whole_model(values, device, list(SOLVERS))
        out.append(f"On {device}, the sixteen layers of SD-v1.5 one after the other:")
        out.append(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g"))
    return "\n\n".join(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="without the 1280×5120 layers")
    args = parser.parse_args()
    shapes = [s for s in SHAPES if s[0] < 1280 or not args.small]
    print(markdown(args.rounds, shapes))
