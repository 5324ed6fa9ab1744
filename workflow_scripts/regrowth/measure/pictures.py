"""What pictures are like as a whole: similarity to their prompts, distance to a reference set."""

import numpy as np
import pandas as pd
from regrowth.judge import inception
from regrowth.measure.cells import by_cell, by_picture
from scipy.stats import bootstrap

#: Pictures whose features are summed at once.
IN_MEMORY = 1024


def similarity(rows: pd.DataFrame) -> pd.DataFrame:
    """CLIP similarity: mean with a bootstrap interval, and the CLIP score, the share of prompts
    where the variant's similarity is below the pretrained model's. Raises ValueError as
    `cells.by_picture`."""
    out, reference = [], {}
    for cell, some in by_cell(rows):
        value, place = by_picture(cell, some, "score"), (cell["prompt_set"], cell["role"])
        if cell["variant"] == "pretrained":
            reference[place] = value
        low, high = confidence(value.to_numpy())
        row = {**cell, "n": len(value), "similarity": value.mean(), "low": low, "high": high}
        row["clip_score"] = np.nan
        if cell["variant"] != "pretrained" and place in reference:
            pair = pd.concat({"a": value, "b": reference[place]}, axis=1, join="inner")
            row["clip_score"] = (pair["a"] < pair["b"]).mean()
        out.append(row)
    return pd.DataFrame(out)


def confidence(values: np.ndarray) -> tuple[float, float]:
    """A percentile bootstrap's 95 % interval of a mean; (nan, nan) where nothing varies."""
    if len(values) < 2 or np.ptp(values) == 0:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    how = {"n_resamples": 2000, "batch": 50, "rng": rng, "method": "percentile"}
    found = bootstrap((values,), np.mean, **how)
    return found.confidence_interval


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
