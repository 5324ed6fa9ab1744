"""Which setting is picked, with the retrained model in sight and without it."""

import numpy as np
import pytest
from regrowth.classify import gaps
from regrowth.classify.choices import chosen, strangeness
from regrowth.classify.gaps import Outcome
from regrowth.classify.study import Cell

SAMPLES, CLASSES = {"some": {"kind": "samples"}}, {"some": {"kind": "classes"}}


def outcome(unlearner: str, seed: int, split: str = "0", **rates: float) -> Outcome:
    """Of a hundred pictures each."""
    told = {"forget": 1, "retain": 1, "validation": 0.8, "test": 0.8} | rates
    right = {part: np.arange(100) < round(100 * rate) for part, rate in told.items()}
    return Outcome(
        Cell(split, "some", unlearner, str(seed)), right, {"confidence": right["test"]}, 1
    )


ORIGINAL = outcome("original", 0)


def picks(outcomes: list[Outcome], names: list[str], forget=SAMPLES) -> dict[str, str]:
    table = gaps.gaps(outcomes, lambda cell: cell.unlearner == "retrain")
    rows = chosen(outcomes, table, {"it": names}, forget)
    return dict(zip(rows["rule"], rows["picked"])) | {"rows": rows.set_index("rule")}


def test_it_is_strange_to_know_what_is_forgotten_better_than_what_was_held_out():
    """(|90 − 78| + |78 − 80| + |96 − 100|) / 3; of a class, 90 instead of 12."""
    one = outcome("a", 0, forget=0.9, validation=0.78, retain=0.96)
    assert strangeness(one, ORIGINAL, classes=False) == pytest.approx((12 + 2 + 4) / 3)
    assert strangeness(one, ORIGINAL, classes=True) == pytest.approx((90 + 2 + 4) / 3)


def test_the_blind_rule_may_pick_another_than_the_one_that_sees():
    """The retrained knows 90 of what is forgotten, though it knows 80 of the rest."""
    made = [ORIGINAL, *(outcome("retrain", seed, forget=0.9) for seed in (0, 1))]
    made += [outcome("slow", seed, forget=0.89) for seed in (0, 1)]
    made += [outcome("fast", seed, forget=0.8) for seed in (0, 1)]
    found = picks(made, ["slow", "fast"])
    assert (found["blind"], found["oracle"]) == ("fast", "slow")
    rows = found["rows"]
    assert rows.loc["oracle", "avg_gap"] == rows.loc["oracle", "score"] == pytest.approx(1 / 4)
    assert rows.loc["blind", "avg_gap"] == pytest.approx(10 / 4) and rows.loc["blind", "score"] == 0
    assert (rows["low"] <= rows["avg_gap"]).all() and set(rows["of"]) == {2}


def test_blind_knows_no_retraining():
    made = [ORIGINAL, outcome("slow", 0, forget=0.9), outcome("fast", 0, forget=0.8)]
    worse = [outcome("retrain", seed, forget=0.9) for seed in (0, 1)]
    better = [outcome("retrain", seed, forget=0.2, test=0.3) for seed in (0, 1)]
    told = [picks([*made, *some], ["slow", "fast"])["blind"] for some in (worse, better)]
    assert told == ["fast", "fast"]


def test_of_a_class_nothing_may_be_known():
    made = [ORIGINAL, outcome("retrain", 0, forget=0), outcome("retrain", 1, forget=0)]
    made += [outcome("none", 0, forget=0.0, validation=0.79), outcome("some", 0, forget=0.8)]
    assert picks(made, ["some", "none"], CLASSES)["blind"] == "none"


def test_each_run_is_held_against_the_original_of_its_own_split():
    made = [ORIGINAL, outcome("original", 0, "1", validation=0.6)]
    made += [outcome("retrain", s, split) for s in (0, 1) for split in ("0", "1")]
    made += [outcome("a", 0, "0"), outcome("a", 0, "1", validation=0.6, forget=0.6)]
    rows = picks(made, ["a", "a"])["rows"]
    assert rows.loc["blind", "score"] == pytest.approx((20 + 0) / 3 / 2)


def test_a_setting_that_broke_is_not_picked():
    broken = Outcome(Cell("0", "some", "broken", "0"), {}, {}, 1)
    made = [ORIGINAL, outcome("retrain", 0), outcome("retrain", 1), broken, outcome("a", 0)]
    found = picks(made, ["broken", "a"])
    assert (found["blind"], found["oracle"]) == ("a", "a") and set(found["rows"]["of"]) == {1}
    assert picks([*made[:4]], ["broken", "a"])["rows"]["picked"].isna().all()
