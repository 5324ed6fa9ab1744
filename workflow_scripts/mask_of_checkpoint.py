"""The positions that a pruned checkpoint has erased, as packed bits."""

import logging

from regrowth import checkpoints, job, models
from regrowth.masks import pack
from regrowth.store import write_arrays

study = job.start(snakemake)
layers = study.layers(snakemake.params.layers)
masks = checkpoints.masks(
    study.checkpoint(snakemake.wildcards.concept), layers, models.read_weights(layers)
)
density = {layer: float(mask.mean()) for layer, mask in masks.items()}
for layer, share in density.items():
    logging.info("%s: density %.4f", layer, share)
packed = {layer: pack(mask) for layer, mask in masks.items()}
write_arrays(snakemake.output[0], packed, density=density)
