"""Released weights without a defence: the erased positions are zero."""

from regrowth import job, models
from regrowth.masks import unpack
from regrowth.store import read_arrays, write_arrays

study = job.start(snakemake)
weights = models.read_weights(study.layers(snakemake.params.layers))
for layer, bits in read_arrays(snakemake.input[0]).items():
    weights[layer][unpack(bits, weights[layer].shape)] = 0
write_arrays(snakemake.output[0], weights)
