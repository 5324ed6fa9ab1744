"""Runs the real Snakefile in a temporary folder."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


class Road:
    """A working folder, a study in it, and Snakemake run on it."""

    def __init__(self, folder: Path, study: dict):
        self.folder, self.study = folder, folder / "study.yaml"
        self.write(study)

    def write(self, study: dict) -> None:
        self.config = study
        self.study.write_text(yaml.safe_dump(study))

    @property
    def out(self) -> Path:
        return self.folder / "results" / self.config["study"]

    def command(self, *args: str) -> list[str]:
        where = ["--snakefile", ROOT / "Snakefile", "--directory", self.folder]
        profile = ["--workflow-profile", ROOT / "profiles" / "default"]
        study = ["--configfile", self.study]
        run = [sys.executable, "-m", "snakemake", *where, *profile, "--cores", "2", *args, *study]
        return list(map(str, run))

    def run(self, *args: str, good: bool = True) -> str:
        done = subprocess.run(
            self.command(*args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert (done.returncode == 0) == good, done.stdout[-6000:]
        return done.stdout

    def planned(self) -> Counter:
        """Jobs by rule that a run would do now."""
        told = self.run("--dry-run")
        stats = told[told.rindex("Job stats:") :] if "Job stats:" in told else ""
        counts = Counter({m[0]: int(m[1]) for m in re.findall(r"^(\w+) +(\d+)$", stats, re.M)})
        del counts["total"], counts["all"]
        return +counts

    def bytes_of(self, stage: str) -> dict[str, bytes]:
        files = sorted((self.out / stage).rglob("*.parquet"))
        return {str(f.relative_to(self.out)): f.read_bytes() for f in files}
