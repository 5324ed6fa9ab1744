"""Rates and what they are compared with, by numbers worked out by hand."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from raw_scores import MAX, PRUNED, nude, rows
from regrowth.measure import rates
from regrowth.measure.cells import interval
from regrowth.study import variants
from regrowth.study.catalogue import Judge


def test_accuracy_is_paired_by_seed_with_the_pruned_model():
    pruned = [False] * 8 + [True] * 2
    revived = [True] * 7 + [False] * 3  # seven gained, two lost
    frame = pd.concat([rows(MAX, revived), rows(PRUNED, pruned)])
    table = rates.accuracy(frame).set_index("variant")
    assert list(table.index) == ["pruned", "revived"]
    assert table.loc["revived", ["hits", "n", "pairs"]].tolist() == [7, 10, 10]
    assert table.loc["revived", "gain_on_pruned"] == pytest.approx(0.5)
    exact = 2 * sum(comb(9, k) for k in range(3)) / 2**9
    assert table.loc["revived", "mcnemar_p"] == pytest.approx(exact)
    assert table.loc["pruned", "gain_on_pruned"] == 0


def test_detections_count_pictures_not_boxes():
    judge = Judge(
        kind="nudenet", thresholds=[0.5, 0.85], labels={"strict": ["B"], "all": ["A", "B"]}
    )
    found = nude((0, "A", 0.3), (1, "A", 0.6), (2, "B", 0.9), (2, "A", 0.8), (3, None, np.nan))
    table = rates.detections(found, judge).set_index(["labels", "threshold"])
    assert table["n"].unique().tolist() == [4]
    assert table["hits"].to_dict() == {
        ("strict", 0.5): 1,
        ("strict", 0.85): 1,
        ("all", 0.5): 2,
        ("all", 0.85): 1,
    }
    (any_,) = rates.detections(found, Judge(kind="nudenet"))["hits"]
    assert any_ == 2


def test_body_parts_are_counted_against_the_pretrained_model():
    judge = Judge(kind="nudenet", thresholds=[0.5])
    before = nude((0, "A", 0.9), (1, "A", 0.8), (1, "A", 0.7), (2, "B", 0.6)).assign(
        **variants.PRETRAINED
    )
    after = nude((0, "A", 0.9), (1, None, np.nan), (2, "B", 0.4))
    table = rates.parts(pd.concat([after, before]), judge).set_index(["variant", "label"])
    assert table.loc[("pretrained", "A"), ["images", "n", "change"]].tolist() == [2, 3, 0]
    assert table.loc[("pruned", "A"), ["images", "n", "change"]].tolist() == [1, 3, -1]
    assert table.loc[("pruned", "B"), ["images", "change"]].tolist() == [0, -1]


def test_a_rate_is_of_its_own_pictures_and_compared_with_its_own_erasers():
    other = PRUNED | {"eraser": "checkpoint"}
    mine = PRUNED | {"eraser": "conceptprune"}
    hidden = mine | {"defence": "gaussian", "sigma": "1.0"}
    frame = pd.concat([
        rows(variants.PRETRAINED, [True, True, True, False]),
        rows(mine, [True, False, False, False]),
        rows(other, [False, True, True, False]),
        rows(hidden, [True, True, False, False]),
        rows(other | {"variant": "nf4"}, [True, True, False]),
    ])  # fmt: skip
    table = rates.accuracy(frame).set_index(["variant", "eraser", "defence"])
    paired = ["gain_on_pruned", "pairs", "gained", "lost"]
    assert table.loc[("nf4", "checkpoint", "none"), paired].tolist() == [0, 3, 1, 1]
    assert table.loc[("pruned", "conceptprune", "gaussian"), paired].tolist() == [0.25, 4, 1, 0]
    before = [f"pretrained_{name}" for name in paired[1:]]
    assert table.loc[("pruned", "checkpoint", "none"), before].tolist() == [4, 0, 1]
    # of a model without an eraser: against the first pruned one
    first = rates.accuracy(frame)["eraser"].drop_duplicates().tolist()[1]
    against = {"conceptprune": [2, 0], "checkpoint": [1, 0]}[first]
    assert table.loc[("pretrained", "none", "none"), ["gained", "lost"]].tolist() == against
    assert tuple(table.loc[("nf4", "checkpoint", "none"), ["low", "high"]]) == interval(2, 3)


def test_an_attack_is_compared_with_the_same_on_a_model_that_never_knew_the_concept():
    mine, never = (PRUNED | {"eraser": name} for name in ("conceptprune", "retrained"))
    trained = {"variant": "relearn", "data": "own", "step": "10"}
    frame = pd.concat([
        rows(mine, [True, False, False, False]),
        rows(mine | trained, [True, True, True, False]),
        rows(mine | trained | {"step": "50"}, [True, True, True, True]),
        rows(never, [False, False, False, False]),
        rows(never | trained, [False, False, False, True, True]),
    ])  # fmt: skip
    held = {"conceptprune": "retrained"}
    table = rates.accuracy(frame, held).set_index(["eraser", "variant", "step"])
    told = [f"control_{name}" for name in ("pairs", "gained", "lost", "rate", "n")]
    assert table.loc[("conceptprune", "relearn", "10"), told].tolist() == [4, 3, 1, 0.4, 5]
    assert table.loc[("conceptprune", "pruned", "none"), told].tolist() == [4, 1, 0, 0, 4]
    assert table.loc[("conceptprune", "relearn", "50"), told].isna().all(), "the control has none"
    assert table.loc["retrained", told].isna().all(axis=None)
    assert not {*told} & {*rates.accuracy(frame)}


def test_each_eraser_is_held_to_its_own_control():
    shown = {"a": [1, 1, 1, 0], "b": [1, 1, 0, 0], "a-never": [1, 0, 0, 0], "b-never": [0, 0, 0, 1]}
    frame = pd.concat([rows(PRUNED | {"eraser": e}, [*map(bool, s)]) for e, s in shown.items()])
    table = rates.accuracy(frame, {"a": "a-never", "b": "b-never"}).set_index("eraser")
    told = [f"control_{name}" for name in ("gained", "lost", "rate")]
    assert table.loc["a", told].tolist() == [2, 0, 0.25]
    assert table.loc["b", told].tolist() == [2, 1, 0.25]
    assert table.loc[["a-never", "b-never"], told].isna().all(axis=None)


def test_pictures_that_only_one_of_both_has_are_no_pair():
    told = rates.compare(pd.Series([True], [0]), pd.Series([True], [1]))
    assert told["pairs"] == 0 and np.isnan(told["gain_on_pruned"]) and told["mcnemar_p"] == 1
    assert (told["gained"], told["lost"]) == (0, 0)


def test_detections_are_compared_like_rates():
    judge = Judge(kind="nudenet", thresholds=[0.5], labels={"all": ["A"]})
    before = nude((0, "A", 0.9), (1, "A", 0.5), (2, "B", 0.9)).assign(**variants.PRETRAINED)
    after = nude((0, None, np.nan), (1, "A", 0.49), (2, "A", 0.6))
    table = rates.detections(pd.concat([before, after]), judge).set_index("variant")
    told = ["hits", "n", "pretrained_pairs", "pretrained_gained", "pretrained_lost"]
    assert table.loc["pretrained", told].tolist() == [2, 3, 3, 0, 0]
    assert table.loc["pruned", told].tolist() == [1, 3, 3, 1, 2]
    assert table["labels"].tolist() == ["all"] * 2 and table["threshold"].tolist() == [0.5] * 2
    more = rates.detections(after, Judge(kind="nudenet", thresholds=[0.5, 0.7]))
    assert more["hits"].to_dict() == {0: 1, 1: 0}
    unnamed = rates.detections(after, Judge(kind="nudenet", thresholds=[0.5]))
    assert unnamed["labels"].tolist() == ["any"] and unnamed["hits"].tolist() == [1]


def test_parts_are_those_of_their_own_set_role_and_threshold():
    judge = Judge(kind="nudenet", thresholds=[0.5, 0.6])
    before = nude((0, "A", 0.5), (1, "A", 0.6), (2, "B", 0.9)).assign(**variants.PRETRAINED)
    kept = before.assign(role="preserved", score=0.1)
    after = nude((0, "A", 0.7))
    alone = after.assign(prompt_set="t")
    table = rates.parts(pd.concat([before, kept, after, alone]), judge)
    place = ["variant", "prompt_set", "role", "threshold", "label"]
    found = table.set_index(place)[["images", "n", "change"]]
    assert found.loc[("pretrained", "s", "erased", 0.5, "A")].tolist() == [2, 3, 0]
    assert found.loc[("pretrained", "s", "erased", 0.6, "A")].tolist() == [1, 3, 0]
    assert found.loc[("pretrained", "s", "preserved", 0.5, "A")].tolist() == [0, 3, 0]
    assert found.loc[("pruned", "s", "erased", 0.5, "A")].tolist() == [1, 1, -1]
    assert found.loc[("pruned", "s", "erased", 0.6, "B")].tolist() == [0, 1, -1]
    assert np.isnan(found.loc[("pruned", "t", "erased", 0.5, "A"), "change"])
    assert table["label"].tolist()[:2] == ["A", "B"]


def test_one_picture_is_a_rate_too():
    table = rates.accuracy(rows(PRUNED, [True]))
    assert table[["hits", "n", "rate"]].to_numpy().tolist() == [[1, 1, 1]]
    assert rates.accuracy(rows(PRUNED, [True, False, False, False]))["rate"].item() == 0.25
