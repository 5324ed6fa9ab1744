"""A real SLURM cluster on this machine alone: slurmctld, slurmd and munged on the loopback address.

Packages slurm-wlm and munge of Debian; as root, since slurm.conf must lie in /etc/slurm.
"""

import os
import subprocess
import time
from pathlib import Path

from debian import lacking as lacking_programs

ETC = Path("/etc/slurm")
PACKAGES = ("slurm-wlm", "munge")
CONF = """\
ClusterName=regrowth
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPidFile={d}/slurmctld.pid
SlurmdPidFile={d}/slurmd.pid
StateSaveLocation={d}/state
SlurmdSpoolDir={d}/spool
SlurmctldLogFile={d}/slurmctld.log
SlurmdLogFile={d}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
MinJobAge=600
EnforcePartLimits=ALL
KillWait=5
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=localhost CPUs=4 RealMemory=16000 Gres=gpu:2 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
"""


def lacking() -> str:
    """Why there can be no cluster here; empty if there can. Installs what Debian offers."""
    if os.geteuid():
        return "only root may start a SLURM of its own"
    if ETC.joinpath("slurm.conf").exists() and not ETC.joinpath("regrowth").exists():
        return f"{ETC} belongs to another cluster"
    return lacking_programs(("slurmctld", "slurmd", "munged"), PACKAGES)


class Cluster:
    """Started with `with`; two pretended GPUs (character devices that hold nothing)."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(2):
            os.mknod(self.folder / f"gpu{i}", 0o20666, os.makedev(1, 3))
        ETC.mkdir(exist_ok=True)
        (ETC / "regrowth").touch()
        (ETC / "slurm.conf").write_text(CONF.format(d=self.folder), encoding="utf-8")
        (ETC / "gres.conf").write_text(
            f"NodeName=localhost Name=gpu File={self.folder}/gpu[0-1]\n", encoding="utf-8"
        )
        subprocess.run(["install", "-d", "-o", "munge", "-g", "munge", "-m755", "/run/munge"])
        if subprocess.run(["munge", "--no-input"], capture_output=True).returncode:
            # A socket that a munged of before has left is no hindrance
            subprocess.run(["runuser", "-u", "munge", "--", "munged", "--force"], check=True)
        subprocess.run(["slurmctld", "-c"], check=True)
        subprocess.run(["slurmd"], check=True)
        for _ in range(60):
            if "idle" in self.ask("sinfo", "-h", "-o", "%T"):
                return self
            time.sleep(0.5)
        raise RuntimeError(
            f"no idle node:\n{(self.folder / 'slurmctld.log').read_text(encoding='utf-8')[-2000:]}"
        )

    def __exit__(self, *_):
        self.ask("scancel", "--user", "root")
        for name in ("slurmd", "slurmctld"):
            file = self.folder / f"{name}.pid"
            if file.exists():
                subprocess.run(["kill", file.read_text(encoding="utf-8").strip()])
        for name in ("slurm.conf", "gres.conf", "regrowth"):
            (ETC / name).unlink(missing_ok=True)

    def ask(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True).stdout

    def jobs(self) -> list[tuple[str, str, str]]:
        """(id, state, comment, which names the rule) of every job that the cluster remembers."""
        told = self.ask("squeue", "-h", "-t", "all", "-o", "%i|%T|%k")
        return [tuple(line.split("|", 2)) for line in told.splitlines()]
