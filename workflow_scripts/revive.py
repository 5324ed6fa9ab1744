"""Keep the surest signs, give them a magnitude: a patch on the released model, or on one layer."""

import numpy as np
from regrowth import job, patches
from regrowth.masks import unpack
from regrowth.revival import revive
from regrowth.store import read_arrays, write_arrays

job.start(snakemake)
cell = snakemake.wildcards
completed = read_arrays(snakemake.input.completed)
patch = {}
alone = snakemake.params.alone
for layer, weights in read_arrays(snakemake.input.released).items():
    if alone not in (None, layer):
        continue
    missing = unpack(completed[f"{layer}:positions"], weights.shape)
    seed = 0 if cell.weight_seed == "none" else int(cell.weight_seed)
    rng = np.random.default_rng([seed, *layer.encode()])
    values = revive(
        weights, missing, completed[f"{layer}:values"], float(cell.K), cell.magnitude, rng
    )
    patch |= patches.values_patch(layer, missing, values)
write_arrays(snakemake.output[0], patch)
