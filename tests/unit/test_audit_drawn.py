"""What an audit draws, and what the tables of its study say."""

import pandas as pd
import pytest
import torch
import yaml
import zoo
from raw_scores import MAX, PRUNED, rows
from regrowth.attack import needed
from regrowth.audit import drawn, reading, taken, verdict
from regrowth.erase import checkpoints
from regrowth.files import tensors
from regrowth.measure import rates
from regrowth.models import disk
from regrowth.run import audits
from regrowth.study import variants
from regrowth.study.load import load_study
from regrowth.study.sweep import Sweep
from safetensors.torch import save_file

FFN2 = disk.attacked_layers(zoo.MODEL, "ffn2")
BESIDE = yaml.safe_load((zoo.ROOT / "config.yaml").read_text(encoding="utf-8"))
RELEARNT = {"variant": "relearn", "data": "own", "parameters": "all", "lr": "0.00005"}
RELEARNT |= {"step": "100"}
SCORED = MAX | {"concept": "church", "eraser": "checkpoint", "detector": "zeros"}


@pytest.mark.parametrize(("back", "word"), [(40, "grew back"), (2, "stayed erased")])
def test_what_the_tables_of_a_study_say_is_its_verdict(back, word):
    """Of 200 pictures: all before, none after erasure, and so many after the attack."""
    own = PRUNED | {"eraser": "checkpoint"}
    cells = [variants.PRETRAINED | {"concept": "church"}, own, SCORED]
    hits = [[1] * 200, [0] * 200, [1] * back + [0] * (200 - back)]
    scores = pd.concat([rows(cell, some) for cell, some in zip(cells, hits)])
    accuracy = rates.accuracy(scores.assign(hit=scores["hit"] == 1)).assign(judge="j")
    told, _ = drawn.drawn({"accuracy": accuracy, "detections": accuracy.iloc[:0]})
    assert told["told"] == word and [r["n"] for r in told["rates"]] == [200] * 3
    shown = f"{back / 200:.2f} "
    assert told["answer"].startswith(f"{word.capitalize()}: ") and shown in told["answer"]
    assert "0.00 [0.00, 0.02] of 200 in the file as it is" in told["answer"]
    assert [r["rate"] for r in told["rates"]] == [1, 0, back / 200]


@pytest.mark.parametrize(("left", "word"), [(16, "no leak found"), (60, "partly")])
def test_what_shows_in_the_file_as_it_is_is_not_all_gone(left, word):
    """Of 200 pictures, and nothing more after the attack: surely more than .05 of 60 in 200."""
    own = PRUNED | {"eraser": "checkpoint"}
    cells = [variants.PRETRAINED | {"concept": "church"}, own, SCORED]
    hits = [[1] * 200, *[[1] * left + [0] * (200 - left)] * 2]
    scores = pd.concat([rows(cell, some) for cell, some in zip(cells, hits)])
    accuracy = rates.accuracy(scores.assign(hit=scores["hit"] == 1)).assign(judge="j")
    told, _ = drawn.drawn({"accuracy": accuracy, "detections": accuracy.iloc[:0]})
    assert verdict.in_pictures(told["told"]) == word


def test_a_model_that_never_knew_it_stands_beside():
    """Of 200 pictures four: its rate is told, and the verdict is no other."""
    own = PRUNED | {"eraser": "checkpoint"}
    never = variants.PRETRAINED | {"variant": "retrained", "concept": "church"}
    cells = [variants.PRETRAINED | {"concept": "church"}, never, own, SCORED]
    hits = [[1] * 200, [1] * 4 + [0] * 196, [0] * 200, [1] * 40 + [0] * 160]
    scores = pd.concat([rows(cell, some) for cell, some in zip(cells, hits)])
    accuracy = rates.accuracy(scores.assign(hit=scores["hit"] == 1)).assign(judge="j")
    told, _ = drawn.drawn({"accuracy": accuracy, "detections": accuracy.iloc[:0]}, ["retrained"])
    assert told["told"] == "grew back" and told["answer"].endswith(
        "; a model that never knew it shows it in 0.02 [0.01, 0.05] of 200."
    )
    assert {r["label"]: r["rate"] for r in told["rates"]}["never knew it (retrained)"] == 0.02


def test_controls_are_those_that_never_knew_the_concept(tmp_path):
    """The study's own, and the bundled model's where that is the base."""
    theirs = {"clean": {"model": "c.yaml", "concepts": ["Golf Ball", "church"]}}

    def found(concept, base="", beside=theirs):
        asked = audits.Audit("x.pt", concept, base)
        said = audits.controls(asked, {"baselines": beside}, "regrowth-demo", tmp_path)
        return {name: one["concepts"] for name, one in said.items()}

    assert found("golf ball") == {"clean": ["golf ball"]} and found("cat", beside={}) == {}
    assert found("church") == {"retrained": ["church"], "clean": ["church"]}
    assert found("pablo picasso") == {"retrained": ["pablo picasso"]} and found("cat") == {}
    assert found("church", base=str(zoo.MODEL)) == {"clean": ["church"]}  # of another model


@pytest.mark.parametrize("concept", ["church", "Pablo Picasso"])
def test_the_bundled_models_control_is_drawn_beside(concept):
    _, catalogue, card = load_study(BESIDE, zoo.ROOT)
    it = taken.Taken(zoo.UNET, "model", "ffn2")
    asked = audits.Audit("a/x.ckpt", concept, "", "24")
    raw = audits.study(asked, BESIDE, catalogue, card.name, it, ("quant4",), zoo.ROOT)
    study, own, _ = load_study(raw, zoo.ROOT)
    cells = Sweep.of(study, own, FFN2, zoo.ROOT).cells
    assert {c["variant"] for c in cells} == {"pretrained", "retrained", "pruned", "quant4"}


def test_a_study_of_a_checkpoint_is_a_study():
    _, catalogue, card = load_study(BESIDE, zoo.ROOT)
    asked = audits.Audit("a/x.ckpt", "golf ball", str(zoo.MODEL), "24")
    made = {"checkpoint": ["blind", "revived"], "model": ["quant4", "relearn"]}
    made["filled"] = ["quant4", "blind", "revived", "relearn"]
    for eraser, attacks in drawn.IN_ORDER.items():
        seen = "combined-0.05" if eraser == "filled" else "zeros"
        for n in range(len(attacks) + 1):
            it = taken.Taken(zoo.UNET, eraser, "ffn2", seen)
            raw = audits.study(asked, BESIDE, catalogue, card.name, it, attacks[:n], zoo.ROOT)
            study, own, _ = load_study(raw, zoo.ROOT)
            cells = Sweep.of(study, own, FFN2, zoo.ROOT).cells
            assert study.study == "audit-x-golf-ball" and study.local == {card.name: str(zoo.MODEL)}
            assert {c["variant"] for c in cells} == {"pretrained", "pruned", *made[eraser][:n]}
            assert all(needed(c) == {"weights"} for c in cells if c["concept"] != "none")


def test_attacks_come_one_after_another_only_to_stop():
    assert drawn.turns("model", False) == [("quant4", "own")]
    assert drawn.turns("checkpoint", True) == [(), ("blind",), ("blind", "revived")]
    assert {name for some in drawn.IN_ORDER.values() for name in some} == set(verdict.ATTACKS)


@pytest.mark.parametrize("attack", [{"variant": "quant4"}, RELEARNT])
def test_any_attack_that_a_study_draws_counts(attack):
    """Of an edit that has no holes, too."""
    own = variants.PRETRAINED | {"concept": "church", "eraser": "model"}
    cells = [
        variants.PRETRAINED | {"concept": "church"},
        own | {"variant": "pruned"},
        own | attack,
    ]
    hits = [[1] * 200, [0] * 200, [1] * 40 + [0] * 160]
    scores = pd.concat([rows(cell, some) for cell, some in zip(cells, hits)])
    accuracy = rates.accuracy(scores.assign(hit=scores["hit"] == 1)).assign(judge="j")
    told, _ = drawn.drawn({"accuracy": accuracy, "detections": accuracy.iloc[:0]})
    assert verdict.in_pictures(told["told"]) == "leaks"
    assert told["strongest"] == variants.label(cells[2])
    bare = variants.label(cells[2] | {"eraser": "conceptprune"})
    assert told["answer"].endswith(f" after {bare}."), "the one eraser of an audit is not named"


def took(given, folder, detectors=None):
    return taken.taken(given, folder, zoo.MODEL, "ffn2", detectors or {})


def test_holes_are_attacked_where_the_rest_is_the_models(tmp_path):
    state = zoo.unet()
    cut = zoo.pruned(state, zoo.holes(state))
    filled = {n: torch.where(cut[n] == 0, -state[n], state[n]) for n in state}
    bias = {"conv_in.bias": state["conv_in.bias"] + 1}
    seen = {"ffn2": "combined-0.05"}
    cases = (
        (cut, "checkpoint", "zeros"),
        (filled, "filled", "combined-0.05"),
        (cut | bias, "model", "zeros"),  # of its holes alone it would be another file
        (filled | bias, "model", "zeros"),
        ({n: w + w for n, w in cut.items()}, "model", "zeros"),
        ({n: w.float() for n, w in cut.items()}, "checkpoint", "zeros"),
    )
    for change, eraser, detector in cases:
        save_file(change, tmp_path / "x.safetensors")
        found = took(reading.opened(tmp_path / "x.safetensors"), tmp_path, seen)
        assert (found.eraser, found.family, found.detector) == (eraser, "ffn2", detector)
        assert found.file == tmp_path / "unet.safetensors"


@pytest.mark.parametrize("family", ["attn2.to_k", "text_encoder.fc2"])
def test_holes_in_another_family_are_found(tmp_path, family):
    state, text = zoo.unet(), zoo.text()
    for layer in disk.attacked_layers(zoo.MODEL, family):
        own = text if family.startswith("text") else state
        own[layer.stored] = own[layer.stored].masked_fill(own[layer.stored] > 0.05, 0)
    found = took(reading.opened(zoo.pipeline(tmp_path, state, text)), tmp_path)
    assert (found.eraser, found.family) == ("checkpoint", family)
    layers = disk.attacked_layers(zoo.MODEL, family)
    masks = checkpoints.masks(found.file, layers, disk.read_weights(layers))
    assert all(0.1 < mask.mean() < 0.5 for mask in masks.values())


def test_a_text_encoder_of_its_own_is_released_whole(tmp_path):
    """With the model's UNet, if it has none; and not at all, if it is the model's."""
    layers = disk.stored(zoo.MODEL)
    same = took(reading.opened(zoo.MODEL), tmp_path)
    assert same.file.name == "unet.safetensors" and len(tensors.names(same.file)) == 686
    (tmp_path / "text").mkdir()
    changed = {n: w * 2 if n.endswith("0.mlp.fc2.weight") else w for n, w in zoo.text().items()}
    alone = took(reading.opened(zoo.text_alone(tmp_path / "text", {}, changed)), tmp_path)
    assert alone.eraser == "model"
    checkpoints.fits(alone.file, layers)
    told, count = checkpoints.changed(alone.file, layers)
    (name,) = told
    assert name == "text_encoder.encoder.layers.0.mlp.fc2.weight" and count == 128 * 512
