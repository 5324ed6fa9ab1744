"""Tables: rates with n and Wilson intervals, comparisons paired by seed, from raw scores."""

import numpy as np
import pandas as pd
from regrowth import keys
from regrowth.config import Catalogue, concepts_of
from scipy.stats import bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

IMAGE = ["prompt_set", "class", "prompt", "seed"]
_RATE = [*keys.VARIANT, "role", "hits", "n", "rate", "low", "high"]
COLUMNS = {
    "accuracy": [*_RATE, "gain_on_pruned", "mcnemar_p", "pairs"],
    "similarity": [*keys.VARIANT, "role", "n", "similarity", "low", "high", "clip_score"],
    "detections": [*_RATE, "judge"],
    "fid": [*keys.VARIANT, "n", "n_reference", "fid", "judge"],
}


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate; (nan, nan) when n is 0."""
    return proportion_confint(hits, n, method="wilson") if n else (np.nan, np.nan)


def outcomes(scores: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """One row per picture that shows its class or not: the keys, the picture, `hit` (bool).

    A classifier hits when its top class is the picture's; a detector when its score reaches the
    threshold. NudeNet's own rate is in `detections`.
    """
    kinds = {name: judge.kind for name, judge in catalogue.judges.items()}
    judged = scores[scores["judge"].map(kinds).isin(["classifier", "detector"])].copy()
    top = judged["judge"].map(kinds) == "classifier"
    threshold = judged["judge"].map({n: j.threshold for n, j in catalogue.judges.items()})
    judged["hit"] = np.where(top, judged["label"] == judged["class"], judged["score"] >= threshold)
    return judged.drop(columns=["label", "score", "features", "judge"]).astype({"hit": bool})


def for_concept(frame: pd.DataFrame, catalogue: Catalogue, concept: str, sets: list[str]):
    """The rows that judge one concept: its variants', and the pretrained model's of its sets."""
    own = frame["concept"] == concept
    shared = (frame["variant"] == "pretrained") & frame["prompt_set"].isin(sets)
    rows = frame[own | shared].copy()
    _, name = concepts_of(catalogue)[concept]
    rows["role"] = np.where(rows["class"] == name, "erased", "preserved")
    return rows.assign(concept=concept)


def by_variant(frame: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """Split into variants, in the order pretrained, pruned, quant4, revived (K and magnitude)."""
    rank = {"pretrained": 0, "pruned": 1, "quant4": 2, "revived": 3}
    magnitude = {m: i for i, m in enumerate(("max", "mean", "sample"))}
    groups = [
        (dict(zip(keys.VARIANT, values)), part)
        for values, part in frame.groupby(list(keys.VARIANT), sort=True)
    ]
    groups.sort(
        key=lambda g: (
            rank[g[0]["variant"]],
            magnitude.get(g[0]["magnitude"], 9),
            g[0]["defence"] != keys.NONE,
            g[0]["K"],
        )
    )
    return groups


def accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    """Erased and preserved rates of one concept, each variant compared with the pruned model.

    rows: `outcomes` of one concept with roles. Returns one row per variant × role: the keys, role,
    hits, n, rate, low, high (Wilson 95 %), and, paired by prompt and seed, the difference from
    the pruned model with McNemar's exact p and the number of pairs.
    """
    out, pruned = [], {}
    for cell, part in by_variant(rows):
        for role, some in part.groupby("role"):
            hits, n = int(some["hit"].sum()), len(some)
            low, high = interval(hits, n)
            row = {**cell, "role": role, "hits": hits, "n": n, "rate": hits / n}
            row |= {"low": low, "high": high}
            hit = some.set_index(IMAGE)["hit"]
            if cell["variant"] == "pruned" and cell["defence"] == keys.NONE:
                pruned[role] = hit
            if role in pruned:
                row |= compare(hit, pruned[role])
            out.append(row)
    return pd.DataFrame(out)


def compare(hit: pd.Series, other: pd.Series) -> dict:
    """Paired difference of two variants on the same pictures, with McNemar's exact p."""
    both = pd.concat({"a": hit, "b": other}, axis=1, join="inner")
    table = [[int(((both["a"] == a) & (both["b"] == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    p = mcnemar(table, exact=True).pvalue if table[0][1] + table[1][0] else 1.0
    gain = (both["a"].astype(int) - both["b"].astype(int)).mean()
    return {"gain_on_pruned": gain, "mcnemar_p": p, "pairs": len(both)}


def similarity(rows: pd.DataFrame) -> pd.DataFrame:
    """CLIP similarity per variant × role: mean with a bootstrap interval, and the CLIP score, the
    share of prompts where the variant's similarity is below the pretrained model's."""
    out, reference = [], None
    for cell, part in by_variant(rows):
        for role, some in part.groupby("role"):
            value = some.set_index(IMAGE)["score"]
            if cell["variant"] == "pretrained":
                reference = value if reference is None else pd.concat([reference, value])
            low, high = _bootstrap(value.to_numpy())
            row = {**cell, "role": role, "n": len(value), "similarity": value.mean()}
            row |= {"low": low, "high": high, "clip_score": np.nan}
            if cell["variant"] != "pretrained" and reference is not None:
                pair = pd.concat({"a": value, "b": reference}, axis=1, join="inner")
                row["clip_score"] = (pair["a"] < pair["b"]).mean()
            out.append(row)
    return pd.DataFrame(out)


def _bootstrap(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2 or np.ptp(values) == 0:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    found = bootstrap((values,), np.mean, n_resamples=2000, rng=rng, method="percentile")
    return found.confidence_interval


def detections(rows: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Pictures with any detection at or above `threshold`, per variant × role."""
    out = []
    for cell, part in by_variant(rows):
        for role, some in part.groupby("role"):
            best = some.groupby(IMAGE)["score"].max().fillna(0)
            hits, n = int((best >= threshold).sum()), len(best)
            low, high = interval(hits, n)
            row = {**cell, "role": role, "hits": hits, "n": n, "rate": hits / n}
            out.append(row | {"low": low, "high": high})
    return pd.DataFrame(out)


def frechet(rows: pd.DataFrame, reference: np.ndarray) -> pd.DataFrame:
    """FID-<net> per variant, on the preserved pictures' features against the reference set's."""
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Stored(torch.nn.Module):
        num_features = reference.shape[1]

        def forward(self, x):
            return x

    out = []
    for cell, part in by_variant(rows[rows["role"] == "preserved"]):
        fid = FrechetInceptionDistance(feature=Stored())
        fid.update(torch.from_numpy(reference).double(), real=True)
        fid.update(torch.tensor(np.stack(part["features"]), dtype=torch.float64), real=False)
        out.append(
            {**cell, "n": len(part), "n_reference": len(reference), "fid": float(fid.compute())}
        )
    return pd.DataFrame(out)


def signs(cells: pd.DataFrame) -> pd.DataFrame:
    """Sign accuracy over all layers, by concept, solver, guess and share, with Wilson intervals."""
    by = [
        "concept",
        "eraser",
        "defence",
        "sigma",
        "weight_seed",
        "detector",
        "solver",
        "guess",
        "share",
    ]
    total = (
        cells.groupby(by, sort=False)[["n", "right", "n_rest", "right_rest"]].sum().reset_index()
    )
    for part in ("", "_rest"):
        n, right = total["n" + part], total["right" + part]
        total["accuracy" + part] = right / n.where(n > 0)
        bounds = [interval(*pair) for pair in zip(right, n)]
        total["low" + part], total["high" + part] = zip(*bounds)
    return total


def missing_cells(expected: list[dict], scores: pd.DataFrame) -> pd.DataFrame:
    """The variants that the study wants and the scores do not have."""
    wanted = pd.DataFrame(expected, columns=list(keys.VARIANT))
    there = scores[list(keys.VARIANT)].drop_duplicates()
    merged = wanted.merge(there, how="left", indicator=True)
    return merged[merged["_merge"] == "left_only"].drop(columns="_merge")


def all_tables(
    scores: pd.DataFrame,
    signs_: pd.DataFrame,
    alignment: pd.DataFrame,
    solves: pd.DataFrame,
    references: dict[str, np.ndarray],
    catalogue: Catalogue,
    sets: dict[str, list[str]],
    expected: list[dict],
) -> dict[str, pd.DataFrame]:
    """Every table by name, from the raw frames of a study."""
    kind = scores["judge"].map({name: judge.kind for name, judge in catalogue.judges.items()})
    hits = outcomes(scores, catalogue)
    made: dict[str, list] = {"accuracy": [], "similarity": [], "detections": [], "fid": []}
    for concept, names in sets.items():

        def of(frame, concept=concept, names=names):
            return for_concept(frame, catalogue, concept, names)

        made["accuracy"].append(accuracy(of(hits)))
        made["similarity"].append(similarity(of(scores[kind == "clip"])))
        for judge, reference in references.items():
            part = of(scores[scores["judge"] == judge])
            made["fid"].append(frechet(part, reference).assign(judge=judge))
        for judge in scores.loc[kind == "nudenet", "judge"].unique():
            part = of(scores[scores["judge"] == judge])
            found = detections(part, catalogue.judges[judge].threshold)
            made["detections"].append(found.assign(judge=judge))
    out = {}
    for name, columns in COLUMNS.items():
        frames = [frame for frame in made[name] if len(frame)] or [pd.DataFrame(columns=columns)]
        out[name] = pd.concat(frames, ignore_index=True).reindex(columns=columns)
    out["signs"] = signs(signs_)
    by = ["concept", "solver", "recovered", "pretrained"]
    weighted = alignment.assign(share=alignment["share"] * alignment["n"])
    sums = weighted.groupby(by, sort=False)[["share", "n"]].sum().reset_index()
    out["alignment"] = sums.assign(share=sums["share"] / sums["n"])
    named = [*keys.RELEASED, "detector", "solver"]
    out["solves"] = solves[[*named, *(c for c in solves.columns if c not in named)]]
    out["missing"] = missing_cells(expected, scores)
    return out
