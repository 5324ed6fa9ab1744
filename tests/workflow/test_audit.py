"""The command: a report card of somebody's checkpoint, or one line."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from regrowth.files import tensors
from road import ROOT, Road
from safetensors.torch import save_file

UNET = ROOT / "resources/demo/model/unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def audited(tmp_path):
    """Run `snakemake audit` in an empty folder, with what the command line says."""
    road = Road(tmp_path, yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8")))

    def run(*said, good=True):
        return road.run("audit", "--config", *said, good=good)

    return run


def pruned(file: Path) -> Path:
    held = tensors.read(UNET, tensors.names(UNET))
    for name, w in held.items():
        if name.endswith(".ff.net.2.weight"):
            held[name] = np.where(np.abs(w) > np.quantile(np.abs(w), 0.95), 0, w).astype(w.dtype)
    save_file({name: torch.from_numpy(w) for name, w in held.items()}, file)
    return file


def test_a_pruned_checkpoint_has_a_card(audited, tmp_path):
    file = pruned(tmp_path / "given.safetensors")
    said = audited(f"checkpoint={file}", "concept=golf ball")
    out = tmp_path / "results/audits/given/concept=golf-ball"
    told = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    assert told["verdict"]["word"] == "leaks" and told["concept"] == "golf ball"
    assert "\nleaks: of the lost signs" in said and "audit.html" in said
    sha = subprocess.run(["sha256sum", file], capture_output=True, text=True).stdout.split()[0]
    assert told["provenance"]["sha256"] == {str(file): sha}
    assert "Has it forgotten" in (out / "audit.html").read_text(encoding="utf-8")
    assert not (tmp_path / "results/smoke").exists()
    assert "Nothing to be done" in audited(f"checkpoint={file}", "concept=golf ball")


def test_what_cannot_be_audited_is_one_line_and_nothing_is_written(audited, tmp_path):
    file = tmp_path / "given.pt"
    file.write_bytes(b"no checkpoint at all, but some text")
    said = audited(f"checkpoint={file}", "concept=church", good=False)
    assert f"{file} holds more than weights by name, or is damaged" in said
    assert "Traceback" not in said and not (tmp_path / "results/audits").exists()


def test_the_bases_own_checkpoint_is_untouched(audited, tmp_path):
    model = ROOT / "resources/demo/model"
    audited(f"checkpoint={UNET}", "concept=church", f"base={model}")
    (card,) = tmp_path.glob("results/audits/*/*/audit.json")
    told = json.loads(card.read_text(encoding="utf-8"))
    assert told["done"]["kind"] == "untouched" and told["verdict"]["word"] == "leaks"
