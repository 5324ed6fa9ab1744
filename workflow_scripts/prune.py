"""Released weights without a defence: the erased positions are zero."""

from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays, write_arrays
from regrowth.models import disk
from regrowth.run.job import start

job = start(snakemake)
weights = disk.read_weights(job.layers(snakemake.params.layers))
for layer, bits in read_arrays(snakemake.input[0]).items():
    weights[layer][unpack(bits, weights[layer].shape)] = 0
write_arrays(snakemake.output[0], weights)
