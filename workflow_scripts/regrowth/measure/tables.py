"""All tables of a study by name, from its raw frames."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.judge import JUDGES
from regrowth.measure import erasers, pairwise, paper, search
from regrowth.measure.cells import for_concept, outcomes
from regrowth.measure.featured import of_features
from regrowth.measure.frontier import frontier
from regrowth.measure.guards import guards
from regrowth.measure.headline import of_both_roles
from regrowth.measure.identified import identified
from regrowth.measure.pictures import similarity
from regrowth.measure.rates import NOBODY, accuracy, detections, parts
from regrowth.measure.recovery import layers, signs
from regrowth.measure.tradeoff import tradeoff
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue

#: The stages, beside what the judges saw, whose frames tables are made of.
STAGES = ("signs", "alignment", "solves", "detectability", "normality", "seen", "identified")
#: What a rate or a mean is taken over.
_CELL = [*variants.KEYS, "prompt_set", "role"]
_RATE = [*_CELL, "hits", "n", "rate", "low", "high"]
#: How a rate compares with the undefended pruned model's, with the pretrained one's, and with that
#: of a model that never knew the concept, paired.
_PAIRED = ["gain_on_pruned", "mcnemar_p", "pairs", "gained", "lost"]
_PAIRED += [f"pretrained_{name}" for name in ("pairs", "gained", "lost")]
_PAIRED += [f"control_{name}" for name in ("rate", "n", "pairs", "gained", "lost")]
COLUMNS = {
    "accuracy": [*_RATE, *_PAIRED, "judge"],
    "pairwise": [*pairwise.COLUMNS, "judge"],
    "similarity": [*_CELL, "judge", "n", "similarity", "low", "high", "clip_score"],
    "detections": [*_RATE, *_PAIRED, "judge", "labels", "threshold"],
    "parts": [*_CELL, "judge", "label", "threshold", "images", "n", "change"],
    "fid": [*_CELL, "judge", "n", "n_reference", "fid"],
    "integrity": [*_CELL, "judge", "n", "distance", "low", "high", "other_seed"],
    "search": [*search.COLUMNS, "judge"],
}


def of_study(
    names: Collection[str],
    judged: Mapping[str, pd.DataFrame],
    frames: Mapping[str, pd.DataFrame],
    released: erasers.Released,
    sizes: Callable[[list[str]], dict[str, int]],
    printed: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """The tables `names`, in that order.

    judged: of `of_judges`. frames: by STAGES what the study has of them, and as "costs" what
    `raw.costs` makes; each with the keys of its files. released: of `erasers.released`. sizes:
    gives the weights in each of some layers. printed: as `paper.beside` takes it.

    Raises KeyError for a name that nothing is made for, and where what a table is made of is not
    among the frames.
    """
    made = {**judged}
    rates = of_both_roles(made)
    if "signs" in names:
        measured = frames["signs"], frames["alignment"], frames["solves"]
        made |= of_attacks(*measured, sizes([*frames["solves"]["layer"].unique()]))
    if "guards" in names:
        made["guards"] = guards(rates)
    if "defences" in names:
        for name in ("detectability", "normality"):
            told = frames[name].drop(columns="curve", errors="ignore")
            made[name] = _first(told, *keys.RELEASED)
        made["defences"] = tradeoff(rates, made["detectability"])
    if "frontier" in names:
        made["frontier"] = frontier(rates, frames["costs"], made["search"], frames.get("seen"))
    if "identified" in names:
        made["identified"] = identified(frames["identified"])
    if "erasers" in names:
        made["erasers"] = erasers.erasers(rates, made["integrity"], released.facts)
        made["overlaps"] = erasers.overlaps(released.masks, sizes(released.layers))
    if printed is not None:
        made["paper"] = paper.beside(made, printed)
    return {name: made[name] for name in names}


def _first(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """With these columns before the others."""
    return table[[*names, *(column for column in table if column not in names)]]


def of_judges(
    scores: Callable[[str, str], pd.DataFrame],
    features: Callable[[bool], Iterable[pd.DataFrame]],
    references: dict[tuple[str, str], dict[str, np.ndarray]],
    catalogue: Catalogue,
    sets: dict[str, list[str]],
    missing: pd.DataFrame,
    best_of: Sequence[int] = (),
    controls: Mapping[str, str] = NOBODY,
) -> dict[str, pd.DataFrame]:
    """Every table of what the judges saw, by name, with COLUMNS, from the raw frames of a study.

    scores: gives a concept's and a judge's, with those of models as they are; features: frames of
    one cell and judge each, of the pretrained model's (True) or of all. They are read when their
    turn comes. references: (judge, prompt set) → mean, covariance, n. sets: concept → the sets that
    judge it. missing: of `progress.missing`. best_of, controls: as `search.search` takes
    them; without controls no table has its columns.
    """
    made: dict[str, list] = {name: [] for name in COLUMNS}
    for concept, names in sets.items():
        for name, judge in catalogue.judges.items():
            feeds = JUDGES[judge.kind].feeds
            if feeds in ("fid", "integrity"):
                continue
            part = for_concept(scores(concept, name), catalogue, concept, names)
            if feeds == "accuracy":
                told = outcomes(part, catalogue)
                made["accuracy"].append(accuracy(told, controls).assign(judge=name))
                made["pairwise"].append(pairwise.pairwise(told).assign(judge=name))
                made["search"].append(search.search(told, best_of, controls).assign(judge=name))
            elif feeds == "similarity":
                made["similarity"].append(similarity(part).assign(judge=name))
            elif feeds == "detections":
                made["detections"].append(detections(part, judge, controls).assign(judge=name))
                made["parts"].append(parts(part, judge).assign(judge=name))
    made |= of_features(features, references, catalogue, sets)
    out = {}
    for name, columns in COLUMNS.items():
        columns = [c for c in columns if controls or "control" not in c]
        frames = [frame for frame in made[name] if len(frame)] or [pd.DataFrame(columns=columns)]
        out[name] = pd.concat(frames, ignore_index=True).reindex(columns=columns)
    order = {concept: i for i, concept in enumerate(sets)}
    for name in ("fid", "integrity"):
        out[name] = out[name].sort_values("concept", key=lambda c: c.map(order), kind="stable")
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
    out["solves"] = _first(solves, *keys.RELEASED, "detector", "solver")
    out["layers"] = layers(signs_, solves, sizes)
    return out
