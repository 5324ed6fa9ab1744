"""Which concept was erased: scores against slow versions, and guesses that are known."""

import numpy as np
import pandas as pd
import pytest
from regrowth.attack import identify
from regrowth.erase.closed_form import edited, targets
from regrowth.erase.conceptprune import conceptprune_mask
from regrowth.files import keys
from regrowth.measure import identified

RNG = np.random.default_rng(0)
LAYERS = {name: RNG.normal(0, 0.03, (20, 60)) for name in ("a", "b")}


def calibration(seed):
    rng = np.random.default_rng(seed)
    shape = (3, 60)
    ends = {f"{n}:target": rng.gamma(2, 1, shape) for n in LAYERS}
    return ends | {f"{n}:base": rng.gamma(2, 1, shape) for n in LAYERS}


def test_the_area_is_the_share_of_pairs_in_order():
    scores = RNG.integers(0, 6, (5, 8)).astype(float)
    chosen = RNG.random((5, 8)) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[chosen] for b in scores[~chosen]]
    assert identify.area(scores, chosen) == pytest.approx(np.mean(pairs))


def test_holes_are_told_by_the_calibration_that_made_them():
    known = {seed: calibration(seed) for seed in range(6)}
    for seed, norms in known.items():
        missing = {
            name: conceptprune_mask(w, norms[f"{name}:target"], norms[f"{name}:base"], 0.05)
            for name, w in LAYERS.items()
        }
        told = {s: identify.by_holes(missing, LAYERS, n) for s, n in known.items()}
        assert max(told, key=told.get) == seed and told[seed] > 0.7
    nothing = {name: np.zeros(w.shape, bool) for name, w in LAYERS.items()}
    assert np.isnan(identify.by_holes(nothing, LAYERS, known[0]))
    full = nothing | {"a": missing["a"]}
    alone = {"a": LAYERS["a"]}
    assert identify.by_holes(full, LAYERS, known[5]) == identify.by_holes(
        {"a": missing["a"]}, alone, known[5]
    ), "a layer without holes says nothing"


def test_an_edited_word_has_moved_most():
    words = RNG.normal(size=(7, 60))
    for at in range(7):
        others = np.delete(words, at, axis=0)
        guide = RNG.normal(size=(1, 60))
        after = edited(LAYERS, words[[at]], targets(LAYERS, guide), others, 0.5, 1.0, 1.0)
        told = identify.by_edit(LAYERS, after, words)
        assert int(told.argmax()) == at
        slow = np.sqrt(
            sum(np.linalg.norm((after[n] - w) @ words[at]) ** 2 for n, w in LAYERS.items())
            / sum(np.linalg.norm(w @ words[at]) ** 2 for w in LAYERS.values())
        )
        assert told[at] == pytest.approx(slow)
    assert np.isnan(identify.by_edit(LAYERS, LAYERS, words)).all()


def rows(concept, scores, by="holes"):
    own = dict.fromkeys(keys.RELEASED, "none") | {"concept": concept, "eraser": "e"}
    return pd.DataFrame([own | {"candidate": c, "score": s, "by": by} for c, s in scores.items()])


def test_a_rank_counts_those_that_score_as_well_and_no_score_is_no_answer():
    scores = pd.concat(
        [
            rows("church", {"church": 0.9, "cat": 0.5, "racket": 0.1}),
            rows("cat", {"church": 0.5, "cat": 0.5, "racket": 0.6}, "edit"),
            rows("racket", {"church": np.nan, "cat": np.nan, "racket": np.nan}),
        ]
    )
    table = identified.identified(scores)
    assert list(table) == identified.COLUMNS
    assert table["guess"].tolist() == ["church", "racket", ""]
    assert table["rank"].fillna(0).tolist() == [1, 3, 0]
    assert table["next"].iloc[0] == 0.5 and (table["candidates"] == 3).all()
    assert identified.answer(table) == (
        "Which concept was erased, whoever has the model before can tell: by its holes, the first "
        "guess is right for 1 of 2 [0.09, 0.91], one of the first three is right for 1 of 2 [0.09, "
        "0.91] (by chance 0.33 and 1.00), of 1 there is no answer; by what was edited, the first "
        "guess is right for 0 of 1 [0.00, 0.79], one of the first three is right for 1 of 1 [0.21, "
        "1.00] (by chance 0.33 and 1.00)."
    )
    assert identified.answer(table.iloc[:0]) == identified.answer(pd.DataFrame()) == ""
