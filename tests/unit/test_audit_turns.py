"""The script that draws a checkpoint: one attack more at each turn, and none once it is back."""

import json
import runpy
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import yaml
import zoo
from raw_scores import rows
from regrowth.measure import rates
from regrowth.run import audits
from regrowth.run.job import ROOT
from regrowth.show import album, report
from regrowth.study import variants
from regrowth.study.load import load_study
from regrowth.study.sweep import Sweep
from safetensors.torch import save_file

BESIDE = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
N = 100


class Params(dict):
    __getattr__ = dict.__getitem__


@pytest.fixture
def draws(tmp_path, monkeypatch):
    """Run the script on a checkpoint; back: the variant that brings it back. What it asks other
    Snakemakes for, and what it writes."""
    monkeypatch.chdir(tmp_path)

    def run(state, back, detectors=(), **said):
        asked_for = []

        def drawn(command, check):
            raw = yaml.safe_load(Path(command[-1]).read_text(encoding="utf-8"))
            study, catalogue, _ = load_study(raw, ROOT)
            made = Sweep.of(study, catalogue, [], ROOT).cells
            cells = {cell["variant"]: {key: cell[key] for key in variants.KEYS} for cell in made}
            released = [name for name in cells if name not in ("pretrained", "retrained")]
            asked_for.append((command[3], released))
            hits = {back: N if back == "pruned" else N // 2, "pretrained": N}
            scores = pd.concat(
                rows(cell | {"concept": "church"}, [1] * n + [0] * (N - n))
                for name, cell in cells.items()
                for n in [hits.get(name, 0)]
            )
            told = rates.accuracy(scores.assign(hit=scores["hit"] == 1)).assign(judge="objects")
            tables = Path("results", raw["study"], "tables")
            tables.mkdir(parents=True, exist_ok=True)
            told.to_parquet(tables / "accuracy.parquet")
            told.iloc[:0].to_parquet(tables / "detections.parquet")

        nothing = pd.DataFrame({"prompt_set": []})
        monkeypatch.setattr(subprocess, "run", drawn)
        monkeypatch.setattr(album, "erased", lambda *some: nothing)
        monkeypatch.setattr(report, "albums", lambda *some: [])
        save_file(state, tmp_path / "x.safetensors")
        told = json.dumps({"detectors": dict(detectors)})
        Path("weights.json").write_text(told, encoding="utf-8")
        asked = audits.Audit("x.safetensors", "church", "", str(N), **said)
        snakemake = SimpleNamespace(
            rule="audit_pictures",
            config=BESIDE,
            log=[str(tmp_path / "log")],
            threads=1,
            input=["weights.json"],
            resources=Params(),
            params=Params(asked=asked, snakefile="Snakefile"),
            output=["out/pictures.json"],
        )
        script = ROOT / "workflow_scripts/audit_pictures.py"
        runpy.run_path(str(script), {"snakemake": snakemake})
        found = json.loads(Path("out/pictures.json").read_text(encoding="utf-8"))
        return asked_for, found

    return run


def pruned():
    state = zoo.unet()
    return zoo.pruned(state, zoo.holes(state))


EVERY = ["pruned", "blind", "revived"]


@pytest.mark.parametrize(
    ("back", "turns"),
    [
        ("pruned", ["pruned"]),
        ("blind", ["pruned", "blind"]),
        ("revived", EVERY),
        ("none", EVERY),
    ],
)
def test_it_stops_after_what_brings_it_back(draws, back, turns):
    asked_for, found = draws(pruned(), back, stop="1")
    tables = [EVERY[: n + 1] for n in range(min(len(turns), 2))]
    wanted = [("tables", some) for some in tables] + [("all", turns)]
    assert asked_for == wanted
    assert (found["tried"], found["left"]) == (turns[1:], EVERY[len(turns) :])
    assert found["told"] == {
        "pruned": "was not erased",
        "none": "stayed erased",
    }.get(back, "grew back")


def test_without_a_stop_all_is_drawn_at_once(draws):
    asked_for, found = draws(pruned(), "blind")
    assert asked_for == [("all", EVERY)]
    assert (found["tried"], found["left"], found["eraser"]) == (EVERY[1:], [], "checkpoint")


def test_what_has_no_holes_is_rounded_and_trained(draws):
    state = zoo.unet()
    asked_for, found = draws(state | {"conv_in.bias": state["conv_in.bias"] + 1}, "relearn")
    assert asked_for[0][1] == ["pruned", "quant4", "relearn"]
    assert (found["tried"], found["eraser"]) == (["quant4", "own"], "model")
    assert found["strongest"].startswith("relearnt ×100 on its own pictures")


@pytest.mark.parametrize("alone", [True, False])
def test_filled_holes_are_attacked_through_a_detector(draws, alone):
    """Where all other weights are the model's."""
    state = zoo.unet()
    masks = {name: torch.from_numpy(mask) for name, mask in zoo.holes(state).items()}
    filled = state | {n: torch.where(m, -state[n], state[n]) for n, m in masks.items()}
    if not alone:
        filled["conv_in.bias"] = state["conv_in.bias"] + 1
    asked_for, found = draws(filled, "blind", {"ffn2": "combined-0.08"}, stop="1")
    raw = yaml.safe_load(Path("out/study.yaml").read_text(encoding="utf-8"))
    (block,) = raw["sweep"]
    if alone:
        assert [made for _, made in asked_for] == [
            ["pruned"],
            ["pruned", "quant4"],
            *[["pruned", "quant4", "blind"]] * 2,
        ]
        assert (block["erasers"], block["detectors"]) == (["filled"], ["combined-0.08"])
        assert found["strongest"] == "blind at combined-0.08, filled" and found["left"] == [
            "revived",
            "own",
        ]
    else:
        assert block["erasers"] == ["model"] and found["tried"] == ["quant4", "own"]


def test_a_concept_of_ones_own_is_drawn_by_a_catalogue_beside_the_card(draws):
    asked_for, found = draws(pruned(), "blind", prompts="a red church", judge="objects:church")
    (study,) = Path("out").glob("study.yaml")
    raw = yaml.safe_load(study.read_text(encoding="utf-8"))
    assert (
        Path(raw["catalogue"]) == Path("results/audits/x/concept=church/catalogue.yaml").resolve()
    )
    assert found["tried"] == ["blind", "revived"] and len(asked_for) == 1
