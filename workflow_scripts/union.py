"""The positions that an eraser erases for any of several concepts, as packed bits."""

import logging

from regrowth.erase import several
from regrowth.files.bits import pack, unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.run.job import start

job = start(snakemake)
held = [read_arrays(file) for file in snakemake.input]
masks, density = {}, {}
for layer in job.layers(snakemake.params.layers):
    mask = several.union(unpack(bits[layer.name], layer.shape) for bits in held)
    masks[layer.name], density[layer.name] = pack(mask), float(mask.mean())
    logging.info("%s: density %.4f", layer.name, density[layer.name])
write_arrays(snakemake.output[0], masks, density=density)
