"""What every script starts with: its log, its GPU and the study it belongs to."""

import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

from regrowth.files.digests import DIGESTS, digest, folder_digest
from regrowth.models import disk
from regrowth.models.card import ModelCard
from regrowth.run import devices
from regrowth.run.words import about
from regrowth.study.catalogue import Catalogue
from regrowth.study.config import Study
from regrowth.study.load import baseline_cards, load_study, put_local
from regrowth.study.prompts import Row, bundle_rows

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Job:
    """What a script uses beside its params, wildcards and files: where things lie, and how many
    pictures to draw at once. What decides a result stands in the params, or is held to a digest
    that does."""

    study: Study
    catalogue: Catalogue
    card: ModelCard
    planned: str | None = None
    root: Path = ROOT

    @property
    def name(self) -> str:
        return self.study.study

    @property
    def out(self) -> Path:
        return Path("results", self.name)

    @cached_property
    def model(self) -> Path:
        return self.located(self.card)

    def located(self, card: ModelCard) -> Path:
        """The card's model directory, if its files are still those that the run was planned with.

        Raises RuntimeError if not.
        """
        folder = disk.locate(card, self.root)
        if self.planned and folder_digest(folder, disk.loaded(folder), DIGESTS) != self.planned:
            raise RuntimeError(f"{folder} has changed since this run was planned: start it again")
        return folder

    def drawn(self, variant: str) -> Path:
        """The directory of the model that a variant is drawn from."""
        cards = baseline_cards(self.study, self.root, [])
        put_local(self.study, self.catalogue, list(cards.values()), [])
        return self.located(cards.get(variant, self.card))

    def rows(self, wildcards: Mapping[str, str], planned: str) -> list[Row]:
        """The rows of a shard of a bundle. Raises RuntimeError if they are not those that the run
        was planned with, by their digest."""
        size, bundle = self.study.images.shard, wildcards["prompts"]
        first = int(wildcards["shard"]) * size
        every = bundle_rows(self.study, self.catalogue, bundle, self.root)
        if digest(rows := every[first : first + size]) != planned:
            raise RuntimeError(f"prompts of {bundle} have changed since this run was planned")
        return rows

    def checkpoint(self, wildcards: Mapping[str, str]) -> Path:
        """The pruned checkpoint that a job's eraser was given for its concept."""
        return self.root / self.study.erasers.checkpoints(wildcards["eraser"])[wildcards["concept"]]

    def layers(self, names: list[str]) -> list[disk.Layer]:
        component = "text_encoder" if names[0].startswith("text_encoder.") else "unet"
        known = disk.matrices(self.model, component)
        return [known[name] for name in names]

    def sizes(self, names: list[str]) -> dict[str, int]:
        """The weights of each layer."""
        layers = self.layers(names) if names else []
        return {layer.name: layer.shape[0] * layer.shape[1] for layer in layers}


def terminal(name: str, every: float = 60) -> logging.Handler:
    """For the driver's terminal, which many jobs share: errors, and of a job that takes longer than
    `every` seconds now and then a line with its pace. name: the job's."""
    handler, told = logging.StreamHandler(), time.monotonic()

    def passes(record: logging.LogRecord) -> bool:
        nonlocal told
        due = getattr(record, "pace", False) and time.monotonic() - told >= every
        told = time.monotonic() if due else told
        return due or record.levelno >= logging.ERROR

    handler.addFilter(passes)
    handler.setFormatter(logging.Formatter(f"{name.replace('%', '%%')}: %(message)s"))
    return handler


def begin(snakemake) -> None:
    """Send the log, warnings and any uncaught exception to the rule's log file; claim a GPU if
    the rule asks for one."""
    name = " ".join(filter(None, [snakemake.rule, about(snakemake.output)]))
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=[
            logging.FileHandler(snakemake.log[0], "w", encoding="utf-8"),
            *([] if "REGROWTH_BAR" in os.environ else [terminal(name)]),
        ],
        force=True,
    )
    logging.captureWarnings(True)
    for noisy in ("httpx", "httpx2", "matplotlib", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    def uncaught(kind, value, trace):
        logging.error("%s", value, exc_info=(kind, value, trace))

    sys.excepthook = uncaught
    if given := devices.claim(devices.asked_for(snakemake.resources)):
        logging.info("GPU %s", given)
        if metadata.version("torch").endswith("+cpu"):
            logging.warning(
                "torch is built for the CPU and uses no GPU: `make -B .venv/ready TORCH=cuda`"
            )


def start(snakemake) -> Job:
    """`begin`, and read the study."""
    begin(snakemake)
    told = snakemake.params
    planned = told.get("model") or dict(told.get("sampling") or {}).get("model")
    return Job(*load_study(dict(snakemake.config), ROOT, files=False), planned)
