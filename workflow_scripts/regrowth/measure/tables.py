"""All tables of a study by name, from its raw frames."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.judge import JUDGES
from regrowth.measure import integrity, pairwise, search
from regrowth.measure.cells import for_concept, outcomes
from regrowth.measure.pictures import frechet, similarity
from regrowth.measure.rates import NOBODY, accuracy, detections, parts
from regrowth.measure.recovery import layers, signs
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue

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
    """Every table of what the judges saw, by name, from the raw frames of a study.

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
    base = pd.concat([pd.DataFrame({"judge": []}), *features(True)], ignore_index=True)
    held = {judge: Held.of(own, catalogue, sets) for judge, own in base.groupby("judge")}
    alone: dict[tuple[str, str], list] = {}  # models as they are: a file for each of their sets
    for frame in features(False):
        made["fid"] += _distances(frame, references, catalogue, sets)
        told_by, variant, concept = frame[["judge", "variant", "concept"]].iloc[0]
        if told_by not in held:
            continue
        far = integrity.distances(frame, held[told_by].units)
        if concept == keys.NONE:
            alone.setdefault((told_by, variant), []).append(far)
        else:
            made["integrity"] += held[told_by].integrity(far, catalogue, sets)
    for (told_by, _), some in alone.items():
        made["integrity"] += held[told_by].integrity(pd.concat(some), catalogue, sets)
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


def _distances(frame, references, catalogue, sets) -> list[pd.DataFrame]:
    """The Fréchet distances of one cell's features, for every concept that it judges."""
    out, judge = [], frame["judge"].iloc[0]
    for concept, names in sets.items():
        rows = for_concept(frame, catalogue, concept, names)
        for prompt_set, some in rows[rows["role"] == "preserved"].groupby("prompt_set"):
            if (judge, prompt_set) in references:
                out.append(frechet(some, **references[judge, prompt_set]).assign(judge=judge))
    return out


@dataclass(frozen=True)
class Held:
    """What a judge makes of the pretrained model's pictures: features of length 1, and by concept
    how far two of a class are apart."""

    units: pd.DataFrame
    rulers: dict[str, integrity.Rulers]

    @classmethod
    def of(cls, base: pd.DataFrame, catalogue: Catalogue, sets: dict[str, list[str]]) -> "Held":
        rulers = {
            concept: integrity.ruler(for_concept(base, catalogue, concept, names))
            for concept, names in sets.items()
        }
        return cls(integrity.units(base), rulers)

    def integrity(self, far, catalogue, sets) -> list[pd.DataFrame]:
        """How far one variant's pictures are from these, for every concept that they judge. far: of
        `integrity.distances`."""
        rows = ((c, for_concept(far, catalogue, c, names)) for c, names in sets.items())
        told = (integrity.integrity(own, self.rulers[c]) for c, own in rows if len(own))
        return [some.assign(judge=far["judge"].iloc[0]) for some in told]


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
