"""How many signs each solver recovers on real trained weights (the paper's Tables 5 and 6)."""

import sys

import minilm
import numpy as np
import pandas as pd
from regrowth.attack.blind import blind
from regrowth.complete import SOLVERS
from regrowth.complete.engine import complete
from regrowth.measure import signs
from regrowth.measure.cells import interval

SHOWN = (1.0, 0.2, 0.3, 0.5, 0.7, 0.9)


def guesses(weights: np.ndarray, missing: np.ndarray, layer: str, seed: int) -> dict:
    """Every way to guess the missing signs of one layer, from what is left of it."""
    left = np.where(missing, 0, weights)
    out = {solver: complete(left, missing, solver, layer=layer).values for solver in SOLVERS}
    out["row majority"] = signs.majority(left, missing, axis=1)
    out["column majority"] = signs.majority(left, missing, axis=0)
    out["random"] = np.random.default_rng(seed).normal(size=int(missing.sum()))
    return out


def measure() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sign accuracy by mask, ratio, guess and share, and magnitude alignment by the first three."""
    weights, norms = minilm.load()
    known = minilm.known()
    accuracy, alignment = [], []
    for kind in ("wanda", "target against base", "magnitude"):
        for ratio in minilm.RATIOS:
            masks = minilm.masks(weights, norms, kind, ratio)
            released = {n: (np.where(gone, 0, weights[n]), gone) for n, gone in masks.items()}
            told = blind(released, known, "cpu")
            for seed, (layer, missing) in enumerate(masks.items()):
                truth = weights[layer][missing]
                keys = {"mask": kind, "ratio": ratio, "layer": layer}
                by_name = guesses(weights[layer], missing, layer, seed)
                for name, guess in (by_name | {"blind": told[layer].sure}).items():
                    cell = signs.sign_accuracy(truth, guess).assign(**keys, guess=name)
                    accuracy.append(cell)
                    for (i, j), share in np.ndenumerate(signs.alignment(truth, guess)):
                        row = {"recovered": i + 1, "pretrained": j + 1, "share": share}
                        alignment.append(keys | row | {"guess": name, "n": len(truth)})
            print(f"{kind}, ratio {ratio}", file=sys.stderr)
    return pd.concat(accuracy, ignore_index=True), pd.DataFrame(alignment)


def accuracy_table(cells: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Pooled over layers: the share of signs right overall with its interval, in the largest
    shares, and in what is left beside them."""
    counts = ["n", "right", "n_rest", "right_rest"]
    total = cells.groupby([*by, "share"], sort=False)[counts].sum().reset_index()
    rows = []
    for values, part in total.groupby(by, sort=False):
        part = part.set_index("share")
        low, high = interval(part.loc[1.0, "right"], part.loc[1.0, "n"])
        row = dict(zip(by, values)) | {"n": int(part.loc[1.0, "n"])}
        row["all"] = f"{part.loc[1.0, 'right'] / part.loc[1.0, 'n']:.3f} [{low:.3f}, {high:.3f}]"
        for share in SHOWN[1:]:
            top = part.loc[share, "right"] / part.loc[share, "n"]
            rest = part.loc[share, "right_rest"] / part.loc[share, "n_rest"]
            row[f"top {share}"] = f"{top:.3f} / {rest:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def alignment_table(cells: pd.DataFrame, guess: str) -> pd.DataFrame:
    """Of each recovered fifth, the share in each pretrained fifth; weighted by layer size."""
    own = cells[cells["guess"] == guess].copy()
    own["share"] *= own["n"]
    total = own.groupby(["recovered", "pretrained"])[["share", "n"]].sum()
    wide = (total["share"] / total["n"]).unstack().round(3)
    wide.columns = [f"pretrained {j}" for j in wide.columns]
    return wide.reset_index().assign(guess=guess)


def markdown() -> str:
    accuracy, alignment = measure()
    names = list(dict.fromkeys(accuracy["guess"]))
    return "\n\n".join(
        [
            "Each cell under *top* is the share of right signs among the largest completed "
            "entries, and among the others.",
            accuracy_table(accuracy, ["guess"]).to_markdown(index=False),
            "By mask and ratio:",
            accuracy_table(accuracy, ["mask", "ratio", "guess"]).to_markdown(index=False),
            "Magnitude alignment: of each recovered fifth (1 = largest), the share that lies in "
            "each pretrained fifth.",
            pd.concat([alignment_table(alignment, n) for n in names]).to_markdown(index=False),
        ]
    )
