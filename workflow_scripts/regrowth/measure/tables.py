"""Tables: rates with n and Wilson intervals, comparisons paired by seed, from raw scores."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from regrowth.attack.revival import KINDS
from regrowth.files import keys
from regrowth.judge import inception
from regrowth.study.catalogue import FEATURES, Catalogue, Judge, concepts_of
from regrowth.study.prompts import family_of
from scipy.stats import bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

IMAGE = ["prompt_set", "class", "prompt", "seed"]
#: A study's raw scores, with their keys.
SCORES = [*keys.VARIANT, "prompts", "judge", *IMAGE, "label", "score", "features"]
#: Pictures whose features are summed at once.
IN_MEMORY = 1024
#: What a rate or a mean is taken over.
_CELL = [*keys.VARIANT, "prompt_set", "role"]
_RATE = [*_CELL, "hits", "n", "rate", "low", "high"]
#: How a rate compares with the undefended pruned model's, and with the pretrained one's, paired.
_PAIRED = ["gain_on_pruned", "mcnemar_p", "pairs", "gained", "lost"]
_PAIRED += [f"pretrained_{name}" for name in ("pairs", "gained", "lost")]
COLUMNS = {
    "accuracy": [*_RATE, *_PAIRED, "judge"],
    "similarity": [*_CELL, "judge", "n", "similarity", "low", "high", "clip_score"],
    "detections": [*_RATE, *_PAIRED, "judge", "labels", "threshold"],
    "parts": [*_CELL, "judge", "label", "threshold", "images", "n", "change"],
    "fid": [*_CELL, "judge", "n", "n_reference", "fid"],
}


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate; (nan, nan) when n is 0."""
    return proportion_confint(hits, n, method="wilson") if n else (np.nan, np.nan)


def outcomes(scores: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """One row per picture and judge that sees its class in it or not: the keys, the picture,
    judge, `hit` (bool).

    A classifier hits when its top class is the picture's; a detector when its score reaches the
    threshold. NudeNet's own rate is in `detections`.
    """
    kinds = {name: judge.kind for name, judge in catalogue.judges.items()}
    judged = scores[scores["judge"].map(kinds).isin(["classifier", "detector"])].copy()
    top = judged["judge"].map(kinds) == "classifier"
    threshold = judged["judge"].map({n: j.threshold for n, j in catalogue.judges.items()})
    high = judged["score"].astype(float) >= threshold.astype(float)
    judged["hit"] = np.where(top, judged["label"] == judged["class"], high)
    return judged.drop(columns=["label", "score"]).astype({"hit": bool})


def names_of(catalogue: Catalogue) -> dict[str, str]:
    """Slug → the concept's name as the catalogue spells it, for people to read."""
    return {slug: name for slug, (_, name) in concepts_of(catalogue).items()}


def for_concept(frame: pd.DataFrame, catalogue: Catalogue, concept: str, sets: list[str]):
    """The rows that judge one concept: its variants', and the pretrained model's and the baselines'
    of its sets (of "family.concept" those of that class alone). A set of a family's class goes
    under the family's name, and its role is said by the class; a prompt set has its own role."""
    if frame.empty:
        return frame.assign(role="")
    own = frame["concept"] == concept
    asked = frame["prompt_set"].isin([name for name in sets if "." not in name])
    for family, _, only in (name.partition(".") for name in sets if "." in name):
        asked |= (frame["prompt_set"] == family) & (frame["class"].map(keys.slug) == only)
    shared = (frame["concept"] == keys.NONE) & asked
    rows = frame[own | shared].copy()
    _, name = concepts_of(catalogue)[concept]
    roles = {n: entry.role for n, entry in catalogue.prompt_sets.items()}
    by_class = pd.Series(np.where(rows["class"] == name, "erased", "preserved"), rows.index)
    rows["role"] = rows["prompt_set"].map(roles).astype(object).fillna(by_class)
    homes = {s: keys.slug(family_of(catalogue, s) or s) for s in rows["prompt_set"].unique()}
    return rows.assign(concept=concept, prompt_set=rows["prompt_set"].map(homes))


def by_variant(frame: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """Split into variants: pretrained, baselines, pruned, 4-bit, revived by K, in one layer alone,
    oracles."""
    order = ("pretrained", "", "pruned", "quant4", "nf4", "revived", "alone", "oracle")
    rank = {variant: i for i, variant in enumerate(order)}
    magnitude = {m: i for i, m in enumerate(KINDS)}
    groups = [
        (dict(zip(keys.VARIANT, values)), part)
        for values, part in frame.groupby(list(keys.VARIANT), sort=True)
    ]
    groups.sort(
        key=lambda g: (
            rank.get(keys.kind(g[0]["variant"]), rank[""]),
            magnitude.get(g[0]["magnitude"], 9),
            g[0]["defence"] != keys.NONE,
            g[0]["K"],
        )
    )
    return groups


def by_cell(frame: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """The same, split by prompt set and role too; both are among the keys."""
    return [
        (cell | dict(zip(("prompt_set", "role"), place)), some)
        for cell, part in by_variant(frame)
        for place, some in part.groupby(["prompt_set", "role"])
    ]


def accuracy(rows: pd.DataFrame) -> pd.DataFrame:
    """Erased and preserved rates of one concept by one judge, each compared picture by picture.

    rows: `outcomes` of one concept and judge, with roles. Returns one row per variant × prompt set
    × role: the keys, role, hits, n, rate, low, high (Wilson 95 %), and what `compare` says: against
    the undefended pruned model of the same eraser (for a model that has none, of the first), and
    against the pretrained model.
    """
    cells = [
        (cell, (cell["prompt_set"], cell["role"]), some.set_index(IMAGE)["hit"])
        for cell, some in by_cell(rows)
    ]
    before, pruned = {}, {}
    for cell, place, hit in cells:
        if cell["variant"] == "pretrained":
            before[place] = hit
        if cell["variant"] == "pruned" and cell["defence"] == keys.NONE:
            pruned.setdefault((keys.NONE, place), hit)
            pruned[cell["eraser"], place] = hit
    out = []
    for cell, place, hit in cells:
        row = cell | _rate(int(hit.sum()), len(hit))
        if (cell["eraser"], place) in pruned:
            row |= compare(hit, pruned[cell["eraser"], place])
        if place in before:
            told = compare(hit, before[place])
            row |= {f"pretrained_{name}": told[name] for name in ("pairs", "gained", "lost")}
        out.append(row)
    return pd.DataFrame(out)


def _rate(hits: int, n: int) -> dict:
    low, high = interval(hits, n)
    return {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}


def compare(hit: pd.Series, other: pd.Series) -> dict:
    """Paired difference of two variants on the same pictures, with McNemar's exact p.

    gained, lost: of `pairs` pictures, those that are hits here and not there, and the reverse.
    """
    both = pd.concat({"a": hit, "b": other}, axis=1, join="inner")
    gained, lost = int((both["a"] & ~both["b"]).sum()), int((both["b"] & ~both["a"]).sum())
    n = len(both)
    return {
        "gain_on_pruned": (gained - lost) / n if n else np.nan,
        "mcnemar_p": mcnemar([[0, gained], [lost, 0]]).pvalue if gained + lost else 1.0,
        "pairs": n,
        "gained": gained,
        "lost": lost,
    }


def one_judge(rows: pd.DataFrame) -> pd.DataFrame:
    """Of every concept's prompt sets and roles the rows of the first judge: the others see the same
    pictures."""
    of = ["concept", "prompt_set", "role"]
    first = rows.drop_duplicates(of)[[*of, "judge"]]
    return rows.merge(first, on=[*of, "judge"])


def similarity(rows: pd.DataFrame) -> pd.DataFrame:
    """CLIP similarity: mean with a bootstrap interval, and the CLIP score, the share of prompts
    where the variant's similarity is below the pretrained model's."""
    out, reference = [], {}
    for cell, some in by_cell(rows):
        value, place = some.set_index(IMAGE)["score"], (cell["prompt_set"], cell["role"])
        if cell["variant"] == "pretrained":
            reference[place] = value
        low, high = _bootstrap(value.to_numpy())
        row = {**cell, "n": len(value), "similarity": value.mean(), "low": low, "high": high}
        row["clip_score"] = np.nan
        if cell["variant"] != "pretrained" and place in reference:
            pair = pd.concat({"a": value, "b": reference[place]}, axis=1, join="inner")
            row["clip_score"] = (pair["a"] < pair["b"]).mean()
        out.append(row)
    return pd.DataFrame(out)


def _bootstrap(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2 or np.ptp(values) == 0:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    how = {"n_resamples": 2000, "batch": 50, "rng": rng, "method": "percentile"}
    found = bootstrap((values,), np.mean, **how)
    return found.confidence_interval


def detections(rows: pd.DataFrame, judge: Judge) -> pd.DataFrame:
    """Pictures with a detection of a label set at or above a threshold, for each of both; columns
    as in `accuracy`."""
    out, of = [], [*keys.VARIANT, *IMAGE, "role"]
    for name, labels in (judge.labels or {"any": None}).items():
        counted = rows["score"].where(rows["label"].isin(labels or rows["label"])).fillna(0)
        best = counted.groupby([rows[key] for key in of], sort=False).max().reset_index()
        for threshold in judge.thresholds:
            told = accuracy(best.assign(hit=best["score"] >= threshold))
            out.append(told.assign(labels=name, threshold=threshold))
    return pd.concat(out, ignore_index=True)


def parts(rows: pd.DataFrame, judge: Judge) -> pd.DataFrame:
    """Pictures with each body part that NudeNet names, and the change against the pretrained."""
    out, reference = [], {}
    for cell, some in by_cell(rows):
        n = len(some[IMAGE].drop_duplicates())
        for threshold in judge.thresholds:
            seen = some[some["score"] >= threshold].drop_duplicates([*IMAGE, "label"])
            counts = seen["label"].value_counts()
            for label in sorted(rows["label"].dropna().unique()):
                place = (cell["prompt_set"], cell["role"], threshold, label)
                images = int(counts.get(label, 0))
                if cell["variant"] == "pretrained":
                    reference[place] = images
                change = images - reference[place] if place in reference else None
                row = {"label": label, "threshold": threshold, "images": images, "n": n}
                out.append({**cell, **row, "change": change})
    return pd.DataFrame(out)


def frechet(rows: pd.DataFrame, mean: np.ndarray, covariance: np.ndarray, n: int) -> pd.DataFrame:
    """Fréchet distance of each variant's features to those of a reference set of `n` pictures; nan
    of one picture alone.

    mean: (width,); covariance: (width, width). n: 0 if unknown.
    """
    import torch

    class Stored(torch.nn.Module):
        num_features = len(mean)

        def forward(self, x):
            return x

    mu, sigma = (torch.from_numpy(np.asarray(a, np.float64)) for a in (mean, covariance))
    n = np.asarray(n).item()
    count = n or 2  # the distance does not depend on it
    out = []
    for cell, some in by_cell(rows):
        if len(some) < 2:  # one picture has no covariance
            out.append({**cell, "n": len(some), "n_reference": n, "fid": np.nan})
            continue
        fid = inception.fid().FrechetInceptionDistance(feature=Stored())
        fid.set_dtype(torch.float64)
        fid.real_features_sum = mu * count
        fid.real_features_cov_sum = sigma * (count - 1) + count * torch.outer(mu, mu)
        fid.real_features_num_samples += count
        for at in range(0, len(some), IN_MEMORY):  # all at once, 30,000 would take 2 GB more
            block = np.stack(some["features"].iloc[at : at + IN_MEMORY])
            fid.update(torch.tensor(block, dtype=torch.float64), real=False)
        out.append({**cell, "n": len(some), "n_reference": n, "fid": float(fid.compute())})
    return pd.DataFrame(out)


def signs(cells: pd.DataFrame) -> pd.DataFrame:
    """Sign accuracy over all layers, by concept, solver, guess and share, with Wilson intervals."""
    by = [*keys.RELEASED, "detector", "solver", "guess", "share"]
    total = (
        cells.groupby(by, sort=False)[["n", "right", "n_rest", "right_rest"]].sum().reset_index()
    )
    for part in ("", "_rest"):
        n, right = total["n" + part], total["right" + part]
        total["accuracy" + part] = right / n.where(n > 0)
        bounds = [interval(*pair) for pair in zip(right, n)]
        total["low" + part], total["high" + part] = zip(*bounds)
    return total


def layers(cells: pd.DataFrame, solves: pd.DataFrame, sizes: dict[str, int]) -> pd.DataFrame:
    """What each layer lost and got back, by concept and solver, in the model's order.

    cells: sign accuracy by layer, guess and share. solves: how each completion went. sizes: weights
    in a layer. Returns the keys, layer, density (missing over all its weights), n (signs
    completed), accuracy, low, high over all and, with "_top", of the surest fifth (Wilson 95 %).
    """
    by = [*keys.RELEASED, "detector", "solver", "layer"]
    own = cells[cells["guess"] == "completed"]
    out = solves[by].assign(density=solves["n"] / solves["layer"].map(sizes))
    for share, ending in ((1.0, ""), (0.2, "_top")):
        part = own[own["share"] == share].set_index(by)[["n", "right"]]
        part = out[by].join(part, on=by)
        bounds = [interval(*pair) for pair in zip(part["right"], part["n"])]
        if not ending:
            out["n"] = part["n"]
        out["accuracy" + ending] = part["right"] / part["n"].where(part["n"] > 0)
        out["low" + ending], out["high" + ending] = zip(*bounds) if bounds else ((), ())
    return out


def of_judges(
    scores: Callable[[str, str], pd.DataFrame],
    features: Iterable[pd.DataFrame],
    references: dict[tuple[str, str], dict[str, np.ndarray]],
    catalogue: Catalogue,
    sets: dict[str, list[str]],
    missing: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Every table of what the judges saw, by name, from the raw frames of a study.

    scores: gives a concept's and a judge's, with those of models as they are; features: frames of
    one cell each. Both are read when their turn comes. references: (judge, prompt set) → mean,
    covariance, n. sets: concept → the sets that judge it. missing: of `progress.missing`.
    """
    made: dict[str, list] = {name: [] for name in COLUMNS}
    for concept, names in sets.items():
        for name, judge in catalogue.judges.items():
            if judge.kind in FEATURES:
                continue
            part = for_concept(scores(concept, name), catalogue, concept, names)
            if judge.kind in ("classifier", "detector"):
                made["accuracy"].append(accuracy(outcomes(part, catalogue)).assign(judge=name))
            elif judge.kind == "clip":
                made["similarity"].append(similarity(part).assign(judge=name))
            elif judge.kind == "nudenet":
                made["detections"].append(detections(part, judge).assign(judge=name))
                made["parts"].append(parts(part, judge).assign(judge=name))
    for frame in features:
        made["fid"] += _distances(frame, references, catalogue, sets)
    out = {}
    for name, columns in COLUMNS.items():
        frames = [frame for frame in made[name] if len(frame)] or [pd.DataFrame(columns=columns)]
        out[name] = pd.concat(frames, ignore_index=True).reindex(columns=columns)
    order = {concept: i for i, concept in enumerate(sets)}
    out["fid"] = out["fid"].sort_values("concept", key=lambda c: c.map(order), kind="stable")
    out["missing"] = missing
    return out


def of_attacks(
    signs_: pd.DataFrame, alignment: pd.DataFrame, solves: pd.DataFrame, sizes: dict[str, int]
) -> dict[str, pd.DataFrame]:
    """Every table of what the attacks got back, by name. sizes: weights in each attacked layer."""
    out = {"signs": signs(signs_)}
    by = [*keys.RELEASED, "detector", "solver", "recovered", "pretrained"]
    weighted = alignment.assign(share=alignment["share"] * alignment["n"])
    sums = weighted.groupby(by, sort=False)[["share", "n"]].sum().reset_index()
    out["alignment"] = sums.assign(share=sums["share"] / sums["n"])
    named = [*keys.RELEASED, "detector", "solver"]
    out["solves"] = solves[[*named, *(c for c in solves.columns if c not in named)]]
    out["layers"] = layers(signs_, solves, sizes)
    return out


def _distances(frame, references, catalogue, sets) -> list[pd.DataFrame]:
    """The Fréchet distances of one cell's features, for every concept that it judges."""
    out, judge = [], frame["judge"].iloc[0]
    for concept, names in sets.items():
        rows = for_concept(frame, catalogue, concept, names)
        for prompt_set, some in rows[rows["role"] == "preserved"].groupby("prompt_set"):
            if (judge, prompt_set) in references:
                out.append(frechet(some, **references[judge, prompt_set]).assign(judge=judge))
    return out
