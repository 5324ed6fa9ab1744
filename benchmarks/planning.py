"""Seconds that a dry run of about ten thousand jobs takes; in docs/sweep.md.

Run from the project's folder: python benchmarks/planning.py
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROUNDS = 3
LARGE = {"study": "planning", "judges": ["objects"], "signs": {"solvers": ["nuclear"]}}


def main() -> None:
    study = yaml.safe_load(Path("config/demo-full.yaml").read_text(encoding="utf-8")) | LARGE
    objects = study["sweep"][0]["concepts"]
    study["sweep"] = [
        {
            "concepts": objects,
            "variants": ["pruned", "revived"],
            "K": [round(k / 100, 2) for k in range(30, 100)],
            "magnitudes": ["max", "mean", "sample", "layer-sample"],
        }
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "study.yaml")
        file.write_text(yaml.safe_dump(study), encoding="utf-8")
        command = ["-m", "snakemake", "-n", "--directory", folder, "--configfile", str(file)]
        for _ in range(ROUNDS):
            start = time.monotonic()
            told = subprocess.run([sys.executable, *command], capture_output=True, text=True)
            seconds = time.monotonic() - start
            jobs = re.findall(r"^total +(\d+)$", told.stdout, re.M)
            if told.returncode:
                sys.exit(told.stdout + told.stderr)
            print(f"{int(jobs[0]):,} jobs in {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
