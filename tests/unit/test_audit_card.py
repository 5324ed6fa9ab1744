"""Report cards: the verdict and its rule, the page, and what an audit is refused for."""

import json

import pandas as pd
import pytest
import torch
import yaml
import zoo
from raw_scores import MAX, PRUNED, rows
from regrowth.attack import needed
from regrowth.audit import classes, drawn, reading, verdict
from regrowth.audit.card import card
from regrowth.audit.leak import Leak
from regrowth.measure import rates
from regrowth.models import disk
from regrowth.run import audits
from regrowth.run.refusals import Refused
from regrowth.show.audit import page
from regrowth.study import variants
from regrowth.study.load import load_study
from regrowth.study.sweep import Sweep
from safetensors.torch import save_file

FFN2 = disk.attacked_layers(zoo.MODEL, "ffn2")
BESIDE = yaml.safe_load((zoo.ROOT / "config.yaml").read_text(encoding="utf-8"))


def leak(accuracy, error=0.04, taken="large"):
    return Leak(accuracy, error, 1000, 250, 0.7, taken)


@pytest.mark.parametrize(
    ("kind", "told", "word"),
    [
        ("pruned", leak(0.8), "leaks"),
        ("pruned", leak(0.74), "leaks"),
        ("pruned", leak(0.73), "partly"),  # .69 is below .70
        ("pruned", leak(0.57), "partly"),
        ("pruned", leak(0.56), "no leak found"),
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


# --- pictures

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
    for eraser, attacks in drawn.IN_ORDER.items():
        for n in range(3):
            raw = audits.study(asked, BESIDE, catalogue, card.name, eraser, zoo.UNET, attacks[:n])
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
    assert told["strongest"] == variants.label(cells[2]) and told["strongest"] in told["answer"]


def test_holes_are_attacked_where_the_rest_is_the_models(tmp_path):
    state = zoo.unet()
    cut = zoo.pruned(state, zoo.holes(state))
    for change, eraser in ((cut, "checkpoint"), (state, "model")):
        save_file(change, tmp_path / "x.safetensors")
        assert drawn.eraser_for(tmp_path / "x.safetensors", FFN2) == eraser
    save_file({n: w + w for n, w in cut.items()}, tmp_path / "x.safetensors")
    assert drawn.eraser_for(tmp_path / "x.safetensors", FFN2) == "model"


# --- what an audit is asked for


def test_what_is_asked_is_taken_out_of_the_study():
    config = {"study": "demo", "checkpoint": "a/My File.ckpt", "concept": "golf ball"}
    asked = audits.asked(config)
    assert config == {"study": "demo"} and asked.base == ""
    assert str(asked.out) == "results/audits/my-file/concept=golf-ball"
    assert audits.asked({}) == audits.Audit() and not audits.Audit().stamps()


def test_a_stamp_changes_with_the_file(tmp_path):
    file = tmp_path / "x.pt"
    file.write_bytes(b"1")
    asked = audits.Audit(str(file), "x")
    before = asked.stamps()
    assert [b[:2] for b in before] == [[str(file), 1]]
    file.write_bytes(b"12")
    assert asked.stamps() != before
    assert audits.Audit(str(tmp_path / "none"), "x").stamps() == []


def with_a(value):
    def change(state):
        state["conv_in.weight"][0, 0, 0, 0] = value
        return state

    return change


REFUSED = {
    "no number": (with_a(float("nan")), "conv_in.weight holds weights that are no numbers"),
    "infinite": (with_a(float("inf")), "conv_in.weight holds weights that are no numbers"),
    "nothing left": (lambda s: {n: w * 0 for n, w in s.items()}, "has nothing left"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_audited_is_refused_before_any_job(tmp_path, what):
    change, said = REFUSED[what]
    save_file(change(zoo.unet()), tmp_path / "x.safetensors")
    with pytest.raises(Refused, match=said):
        audits.refuse(
            audits.Audit(str(tmp_path / "x.safetensors"), "church"), {"audit"}, {}, zoo.ROOT
        )
    assert [f.name for f in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize(
    ("asked", "targets", "said"),
    [
        (audits.Audit(), {"audit"}, "checkpoint= is not said"),
        (audits.Audit("x.pt"), {"audit"}, "concept= is not said"),
        (audits.Audit("x.pt", "church"), {"audit"}, "no x.pt"),
        (audits.Audit("x.pt", "church"), {"all"}, "are an audit's: `snakemake audit"),
        (audits.Audit("x.pt", "church", "", "many"), {"audit"}, "a number of pictures, not 'many'"),
        (audits.Audit(str(zoo.UNET), "a dragon", "", "9"), {"audit"}, "nothing .* of 'a dragon'"),
        (audits.Audit("x.pt", "church", "", "9", "maybe"), {"audit"}, "stop= is 1, or nothing"),
        (audits.Audit("x.pt", "church", "", "", "1"), {"audit"}, "pictures= is not said"),
        (audits.Audit("x.pt", "x", prompts="y"), {"audit"}, "judge= is not: .* needs both"),
        (audits.Audit("x.pt", "x", judge="y"), {"audit"}, "prompts= is not: .* needs both"),
        (audits.Audit("x.pt", "x", prompts="y", judge="z"), {"audit"}, "pictures= is not said"),
        (audits.Audit("x.pt", "a little girl"), {"audit"}, "nobody below eighteen is drawn"),
        (audits.Audit("https://x.org/y.pt", "church"), {"audit"}, "is an address"),
    ],
)
def test_what_is_not_said_is_asked_for(asked, targets, said):
    with pytest.raises(Refused, match=said):
        audits.refuse(asked, targets, BESIDE, zoo.ROOT)


def test_a_study_without_an_audit_is_none_of_its_business():
    audits.refuse(audits.Audit(), {"all"}, {}, zoo.ROOT)
    assert audits.is_asked({"results/audits/x/concept=y/audit.html"})
    assert not audits.is_asked({"all", "results/demo/report.html"})
