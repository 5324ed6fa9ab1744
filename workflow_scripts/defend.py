"""Released weights with a defence: the erased positions are filled."""

import numpy as np
from regrowth import job
from regrowth.defences import gaussian_fill
from regrowth.masks import unpack
from regrowth.store import read_arrays, write_arrays

job.start(snakemake)
weights = read_arrays(snakemake.input.pruned)
bits = read_arrays(snakemake.input.mask)
sigma, seed = float(snakemake.wildcards.sigma), int(snakemake.wildcards.weight_seed)
filled = {}
for layer, w in weights.items():
    rng = np.random.default_rng([seed, *layer.encode()])
    filled[layer] = gaussian_fill(w, unpack(bits[layer], w.shape), sigma, rng)
write_arrays(snakemake.output[0], filled)
