"""An oracle's patch: the erased positions with pretrained signs or magnitudes. Evaluation only."""

from regrowth import job, models, patches
from regrowth.masks import unpack
from regrowth.oracles import oracle
from regrowth.revival import generator
from regrowth.store import read_arrays, write_arrays

study = job.start(snakemake)
cell = snakemake.wildcards
released = read_arrays(snakemake.input.released)
masks = read_arrays(snakemake.input.masks)
truth = models.read_weights(study.layers(list(released)))
patch = {}
for layer, weights in released.items():
    missing = unpack(masks[layer], weights.shape)
    rng = generator(cell.weight_seed, layer)
    values = oracle(truth[layer][missing], weights, missing, cell.magnitude, rng)
    patch |= patches.values_patch(layer, missing, values)
write_arrays(snakemake.output[0], patch)
