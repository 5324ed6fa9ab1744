"""A GPU for each job: real processes that claim devices of a pretended machine."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from regrowth import devices

LIBRARY = Path(__file__).parents[2] / "workflow_scripts"
CLAIM = """
import os, sys, time
from regrowth import devices
devices.PACE = 0.05
print(devices.claim(sys.argv[1] == "wanted"), flush=True)
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    begun = []

    def job(wanted=True, **more):
        own = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "CUDA"))}
        own |= {"PYTHONPATH": str(LIBRARY), "TMPDIR": str(tmp_path)}
        command = [sys.executable, "-c", CLAIM, "wanted" if wanted else "none"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        begun.append(subprocess.Popen(command, env=own | more, text=True, **pipes))
        return begun[-1]

    yield job
    for process in begun:
        process.kill()
        process.wait()


TWO = {"CUDA_VISIBLE_DEVICES": "0,1"}


def test_two_jobs_have_a_device_each_and_the_third_waits_for_one(start):
    first, second = start(**TWO), start(**TWO)
    got = {first: first.stdout.readline().strip(), second: second.stdout.readline().strip()}
    assert sorted(got.values()) == ["0", "1"]
    assert first.stdout.readline().strip() == got[first], "CUDA sees that one alone"
    third = start(**TWO)
    assert select.select([third.stdout], [], [], 1)[0] == []
    second.send_signal(signal.SIGKILL)  # nothing is left behind by a job that was killed
    second.wait()
    assert third.stdout.readline().strip() == got[second]


def test_a_gpu_is_asked_for_in_either_way_of_a_cluster():
    for resources in ({"gpu": 1}, {"gpu": 0, "gres": "gpu:1"}, {"gres": "gpu:a100:1"}):
        assert devices.asked_for(resources)
    for resources in ({}, {"gpu": 0}, {"gpu": 0, "gres": "shard:1"}):
        assert not devices.asked_for(resources)


def test_a_job_that_asks_for_none_sees_none(start):
    job = start(wanted=False, **TWO)
    assert [job.stdout.readline().strip() for _ in range(2)] == ["", ""]
    assert start(**TWO).stdout.readline().strip() == "0"


def test_devices_can_be_shared(start):
    share = TWO | {"REGROWTH_SHARE_GPU": "1"}
    assert [start(**share).stdout.readline().strip() for _ in range(3)] == ["0,1"] * 3


def test_a_folder_of_another_user_holds_the_locks_too(monkeypatch, tmp_path):
    def refuse(*args):
        raise PermissionError("not yours")

    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(devices.Path, "chmod", refuse)
    monkeypatch.setattr(devices, "_held", [])
    assert devices._lock("0") and not devices._lock("0") and devices._lock("1")


def test_what_slurm_gave_is_divided_within_its_job_alone(start):
    """A study may run whole in one job of SLURM; another job's devices may bear the same names."""
    for name in ("7", "8"):
        given = TWO | {"SLURM_JOB_ID": name}
        got = [start(**given).stdout.readline().strip() for _ in range(2)]
        assert sorted(got) == ["0", "1"]


def test_a_machine_whose_devices_are_not_listed_is_left_to_cuda(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.claim(True) == "" and "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.claim(True) == "" and os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_devices_are_counted_without_cuda(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "none")
    assert devices.numbers() == []
    for bus in ("0000:17:00.0", "0000:65:00.0"):
        (tmp_path / "gpus" / bus).mkdir(parents=True)
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "gpus")
    assert devices.numbers() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.numbers() == []
