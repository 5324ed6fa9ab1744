"""The positions that a pruned checkpoint has erased, as packed bits."""

import logging

from regrowth.erase import checkpoints
from regrowth.files.bits import pack
from regrowth.files.store import write_arrays
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
layers = job.layers(snakemake.params.layers)
masks = checkpoints.masks(job.checkpoint(snakemake.wildcards), layers, disk.read_weights(layers))
density = {layer: float(mask.mean()) for layer, mask in masks.items()}
for layer, share in density.items():
    logging.info("%s: density %.4f", layer, share)
packed = {layer: pack(mask) for layer, mask in masks.items()}
write_arrays(snakemake.output[0], packed, density=density)
