"""Tables against closed forms and numbers worked out by hand."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from regrowth import keys, tables
from regrowth.catalogue import Catalogue, Judge

PRUNED = keys.PRETRAINED | {"concept": "church", "variant": "pruned"}
MAX = PRUNED | {"variant": "revived", "K": "0.6", "magnitude": "max", "solver": "nuclear"}


def rows(cell, hits, role="erased", **more):
    return pd.DataFrame(
        [
            cell
            | {"prompt_set": "s", "class": "c", "prompt": "p", "seed": i, "hit": h, "role": role}
            | more
            for i, h in enumerate(hits)
        ]
    )


def test_wilson_interval_is_the_closed_form():
    z, n, p = 1.959964, 64, 16 / 64
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert tables.interval(16, 64) == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert all(np.isnan(tables.interval(0, 0)))


def test_accuracy_is_paired_by_seed_with_the_pruned_model():
    pruned = [False] * 8 + [True] * 2
    revived = [True] * 7 + [False] * 3  # seven gained, two lost
    frame = pd.concat([rows(MAX, revived), rows(PRUNED, pruned)])
    table = tables.accuracy(frame).set_index("variant")
    assert list(table.index) == ["pruned", "revived"]
    assert table.loc["revived", ["hits", "n", "pairs"]].tolist() == [7, 10, 10]
    assert table.loc["revived", "gain_on_pruned"] == pytest.approx(0.5)
    exact = 2 * sum(comb(9, k) for k in range(3)) / 2**9
    assert table.loc["revived", "mcnemar_p"] == pytest.approx(exact)
    assert table.loc["pruned", "gain_on_pruned"] == 0


def test_variants_come_in_the_reports_order():
    cells = [MAX | {"magnitude": "mean"}, MAX | {"K": "0.2"}, MAX, PRUNED, keys.PRETRAINED]
    cells += [MAX | {"variant": "layer03"}, PRUNED | {"variant": "quant4"}]
    frame = pd.concat([rows(c, [True]) for c in cells])
    told = [keys.label(c) for c, _ in tables.by_variant(frame)]
    revived = ["max K=0.2", "max K=0.6", "mean K=0.6", "max K=0.6, layer 3 alone"]
    assert told == ["pretrained", "pruned", "quant4", *revived]


def test_clip_score_counts_prompts_below_the_pretrained_model():
    first = rows(keys.PRETRAINED, [True] * 4).assign(score=[0.5, 0.5, 0.5, 0.5])
    second = rows(PRUNED, [True] * 4).assign(score=[0.4, 0.4, 0.4, 0.6])
    table = tables.similarity(pd.concat([second, first])).set_index("variant")
    assert table.loc["pruned", "clip_score"] == 0.75
    assert table.loc["pruned", "similarity"] == pytest.approx(0.45)
    assert np.isnan(table.loc["pretrained", "clip_score"])


def nude(*found):
    """Rows of (picture, label, score)."""
    frame = rows(PRUNED, [True] * len(found))
    picture, label, score = zip(*found)
    return frame.assign(seed=picture, label=label, score=score)


def test_detections_count_pictures_not_boxes():
    judge = Judge(
        kind="nudenet", thresholds=[0.5, 0.85], labels={"strict": ["B"], "all": ["A", "B"]}
    )
    found = nude((0, "A", 0.3), (1, "A", 0.6), (2, "B", 0.9), (2, "A", 0.8), (3, None, np.nan))
    table = tables.detections(found, judge).set_index(["labels", "threshold"])
    assert table["n"].unique().tolist() == [4]
    assert table["hits"].to_dict() == {
        ("strict", 0.5): 1,
        ("strict", 0.85): 1,
        ("all", 0.5): 2,
        ("all", 0.85): 1,
    }
    (any_,) = tables.detections(found, Judge(kind="nudenet"))["hits"]
    assert any_ == 2


def test_body_parts_are_counted_against_the_pretrained_model():
    judge = Judge(kind="nudenet", thresholds=[0.5])
    before = nude((0, "A", 0.9), (1, "A", 0.8), (1, "A", 0.7), (2, "B", 0.6)).assign(
        **keys.PRETRAINED
    )
    after = nude((0, "A", 0.9), (1, None, np.nan), (2, "B", 0.4))
    table = tables.parts(pd.concat([after, before]), judge).set_index(["variant", "label"])
    assert table.loc[("pretrained", "A"), ["images", "n", "change"]].tolist() == [2, 3, 0]
    assert table.loc[("pruned", "A"), ["images", "n", "change"]].tolist() == [1, 3, -1]
    assert table.loc[("pruned", "B"), ["images", "change"]].tolist() == [0, -1]


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
    shared = keys.PRETRAINED
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
    told = tables.for_concept(frame, catalogue, "church", ["objects", "church", "words"])
    assert told[["prompt_set", "role"]].to_numpy().tolist() == [
        ["objects", "erased"],
        ["objects", "erased"],
        ["objects", "preserved"],
        ["words", "preserved"],
    ]
    assert set(told["concept"]) == {"church"}


def test_frechet_distance_of_shifted_features():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(200, 3))
    frame = rows(PRUNED, [True] * 200, role="preserved")
    frame["features"] = list(reference + np.array([3.0, 0, 4.0]))
    mean, covariance = reference.mean(0), np.cov(reference.T)
    for n in (200, 0):  # the number of reference pictures does not matter, nor whether it is known
        table = tables.frechet(frame, mean, covariance, n)
        assert table["fid"].iloc[0] == pytest.approx(25, rel=1e-6)
    frame["features"] = list(2 * reference)
    closed = mean @ mean + np.trace(covariance)  # covariances C and 4C: tr(C + 4C - 2 * 2C)
    table = tables.frechet(frame, mean, covariance, 200)
    assert table["fid"].iloc[0] == pytest.approx(closed, rel=1e-6)


def test_signs_are_pooled_over_layers():
    cell = dict.fromkeys(["concept", "eraser", "defence", "sigma", "weight_seed", "detector"], "x")
    frame = pd.DataFrame(
        [
            cell | {"solver": "nuclear", "guess": "completed", "share": 0.2, "n": n, "right": r}
            | {"n_rest": 10, "right_rest": 5}
            for n, r in ((10, 9), (30, 21))
        ]
    )  # fmt: skip
    table = tables.signs(frame)
    assert table["accuracy"].iloc[0] == 0.75 and table["accuracy_rest"].iloc[0] == 0.5


def test_each_layer_has_its_density_and_its_signs():
    cell = dict.fromkeys(["concept", "eraser", "defence", "sigma", "weight_seed", "detector"], "x")
    cell |= {"solver": "nuclear"}
    told = [("a", 0.2, 10, 9), ("a", 1.0, 50, 30), ("b", 0.2, 2, 1), ("b", 1.0, 10, 6)]
    signs = pd.DataFrame(
        [
            cell | {"layer": layer, "guess": guess, "share": share, "n": n, "right": right // by}
            for layer, share, n, right in told
            for guess, by in (("completed", 1), ("random", 2))
        ]
    )
    solves = pd.DataFrame([cell | {"layer": "b", "n": 10}, cell | {"layer": "a", "n": 50}])
    table = tables.layers(signs, solves, {"a": 500, "b": 40}).set_index("layer")
    assert table["density"].to_dict() == {"b": 0.25, "a": 0.1}
    assert table["n"].to_dict() == {"b": 10, "a": 50}
    assert table["accuracy"].to_dict() == {"b": 0.6, "a": 0.6}
    assert table["accuracy_top"].to_dict() == {"b": 0.5, "a": 0.9}
    assert tuple(table.loc["a", ["low_top", "high_top"]]) == tables.interval(9, 10)
