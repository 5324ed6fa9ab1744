"""What a run does before its first job and at its end. workflow: Snakemake's."""

import gc
import os
import subprocess
from pathlib import Path

from regrowth.run import audits, dag, driver, refusals, unsafe
from regrowth.study.sweep import Sweep

#: Targets that only look: they may be asked while a run is at work.
LOOKS = {"plan", "status", "verify", "partial", "leftovers", "audit"}
#: What every script inherits. Its terminal is the driver's, and may lack a letter; and glibc keeps
#: freed memory instead of returning it at each step, which makes pictures on a CPU a sixth faster.
ENVIRONMENT = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONIOENCODING": ":replace",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}


def begin() -> None:
    """What scripts inherit. And no circles are looked for while a plan is made: its objects are
    millions and stay, and to look at them again and again is an eighth of its time."""
    gc.disable()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def is_whole(workflow) -> bool:
    """Whether this run was to make everything: upkeep, single files and what is left of the study
    by `--until`, `--omit-from` or a batch are no study's end."""
    return any(job.rule.name == "all" for job in workflow.dag.targetjobs)


def _looks(workflow, sweep: Sweep) -> bool:
    return sweep.made is not None or bool(LOOKS.intersection(workflow.dag_settings.targets))


def ready(workflow, out: str) -> None:
    """Raises Refused where nothing can be kept, or another run is at work."""
    targets = set(workflow.dag_settings.targets)
    gc.enable()
    # The limiter wakes the scheduler every second once more for each job that has ended: after
    # hundreds of jobs the driver would fill a core.
    workflow.scheduler.job_rate_limiter = None
    refusals.read_only(Path(out))
    if workflow.execution_settings.lock and not (targets and targets <= LOOKS):
        refusals.second_driver(Path(out))


def before(workflow, sweep: Sweep, model: Path, audit: audits.Audit) -> None:
    """Raises Refused before any job. Jobs, and Snakemakes that a run starts itself, take no lock;
    nor do looks. Then unsafe pictures that nobody waits for are deleted."""
    targets = set(workflow.dag_settings.targets)
    audits.refuse(audit, targets, sweep.study.model_dump(mode="json"), sweep.root)
    if targets == {"audit"}:  # nothing of the study is asked for
        return
    ready(workflow, sweep.out)
    refusals.no_numbers(sweep, model)
    refusals.other_checkpoints(sweep, model)
    refusals.odd_prefixes(sweep, model)
    _delete_unsafe(workflow, sweep)


def _delete_unsafe(workflow, sweep: Sweep) -> None:
    if not sweep.study.keep_unblurred and not _looks(workflow, sweep):
        read = (file for job in workflow.dag.needrun_jobs() for file in job.input)
        unsafe.delete(sweep, set(map(Path, read)))


def failed(workflow, out: str, partial: str | None, config: dict) -> None:
    """What failed and why, and the tables of the rest. partial: as for `planned.planned`."""
    if is_whole(workflow) and not partial:
        driver.let_go()
        folder = Path(out, "partial")
        subprocess.run(dag.command(workflow.main_snakefile, config, folder, "partial"))


def leave(workflow, sweep: Sweep, here: str) -> None:
    """The end of this process: of a run, it leaves no unsafe picture that nobody waits for. here:
    where it began."""
    ran = workflow.is_main_process and workflow.executor_plugin is not None
    if not ran or workflow.dryrun or workflow.touch or workflow._dag is None:
        return
    os.chdir(here)  # Snakemake has left it
    out = Path(sweep.out)
    there = out.is_dir() and os.access(out, os.W_OK)
    if there and not _looks(workflow, sweep) and driver.hold(out):
        _delete_unsafe(workflow, sweep)
