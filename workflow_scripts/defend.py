"""Released weights with a defence: what the erased positions are filled with."""

import numpy as np
from regrowth import job
from regrowth.defences import FILLS
from regrowth.masks import unpack
from regrowth.store import read_arrays, write_arrays

job.start(snakemake)
weights, bits = read_arrays(snakemake.input.pruned), read_arrays(snakemake.input.mask)
cell, filled = snakemake.wildcards, {}
seed = 0 if cell.weight_seed == "none" else int(cell.weight_seed)
for layer, w in weights.items():
    rng = np.random.default_rng([seed, *layer.encode()])
    mask = unpack(bits[layer], w.shape)
    filled[layer] = FILLS[cell.defence](w, mask, float(cell.sigma), rng)
write_arrays(snakemake.output[0], filled)
