"""Print what a study of classifiers will take: a dry run's jobs, with what was measured in it."""

import shutil
from pathlib import Path

from regrowth.classify import study as classifiers
from regrowth.run import cost, dag, plan
from regrowth.run.job import begin

begin(snakemake)
told, out = snakemake.params, Path(snakemake.params.out)
study = classifiers.load(dict(snakemake.config))
records = dag.records(told.settings, told.snakefile, told.cores)
jobs, files = plan.jobs_of(records, out, study.network, {}, 0)
todo, unmade = jobs[jobs["why"] != ""], files[files["why"] != ""]
times = cost.estimate(todo, [(cost.OWN, cost.benchmarked(out, study.network))], {})
held = files.loc[files["amount"].notna(), cost.MEASURED]
sizes = cost.estimate(unmade, [(cost.OWN, held)], {})
print(
    "",
    plan.models_text(study, classifiers.cells(study), jobs),
    plan.jobs_text(jobs, times, lambda name: "", {}),
    plan.disk_text(files, sizes, shutil.disk_usage(".").free),
    sep="\n\n",
)
