"""What small jobs cost under SLURM: sixteen masks and sixteen prunings, submitted in several ways.

Starts a SLURM of its own on this machine: as root, with Debian's slurm-wlm and munge.
    python benchmarks/cluster.py
"""

import site
import sys
import tempfile
import time
from pathlib import Path

site.addsitedir(str(Path(__file__).resolve().parents[1] / "tests" / "workflow"))

import pandas as pd
import slurm
import speed
import yaml
from road import ROOT, Road
from test_slurm import STUDY, OnCluster

#: Way → layers in a job, and what it changes of profiles/slurm.
WAYS = {
    "each by itself": (1, {"groups": [], "group-components": []}),
    "array jobs": (1, {"groups": [], "group-components": [], "slurm-array-jobs": "all"}),
    "groups of 4": (1, {"group-components": ["erase=4"]}),
    "16 layers in a job": (16, {"groups": [], "group-components": []}),
}


class InAWay(OnCluster):
    """Through a copy of the cluster's profile with some settings changed."""

    def using(self, changes: dict) -> "InAWay":
        profile = (
            yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
            | changes
        )
        profile |= {"slurm-init-seconds-before-status-checks": 2}
        self.profile = self.folder / "profile"
        self.profile.mkdir()
        (self.profile / "config.yaml").write_text(
            yaml.safe_dump({key: value for key, value in profile.items() if value != []}),
            encoding="utf-8",
        )
        return self

    def command(self, *args):
        return [
            str(self.profile) if part == str(ROOT / "profiles" / "slurm") else part
            for part in super().command(*args)
        ]


def main() -> pd.DataFrame:
    rows = []
    with tempfile.TemporaryDirectory() as work, slurm.Cluster(Path(work, "slurm")) as cluster:
        for way, (per_job, changes) in WAYS.items():
            folder = Path(work, str(len(rows)))
            folder.mkdir()
            study = (
                yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text(encoding="utf-8")) | STUDY
            )
            road = InAWay(folder, study | {"layers_per_job": per_job}).using(changes)
            cell = "concept=church/eraser=conceptprune"
            out = f"results/{study['study']}"
            Road(folder, road.config).run(f"{out}/calibration/{cell}/norms.safetensors")
            whole = f"{cell}/defence=none/sigma=none/weight_seed=none"
            parts = [
                f"{out}/released/{whole}/part={i:02d}.safetensors" for i in range(16 // per_job)
            ]
            before, start = len(cluster.jobs()), time.monotonic()
            road.run(*parts)
            took = time.monotonic() - start
            submitted = len(cluster.jobs()) - before
            rows.append({"submitted": way, "jobs of SLURM's": submitted, "seconds": took})
            print(rows[-1], file=sys.stderr)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    if why := slurm.lacking():
        sys.exit(why)
    print(speed.machine(), speed.table(main()), sep="\n\n")
