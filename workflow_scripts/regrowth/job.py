"""What every script starts with: its log, its threads, its device and the study it belongs to."""

import logging
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from regrowth import devices, models
from regrowth.catalogue import Catalogue, ModelCard
from regrowth.config import Study, baseline_cards, load_study, put_local
from regrowth.provenance import DIGESTS, folder_digest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Job:
    study: Study
    catalogue: Catalogue
    card: ModelCard
    planned: str | None = None
    root: Path = ROOT

    @cached_property
    def model(self) -> Path:
        return self.located(self.card)

    def located(self, card: ModelCard) -> Path:
        """The card's model directory, if its files are still those that the run was planned with.

        Raises RuntimeError if not.
        """
        folder = models.locate(card, self.root)
        if self.planned and folder_digest(folder, DIGESTS) != self.planned:
            raise RuntimeError(f"{folder} has changed since this run was planned: start it again")
        return folder

    def baseline(self, name: str) -> ModelCard:
        cards = baseline_cards(self.study, self.root, [])
        put_local(self.study, self.catalogue, list(cards.values()), [])
        return cards[name]

    def layers(self, names: list[str]) -> list[models.Layer]:
        component = "text_encoder" if names[0].startswith("text_encoder.") else "unet"
        known = models.matrices(self.model, component)
        return [known[name] for name in names]

    @cached_property
    def device(self) -> str:
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


def start(snakemake) -> Job:
    """Send the log, warnings and any uncaught exception to the rule's log file; claim a GPU if
    the rule asks for one; read the study.

    The terminal, which many jobs share, is told of errors only.
    """
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.ERROR)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=[logging.FileHandler(snakemake.log[0], "w"), terminal],
        force=True,
    )
    logging.captureWarnings(True)
    for noisy in ("httpx", "httpx2", "matplotlib", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    def uncaught(kind, value, trace):
        logging.error("%s", value, exc_info=(kind, value, trace))

    sys.excepthook = uncaught
    devices.claim(bool(snakemake.resources.get("gpu")))
    told = snakemake.params
    planned = told.get("model") or dict(told.get("sampling") or {}).get("model")
    return Job(*load_study(dict(snakemake.config), ROOT, files=False), planned)


def use_threads(n: int) -> None:
    """Hold torch to `n` threads, so that results can be compared byte by byte."""
    import torch

    torch.set_num_threads(n)
