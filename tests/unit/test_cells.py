"""Which rows are one cell's, and a rate's interval, against the closed form."""

import numpy as np
import pandas as pd
import pytest
from raw_scores import JUDGE, MAX, PRUNED, rows, two_families
from regrowth.files import keys
from regrowth.measure.cells import (
    by_cell,
    by_picture,
    by_variant,
    for_concept,
    interval,
    names_of,
    one_judge,
    outcomes,
    without_others_erased,
)
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue
from regrowth.study.prompts import concerns


def test_wilson_interval_is_the_closed_form():
    z, n, p = 1.959964, 64, 16 / 64
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert interval(16, 64) == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert all(np.isnan(interval(0, 0)))


def test_a_trainings_steps_come_as_numbers():
    trained = {"variant": "relearn", "data": "own", "parameters": "all", "lr": "0.00005"}
    cells = [PRUNED | trained | {"step": step} for step in ("200", "50", "10")]
    frame = pd.concat([rows(cell, [True]) for cell in cells])
    assert [cell["step"] for cell, _ in by_variant(frame)] == ["10", "50", "200"]


def test_variants_come_in_the_reports_order():
    cells = [MAX | {"magnitude": "mean"}, MAX | {"K": "0.2"}, MAX, PRUNED, variants.PRETRAINED]
    cells += [MAX | {"variant": "alone", "layer_alone": "3"}, PRUNED | {"variant": "quant4"}]
    frame = pd.concat([rows(c, [True]) for c in cells])
    told = [variants.label(c) for c, _ in by_variant(frame)]
    revived = ["max K=0.2", "max K=0.6", "mean K=0.6", "max K=0.6, layer 3 alone"]
    assert told == ["pretrained", "pruned", "quant4", *revived]


def test_a_prompt_set_has_its_own_role_and_a_class_its_familys_name():
    judge = {"kind": "classifier", "model": "m"}
    pair = {"base": "a", "target": "b"}
    catalogue = Catalogue(
        families={
            "objects": {
                "kind": "object",
                "classes": ["church", "cat"],
                "prompts": ["{name}"],
                "judges": ["j"],
                "calibration": pair,
                "also": ["words"],
            }
        },
        prompt_sets={"words": {"role": "preserved", "prompts": ["a"], "judges": ["j"]}},
        judges={"j": judge},
    )
    shared = variants.PRETRAINED
    frame = pd.DataFrame(
        [
            PRUNED | {"prompt_set": "objects", "class": "church"},
            PRUNED | {"prompt_set": "church", "class": "church"},
            PRUNED | {"prompt_set": "objects", "class": "cat"},
            shared | {"prompt_set": "words", "class": ""},
            shared | {"prompt_set": "cat", "class": "cat"},
            PRUNED | {"concept": "cat", "prompt_set": "objects", "class": "cat"},
        ]
    )
    told = for_concept(frame, catalogue, "church", ["objects", "church", "words"])
    assert told[["prompt_set", "role"]].to_numpy().tolist() == [
        ["objects", "erased"],
        ["objects", "erased"],
        ["objects", "preserved"],
        ["words", "preserved"],
    ]
    assert set(told["concept"]) == {"church"}


def test_what_a_model_as_it_is_draws_of_other_families_counts_for_no_concept():
    places = [("objects", "golf ball"), ("objects", "cat"), ("styles", "Monet")]
    places += [("golf-ball", "golf ball"), ("goya", "Goya")]
    own = [PRUNED | {"concept": "golf-ball", "prompt_set": "objects", "class": "golf ball"}]
    frame = pd.DataFrame(
        [*own, *(variants.PRETRAINED | {"prompt_set": s, "class": c} for s, c in places)]
    )
    for sets, told in (
        (
            ["objects", "golf-ball"],
            [("golf ball", "erased"), ("cat", "preserved"), ("golf ball", "erased")],
        ),
        (["objects.golf-ball"], [("golf ball", "erased")]),
        (["objects.cat"], [("cat", "preserved")]),
        (["golf-ball"], [("golf ball", "erased")]),
        ([], []),
    ):
        part = for_concept(frame, two_families(), "golf-ball", sets)
        shared = part[part["variant"] == "pretrained"]
        assert list(shared[["class", "role"]].itertuples(index=False, name=None)) == told
        assert set(part["prompt_set"]) == {"objects"} and set(part["concept"]) == {"golf-ball"}
        assert (part["variant"] == "pruned").sum() == 1
    assert for_concept(frame[:0], two_families(), "cat", []).empty


def test_a_hit_is_a_classifiers_class_or_a_detectors_score():
    about = two_families(
        a=JUDGE,
        b={"kind": "detector", "label": "x", "model": "m", "threshold": 0.25},
        c={"kind": "nudenet"},
    )
    frame = rows(PRUNED, [True] * 7).drop(columns="hit")
    frame["judge"] = ["a", "a", "b", "b", "b", "c", "a"]
    frame["label"] = ["c", "d", "c", "c", "x", "c", None]
    frame["score"] = [0.1, 0.9, 0.24, 0.25, 0.9, 0.9, np.nan]
    found = outcomes(frame, about)
    assert found["judge"].tolist() == ["a", "a", "b", "b", "b", "a"]
    assert found["hit"].tolist() == [True, False, False, True, True, False]
    assert found["hit"].dtype == bool and not {"label", "score"} & set(found)


def test_a_cell_concerns_its_own_concept_or_those_whose_sets_it_draws():
    cell = {"concept": "cat", "prompts": "objects+cat"}
    assert concerns(cell, "cat", []) and not concerns(cell, "dog", ["objects"])
    for drawn, sets, told in (
        ("objects", ["objects", "dog"], True),
        ("objects", ["objects.dog"], True),
        ("objects.dog", ["objects"], True),
        ("dog", ["objects"], False),
        ("styles", [], False),
    ):
        assert concerns({"concept": keys.NONE, "prompts": drawn}, "dog", sets) == told


def test_the_order_of_every_kind_of_variant():
    oracle = PRUNED | {"variant": "oracle", "magnitude": "max"}
    told = [
        variants.PRETRAINED,
        *(variants.PRETRAINED | {"variant": v} for v in ("before", "sd21")),
        PRUNED,
    ]
    told += [PRUNED | {"defence": "row", "sigma": "0.5"}]
    told += [PRUNED | {"variant": name} for name in ("quant4", "nf4")]
    told += [MAX | {"K": "0.2"}, MAX | {"K": "1.0"}]
    told += [MAX | {"K": "0.1", "defence": "row", "sigma": "0.5"}]
    told += [MAX | {"magnitude": name} for name in ("mean", "sample", "layer-sample")]
    told += [MAX | {"variant": "alone", "layer_alone": "3"}, oracle]
    for cells in (told, told[::-1]):
        found = by_variant(pd.concat([rows(c, [True]) for c in cells]))
        assert [cell for cell, _ in found] == told
        assert all((part[list(variants.KEYS)] == pd.Series(c)).all(axis=None) for c, part in found)


def test_a_cell_is_one_prompt_set_in_one_role():
    frame = pd.concat(
        [rows(PRUNED, [True] * n, role, prompt_set=s) for s, role, n in
         (("a", "erased", 1), ("a", "preserved", 2), ("b", "erased", 3))]
    )  # fmt: skip
    found = {(c["prompt_set"], c["role"]): len(part) for c, part in by_cell(frame)}
    assert found == {("a", "erased"): 1, ("a", "preserved"): 2, ("b", "erased"): 3}


def test_a_picture_that_stands_twice_in_a_cell_is_told_with_its_cell():
    cell = MAX | {"eraser": "conceptprune", "prompt_set": "objects"}
    some = rows(cell, [True, False, True])
    assert by_picture(cell, some, "hit").tolist() == [True, False, True]
    told = "church, max K=0.6: not all of its scores of objects .* without --rerun-triggers"
    with pytest.raises(ValueError, match=told):
        by_picture(cell, pd.concat([some, some[1:2]]), "hit")


def test_the_first_judge_of_a_place_speaks_for_it():
    about = [
        ("x", "s", "erased", "b"),
        ("x", "s", "erased", "a"),
        ("x", "s", "preserved", "a"),
        ("x", "t", "erased", "a"),
        ("y", "s", "erased", "a"),
        ("x", "s", "erased", "b"),
    ]
    frame = pd.DataFrame(about, columns=["concept", "prompt_set", "role", "judge"])
    found = one_judge(frame.assign(n=range(6)))
    assert sorted(found["n"]) == [0, 2, 3, 4, 5]


def test_names_are_the_catalogues():
    assert names_of(two_families()) == {
        "golf-ball": "golf ball",
        "cat": "cat",
        "monet": "Monet",
        "goya": "Goya",
    }


def test_several_sets_of_one_family_or_of_several_are_all_asked_for():
    places = [("objects", "golf ball"), ("objects", "cat"), ("styles", "Monet"), ("cat", "cat")]
    frame = pd.DataFrame([variants.PRETRAINED | {"prompt_set": s, "class": c} for s, c in places])
    told = for_concept(frame, two_families(), "cat", ["cat", "objects.cat", "styles.monet"])
    assert told["class"].tolist() == ["cat", "Monet", "cat"]
    both = for_concept(frame, two_families(), "cat", ["objects.cat", "objects.golf-ball"])
    assert both["class"].tolist() == ["golf ball", "cat"]


def test_what_is_erased_beside_a_concept_counts_for_nothing():
    seen = [("church", "church"), ("golf-ball", "golf ball"), ("cat", "cat"), ("", "")]
    frame = pd.DataFrame(
        [
            {"concept": concept, "eraser": eraser, "class": shown}
            for concept, eraser in (("church", "both"), ("church", "uce"), ("none", "none"))
            for _, shown in seen
        ]
    )
    left = without_others_erased(frame, {"both": ["church", "golf-ball"]})
    lost = frame.loc[~frame.index.isin(left.index)]
    assert lost.to_numpy().tolist() == [["church", "both", "golf ball"]]
    assert without_others_erased(frame[:0], {"both": ["church"]}).empty
    assert without_others_erased(frame, {}).equals(frame)
