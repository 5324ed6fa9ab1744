"""The attack that leaves nothing to choose: a patch on the released model."""

from regrowth.attack.blind import beside, blind, feeder
from regrowth.draw import patches
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.models import disk
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
bits = read_arrays(snakemake.input.detected)
weights = read_arrays(snakemake.input.released)
layers = {layer: (w, unpack(bits[layer], w.shape)) for layer, w in weights.items()}
feeders = {layer: fed for layer in layers if (fed := feeder(layer))}
read = disk.read_weights(job.layers(list(feeders.values()))) if feeders else {}
known = {layer: beside(read[fed], weights[layer].shape[1]) for layer, fed in feeders.items()}
patch, told = {}, {}
for layer, done in blind(layers, known, compute.device()).items():
    patch |= patches.values_patch(layer, layers[layer][1], done.values)
    told[layer] = done.told()
write_arrays(snakemake.output[0], patch, solves=told)
