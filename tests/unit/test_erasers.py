"""Erasers side by side, from rates and masks that are worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from regrowth.files import store
from regrowth.files.bits import pack
from regrowth.measure import erasers, headline
from regrowth.show.readable import readable_erasers
from regrowth.study import variants


def rate(eraser, variant, role, value, **more):
    own = variants.PRETRAINED | {"concept": "church", "eraser": eraser, "variant": variant}
    told = {"prompt_set": "objects", "role": role, "judge": "objects", "n": 50, "rate": value}
    return own | told | {"low": value - 0.1, "high": value + 0.1} | more


RATES = pd.DataFrame(
    [
        rate("conceptprune", "pruned", "erased", 0.2),
        rate("conceptprune", "pruned", "erased", 0.9, judge="other"),
        rate("conceptprune", "pruned", "erased", 0.5, defence="flip", sigma="1.0"),
        rate("conceptprune", "pruned", "preserved", 0.97),
        rate("conceptprune", "revived", "erased", 0.6, K="0.6", magnitude="max", solver="nuclear"),
        rate("conceptprune", "blind", "erased", 0.8),
        rate("conceptprune", "quant4", "erased", 0.99),
        rate("uce", "pruned", "erased", 0.05),
        rate("uce", "pruned", "preserved", 0.9),
    ]
)
FACTS = {
    ("church", "conceptprune"): {"kind": "conceptprune", "how": "mask", "changed": 7, "bytes": 9},
    ("church", "uce"): {"kind": "uce", "how": "edit", "destroyed": "step 3", "forwards": 12},
}


def test_a_row_holds_what_is_taken_what_is_spared_and_what_comes_back():
    far = pd.DataFrame(
        [
            rate("uce", "pruned", "preserved", 0, distance=0.3, other_seed=0.5),
            rate("uce", "pruned", "erased", 0, distance=0.9, other_seed=0.5),
        ]
    )
    table = erasers.erasers(RATES, far, FACTS)
    assert list(table) == erasers.COLUMNS
    one, two = table.to_dict("records")
    assert (one["erased"], one["others"], one["attacked"]) == (0.2, 0.97, 0.8)
    assert one["attack"] == "blind" and one["erased_low"] == pytest.approx(0.1)
    assert one["changed"] == 7 and np.isnan(one["distance"])
    assert (two["erased"], two["others"], two["distance"]) == (0.05, 0.9, 0.3)
    assert np.isnan(two["attacked"]) and two["destroyed"] == "step 3" and two["forwards"] == 12


def test_without_a_judge_facts_stand_alone():
    nothing = pd.DataFrame(columns=[*variants.KEYS, "prompt_set", "role", "judge", "rate"])
    table = erasers.erasers(nothing, nothing, FACTS)
    assert table["eraser"].tolist() == ["conceptprune", "uce"] and table["erased"].isna().all()


def test_what_only_nudenet_judges_is_told_by_its_detections():
    """By its first labels and threshold, as everywhere."""
    other = {"concept": "snow", "judge": "nudenet", "prompt_set": "i2p"}
    seen = [
        rate("uce", variant, "erased", value, labels=labels, threshold=threshold, **other)
        for variant, value in (("pruned", 0.3), ("blind", 0.6))
        for labels, threshold, value in (
            ("strict", 0.5, value),
            ("strict", 0.6, value / 2),
            ("any", 0.5, 0.9),
        )
    ]
    tables = {"accuracy": RATES, "detections": pd.DataFrame(seen)}
    facts = FACTS | {("snow", "uce"): {"kind": "uce", "how": "edit"}}
    found = erasers.erasers(headline.of_both_roles(tables), pd.DataFrame(), facts)
    assert found["erased"].tolist() == [0.2, 0.05, 0.3]
    assert found["attacked"].tolist()[::2] == [0.8, 0.6]
    assert found["judge"].tolist() == ["objects", "objects", "nudenet"]


PAPER = pd.DataFrame(
    [
        ("11", "church", "pruned", "none", "salun", "erased_accuracy", 0.24),
        ("11", "church", "max", "0.6", "salun", "erased_accuracy", 0.66),
        ("11", "church", "max", "0.6", "salun", "preserved_accuracy", 0.92),
        ("1", "church", "pruned", "none", "conceptprune", "erased_accuracy", 0.08),
        ("1", "church", "max", "0.6", "conceptprune", "erased_accuracy", 0.63),
        ("9", "church", "max", "0.6", "conceptprune", "erased_accuracy", 0.62),
    ],
    columns=["table", "concept", "variant", "K", "eraser", "metric", "paper"],
)


def test_the_papers_own_figures_stand_in_a_column_beside():
    facts = {("church", name): {"kind": name, "how": "mask"} for name in ("conceptprune", "salun")}
    facts |= {("church", "uce"): {"kind": "uce", "how": "edit"}}
    table = erasers.erasers(RATES, pd.DataFrame(), facts)
    assert "printed" not in readable_erasers(table, pd.DataFrame())
    shown = readable_erasers(table, PAPER)
    assert shown["printed"].tolist() == [".08 to .63", ".24 to .66", ""]


def test_overlaps_are_those_of_the_masks_and_chance_goes_by_layer():
    rng = np.random.default_rng(0)
    drawn = {
        (concept, name): {"a": rng.random((20, 31)) < share, "b": rng.random((7, 9)) < 2 * share}
        for concept, name, share in (
            ("church", "x", 0.1),
            ("church", "y", 0.3),
            ("church", "z", 0.2),
            ("snow", "x", 0.2),
        )
    }
    packed = {key: {n: pack(m) for n, m in mask.items()} for key, mask in drawn.items()}
    table = erasers.overlaps(packed, {"a": 620, "b": 63})
    assert table[["first", "second"]].to_numpy().tolist() == [["x", "y"], ["x", "z"], ["y", "z"]]
    for row in table.itertuples():
        one, two = drawn["church", row.first], drawn["church", row.second]
        flat = [np.concatenate([m[n].ravel() for n in "ab"]) for m in (one, two)]
        both, either = (flat[0] & flat[1]).sum(), (flat[0] | flat[1]).sum()
        assert (row.first_n, row.second_n, row.both) == (flat[0].sum(), flat[1].sum(), both)
        assert row.jaccard == pytest.approx(both / either)
        chance = sum(one[n].sum() * two[n].mean() for n in "ab")
        assert row.chance == pytest.approx(chance / (flat[0].sum() + flat[1].sum() - chance))
    alike = {("church", n): packed["church", "x"] for n in ("x", "y")}
    assert erasers.overlaps(alike, {"a": 620, "b": 63})["jaccard"].tolist() == [1]
    empty = {("church", n): {"a": pack(np.zeros((2, 2), bool))} for n in ("x", "y")}
    assert erasers.overlaps(empty, {"a": 4})["jaccard"].isna().all()


def test_files_tell_what_was_changed_and_what_it_cost(tmp_path):
    masks = {"a": np.array([[True, False, True]]), "b": np.array([[True]])}
    files = []
    for part, (name, mask) in enumerate(masks.items()):
        files.append(tmp_path / f"masks/concept=church/eraser=x/part=0{part}.safetensors")
        store.write_arrays(files[-1], {name: pack(mask)})
    edit = tmp_path / "released/concept=church/eraser=y/defence=none/edit.safetensors"
    store.write_arrays(edit, {"w": np.ones(3, np.float32)}, changed=2, destroyed="step 4")
    kinds = {name: {"kind": name, "how": "?", "source": "s"} for name in ("x", "y")}
    found = erasers.released(map(str, [*files, edit]), tmp_path, kinds)
    one, two = found.facts["church", "x"], found.facts["church", "y"]
    assert one["changed"] == 3 and one["bytes"] == sum(f.stat().st_size for f in files)
    assert (two["changed"], two["destroyed"], two["forwards"]) == (2, "step 4", None)
    assert list(found.masks) == [("church", "x")] and set(found.masks["church", "x"]) == {"a", "b"}
