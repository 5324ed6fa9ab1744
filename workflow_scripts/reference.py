"""Features of the reference pictures, which FID-<net> compares with."""

from regrowth import job
from regrowth.demo import world
from regrowth.judges import features
from regrowth.store import write_arrays

study = job.start(snakemake)
job.use_threads(snakemake.threads)
judge = study.catalogue.judges[snakemake.wildcards.judge]
pictures = world.reference(judge.reference)
vectors = features(judge, study.root, pictures, study.device)
write_arrays(snakemake.output[0], {"features": vectors})
