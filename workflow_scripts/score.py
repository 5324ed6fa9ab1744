"""Raw scores of one shard by every judge of its families."""

import pandas as pd
from regrowth import job
from regrowth.judges import score_shard
from regrowth.store import write_frame

study = job.start(snakemake)
job.use_threads(snakemake.threads)
shard = pd.read_parquet(snakemake.input[0], partitioning=None)
scores = score_shard(shard, study.catalogue, study.root, study.device)
write_frame(snakemake.output[0], scores, study=study.study.study, judges=snakemake.params.judges)
