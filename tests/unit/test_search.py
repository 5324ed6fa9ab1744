"""The best of several pictures: who picks it meets the concept more often, whatever is done."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from raw_scores import PRUNED as PLAIN
from regrowth.measure import search
from regrowth.measure.cells import interval
from regrowth.measure.paired import interval as paired
from regrowth.show.readable import readable_search
from regrowth.study import variants

PRUNED = PLAIN | {"eraser": "uce"}
FOUND = PRUNED | {"variant": "prefix", "tokens": "5", "lr": "0.01", "step": "100"}
RANDOM = PRUNED | {"variant": "random-prefix", "tokens": "5"}


def of_prompts(cell, hits, **more):
    """hits: (prompts, pictures), bool."""
    hits = np.array(hits, dtype=bool)
    prompt, seed = (at.ravel() for at in np.indices(hits.shape))
    told = {"prompt": prompt, "seed": seed, "hit": hits.ravel(), "prompt_set": "s", "class": "c"}
    return pd.DataFrame(told).assign(**cell | {"role": "erased"} | more)


def test_an_attempt_is_so_many_pictures_of_a_prompt_in_the_order_of_their_seeds():
    frame = of_prompts(PRUNED, [[1, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 0]])
    frame = frame[(frame["prompt"] == 0) | (frame["seed"] < 4)].sample(frac=1, random_state=1)
    told = search.attempts(frame, 3)
    met = told.groupby(["prompt", "first"])["hit"].agg(["any", "size"])
    assert met["any"].to_dict() == {(0, 0): True, (0, 3): True, (1, 0): False}
    assert (met["size"] == 3).all() and len(told) == 9, "what is left makes no attempt"


def test_the_correction_is_what_is_met_where_pictures_are_independent():
    """Simulated: hits of one rate each; and of the same rate on the whole, but in few prompts."""
    rng, rate, judged = np.random.default_rng(0), 0.12, 6
    rates = np.where(np.arange(400) < 100, 4 * rate, 0)[:, None]
    even, few = (of_prompts(PRUNED, rng.random((400, 12)) < p) for p in (rate, rates))
    for frame, kept in ((even, False), (few, True)):
        (row,) = search.search(frame, [judged]).to_dict("records")
        expected = sum(comb(judged, k) * rate**k * (1 - rate) ** (judged - k) for k in range(1, 7))
        assert search.independent(rate, judged) == pytest.approx(expected)
        assert row["n"] == 800 and row["rate"] == pytest.approx(rate, abs=0.015)
        assert (row["best_high"] < row["independent_low"]) == kept
        assert (row["best_low"] < expected < row["best_high"]) != kept


def test_an_attack_is_held_to_other_seeds_and_random_prefixes_judged_as_often():
    frame = pd.concat(
        [
            of_prompts(PRUNED, [[0, 0, 1, 0, 0, 0], [0] * 6]),
            of_prompts(RANDOM, [[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]]),
            of_prompts(FOUND, [[1, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 0]]),
            of_prompts(FOUND, [[1] * 6, [1] * 6], role="preserved"),
            of_prompts(FOUND | {"variant": "inversion"}, [[1] * 6, [1] * 6]),
            of_prompts(variants.PRETRAINED, [[1] * 6, [1] * 6]),
        ]
    )
    table = search.search(frame, [2, 3])
    assert list(table) == search.COLUMNS
    assert table["attack"].tolist() == ["as released", "prefix found ×100", "random prefix"] * 2
    assert (
        table["judged"].tolist() == [2, 2, 2, 3, 3, 3] and table["n"].tolist() == [6] * 3 + [4] * 3
    )
    by = table.set_index(["attack", "judged"])
    row = by.loc[("prefix found ×100", 2)]
    assert row["rate"] == 6 / 12 and row["best"] == 4 / 6
    assert (row["rate_low"], row["rate_high"]) == pytest.approx(interval(6, 12))
    assert (row["best_low"], row["best_high"]) == pytest.approx(interval(4, 6))
    assert row["independent"] == 0.75
    assert row["independent_low"] == pytest.approx(1 - (1 - interval(6, 12)[0]) ** 2)
    assert row["over_seeds"] == pytest.approx(3 / 6), "four attempts against one, that it has too"
    ends = row[["over_seeds_low", "over_seeds_high"]]
    assert ends.tolist() == pytest.approx(paired(3, 0, 6))
    assert row["over_random"] == pytest.approx(2 / 6), "three gained, one lost"
    ends = row[["over_random_low", "over_random_high"]]
    assert ends.tolist() == pytest.approx(paired(3, 1, 6))
    shown = readable_search(table.assign(judge="j")).iloc[1]
    assert shown["a picture"].startswith("0.50 [") and shown["the best"].startswith("0.67 [")
    assert shown["if independent"].startswith("0.75 [") and shown["attempts"] == 6
    assert shown["over other seeds"].startswith("+0.50 [")
    seeds = by.loc[("as released", 2)]
    assert seeds["best"] == 1 / 6 and pd.isna(seeds["over_seeds"]) and pd.isna(seeds["over_random"])
    assert by.loc[("random prefix", 3), "over_seeds"] == pytest.approx(1 / 4)
    assert pd.isna(by.loc[("random prefix", 3), "over_random"])


def test_an_attack_through_a_guard_is_held_to_what_is_drawn_through_it():
    guarded = {"defence": "negative"}
    frame = pd.concat(
        [
            of_prompts(PRUNED, [[1, 1, 1, 1]]),
            of_prompts(PRUNED | guarded, [[0, 0, 0, 0]]),
            of_prompts(FOUND | guarded, [[1, 0, 0, 0]]),
        ]
    )
    by = search.search(frame, [2]).set_index("attack")
    assert by.loc["prefix found ×100, negative", "over_seeds"] == 0.5


def test_an_attack_is_held_to_the_same_on_a_model_that_never_knew_the_concept():
    never = {"eraser": "retrained"}
    frame = pd.concat(
        [
            of_prompts(FOUND, [[1, 0, 1, 0], [0, 0, 1, 1]]),
            of_prompts(FOUND | never, [[0, 0, 0, 1], [1, 0, 0, 0]]),
        ]
    )
    by = search.search(frame, [2], {FOUND["eraser"]: "retrained"}).set_index("eraser")
    row = by.loc[FOUND["eraser"]]
    assert (row["control"], row["control_n"]) == (0.5, 4) and row["over_control"] == 0.25
    ends = row[["over_control_low", "over_control_high"]]
    assert ends.tolist() == pytest.approx(paired(2, 1, 4))
    assert by.loc["retrained", ["control", "over_control"]].isna().all()


def test_where_no_prompt_has_so_many_pictures_there_is_no_row():
    frame = of_prompts(PRUNED, [[1, 1], [0, 1]])
    for best_of in ([], [3]):
        table = search.search(frame, best_of)
        assert table.empty and list(table) == search.COLUMNS
