"""Snakemake's way in to `regrowth.run.forks`: `--executor regrowth`. Else its own, `local`."""

from regrowth.run import forks
from snakemake.executors import local

common_settings = local.common_settings


class Executor(local.Executor):
    """As `local`, but that Python scripts are forked where that is worth its start."""

    def __post_init__(self) -> None:
        super().__post_init__()
        elsewhere = self.workflow.deployment_settings.deployment_method  # conda, a container
        if forks.can() and not elsewhere:
            if forks.begun() or forks.pay(self.workflow.dag.needrun_jobs()):
                forks.begin(self.workflow.config.get("kind", "pictures"))

    def _callback(self, job_info, future) -> None:
        """Where nobody reads any more how a job ended (`| head`), the run still has to hear it, or
        it would wait for ever."""
        try:
            super()._callback(job_info, future)
        except OSError:
            (self.report_job_error if future.exception() else self.report_job_success)(job_info)
