"""A classifier with holes, completed from its weights alone."""

from regrowth.classify.regrow import regrow
from regrowth.files.store import read_arrays, write_arrays
from regrowth.run import classroom, compute

classroom.start(snakemake)
compute.use_threads(snakemake.threads)
attack, seed = snakemake.params.attack, int(snakemake.wildcards.seed)
released = read_arrays(snakemake.input)
filled = regrow(released, attack["kind"], attack, compute.device(), seed)
write_arrays(snakemake.output[0], filled)
