"""Integrity: how far pictures are from the pretrained model's of the same prompt and seed.

Model Integrity (Schioppa, Hoogeboom and Heek, 2024) takes LPIPS for the distance; here it is 1 −
the cosine of the features of whatever network the judge names, which needs no other weights.
"""

from itertools import combinations

import numpy as np
import pandas as pd
from regrowth.measure.cells import IMAGE, by_cell
from regrowth.measure.pictures import confidence

PLACE = ["prompt_set", "role"]


def integrity(rows: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Of each cell the mean distance of its pictures, with a bootstrap interval over pictures.

    rows: features of one concept and judge, with roles; base: the pretrained model's of the same.
    n: pictures that both have. other_seed: the mean distance of two of the pretrained model's
    pictures of one class at different seeds, what a model that draws something else of the same
    kind comes to; of itself the distance is 0.
    """
    known = {place: _unit(some) for place, some in base.groupby(PLACE)}
    ruler = {place: _between(some) for place, some in base.groupby(PLACE)}
    out = []
    for cell, some in by_cell(rows):
        place = cell["prompt_set"], cell["role"]
        if place not in known:
            continue
        own, other = _unit(some).align(known[place], join="inner", axis=0)
        far = np.square(own.to_numpy() - other.to_numpy()).sum(1) / 2  # exactly 0 of itself
        low, high = confidence(far)
        mean = far.mean() if len(far) else np.nan
        told = {"n": len(far), "distance": mean, "low": low, "high": high}
        out.append({**cell, **told, "other_seed": ruler[place]})
    return pd.DataFrame(out)


def _unit(some: pd.DataFrame) -> pd.DataFrame:
    """Features of length 1, float64, by picture."""
    vectors = np.stack(some["features"].to_list()).astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    index = pd.MultiIndex.from_frame(some[IMAGE])
    return pd.DataFrame(vectors / np.where(length > 0, length, 1), index=index)


def _between(some: pd.DataFrame) -> float:
    """Mean distance of two pictures of one class, over all pairs; nan where no class has two."""
    far = []
    for _, own in some.groupby("class"):
        vectors = _unit(own).to_numpy()
        cosines = vectors @ vectors.T
        far += [1 - cosines[i, j] for i, j in combinations(range(len(own)), 2)]
    return float(np.mean(far)) if far else np.nan
