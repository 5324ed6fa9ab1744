"""Regrowth: erase a concept by pruning, grow it back from the pruned weights, measure both."""

import atexit
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")
ROOT = Path(workflow.current_basedir)  # of a module, too
try:
    import regrowth
except ModuleNotFoundError as error:
    raise WorkflowError(
        f"{error}: `make .venv/ready`, or `pip install --editable {ROOT}`"
    ) from None
if not (found := Path(regrowth.__file__).parents[1]).samefile(ROOT / "workflow_scripts"):
    raise WorkflowError(
        f"these rules lie in {ROOT}, the regrowth that is installed in {found}: "
        f"`pip install --editable {ROOT}`"
    )
from regrowth.run.driver import name_interpreter
from regrowth.study.config import ConfigError, load_study

name_interpreter()

# A study stands alone: with --configfile, nothing of the default study is mixed in.
if not workflow.overwrite_configfiles:

    configfile: str(ROOT / "config.yaml")


try:
    STUDY, CATALOGUE, CARD = load_study(config, ROOT)
except ConfigError as error:
    raise WorkflowError(str(error)) from None
config.update(STUDY.model_dump(mode="json"))


include: "rules/common.smk"


if not PARTIAL:

    include: "rules/model.smk"
    include: "rules/erase.smk"
    include: "rules/defend.smk"
    include: "rules/attack.smk"
    include: "rules/generate.smk"
    include: "rules/score.smk"
    include: "rules/evaluate.smk"
    include: "rules/gallery.smk"
    include: "rules/upkeep.smk"
    include: "rules/demo.smk"


include: "rules/report.smk"


# Not the page alone: Snakemake does not miss what lies behind a file that is there.
rule all:
    default_target: True
    input:
        f"{MADE}/report.html",
        WANTED,
        map(str, rules.tables.output),
        map(str, rules.figures.output),


onstart:
    # The limiter wakes the scheduler every second once more for each job that has ended: after
    # hundreds of jobs the driver would fill a core.
    workflow.scheduler.job_rate_limiter = None
    refuse_read_only()
    refuse_second_driver()
    refuse_no_numbers()
    refuse_other_checkpoints()
    delete_unsafe()


# However it ends; a run that has nothing to do ends without the hooks below.
atexit.register(leave)


onsuccess:
    if is_whole_run():
        shell("test ! -f {MADE}/summary.txt || cat {MADE}/summary.txt")
        if not PARTIAL:
            shell("rm -rf {OUT}/partial")


onerror:
    if is_whole_run() and not PARTIAL:
        tell_what_is_there()
