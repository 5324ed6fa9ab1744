"""Two attacks held against each other, by numbers worked out by hand."""

import pandas as pd
import pytest
from raw_scores import MAX, PRUNED, rows
from regrowth.measure.paired import interval
from regrowth.measure.pairwise import COLUMNS, pairwise
from regrowth.study import variants

BLIND = variants.PRETRAINED | {"concept": "church", "variant": "blind", "detector": "zeros"}


def test_two_attacks_meet_on_the_same_pictures_of_the_erased_class():
    frame = pd.concat([
        rows(variants.PRETRAINED, [True] * 6),
        rows(PRUNED, [False] * 6),
        rows(MAX, [True, False, False, True, False, False]),
        rows(BLIND, [True, True, True, False, True]),
        rows(MAX, [True] * 6, role="preserved"),
        rows(BLIND, [False] * 6, role="preserved"),
    ])  # fmt: skip
    (met,) = pairwise(frame).to_dict("records")
    assert (met["first"], met["second"], met["concept"]) == ("max K=0.6", "blind", "church")
    assert (met["gained"], met["lost"], met["pairs"]) == (1, 3, 5)
    assert (met["first_rate"], met["second_rate"]) == (pytest.approx(2 / 6), 0.8)
    assert met["difference"] == pytest.approx(-0.4)
    assert (met["low"], met["high"]) == interval(1, 3, 5)
    assert met["mcnemar_p"] == pytest.approx(2 * 5 / 16)  # at most one of four, either way


def test_only_attacks_on_the_same_released_model_and_prompt_set_meet():
    hidden = {"defence": "gaussian", "sigma": "1.0", "weight_seed": "0"}
    frame = pd.concat([
        rows(MAX, [True, False]),
        rows(MAX | {"K": "1.0"}, [False, False]),
        rows(BLIND | hidden, [True, True]),
        rows(MAX | hidden, [True, False]),
        rows(BLIND | {"eraser": "checkpoint"}, [True, True]),
        rows(BLIND, [True, False]).assign(prompt_set="t"),
    ])  # fmt: skip
    table = pairwise(frame)
    assert sorted(zip(table["defence"], table["first"], table["second"])) == [
        ("gaussian", "max K=0.6, gaussian 1.0", "blind, gaussian 1.0"),
        ("none", "max K=0.6", "max K=1.0"),
    ]
    assert table["prompt_set"].tolist() == ["s", "s"] and list(table) == COLUMNS


def test_where_there_are_fewer_than_two_attacks_nothing_is_compared():
    table = pairwise(pd.concat([rows(PRUNED, [True]), rows(MAX, [True])]))
    assert table.empty and list(table) == COLUMNS
