"""Runs the real Snakefile in a temporary folder."""

import base64
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import warm
import yaml

ROOT = Path(__file__).resolve().parents[2]


class Road:
    """A working folder, a study in it, and the Snakefile of `root` run on it."""

    def __init__(self, folder: Path, study: dict, root: Path = ROOT):
        self.folder, self.study, self.root = folder, folder / "study.yaml", root
        self.write(study)

    def write(self, study: dict) -> None:
        self.config = study
        self.study.write_text(yaml.safe_dump(study), encoding="utf-8")

    @property
    def out(self) -> Path:
        return self.folder / "results" / self.config["study"]

    def command(self, *args: str) -> list[str]:
        where = ["--snakefile", self.root / "Snakefile", "--directory", self.folder]
        profile = ["--workflow-profile", self.root / "profiles" / "default"]
        study = ["--configfile", self.study]
        run = [sys.executable, "-m", "snakemake", *where, *profile, "--cores", "2", *args, *study]
        return list(map(str, run))

    @property
    def env(self) -> dict[str, str]:
        """A library in `root` comes before the one that is installed."""
        own = self.root / "workflow_scripts"
        other = self.root != ROOT and own.is_dir()
        return os.environ | ({"PYTHONPATH": str(own)} if other else {})

    def run(self, *args: str, good: bool = True, env: dict[str, str] | None = None) -> str:
        with tempfile.NamedTemporaryFile() as log:
            ended = warm.run(self.command(*args)[3:], env or self.env, Path(log.name))
            told = Path(log.name).read_text(encoding="utf-8")
        assert (ended == 0) == good, told[-6000:]
        return told

    def pretend(self) -> None:
        """Every file of the study but for `model.yaml` empty, and as if a run had made them."""
        self.run(str((self.out / "model.yaml").relative_to(self.folder)))
        told = self.run("--dry-run", "--quiet", "progress", "host")
        for line in re.findall(r"^ +output: (.*)$", told, re.M):
            for name in line.removesuffix(" (temporary)").split(", "):
                file = self.folder / name.split(" ")[0]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        self.run("--touch", "--forceall")

    def planned(self, *args: str) -> Counter:
        """Jobs by rule that a run would do now."""
        told = self.run("--dry-run", *args)
        stats = told[told.rindex("Job stats:") :] if "Job stats:" in told else ""
        counts = Counter({m[0]: int(m[1]) for m in re.findall(r"^(\w+) +(\d+)$", stats, re.M)})
        del counts["total"], counts["all"]
        return +counts

    def bytes_of(self, *stages: str) -> dict[str, bytes]:
        """Every result of the stages, by its path below the study's folder."""
        files = [f for stage in stages for f in sorted((self.out / stage).rglob("[!.]*"))]
        kept = [f for f in files if f.suffix in (".parquet", ".safetensors")]
        return {str(f.relative_to(self.out)): f.read_bytes() for f in kept}

    def in_hand(self) -> set[str]:
        """The stages of the files that some job has begun and not ended."""
        marks = self.folder / ".snakemake" / "incomplete"
        found = set()
        for mark in (m for m in marks.rglob("*") if m.is_file() and not m.name.startswith("mig")):
            name = "".join(part.removeprefix("@") for part in mark.relative_to(marks).parts)
            file = base64.urlsafe_b64decode(name).decode()
            found.add(file.removeprefix(f"results/{self.config['study']}/").split("/")[0])
        return found

    def kill(self, late: float, stage: str = "", meanwhile=lambda: None) -> set[str]:
        """Start a run, do something `meanwhile`, and SIGKILL it with all its jobs `late` seconds
        after it has begun a job (of the stage), or what follows if that ends sooner; unlock. The
        stages that were in hand."""
        begun = None
        with open(self.folder / "killed.log", "w", encoding="utf-8") as stream:
            run = self.command()
            driver = subprocess.Popen(run, stdout=stream, stderr=stream, start_new_session=True)
            while driver.poll() is None and (begun is None or time.monotonic() - begun < late):
                if begun is None and (stage in self.in_hand() if stage else self.in_hand()):
                    meanwhile()
                    begun = time.monotonic()
                time.sleep(0.05)
            with suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
        hit = self.in_hand()
        self.run("--unlock")
        return hit
