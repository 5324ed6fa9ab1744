"""The command: a report card of somebody's checkpoint, or one line."""

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from browser import opened, resize
from PIL import Image
from regrowth.audit.verdict import with_pictures
from regrowth.files import images, tensors
from regrowth.files.bits import unpack
from regrowth.files.store import read_arrays
from regrowth.show import album
from regrowth.show.audit import page
from regrowth.study import variants
from road import ROOT, Road
from safetensors.torch import save_file
from selenium.webdriver.common.by import By

UNET = ROOT / "resources/demo/model/unet/diffusion_pytorch_model.safetensors"


SMOKE = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def audited(tmp_path):
    """Run `snakemake audit` in an empty folder, with what the command line says."""
    road = Road(tmp_path, SMOKE)

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


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    """An audit of a pruned checkpoint: its road, what it was asked, what it said, its folder."""
    road = Road(tmp_path_factory.mktemp("audit"), SMOKE)
    file = pruned(road.folder / "given.safetensors")
    asked = ["--config", f"checkpoint={file}", "concept=golf ball"]
    said = road.run("audit", *asked)
    out = road.folder / "results/audits/given/concept=golf-ball"
    return SimpleNamespace(road=road, file=file, asked=asked, said=said, out=out)


def test_a_pruned_checkpoint_has_a_card(audit):
    told = json.loads((audit.out / "audit.json").read_text(encoding="utf-8"))
    assert told["verdict"]["word"] == "leaks" and told["concept"] == "golf ball"
    assert "\nleaks: of the lost signs" in audit.said and "audit.html" in audit.said
    sha = hashlib.sha256(audit.file.read_bytes()).hexdigest()
    assert told["provenance"]["sha256"] == {str(audit.file): sha}
    assert not (audit.road.folder / "results/smoke").exists()
    assert "Nothing to be done" in audit.road.run("audit", *audit.asked)


def test_the_card_stands_alone_in_a_browser(audit, phone):
    """On a phone, too: nothing is fetched, nothing goes wrong, and tables scroll in their boxes."""
    for width in (380, 1280):
        resize(phone, width)
        assert opened(phone, audit.out / "audit.html") == ([], [])
        assert phone.find_element(By.ID, "verdict").text == "Leaks."
        assert phone.find_element(By.TAG_NAME, "h1").text == "Has it forgotten “golf ball”?"
        assert phone.execute_script("return document.documentElement.scrollWidth") <= width
        rows = phone.find_elements(By.CSS_SELECTOR, "#table-layers tbody tr")
        assert len(rows) == 16 and rows[0].is_displayed()
    (save,) = phone.find_elements(By.XPATH, "//button[. = 'Save as CSV']")
    saved = "return arguments[0].nextElementSibling.dataset.file"
    assert phone.execute_script(saved, save) == "audit-golf-ball-layers.csv"


@pytest.mark.parametrize("unsafe", [True, False])
def test_unsafe_pictures_of_a_card_are_blurred(audit, chromium, tmp_path, unsafe):
    told = json.loads((audit.out / "audit.json").read_text(encoding="utf-8"))
    src = album.source(images.encode(Image.new("RGB", (8, 8), (200, 50, 100))))
    shown = pd.DataFrame([variants.PRETRAINED | {"prompt": "a candle", "seed": 0, "src": src}])
    about = {"concept": "candle", "prompt_set": "objects", "unsafe": unsafe}
    drawn = {"told": "stayed erased", "answer": "It did.", "rates": [], "report": "r.html"}
    drawn |= {"tried": [], "left": []}
    grids = [album.grid(shown) | about]
    (tmp_path / "a.html").write_text(page(with_pictures(told, drawn), grids), encoding="utf-8")
    assert opened(chromium, tmp_path / "a.html") == ([], [])
    (image,) = chromium.find_elements(By.TAG_NAME, "img")
    assert ("blur" in image.value_of_css_property("filter")) == unsafe


def test_snakemakes_report_carries_the_card(audit):
    file = audit.road.folder / "report.html"
    audit.road.run("audit", *audit.asked, "--report", str(file))
    text = file.read_text(encoding="utf-8")
    card = (audit.out / "audit.html").read_bytes()
    assert b64encode(card).decode() in text
    assert "What was done to a checkpoint, and what of it leaks" in text


def test_what_cannot_be_audited_is_one_line_and_nothing_is_written(audited, tmp_path):
    file = tmp_path / "given.pt"
    file.write_bytes(b"no checkpoint at all, but some text")
    said = audited(f"checkpoint={file}", "concept=church", good=False)
    assert f"{file} holds more than weights by name, or is damaged" in said
    assert "Traceback" not in said and not (tmp_path / "results/audits").exists()


def test_filled_holes_are_attacked_as_they_are_given_through_a_detector(tmp_path):
    """What is released are the file's own weights, and no mask is made of them: what `blind` reads
    beside them is what the detector says."""
    held = tensors.read(UNET, tensors.names(UNET))
    for name, w in held.items():
        if name.endswith(".ff.net.2.weight"):
            held[name] = np.where(np.abs(w) > np.quantile(np.abs(w), 0.95), -w, w)
    file = tmp_path / "given.safetensors"
    save_file({name: torch.from_numpy(w) for name, w in held.items()}, file)
    block = {"concepts": ["church"], "erasers": ["filled"], "variants": ["pruned", "blind"]}
    more = {"detectors": ["combined-0.08"]}
    study = {"erasers": {"filled": {"church": str(file)}}, "sweep": [block | more]}
    road = Road(tmp_path, SMOKE | study)
    cell = "concept=church/eraser=filled/defence=none/sigma=none/weight_seed=none"
    detected = f"detected/{cell}/detector=combined-0.08/positions.safetensors"
    road.run(str(road.out.relative_to(tmp_path) / detected))
    patch = f"patches/{cell}/variant=blind/detector=combined-0.08/patch.safetensors"
    assert road.planned(str(road.out.relative_to(tmp_path) / patch)) == {"blind": 1}
    released = read_arrays(road.out.glob(f"released/{cell}/*.safetensors"))
    assert len(released) == 16 and not (road.out / "masks").exists()
    for name, w in released.items():
        np.testing.assert_array_equal(w, held[name])
    bits = read_arrays(road.out / detected)
    found = [unpack(bits[name], w.shape) for name, w in released.items()]
    share = sum(map(np.sum, found)) / sum(mask.size for mask in found)
    assert share == pytest.approx(0.08, abs=1e-4)
