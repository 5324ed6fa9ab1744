"""A study through a real SLURM: as on one machine; what is cancelled or killed comes back."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
import slurm
from road import ROOT, Road

STUDY = {
    "judges": ["objects"],
    "signs": {"solvers": ["nuclear"]},
    "sweep": [
        {
            "concepts": ["church"],
            "variants": ["pruned", "revived"],
            "K": [0.6],
            "magnitudes": ["max"],
        }
    ],
}


class OnCluster(Road):
    """The same, through the cluster's profile; what differs for this machine is on the command."""

    def command(self, *args):
        known = super().command(*args)
        known[known.index(str(ROOT / "profiles" / "default"))] = str(ROOT / "profiles" / "slurm")
        at = known.index("--cores")
        # one rule asks as sites want it that have no --gpus
        here = ["--set-resources", "calibrate:gpu=0", "calibrate:gres=gpu:1"]
        here += ["--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2"]
        here += ["--default-resources", "slurm_partition=debug", "--slurm-no-account"]
        return [*known[:at], *here, *known[at + 2 :]]

    def start(self) -> subprocess.Popen:
        with open(self.folder / "driver.log", "a", encoding="utf-8") as told:
            return subprocess.Popen(
                self.command(), stdout=told, stderr=told, env=plain(), start_new_session=True
            )


def plain():
    """No limits of this process's own in a job: SLURM passes the environment on."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "MKL_"))}


#: Seconds that all tests before it may have taken: CI has ten minutes.
SOON = 240


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, pytestconfig):
    if (spent := time.monotonic() - pytestconfig.begun) > SOON:
        pytest.skip(
            f"this machine is slow: the tests before took {spent / 60:.0f} minutes, and a cluster "
            f"takes as long as a third of them; `make soak` runs it in any case"
        )
    if why := slurm.lacking():
        pytest.skip(why)
    with slurm.Cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def local(spare):
    """The smoke study of this machine, made smaller: nothing but its tables is made again."""
    spare.write(spare.config | STUDY)
    shutil.rmtree(spare.out / "tables")
    spare.run()
    return spare


def wait_for(found, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if got := found():
            return got
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds} s for {found}")


def described(cluster) -> list[str]:
    return cluster.ask("scontrol", "show", "job").split("JobId=")[1:]


def test_the_cluster_makes_the_tables_of_one_machine(cluster, tmp_path_factory, local):
    road = OnCluster(tmp_path_factory.mktemp("cluster"), local.config)
    driver = road.start()

    def working():
        running = [(i, what) for i, state, what in cluster.jobs() if state == "RUNNING"]
        return [i for i, what in running if what.startswith("rule_calibrate")]

    (victim, *_) = wait_for(working)
    cluster.ask("scancel", victim)
    wait_for(lambda: [j for j in cluster.jobs() if j[0] == victim and j[1] == "CANCELLED"])
    wait_for(lambda: list(road.out.glob("masks/**/*.safetensors")))  # so it came back, and
    tries = [j for j in described(cluster) if "Comment=rule_calibrate_" in j]
    limits = [re.search(r"TimeLimit=(\S+)", j)[1] for j in tries]
    assert limits == ["01:00:00", "02:00:00"], "with more of what it may have lacked"
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    wait_for(lambda: all(state not in ("RUNNING", "PENDING") for _, state, _ in cluster.jobs()))
    done = [file for stage in ("calibration", "masks") for file in (road.out / stage).rglob("*.*")]
    kept = {file: file.stat().st_mtime_ns for file in done}
    road.run("--unlock")
    road.run(env=plain())
    assert not road.planned()
    assert len(kept) == 2 and kept == {file: file.stat().st_mtime_ns for file in kept}
    assert road.bytes_of("tables") == local.bytes_of("tables")
    made, here = (each.bytes_of("masks", "patches", "scores", "signs") for each in (road, local))
    assert len(made) > 5 and made == {name: here[name] for name in made}
    jobs = described(cluster)
    asked = {"calibrate": "TresPerNode=gres:gpu:1", "generate": "TresPerJob=gres:gpu:1"}
    for rule, how in (asked | {"signs": None}).items():
        own = [job for job in jobs if f"Comment=rule_{rule}_" in job]
        assert own and all(("gres:gpu" in job) == bool(how) for job in own)
        assert all(how in job for job in own if how)
        logs = [file.read_text(encoding="utf-8") for file in road.out.glob(f"logs/{rule}/**/*.log")]
        assert logs and all((" INFO GPU " in log) == bool(how) for log in logs)
