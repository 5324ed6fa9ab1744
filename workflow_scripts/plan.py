"""Print what the study will take: a dry run's jobs, with the times and sizes of what is there."""

import shutil
from pathlib import Path

from regrowth.models import disk
from regrowth.run import cost, dag, plan
from regrowth.run.job import start

job = start(snakemake)
told, config = snakemake.params, job.study
out = Path("results", config.study)
records = dag.records(told.settings, told.snakefile, told.cores)
sets = plan.sets_of(told.cells, config, job.catalogue, job.root)
jobs, files = plan.jobs_of(records, out, told.model, sets, config.images.shard)
layers = disk.attacked_layers(job.model, config.layers or job.card.layers)
parts = list(disk.parts(layers, config.layers_per_job).values())
known = cost.shapes(parts, job.model, cost.densest(records))

todo, unmade = jobs[jobs["why"] != ""], files[files["why"] != ""]
studies = cost.Studies(out, {told.model: job.card.steps}, config.images.format)
times = cost.estimate(todo, studies.times(jobs), {})
sizes = cost.estimate(unmade, studies.sizes(files), known)
print(
    "",
    plan.cells_text(config.study, told.cells, sets, jobs),
    plan.jobs_text(jobs, times, studies.device, cost.stated(times, cost.side_of(job.model))),
    plan.disk_text(files, sizes, shutil.disk_usage(".").free),
    sep="\n\n",
)
