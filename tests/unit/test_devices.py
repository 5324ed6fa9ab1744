"""A GPU for each job: real processes that claim devices of a pretended machine."""

import logging
import os
import select
import signal
import subprocess
import sys
import uuid
import warnings
from types import SimpleNamespace

import pytest
from regrowth.run import devices
from regrowth.run import job as jobs

CLAIM = """
import os, signal, sys
from regrowth.run import devices
if user := os.environ.get("USER_ID"):
    os.setuid(int(user))
devices.PACE = 0.05
signal.alarm(60)
print(devices.claim(sys.argv[1] == "wanted"), flush=True)
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start():
    begun = []

    def job(wanted=True, umask=-1, **more):
        own = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "CUDA"))}
        command = [sys.executable, "-c", CLAIM, "wanted" if wanted else "none"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "umask": umask}
        begun.append(subprocess.Popen(command, env=own | more, text=True, **pipes))
        return begun[-1]

    yield job
    for process in begun:
        process.kill()
        process.wait()


#: Names of this run's own: another run of these tests may be at work on the machine.
ONE, OTHER = (f"GPU-{uuid.uuid4()}" for _ in range(2))
TWO = {"CUDA_VISIBLE_DEVICES": f"{ONE},{OTHER}"}


def test_two_jobs_have_a_device_each_and_the_third_waits_for_one(start):
    first, second = start(**TWO), start(**TWO)
    got = {first: first.stdout.readline().strip(), second: second.stdout.readline().strip()}
    assert sorted(got.values()) == sorted([ONE, OTHER])
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
    assert start(**TWO).stdout.readline().strip() == ONE


@pytest.mark.parametrize(
    "gpu, build, warned", [(1, "2.13.0+cpu", True), (1, "2.13.0", False), (0, "2.13.0+cpu", False)]
)
def test_a_torch_that_cannot_use_the_gpu_is_said_to_in_the_log(
    monkeypatch, tmp_path, gpu, build, warned
):
    """As on the nodes of a cluster whose login node has none."""
    monkeypatch.setattr(devices, "claim", lambda wanted: "0" if wanted else "")
    monkeypatch.setattr(jobs.metadata, "version", {"torch": build}.get)
    for owner, name in ((sys, "excepthook"), (warnings, "showwarning"), (logging.root, "level")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(logging.root, "handlers", [])
    told = {"rule": "generate", "output": [], "log": [tmp_path / "log"], "resources": {"gpu": gpu}}
    jobs.begin(SimpleNamespace(**told))
    logging.captureWarnings(False)
    logging.root.handlers[0].close()
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "WARNING" in line and "make -B" in line] == lines[1:]
    assert len(lines) == gpu + warned


def test_devices_can_be_shared(start):
    share = TWO | {"REGROWTH_SHARE_GPU": "1"}
    assert [start(**share).stdout.readline().strip() for _ in range(3)] == [f"{ONE},{OTHER}"] * 3


@pytest.mark.parametrize("umask", [0o077, 0o027, 0])
def test_devices_are_held_against_every_user_whatever_the_umask(start, tmp_path, umask):
    """Each has a folder for temporary files; as root, a second user is a real one."""
    people = [{}, {"USER_ID": "65534"} if os.geteuid() == 0 else {}]
    got = []
    for i, more in enumerate(people):
        (tmp_path / str(i)).mkdir()
        got.append(start(umask=umask, **TWO, **more, TMPDIR=str(tmp_path / str(i))))
    assert {job.stdout.readline().strip() for job in got} == {ONE, OTHER}
    third = start(umask=umask, **TWO, **people[1])
    assert select.select([third.stdout], [], [], 0.5)[0] == []


def test_a_slash_in_a_name_is_part_of_it(start):
    """The names of MIG devices before driver 470."""
    names = [f"MIG-{ONE}/{i}/0" for i in range(2)]
    got = [start(CUDA_VISIBLE_DEVICES=",".join(names)) for _ in names]
    assert sorted(job.stdout.readline().strip() for job in got) == names


@pytest.mark.parametrize("given", ["-1", "none", "NoDevFiles", "", " ", "-1,0", "0,0"])
def test_no_device_is_waited_for_where_there_is_none(start, given):
    for job in [start(CUDA_VISIBLE_DEVICES=given) for _ in range(2)]:
        assert [job.stdout.readline() for _ in range(2)] == ["\n", "\n"]


@pytest.mark.parametrize(
    ("given", "seen"),
    {
        "0, 2": ["0", "2"],
        "1,-1,0": ["1"],
        "0,none,1": ["0"],
        "2,3,1": ["2"],
        "01gpu,1": [],
        "GPU-a,GPU-b": ["GPU-a", "GPU-b"],
        "GPU-a,0": ["GPU-a"],
        "0,GPU-a": ["0"],
        "GPU-a,MIG-b": ["GPU-a"],
        "MIG-GPU-a/7/0,MIG-b": ["MIG-GPU-a/7/0", "MIG-b"],
        "GPU-a,GPU-a": [],
    }.items(),
)
def test_the_variable_is_read_as_cuda_reads_it(monkeypatch, tmp_path, given, seen):
    """Up to the first that is no device; of three."""
    for i in range(3):
        (tmp_path / str(i)).mkdir()
    monkeypatch.setattr(devices, "DRIVER", tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert devices.numbers() == seen


def test_what_slurm_gave_is_divided_within_its_job_alone(start):
    """A study may run whole in one job of SLURM; another job's devices may bear the same names."""
    for name in ("7", "8"):
        given = TWO | {"SLURM_JOB_ID": name}
        got = [start(**given).stdout.readline().strip() for _ in range(2)]
        assert sorted(got) == sorted([ONE, OTHER])


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
