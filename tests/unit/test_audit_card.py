"""Report cards: the verdict and its rule, and the page."""

import errno
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
import zoo
from regrowth.audit import classes, reading, verdict
from regrowth.audit.card import card
from regrowth.audit.leak import Leak
from regrowth.complete.engine import complete_all
from regrowth.run import audits
from regrowth.show.audit import page
from safetensors.torch import save_file

BESIDE = yaml.safe_load((zoo.ROOT / "config.yaml").read_text(encoding="utf-8"))


def leak(accuracy, error=0.04, taken="large", hidden=250):
    return Leak(accuracy, error, 1000, hidden, accuracy, taken)


@pytest.mark.parametrize(
    ("kind", "told", "word"),
    [
        ("pruned", leak(0.8), "leaks"),
        ("pruned", leak(0.74), "leaks"),
        ("pruned", leak(0.73), "partly"),  # .69 is below .70
        ("pruned", leak(0.57), "partly"),
        ("pruned", leak(0.56), "no leak found"),  # of 250 hidden ones by chance
        ("pruned", leak(0.56, hidden=300), "partly"),  # surely more than by chance
        ("pruned", leak(0.56, taken="small", hidden=300), "no leak found"),  # of larger ones
        ("pruned", leak(0.8, taken="small"), "partly"),
        ("pruned", None, "no leak found"),
        ("pruned and filled", leak(0.9), "partly"),
        ("pruned and filled", leak(0.52), "no leak found"),
        ("untouched", None, "leaks"),
        *((kind, None, "no leak found") for kind in list(classes.CLASSES)[2:5]),
        ("another model", None, "no leak found"),
        ("no trace", None, "no leak found"),
    ],
)
def test_a_verdict_follows_its_rule(kind, told, word):
    found = verdict.verdict(kind, told)
    assert found.word == word and found.word in verdict.WORDS and found.rule and found.do
    assert "safe" not in f"{found.word} {found.rule} {' '.join(found.do)}"


def checkpoint(folder, state):
    save_file({n: w.contiguous() for n, w in state.items()}, folder / "x.safetensors")
    return reading.opened(folder / "x.safetensors")


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    state = zoo.unet()
    folder = tmp_path_factory.mktemp("pruned")
    return card(checkpoint(folder, zoo.pruned(state, zoo.holes(state))), None)


def made(told):
    return {"sha256": {"x": "ab" * 32}, "versions": {"numpy": "2"}, "code": "c0de"}


def test_a_card_of_a_pruned_checkpoint(pruned):
    masks = zoo.holes(zoo.unet())
    assert pruned["verdict"]["word"] == "leaks" and pruned["done"]["kind"] == "pruned"
    rows = {row["layer"]: row for row in pruned["layers"]}
    assert set(rows) == set(masks)
    for name, mask in masks.items():
        assert rows[name]["pruned"] == rows[name]["taken"] == pytest.approx(mask.mean(), abs=1e-3)
        assert rows[name]["changed"] is None
    assert json.loads(json.dumps(pruned, allow_nan=False)) == pruned


def test_the_same_file_leaks_as_much_beside_its_base(pruned, tmp_path):
    """The base tells what was done; an attacker has not got it."""
    base = reading.opened(zoo.UNET)
    state = zoo.unet()
    save_file(zoo.pruned(state, zoo.holes(state)), tmp_path / "x.safetensors")
    beside = card(reading.opened(tmp_path / "x.safetensors", base), base)
    assert beside["leak"] == pruned["leak"] and beside["base"] == str(zoo.UNET)
    assert all(row["changed"] for row in beside["layers"])


@pytest.mark.parametrize("size", [0.25, 1])
def test_filled_holes_are_taken_through_a_detector(tmp_path, size):
    state, draw = zoo.unet(), torch.Generator().manual_seed(0)
    for name, mask in zoo.holes(state).items():
        noise = torch.randn(mask.shape, generator=draw).half() * state[name].std() * size
        state[name] = torch.where(torch.from_numpy(mask), noise, state[name])
    told = card(checkpoint(tmp_path, state), None)
    assert told["done"]["kind"] == "pruned and filled"
    assert told["verdict"]["word"] == ("partly" if size == 1 else told["verdict"]["word"])
    assert told["leak"]["missing"] > 1000 and all(row["taken"] for row in told["layers"])
    assert told["fills"]["ffn2"]["told"] == "filled" and told["fills"]["ffn1"]["told"] == "none"


def with_holes(state, value):
    masks = {name: torch.from_numpy(mask) for name, mask in zoo.holes(state).items()}
    return state | {n: torch.where(m, value(state[n]), state[n]) for n, m in masks.items()}


#: By what was done: how, and the verdict with the base and without.
VERDICTS = {
    "flipped": (lambda s: with_holes(s, lambda w: -w), "partly", "partly"),
    "trained on a little": (lambda s: {n: w * 1.01 for n, w in s.items()}, *["no leak found"] * 2),
    "untouched": (lambda s: s, "leaks", "no leak found"),
    "of another training": (
        lambda s: {n: w.flatten().roll(7).view(w.shape) for n, w in s.items()},
        "no leak found",
        None,
    ),
}


@pytest.mark.parametrize("what", VERDICTS)
def test_a_verdict_on_what_was_done_with_its_base_and_without(tmp_path, what):
    change, with_base, alone = VERDICTS[what]
    file = tmp_path / "x.safetensors"
    save_file({n: w.contiguous() for n, w in change(zoo.unet()).items()}, file)
    for base, word in (str(zoo.MODEL), with_base), ("", alone):
        told = card(*audits.opened(audits.Audit(str(file), "church", base))) if word else None
        assert told is None or told["verdict"]["word"] == word


def test_of_a_model_that_never_knew_it_no_leak_is_found():
    """Trained from the base's own start on other pictures, the text encoder, too."""
    base = reading.opened(zoo.MODEL)
    told = card(reading.opened(zoo.RETRAINED, base), base)
    assert told["done"]["kind"] in ("another model", "full fine-tune"), told["done"]
    assert told["verdict"]["word"] == "no leak found"
    told = card(reading.opened(zoo.RETRAINED), None)
    assert (told["done"]["kind"], told["verdict"]["word"]) == ("no trace", "no leak found")


def largest(w, share=0.05):
    return w.abs() > torch.quantile(w.abs().float().flatten(), 1 - share)


def of_text(change, end=".mlp.fc2.weight"):
    return {n: change(w) if n.endswith(end) else w for n, w in zoo.text().items()}


#: By what was done to a text encoder: its weights, and what is told with the base and without.
TEXTS = {
    "untouched": (zoo.text, "untouched", "no trace"),
    "pruned": (lambda: of_text(lambda w: torch.where(largest(w), 0, w)), *["pruned"] * 2),
    "negated": (
        lambda: of_text(lambda w: torch.where(largest(w), -w, w)),
        "pruned and filled",
        "no trace",
    ),
    "one matrix": (lambda: of_text(lambda w: w * 1.1, "1.mlp.fc1.weight"), "full fine-tune", None),
}


@pytest.mark.parametrize("what", TEXTS)
def test_what_was_done_to_a_text_encoder(tmp_path, what):
    make, with_base, alone = TEXTS[what]
    text, base = make(), reading.opened(zoo.MODEL)
    file = zoo.pipeline(tmp_path, zoo.unet(), text)
    told = card(reading.opened(file, base), base)
    assert told["done"]["kind"] == with_base
    changed = sum(bool((w != zoo.text()[n]).any()) for n, w in text.items())
    assert changed == 0 or f"({changed} of them the text encoder's)" in told["done"]["why"]
    if alone:
        told = card(reading.opened(file), None)
        assert told["done"]["kind"] == alone
        assert bool(told["fills"]) == (alone == "no trace")
        assert not told["fills"] or told["fills"]["text_encoder.fc2"]["layers"] == 2
    if alone == "pruned":
        masks = {n: largest(w).numpy() for n, w in zoo.text().items() if "mlp.fc2.weight" in n}
        own = {n: w.float().numpy() for n, w in zoo.text().items() if n in masks}
        right = [
            np.sign(done.sure) == np.sign(own[name][masks[name]])
            for name, done in complete_all(
                {n: (np.where(masks[n], 0, own[n]), masks[n]) for n in masks}, "gauss-spin"
            ).items()
        ]
        assert told["leak"]["low"] <= np.concatenate(right).mean() <= told["leak"]["high"]
        assert {row["layer"] for row in told["layers"]} == {f"text_encoder.{n}" for n in masks}


ALONE = """
import json
from pathlib import Path
from regrowth.audit import card, reading

assert not (Path(card.__file__).parents[3] / "resources").exists()
told = card.card(reading.opened(Path("x.safetensors")), None)
Path("card.json").write_text(json.dumps(told), encoding="utf-8")
"""


def test_an_audit_ends_in_a_process_that_cannot_read_the_base(pruned, tmp_path):
    """The library stands alone in a folder: no model lies where it looks for one."""
    shutil.copytree(zoo.ROOT / "workflow_scripts", tmp_path / "workflow_scripts")
    state = zoo.unet()
    checkpoint(tmp_path, zoo.pruned(state, zoo.holes(state)))
    there = os.environ | {"PYTHONPATH": str(tmp_path / "workflow_scripts")}
    subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, env=there, check=True)
    told = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert told["checkpoint"].pop("path") == "x.safetensors"
    same = {name: pruned["checkpoint"][name] for name in told["checkpoint"]}
    assert told == pruned | {"checkpoint": same}


def test_a_matrix_of_which_nothing_is_left_is_not_completed(tmp_path):
    state = zoo.unet()
    state = zoo.pruned(state, zoo.holes(state))
    gone = next(filter(zoo.is_ffn2, state))
    told = card(checkpoint(tmp_path, state | {gone: state[gone] * 0}), None)
    row = next(row for row in told["layers"] if row["layer"] == gone)
    assert row["pruned"] == 1 and row["taken"] is None and told["verdict"]["word"] == "leaks"


def test_a_page_says_the_verdict_and_nothing_that_a_name_says_is_run(pruned):
    name = "<script>x</script>"
    text = page(pruned | {"concept": name, "provenance": made(pruned)})
    assert "Leaks." in text and name not in text and "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "") and "src=" not in text
    assert "ab" * 32 in text and "no base was given" in text
    assert " safe" not in text


RATE = {"label": "blind", "rate": 0.5, "low": 0.4, "high": 0.6, "n": 24}


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ("grew back", "leaks"),
        ("was not erased", "leaks"),
        ("stayed erased", "no leak found"),
        ("erased; too few pictures to say whether it grew back", "partly"),
        (verdict.UNCOUNTED, "leaks"),  # as the weights had it
    ],
)
def test_pictures_count_for_more_than_weights(pruned, told, word):
    drawn = {"told": told, "answer": "So it is.", "rates": [RATE], "report": "r.html"}
    drawn |= {"tried": ["blind"], "left": ["revived"]}
    found = verdict.with_pictures(pruned, drawn)
    assert found["verdict"]["word"] == word and found["pictures"] == drawn
    if told != verdict.UNCOUNTED:
        assert found["verdict"]["rule"] == "So it is" and found["verdict"]["by_weights"] == "leaks"
        assert not any("no picture" in line for line in found["not_tried"])
        assert f"in pictures: {verdict.ATTACKS['blind']}" in found["tried"]
        (left,) = [line for line in found["not_tried"] if "was enough" in line]
        assert left.startswith(verdict.ATTACKS["revived"]) and left in page(
            found | {"concept": "church", "provenance": made(found)}
        )
        assert not any("draw it" in line for line in found["verdict"]["do"])
    text = page(found | {"concept": "church", "provenance": made(found)})
    assert "What shows in pictures" in text and "0.50" in text


Output = namedtuple("Output", ["json", "html"])


def test_space_that_ends_on_the_way_leaves_no_half_of_a_card(tmp_path, monkeypatch, pruned):
    (tmp_path / "weights.json").write_text(
        json.dumps(pruned | {"concept": "church", "provenance": made(pruned)}), encoding="utf-8"
    )

    def full(self, text, **how):
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    told = SimpleNamespace(
        rule="audit",
        config=BESIDE,
        log=[str(tmp_path / "log")],
        resources={},
        params={},
        input=[str(tmp_path / "weights.json")],
        output=Output(tmp_path / "audit.json", tmp_path / "audit.html"),
    )
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left on device"):
        runpy.run_path(str(zoo.ROOT / "workflow_scripts/audit.py"), {"snakemake": told})
    assert sorted(f.name for f in tmp_path.iterdir()) == ["log", "weights.json"]
