"""What a run shows in a terminal, from the records that Snakemake sends."""

import io
import logging
import os
import re
import sys
from types import SimpleNamespace

import pytest
from regrowth.run import terminal
from regrowth.run.words import DOING, named
from rich.console import Console
from road import ROOT
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_regrowth import LogHandler

DRAWN = "results/s/images/concept=church/variant=revived/detector=zeros/solver=nuclear/K=0.6"
DRAWN += "/magnitude=max/prompts=objects/shard=000.parquet"
SETTINGS = {"quiet": None, "debug_dag": False, "verbose": False, "printshellcmds": False}
SETTINGS |= {"dryrun": False, "stdout": False}


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """A handler on a pretended terminal, and what is on it."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    handler = LogHandler(SimpleNamespace(**SETTINGS), None)
    handler.console = Console(file=screen, force_terminal=False, width=120)
    handler.bar = terminal.Bar(handler.console)
    yield handler, screen
    handler.close()
    assert terminal.SHOWN not in os.environ


def send(handler, message="", level=logging.INFO, **more):
    record = logging.makeLogRecord({"msg": message, "levelno": level} | more)
    handler.handle(record)


def test_a_job_is_named_by_what_it_does_and_to_what(shown):
    handler, _ = shown
    send(handler, event=LogEvent.RUN_INFO, stats={"generate": 3, "total": 3})
    for job in (1, 2, 3):
        send(handler, event=LogEvent.JOB_INFO, jobid=job, rule_name="generate", output=[DRAWN])
    (task,) = handler.bar.progress.tasks
    one = "drawing church max K=0.6"
    assert task.description == f"{one} · {one} and 1 more" and task.total == 3
    send(handler, event=LogEvent.JOB_FINISHED, job_id=1)
    send(handler, event=LogEvent.PROGRESS, done=1, total=3)
    assert task.description == f"{one} · {one}" and task.completed == 1
    assert named("tables", ["results/s/tables/accuracy.parquet"]) == "making tables"
    assert named("of_mine", []) == "of_mine"


def test_the_bar_tells_time_taken_pace_and_time_left():
    task = SimpleNamespace(elapsed=130, speed=0.05, time_remaining=61)
    assert terminal.Pace().render(task).plain == "2 min, 3 a minute, about 2 min left"
    task = SimpleNamespace(elapsed=None, speed=None, time_remaining=None)
    assert terminal.Pace().render(task).plain == "0 min"


def test_rules_of_a_study_are_told_in_words():
    rules = set()
    names = "erase defend attack generate score evaluate report model audit".split()
    names += ["unlearn", "classifier_tables"]
    for name in names:
        text = (ROOT / "rules" / f"{name}.smk").read_text(encoding="utf-8")
        rules |= set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", text, re.M))
    assert rules == set(DOING)


def test_errors_are_told_in_full_and_noise_is_not(shown, tmp_path):
    handler, screen = shown
    log = tmp_path / "score.log"
    log.write_text(
        "2026-01-31 12:00:00,001 INFO 3 pictures\n2026-01-31 12:00:01,002 ERROR no [such] judge\n"
        "of two:\n- K must be\nTraceback (most recent call last):\n  raise ERROR x\n",
        encoding="utf-8",
    )
    send(handler, "Select jobs to execute...")
    send(handler, "Assuming unrestricted shared filesystem usage.")
    send(handler, "Building DAG of jobs...")
    told = {"jobid": 4, "rule_name": "score", "output": [DRAWN], "log": [str(log)]}
    send(handler, "Error in rule score", logging.ERROR, event=LogEvent.JOB_ERROR, **told)
    send(handler, "The disk is full", logging.ERROR)
    text = screen.getvalue()
    said = "judging church max K=0.6 failed: no [such] judge\nof two:\n- K must be\n"
    assert f"{said}    {log}\n" in text
    assert "The disk is full" in text and "Building DAG" in text
    assert not [noise for noise in ("Select jobs", "Assuming", "Traceback") if noise in text]
    assert handler.bar.failed == 1 and "1 failed" in handler.bar.progress.tasks[0].description
    assert terminal.reason([tmp_path / "none.log"]) == "it left no log"


@pytest.mark.parametrize("change", [{"dryrun": True}, {"stdout": True}, {"quiet": ["progress"]}])
def test_a_plan_or_a_quiet_run_has_no_bar(monkeypatch, change):
    monkeypatch.setattr(sys, "stderr", Screen())
    assert not LogHandler(SimpleNamespace(**SETTINGS | change), None).writes_to_stream


def test_without_a_terminal_snakemake_writes_its_own_lines(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not LogHandler(SimpleNamespace(**SETTINGS), None).writes_to_stream
    monkeypatch.setattr(sys, "stderr", Screen())
    handler = LogHandler(SimpleNamespace(**SETTINGS), None)
    assert handler.writes_to_stream and os.environ[terminal.SHOWN] == "1"
    handler.close()
