"""How well each detector tells a released model's erased positions; how normal its weights are.

Evaluation only: the mask is known here.
"""

import numpy as np
import pandas as pd
from regrowth.attack import DETECTORS
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_frame
from regrowth.measure.detectability import normality, posterior, roc
from regrowth.run.job import start

job = start(snakemake)
weights, bits = read_arrays(snakemake.input.released), read_arrays(snakemake.input.masks)
masks = {layer: unpack(bits[layer], w.shape) for layer, w in weights.items()}
half_width, found, normal = snakemake.params.half_width, [], []


def spread(w, mask):
    erased, kept = w[mask].astype(np.float64), w[~mask].astype(np.float64)
    density, sigma_m, sigma_u = mask.mean(), np.sqrt((erased**2).mean()), kept.std()
    told = {"n": mask.size, "density": density, "sigma_m": sigma_m, "sigma_u": sigma_u}
    told["posterior"] = posterior(density, max(sigma_m, 1e-12), sigma_u, half_width * sigma_u)
    return told


about = {layer: spread(w, masks[layer]) for layer, w in weights.items()}
everything = np.concatenate([w.ravel() for w in weights.values()])
erased = np.concatenate([mask.ravel() for mask in masks.values()])
about["all"] = spread(everything, erased)
for name, detector in DETECTORS.items():
    scores = {layer: detector.score(w).astype(np.float32) for layer, w in weights.items()}
    found += [
        {"layer": layer, "detector": name, **about[layer], **roc(s, masks[layer])}
        for layer, s in scores.items()
    ]
    pooled = np.concatenate([s.ravel() for s in scores.values()])
    found.append({"layer": "all", "detector": name, **about["all"], **roc(pooled, erased)})
for number, (layer, w) in enumerate(weights.items()):
    normal.append({"layer": layer, **normality(w[~masks[layer]], np.random.default_rng(number))})
write_frame(snakemake.output.detectability, pd.DataFrame(found))
write_frame(snakemake.output.normality, pd.DataFrame(normal))
