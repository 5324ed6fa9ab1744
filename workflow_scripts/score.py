"""One judge's raw scores of one variant's pictures of a bundle."""

from regrowth.files.store import read_frame, write_frame
from regrowth.judge.judges import score_shards
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)
judge = job.catalogue.judges[snakemake.wildcards.judge]
sets = {name.split(".")[0] for name in snakemake.params.sees}
shards = (read_frame(file) for file in snakemake.input)
scores = score_shards(shards, judge, sets, job.root, compute.device())
write_frame(snakemake.output[0], scores, study=job.name, judge=snakemake.params.judge)
