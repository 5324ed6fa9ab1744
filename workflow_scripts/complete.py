"""Complete what the detector says is missing, layer by layer, from the released weights alone."""

import logging

from regrowth.complete.engine import complete_all
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
bits = read_arrays(snakemake.input.detected)
weights = read_arrays(snakemake.input.released)
layers = {layer: (w, unpack(bits[layer], w.shape)) for layer, w in weights.items()}
arrays, told = {}, {}
for layer, done in complete_all(layers, snakemake.wildcards.solver, compute.device()).items():
    arrays[f"{layer}:positions"], arrays[f"{layer}:values"] = bits[layer], done.values
    told[layer] = done.told()
    logging.info("%s: %d missing, %.2f s, %s", layer, len(done.values), done.seconds, told[layer])
write_arrays(snakemake.output[0], arrays, solves=told)
