"""An oracle's patch: the erased positions with pretrained signs or magnitudes. Evaluation only."""

from regrowth.attack.oracles import oracle
from regrowth.attack.revival import generator
from regrowth.draw import patches
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
cell = snakemake.wildcards
released = read_arrays(snakemake.input.released)
masks = read_arrays(snakemake.input.masks)
truth = disk.read_weights(job.layers(list(released)))
patch = {}
for layer, weights in released.items():
    missing = unpack(masks[layer], weights.shape)
    rng = generator(cell.weight_seed, layer)
    values = oracle(truth[layer][missing], weights, missing, cell.magnitude, rng)
    patch |= patches.values_patch(layer, missing, values)
write_arrays(snakemake.output[0], patch)
