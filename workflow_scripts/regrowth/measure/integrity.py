"""Integrity: how far pictures are from the pretrained model's of the same prompt and seed.

Model Integrity (Schioppa, Hoogeboom and Heek, 2024) takes LPIPS for the distance; here it is 1 −
the cosine of the features of whatever network the judge names, which needs no other weights.
"""

import numpy as np
import pandas as pd
from regrowth.measure.cells import IMAGE, by_cell
from regrowth.measure.pictures import confidence

PLACE = ["prompt_set", "role"]
Rulers = dict[tuple[str, str], float]


def units(frame: pd.DataFrame) -> pd.DataFrame:
    """Features of length 1, float32, by picture; of a picture that stands twice, the first."""
    frame = frame.drop_duplicates(IMAGE)
    index = pd.MultiIndex.from_frame(frame[IMAGE])
    return pd.DataFrame(_unit(frame), index=index)


def distances(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The pictures that the pretrained model drew too, with their distance instead of features.

    frame: a cell's features; known: `units` of the pretrained model's.
    """
    at = known.index.get_indexer(pd.MultiIndex.from_frame(frame[IMAGE]))
    met = frame[at >= 0]
    other = known.to_numpy()[at[at >= 0]]
    far = np.square(_unit(met) - other).sum(1) / 2 if len(met) else []  # exactly 0 of itself
    return met.drop(columns="features").assign(distance=far)


def ruler(base: pd.DataFrame) -> Rulers:
    """By prompt set and role the mean distance of two of the pretrained model's pictures of one
    class, over all pairs: what a model that draws another of the same kind comes to. nan where no
    class has two.

    base: its features, with roles.
    """
    out = {}
    for place, some in base.groupby(PLACE):
        alike = pairs = 0.0
        for _, own in some.groupby("class"):
            vectors = _unit(own).astype(np.float64)
            # Σ_{i<j} u_i·u_j = (|Σ u|² − Σ |u|²) / 2, so that no pair is looked at
            alike += (np.square(vectors.sum(0)).sum() - np.square(vectors).sum()) / 2
            pairs += len(own) * (len(own) - 1) / 2
        out[place] = 1 - alike / pairs if pairs else np.nan
    return out


def integrity(rows: pd.DataFrame, rulers: Rulers) -> pd.DataFrame:
    """Of each cell the mean distance of its n pictures, with a bootstrap interval over them, and
    the ruler of its place, `other_seed`.

    rows: `distances` of one concept and judge, with roles.
    """
    out = []
    for cell, some in by_cell(rows):
        far = some["distance"].to_numpy(np.float64)
        low, high = confidence(far)
        told = {"n": len(far), "distance": far.mean(), "low": low, "high": high}
        place = cell["prompt_set"], cell["role"]
        out.append({**cell, **told, "other_seed": rulers.get(place, np.nan)})
    return pd.DataFrame(out)


def _unit(frame: pd.DataFrame) -> np.ndarray:
    vectors = np.stack(frame["features"].to_list()).astype(np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
