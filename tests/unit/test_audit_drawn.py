"""What an audit draws, and what the tables of its study say."""

import pandas as pd
import pytest
import yaml
import zoo
from raw_scores import MAX, PRUNED, rows
from regrowth.attack import needed
from regrowth.audit import drawn, verdict
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


def test_a_study_of_a_checkpoint_is_a_study():
    _, catalogue, card = load_study(BESIDE, zoo.ROOT)
    asked = audits.Audit("a/x.ckpt", "golf ball", str(zoo.MODEL), "24")
    made = {"checkpoint": ["blind", "revived"], "model": ["quant4", "relearn"]}
    made["filled"] = ["quant4", "blind", "revived", "relearn"]
    for eraser, attacks in drawn.IN_ORDER.items():
        seen = "combined-0.05" if eraser == "filled" else "zeros"
        for n in range(len(attacks) + 1):
            said = BESIDE, catalogue, card.name, eraser, zoo.UNET, attacks[:n], seen
            raw = audits.study(asked, *said)
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


def test_holes_are_attacked_where_the_rest_is_the_models(tmp_path):
    state = zoo.unet()
    cut = zoo.pruned(state, zoo.holes(state))
    for change, eraser in ((cut, "checkpoint"), (state, "model")):
        save_file(change, tmp_path / "x.safetensors")
        assert drawn.eraser_for(tmp_path / "x.safetensors", FFN2, zoo.MODEL, False) == eraser
    save_file({n: w + w for n, w in cut.items()}, tmp_path / "x.safetensors")
    assert drawn.eraser_for(tmp_path / "x.safetensors", FFN2, zoo.MODEL, True) == "model"
