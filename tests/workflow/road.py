"""Runs the real Snakefile in a temporary folder."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


class Road:
    """A working folder, a study in it, and the Snakefile of `root` run on it."""

    def __init__(self, folder: Path, study: dict, root: Path = ROOT):
        self.folder, self.study, self.root = folder, folder / "study.yaml", root
        self.write(study)

    def write(self, study: dict) -> None:
        self.config = study
        self.study.write_text(yaml.safe_dump(study))

    @property
    def out(self) -> Path:
        return self.folder / "results" / self.config["study"]

    def command(self, *args: str) -> list[str]:
        where = ["--snakefile", self.root / "Snakefile", "--directory", self.folder]
        profile = ["--workflow-profile", self.root / "profiles" / "default"]
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

    def bytes_of(self, *stages: str) -> dict[str, bytes]:
        """Every result of the stages, by its path below the study's folder."""
        files = [f for stage in stages for f in sorted((self.out / stage).rglob("[!.]*"))]
        kept = [f for f in files if f.suffix in (".parquet", ".safetensors")]
        return {str(f.relative_to(self.out)): f.read_bytes() for f in kept}

    def kill(self, *args: str, when) -> str:
        """Start a run, SIGKILL it with all its jobs once `when(seconds)` holds, and unlock; says
        what it had told. Should it end first, that is all the same."""
        log, start = self.folder / "killed.log", time.monotonic()
        with open(log, "w") as stream:
            run = self.command(*args)
            driver = subprocess.Popen(run, stdout=stream, stderr=stream, start_new_session=True)
            while driver.poll() is None and not when(time.monotonic() - start):
                time.sleep(0.1)
            with suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
        self.run("--unlock")
        return log.read_text()
