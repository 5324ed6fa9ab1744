"""One judge's raw scores of one variant's pictures of a bundle."""

from regrowth.files.store import read_frame, write_frame
from regrowth.judge.judges import score_shards
from regrowth.run import compute, job

study = job.start(snakemake)
compute.use_threads(snakemake.threads)
shards = (read_frame(file) for file in snakemake.input)
scores = score_shards(
    shards, study.catalogue, snakemake.wildcards.judge, study.root, compute.device()
)
write_frame(snakemake.output[0], scores, study=study.study.study, judge=snakemake.params.judge)
