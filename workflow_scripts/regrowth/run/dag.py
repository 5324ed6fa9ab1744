"""The DAG of a study as records: the one module of the library that knows Snakemake."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

import yaml
from regrowth.files.store import write_text
from regrowth.run import plan


def records(settings: dict, snakefile: str, cores: int | None) -> list[dict]:
    """Every job of `all`, in the order of the rules; nothing is run and no lock is taken.

    settings: the driver's own, by name ("config_settings", …). Snakemake's API rather than its
    printed dry run: the jobs that are done are there too, and the reasons as values. A study that
    cannot be planned ends the process, as a dry run does.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import OutputSettings, ResourceSettings

    settings = dict(settings)
    dag_settings = replace(settings.pop("dag_settings"), targets=frozenset({"all"}))
    errors = OutputSettings(log_level_override=logging.ERROR, enable_file_logging=False)
    with SnakemakeApi(errors) as api:
        try:
            resources = ResourceSettings(cores=cores or sys.maxsize)
            flow = api.workflow(resources, snakefile=Path(snakefile), **settings)
            flow.dag(dag_settings)
            workflow = flow._workflow
            # As in a dry run: a lock is no hindrance.
            workflow._prepare_dag(dag_settings.forceall, False, lock_warn_only=True)
            workflow._build_dag()
        except Exception as error:
            api.print_exception(error)
            sys.exit(1)
        order = {rule.name: i for i, rule in enumerate(workflow.rules)}
        jobs = sorted(workflow.dag.jobs, key=lambda job: (order[job.rule.name], str(job.output)))
        return [_record(workflow.dag, job) for job in jobs if job.output]


def _record(dag, job) -> dict:
    params, temporary = dict(job.params.items()), job.temp_output
    return {
        "rule": job.rule.name,
        "why": plan.why(dag.reason(job), params, temporary) if dag.needrun(job) else "",
        "gpu": job.resources.get("gpu") or 0,
        "threads": job.threads,
        "wildcards": dict(job.wildcards_dict),
        "sampling": params.get("sampling"),
        "eraser": params.get("eraser"),
        "benchmark": job.benchmark and str(job.benchmark),
        "log": next(map(str, job.log), None),
        "inputs": [str(file) for file in job.input],
        "outputs": [str(file) for file in job.output if file not in temporary],
        "temporary": [str(file) for file in temporary],
    }


def command(
    snakefile: str | Path, config: dict, folder: Path, *args: str, cores: int = 1
) -> list[str]:
    """Another Snakemake on a study, beside this one. The study is written to `folder`."""
    study = folder / "study.yaml"
    write_text(study, yaml.safe_dump(dict(config), sort_keys=False))
    run = [sys.executable, "-m", "snakemake", *args, "--snakefile", snakefile]
    run += ["--cores", str(cores), "--nolock", "--quiet", "all", "--configfile", study]
    return list(map(str, run))
