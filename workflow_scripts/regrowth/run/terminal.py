"""What a run shows in a terminal: one bar, what is running now in words, errors in full."""

import logging
import math
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text
from snakemake.logging import DefaultFilter
from snakemake_interface_logger_plugins.common import LogEvent

#: Tells jobs that their driver shows a bar, so that they leave its terminal alone.
SHOWN = "REGROWTH_BAR"
#: Jobs that are named at once.
NAMED = 2
#: What the bar says better.
DROPPED = (
    *(LogEvent.WORKFLOW_STARTED, LogEvent.RULEGRAPH, LogEvent.RESOURCES_INFO),
    *(LogEvent.GROUP_INFO, LogEvent.JOB_STARTED, LogEvent.SHELLCMD),
)
NOISE = (
    *("Select jobs to execute", "Execute ", "Complete log", "Using shell", "Conda environments"),
    "Assuming unrestricted shared filesystem usage",
)
_live: list["Bar"] = []


class Pace(ProgressColumn):
    """How long it took, how fast it goes, how long it may take."""

    max_refresh = 1

    def render(self, task: Task) -> Text:
        told = [f"{(task.elapsed or 0) / 60:.0f} min"]
        told += [f"{60 * task.speed:.2g} a minute"] if task.speed else []
        if task.time_remaining is not None:
            told += [f"about {math.ceil(task.time_remaining / 60)} min left"]
        return Text(", ".join(told))


class Bar:
    """done of total jobs, and the names of those that run."""

    def __init__(self, console: Console):
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("jobs,"),
            Pace(),
            console=console,
            transient=True,
            speed_estimate_period=600,  # over minutes, since jobs differ
        )
        self.task = self.progress.add_task("", total=None, start=False)
        self.running: dict[int, str] = {}
        self.failed = 0

    def begins(self, job: int, name: str) -> None:
        self.running[job] = name
        self._tell()

    def ends(self, job: int, failed: bool = False) -> None:
        self.running.pop(job, None)
        self.failed += failed
        self._tell()

    def counts(self, done: int, total: int) -> None:
        if not done:
            self.progress.start()
            self.progress.start_task(self.task)
        self.progress.update(self.task, completed=done, total=total)

    def _tell(self) -> None:
        names = list(self.running.values())
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        gone = f"[red]{self.failed} failed[/red] · " if self.failed else ""
        text = gone + " · ".join(names[:NAMED]) + more
        self.progress.update(self.task, description=text)


def finish() -> None:
    """Take the bar away, before what is said at the end."""
    while _live:
        _live.pop().progress.stop()
    os.environ.pop(SHOWN, None)


class Terminal(logging.Handler):
    """bar: None where standard error is no terminal, for a plan, and for a run that is to be quiet
    about its progress."""

    bar: Bar | None = None

    def __post_init__(self) -> None:
        told = self.common_settings  # type: ignore[attr-defined]
        self.allowed = DefaultFilter(
            told.quiet, told.debug_dag, told.verbose, told.dryrun, told.printshellcmds
        )
        quiet = {str(kind) for kind in told.quiet or ()}
        plain = told.dryrun or told.stdout or quiet & {"all", "progress"}
        if sys.stderr.isatty() and not plain:
            self.console = Console(stderr=True, highlight=False)
            self.bar = Bar(self.console)
            _live.append(self.bar)
            os.environ[SHOWN] = "1"

    def emit(self, record: logging.LogRecord) -> None:
        if self.bar is not None and not self._shown(self.bar, record):
            text = self.format(record)
            if text and text != "None" and self.allowed.filter(record):
                self.console.print(text, markup=False, soft_wrap=True)

    def _shown(self, bar: Bar, record: logging.LogRecord) -> bool:
        """Whether the bar tells all of a record."""
        from regrowth.run.words import named  # Snakemake imports this file whenever it starts

        event, told = getattr(record, "event", None), record.__dict__
        if event == LogEvent.JOB_INFO:
            bar.begins(told["jobid"], named(told["rule_name"], told.get("output") or ()))
        elif event == LogEvent.JOB_FINISHED:
            bar.ends(told["job_id"])
        elif event == LogEvent.RUN_INFO:
            bar.counts(0, told["stats"].get("total", 0))
        elif event == LogEvent.PROGRESS:
            bar.counts(told["done"], told["total"])
        elif event == LogEvent.JOB_ERROR:
            bar.ends(told["jobid"], failed=True)
            name = named(told["rule_name"], told.get("output") or ())
            why = escape(reason(told.get("log") or ()))
            self.console.print(f"[red]{name}[/red] failed: {why}", soft_wrap=True)
        else:
            return event in DROPPED or record.getMessage().startswith(NOISE)
        return True

    def close(self) -> None:
        finish()
        super().close()


def reason(logs) -> str:
    """The last error in a job's log, all its lines but the traceback, and where the log is."""
    for log in map(Path, logs):
        with suppress(OSError):
            told = log.read_text(encoding="utf-8", errors="replace")
            records = re.split(r"^\d[-\d:, ]+ (?=[A-Z]+ )", told, flags=re.M)
            errors = [r.removeprefix("ERROR ") for r in records if r.startswith("ERROR ")]
            last, *_ = errors[-1].split("\nTraceback") if errors else ["it ended without a word"]
            return f"{last.strip()}\n    {log}"
    return "it left no log"
