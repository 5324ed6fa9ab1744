"""What detectors cost on layers of SD-v1.5's shapes, and how well they tell each defence's fills
from kept weights on real trained ones."""

import sys
import time

import minilm
import numpy as np
import pandas as pd
import speed
from regrowth.attack import DETECTORS
from regrowth.attack.detectors import detect
from regrowth.complete.engine import complete
from regrowth.defend import FILLS, fills
from regrowth.measure import detectability

RATIO, SHARE = 0.02, 0.02
SCORES = {name: d.score for name, d in DETECTORS.items() if d.share}
DEFENCES = [
    *(("gaussian", sigma) for sigma in (0.25, 0.5, 1.0, 2.0)),
    *((kind, 1.0) for kind in ("row", "flip", "surrogate", "decoy")),
]


def seconds() -> pd.DataFrame:
    """One guess of each detector over all sixteen layers, in half precision as released."""
    values, layers = speed.spectrum(), {}
    for shape, count in speed.SHAPES.items():
        for i in range(count):
            weights, gone = speed.layer(shape, values, i)
            filled = fills.gaussian(weights, gone, 1.0, np.random.default_rng(i))
            layers[f"{shape} {i}"] = filled.astype(np.float16)
    rows = []
    for detector in ("zeros", *(f"{name}-{SHARE}" for name in SCORES)):
        start = time.perf_counter()
        detect(layers, detector)
        rows.append({"detector": detector, "seconds": time.perf_counter() - start})
        print(f"{detector}: {rows[-1]['seconds']:.1f} s", file=sys.stderr)
    return pd.DataFrame(rows)


def defended(kind: str, sigma: float, weights: np.ndarray, mask: np.ndarray, seed: int):
    left, rng = np.where(mask, 0, weights), np.random.default_rng(seed)
    more = [complete(left, mask).values] if FILLS[kind].completed else []
    return FILLS[kind].fill(left, mask, sigma, rng, *more)


def areas() -> pd.DataFrame:
    """The area under each detector's ROC over the six layers, and true positives at 1 % false."""
    weights, norms = minilm.load()
    masks = minilm.masks(weights, norms, "target against base", RATIO)
    rows = []
    for kind, sigma in DEFENCES:
        released = {
            n: defended(kind, sigma, w, masks[n], i) for i, (n, w) in enumerate(weights.items())
        }
        row = {"defence": f"{kind} {sigma}"}
        for name, score in SCORES.items():
            told = detectability.roc(
                np.concatenate([score(w).ravel() for w in released.values()]),
                np.concatenate([masks[n].ravel() for n in released]),
            )
            row[name] = f"{told['auc']:.3f} / {told['tpr']:.2f}"
        rows.append(row)
        print(row, file=sys.stderr)
    return pd.DataFrame(rows)


def markdown() -> str:
    return "\n\n".join(
        [
            f"Sixteen layers of SD-v1.5's shapes on {speed.machine()}:",
            speed.table(seconds()),
            "MiniLM's six layers, erased by ConceptPrune's rule (target against base, ratio "
            f"{RATIO}): area under the ROC, and the share found at 1 % false positives. A decoy's "
            "erased weights stay zero, as its decoys are.",
            speed.table(areas()),
        ]
    )


if __name__ == "__main__":
    print(markdown())
