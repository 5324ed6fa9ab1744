"""Regrowth: erase a concept by pruning, grow it back from the pruned weights, measure both."""

import atexit
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
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
from regrowth.run import audits, hooks, terminal
from regrowth.run.driver import name_interpreter, name_library
from regrowth.run.planned import planned
from regrowth.run.refusals import Refused
from regrowth.study.load import ConfigError

name_interpreter()
name_library(ROOT / "workflow_scripts")
hooks.begin()
HERE = os.getcwd()

# A study stands alone: with --configfile, nothing of the default study is mixed in.
if not workflow.overwrite_configfiles:

    configfile: str(ROOT / "config.yaml")


# docs/cluster.md says how it is built.
if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:

    container: "regrowth.sif"


#: Of a table of what is there: the file that says so.
PARTIAL = os.environ.get("REGROWTH_PARTIAL")
if config.get("kind") == "classifiers":

    include: "rules/classifiers.smk"

    if not PARTIAL:

        include: "rules/unlearn.smk"
        include: "rules/upkeep.smk"
        include: "rules/classifiers_plan.smk"
    include: "rules/classifier_tables.smk"

    rule all:
        default_target: True
        input:
            [*map(str, rules.classifier_tables.output)],
            f"{MADE}/timings.csv",

    onstart:
        try:
            hooks.ready(workflow, OUT)
        except Refused as error:
            raise WorkflowError(str(error)) from None

    onsuccess:
        terminal.finish()
        if hooks.is_whole(workflow):
            print(f"\nReport: {MADE}/report.html")
            if not PARTIAL:
                shell("rm -rf {OUT}/partial")

    onerror:
        terminal.finish()
        hooks.failed(workflow, OUT, PARTIAL, config)

else:
    AUDIT = audits.asked(config)
    try:
        SWEEP, DEPENDS = planned(config, ROOT, PARTIAL)
    except (ConfigError, Refused) as error:
        raise WorkflowError(str(error)) from None
    STUDY, CATALOGUE = SWEEP.study, SWEEP.catalogue
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
        include: "rules/plan.smk"
        include: "rules/audit.smk"
        include: "rules/demo.smk"
    include: "rules/report.smk"

    # Not the page alone: Snakemake does not miss what lies behind a file that is there.
    rule all:
        default_target: True
        input:
            f"{MADE}/report.html",
            SWEEP.wanted,
            [*map(str, rules.tables.output)],
            [*map(str, rules.figures.output)],
            expand(rules.album.output, concept=SWEEP.begun),

    onstart:
        try:
            hooks.before(workflow, SWEEP, DEPENDS.folders["pretrained"], AUDIT)
        except Refused as error:
            raise WorkflowError(str(error)) from None

    # However it ends; a run that has nothing to do ends without the hooks below.
    atexit.register(hooks.leave, workflow, SWEEP, HERE)

    onsuccess:
        terminal.finish()
        if audits.is_asked(set(workflow.dag_settings.targets)):
            print(audits.summary(AUDIT))
        if hooks.is_whole(workflow):
            shell("test ! -f {MADE}/summary.txt || cat {MADE}/summary.txt")
            if not PARTIAL:
                shell("rm -rf {OUT}/partial")

    onerror:
        terminal.finish()
        hooks.failed(workflow, OUT, PARTIAL, config)
