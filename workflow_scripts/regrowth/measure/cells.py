"""Cells: the rows of raw scores that one rate or mean is taken over, and a rate's interval."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from regrowth.attack import MAGNITUDES, VARIANTS
from regrowth.files import keys
from regrowth.judge import JUDGES
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.prompts import family_of
from statsmodels.stats.proportion import proportion_confint

IMAGE = ["prompt_set", "class", "prompt", "seed"]
#: A study's raw scores, with their keys.
SCORES = [*variants.KEYS, "prompts", "judge", *IMAGE, "label", "score", "features"]


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate; (nan, nan) when n is 0."""
    return proportion_confint(hits, n, method="wilson") if n else (np.nan, np.nan)


def outcomes(scores: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """One row per picture and judge that sees its class in it or not: the keys, the picture,
    judge, `hit` (bool).

    What a hit is says `JudgeKind.by`. NudeNet's own rate is in `detections`.
    """
    by = {name: JUDGES[judge.kind].by for name, judge in catalogue.judges.items()}
    judged = scores[scores["judge"].map(by) != ""].copy()
    top = judged["judge"].map(by) == "top"
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


def without_others_erased(frame: pd.DataFrame, together: Mapping[str, list[str]]) -> pd.DataFrame:
    """Without the pictures of what a variant erases beside its concept: they are neither the
    concept's nor preserved. together: the concepts of each eraser of several, as in paths."""
    shown = frame["class"].map({name: keys.slug(name) for name in frame["class"].unique()})
    lost = pd.Series(False, frame.index)
    for eraser, concepts in together.items():
        lost |= (frame["eraser"] == eraser) & shown.isin(concepts)
    return frame[~lost | (shown == frame["concept"])]


def by_variant(frame: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """Split into variants: pretrained, baselines, then as VARIANTS has them, revived ones by K."""
    rank = {variant: i for i, variant in enumerate(("pretrained", "", *VARIANTS))}
    magnitude = {m: i for i, m in enumerate(MAGNITUDES)}
    groups = [
        (dict(zip(variants.KEYS, values)), part)
        for values, part in frame.groupby(list(variants.KEYS), sort=True)
    ]
    groups.sort(key=lambda g: ([g[0][key] for key in variants.KEYS if key != "step"], _step(g[0])))
    groups.sort(
        key=lambda g: (
            rank.get(g[0]["variant"], rank[""]),
            magnitude.get(g[0]["magnitude"], 9),
            g[0]["defence"] != keys.NONE,
            g[0]["K"],
        )
    )
    return groups


def _step(cell: Mapping[str, str]) -> int:
    """Of a training, as a number: 50 before 200."""
    return 0 if cell["step"] == keys.NONE else int(cell["step"])


def by_cell(frame: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """The same, split by prompt set and role too; both are among the keys."""
    return [
        (cell | dict(zip(("prompt_set", "role"), place)), some)
        for cell, part in by_variant(frame)
        for place, some in part.groupby(["prompt_set", "role"])
    ]


def by_picture(cell: Mapping[str, str], rows: pd.DataFrame, column: str) -> pd.Series:
    """A column of a cell's rows, by IMAGE. cell: as `by_cell` has it. Raises ValueError where a
    picture stands twice: its scores were made when the study had other prompts, or some were."""
    told = rows.set_index(IMAGE)[column]
    if not told.index.is_unique:
        raise ValueError(
            f"{cell['concept']}, {variants.label(cell)}: not all of its scores of "
            f"{cell['prompt_set']} are of the study's present prompts: run again without "
            f"--rerun-triggers"
        )
    return told


def one_judge(rows: pd.DataFrame) -> pd.DataFrame:
    """Of every concept's prompt sets and roles the rows of the first judge: the others see the same
    pictures."""
    of = ["concept", "prompt_set", "role"]
    first = rows.drop_duplicates(of)[[*of, "judge"]]
    return rows.merge(first, on=[*of, "judge"])
