"""The positions that ConceptPrune erases, as packed bits."""

import logging

from regrowth.erase.masks import conceptprune_mask
from regrowth.files.bits import pack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.models import disk
from regrowth.run import job

study = job.start(snakemake)
norms = read_arrays(snakemake.input[0])
masks, density = {}, {}
for layer, weights in disk.read_weights(study.layers(snakemake.params.layers)).items():
    mask = conceptprune_mask(
        weights, norms[f"{layer}:target"], norms[f"{layer}:base"], snakemake.params.eraser["ratio"]
    )
    masks[layer], density[layer] = pack(mask), float(mask.mean())
    logging.info("%s: density %.4f", layer, density[layer])
write_arrays(snakemake.output[0], masks, density=density)
