"""Raw scores of one variant's pictures of a bundle, by one judge or some."""

import pandas as pd
from regrowth.files.store import read_frame, write_frame
from regrowth.judge.judges import score_shards
from regrowth.run import compute
from regrowth.run.job import start

job = start(snakemake)
compute.use_threads(snakemake.threads)


def scores(name: str, sees: list[str]) -> pd.DataFrame:
    shards = (read_frame(file) for file in snakemake.input)
    sets = {prompt_set.split(".")[0] for prompt_set in sees}
    judge = job.catalogue.judges[name]
    return score_shards(shards, judge, sets, job.root, compute.device()).assign(judge=name)


made = pd.concat([scores(*told) for told in snakemake.params.sees.items()], ignore_index=True)
write_frame(snakemake.output[0], made, study=job.name, judges=snakemake.params.judges)
