"""Variants: what a sweep asks for, how each is called, and where its results lie."""

from pathlib import Path

import pytest
import yaml
from regrowth.attack import VARIANTS
from regrowth.files import keys
from regrowth.study import variants
from regrowth.study.config import Block, Study
from regrowth.study.load import load_study

ROOT = Path(__file__).resolve().parents[2]
RAW = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
STUDY, _, _ = load_study(RAW, ROOT)


def test_the_default_sweep_has_each_variant_once():
    cells = [c for c, _ in variants.of_sweep(STUDY.sweep, STUDY.weight_seed)]
    assert len({variants.path(c) for c in cells}) == len(cells) == 5 * 3 + 2 + 2 + 1 + 1
    assert all(tuple(c) == variants.KEYS for c in cells)
    church = [variants.label(c) for c in cells if c["concept"] == "church"]
    assert "max K=0.6" in church and "pruned, gaussian 1.0" in church and "quant4" in church


def test_a_seed_is_a_key_only_where_something_is_drawn():
    all_ = [cell for cell, _ in variants.of_sweep(STUDY.sweep, 7)]
    cells = {variants.label(c): c for c in all_ if c["concept"] == "church"}
    seeds = {name: cell["weight_seed"] for name, cell in cells.items()}
    assert seeds["sample K=0.6, draw 7"] == seeds["pruned, gaussian 1.0, draw 7"] == "7"
    assert seeds["max K=0.6"] == seeds["pruned"] == "none"
    assert variants.released_of(cells["sample K=0.6, draw 7"])["weight_seed"] == "none"
    assert variants.released_of(cells["pruned, gaussian 1.0, draw 7"])["weight_seed"] == "7"


def test_every_draw_of_a_fill_is_a_variant():
    block = Block(
        concepts=["church"],
        variants=["pruned", "revived"],
        defences=["none", "flip", "decoy"],
        sigmas=[1.0],
        weight_seeds=[0, 1],
        K=[0.6],
        magnitudes=["max"],
    )
    cells = [cell for cell, _ in variants.of_sweep([block], 7)]
    seeds = [(c["defence"], c["variant"], c["weight_seed"]) for c in cells]
    drawn = [("flip", variant, seed) for seed in "01" for variant in ("pruned", "revived")]
    still = [(d, v, "none") for d in ("none", "decoy") for v in ("pruned", "revived")]
    assert sorted(seeds) == sorted(drawn + still)
    assert "max K=0.6, flip 1.0, draw 1" in map(variants.label, cells)


def test_a_variant_named_twice_is_judged_on_what_either_block_asks_for():
    block = {"concepts": ["church"], "variants": ["pruned"]}

    def asked(*prompt_lists):
        blocks = [Block(**block, prompts=names) for names in prompt_lists]
        ((_, found),) = variants.of_sweep(blocks, 0)
        return found

    assert asked(["erased"]) == ("erased",)
    assert asked(["erased"], ["preserved", "erased"]) == ("erased", "preserved")
    assert asked(["erased"], []) == asked([], ["erased"]) == ()


def test_layers_are_revived_alone_beside_all_of_them():
    block = Block(
        concepts=["church"], variants=["revived"], K=[0.3], magnitudes=["max"], layers_alone=[0, 12]
    )
    cells = [cell for cell, _ in variants.of_sweep([block], 0)]
    assert [cell["variant"] for cell in cells] == ["revived", "alone", "alone"]
    assert [cell["layer_alone"] for cell in cells] == ["none", "0", "12"]
    assert [variants.label(cell) for cell in cells[1:]] == [
        "max K=0.3, layer 0 alone",
        "max K=0.3, layer 12 alone",
    ]


def test_oracles_draw_with_the_weight_seed_where_they_draw():
    names = ["pretrained", "sample", "mean", "max"]
    block = Block(concepts=["church"], variants=["oracle"], oracles=names)
    seeds = {c["magnitude"]: c["weight_seed"] for c, _ in variants.of_sweep([block], 3)}
    assert seeds == {"pretrained": "3", "sample": "3", "mean": "none", "max": "none"}


def test_a_path_has_the_keys_of_its_variant_and_leads_back_to_it():
    block = Block(
        concepts=["church"],
        variants=["pruned", "quant4", "revived", "oracle", "relearn", "inversion", "prefix"],
        K=[0.6],
        magnitudes=["sample"],
        oracles=["max"],
        layers_alone=[3],
    )
    for cell, _ in variants.of_sweep([block], 1):
        path = variants.path(cell)
        head, _, rest = path.partition("/variant=")
        own = VARIANTS[cell["variant"]].keys
        assert list(keys.parsed(path)) == [*keys.RELEASED, "variant", *own]
        assert variants.PRETRAINED | keys.parsed(head) | variants.parsed(rest) == cell
        if VARIANTS[cell["variant"]].patch:
            file = variants.patch(variants.named(cell["variant"])).format(**cell)
            within = VARIANTS[cell["variant"]].within
            bare = path.removesuffix(f"/{within}={cell[within]}") if within else path
            assert file == variants.patch(cell) == f"{bare}/patch.safetensors"


def test_a_training_is_one_file_whatever_steps_are_drawn_of_it():
    block = Block(concepts=["church"], variants=["relearn"])
    cells = [cell for cell, _ in variants.of_sweep([block], 0)]
    assert [cell["step"] for cell in cells] == ["10", "50", "100", "200"]
    assert len({variants.patch(cell) for cell in cells}) == 1
    told = [variants.label(cell) for cell in cells[:2]]
    assert told == ["relearnt ×10 on its own pictures", "relearnt ×50 on its own pictures"]
    other = cells[0] | {"parameters": "lora4", "lr": "0.001", "data": "concept"}
    assert variants.label(other) == "relearnt ×10 on the concept's pictures (lora4) at 0.001"


def test_a_prefix_that_is_found_has_one_that_is_not_beside_it():
    attacks = {"p": {"kind": "prefix", "tokens": [3, 5], "at": [10, 50]}}
    raw = RAW | {"attacks": attacks, "sweep": [{"concepts": ["church"], "attacks": ["p"]}]}
    study = Study.model_validate(raw)
    told = [variants.label(cell) for cell, _ in variants.of_sweep(study.sweep, 0, study.attacks)]
    found = ["prefix found ×10", "prefix found ×50"]
    assert told == [f"{n} of 3" for n in found] + found + ["random prefix of 3", "random prefix"]


def test_an_attack_of_ones_own_is_the_variant_that_its_lists_make():
    flat = Block(concepts=["church"], variants=["revived"], K=[0.3, 0.6], magnitudes=["max"])
    named = Study.model_validate(
        RAW
        | {
            "attacks": {"two": {"kind": "revived", "K": [0.3, 0.6], "magnitudes": ["max"]}},
            "sweep": [{"concepts": ["church"], "attacks": ["two"]}],
        }
    )
    found = variants.of_sweep(named.sweep, 0, named.attacks)
    assert found == variants.of_sweep([flat], 0)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_has_a_name_for_people_of_its_own(name):
    cell = variants.PRETRAINED | {"variant": name, "magnitude": "max", "layer_alone": "1"}
    cell |= {"data": "own", "parameters": "all", "lr": "0.00005", "step": "50"}
    others = {variants.label(cell | {"variant": other}) for other in VARIANTS if other != name}
    assert variants.label(cell) not in others
