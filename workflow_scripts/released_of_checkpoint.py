"""Released weights that were pruned and filled elsewhere: those under attack, as they are there."""

from regrowth.erase import checkpoints
from regrowth.files.store import write_arrays
from regrowth.run.job import start

job = start(snakemake)
layers = job.layers(snakemake.params.layers)
write_arrays(snakemake.output[0], checkpoints.read(job.checkpoint(snakemake.wildcards), layers))
