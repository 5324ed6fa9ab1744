"""The trade-off table: the strongest attack, the verdict, the advice, from rates made by hand."""

import pandas as pd
import pytest
from regrowth import keys, report
from regrowth.tables import interval
from regrowth.tradeoff import advice, tradeoff
from statsmodels.stats.proportion import proportion_confint

NONE = dict.fromkeys(keys.VARIANT, "none") | {"concept": "church", "eraser": "conceptprune"}
NOISE = {"defence": "gaussian", "weight_seed": "0"}
ATTACK = {"variant": "revived", "detector": "smallest-0.02", "solver": "nuclear"}
ATTACK |= {"K": "0.6", "magnitude": "max"}


def rates(cell, erased, preserved, n=100):
    """Two rows of the accuracy table."""
    out = []
    for role, hits in (("erased", erased), ("preserved", preserved)):
        low, high = interval(hits, n)
        told = {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}
        out.append({**NONE, **cell, "prompt_set": "objects", "role": role, **told})
    return out


def found(cell, **auc):
    about = {key: {**NONE, **cell}[key] for key in keys.RELEASED}
    rows = [
        {**about, "layer": "all", "detector": d, "auc": a, "tpr": a / 2} for d, a in auc.items()
    ]
    return rows + [{**rows[0], "layer": "one", "auc": 1.0}]


def study():
    """sigma 1 hides well and holds; sigma 3 hides better, but costs too much; 0.1 is found."""
    rows = rates({"variant": "pruned"}, 10, 90)
    rows += rates(ATTACK | {"detector": "zeros"}, 95, 92)
    told = []
    for sigma, left, preserved, regrown in (
        ("0.1", 12, 90, 90),
        ("1.0", 9, 86, 20),
        ("3.0", 2, 60, 3),
    ):
        cell = NOISE | {"sigma": sigma}
        rows += rates(cell | {"variant": "pruned"}, left, preserved)
        rows += rates(cell | ATTACK, regrown, 80)
        rows += rates(cell | ATTACK | {"K": "0.2"}, regrown - 2, 85)
        told += found(cell, smallest=0.9 - float(sigma) / 4, residual=0.5)
    decoy = {"defence": "decoy", "sigma": "1.0"}
    rows += rates(decoy | {"variant": "pruned"}, 10, 90)
    # an attack that draws its magnitudes has a seed, the released model has none
    rows += rates(
        decoy | ATTACK | {"detector": "zeros", "magnitude": "sample", "weight_seed": "0"}, 60, 70
    )
    told += found(decoy, smallest=0.8)
    return pd.DataFrame(rows), pd.DataFrame(told)


def test_the_strongest_attack_of_each_defence():
    table = tradeoff(*study()).set_index(["defence", "sigma"])
    noisy = [("gaussian", sigma) for sigma in ("0.1", "1.0", "3.0")]
    assert list(table.index) == [("none", "none"), *noisy, ("decoy", "1.0")]
    row = table.loc["gaussian", "1.0"]
    assert (row["erased"], row["preserved"]) == (0.09, 0.86)
    assert (row["attacks"], row["revival"], row["n"]) == (2, 0.2, 100)
    assert row["revival_preserved"] == 0.8
    assert row["strongest"] == "max K=0.6 at smallest-0.02"
    assert (row["low"], row["high"]) == pytest.approx(proportion_confint(20, 100, 0.025, "wilson"))
    assert row["low"] < interval(20, 100)[0], "two attacks: a wider interval than for one"
    assert (row["detector"], row["auc"], row["tpr"]) == ("smallest", 0.65, 0.325)
    assert table.loc["gaussian", "3.0"]["detector"] == "residual"
    assert table.loc["none", "none"]["auc"] == 1.0
    assert table.loc["decoy", "1.0"]["revival"] == 0.6


def test_what_holds_and_what_is_recommended():
    table = tradeoff(*study()).set_index(["defence", "sigma"])
    assert table["holds"].to_list() == ["no", "no", "undecided", "yes", "no"]
    assert table["recommended"].to_list() == [False, False, True, False, False]


def test_the_advice_is_a_sentence_to_act_on():
    accuracy, detectability = study()
    told = advice(tradeoff(accuracy, detectability))
    assert told.startswith("church: the best defence tried is gaussian at sigma 1.0, with too few")
    assert "that it holds as drawn with seed 0: the strongest of 2 attacks" in told
    assert "regrows 0.20 [" in told and "undefended 0.95" in told
    low, high = interval(86, 100)
    assert f"0.86 [{low:.2f}, {high:.2f}] (undefended 0.90)" in told
    gaussian = (accuracy["sigma"] == "1.0") & (accuracy["defence"] == "gaussian")
    told = advice(tradeoff(accuracy[~gaussian], detectability))
    assert told.startswith("church: no defence tried holds; the best is decoy at sigma 1.0")
    weak = gaussian & (accuracy["variant"] == "revived") & (accuracy["role"] == "erased")
    accuracy.loc[weak, ["hits", "rate"]] = 5, 0.05
    told = advice(tradeoff(accuracy, detectability))
    assert told.startswith(
        "church: release it with gaussian at sigma 1.0, which holds as drawn with seed 0"
    )


def test_many_concepts_are_advised_on_together():
    table = tradeoff(*study())
    decoyed = table.assign(recommended=table["defence"] == "decoy")
    held = table.assign(recommended=table["sigma"] == "3.0")
    named = {"church": table, "gas pump": table, "french horn": held, "racket": held}
    named |= {"candle": decoyed, "kite": table.assign(recommended=False)}
    told = advice(pd.concat([some.assign(concept=c) for c, some in named.items()]))
    assert told == (
        "Church and gas pump: the best defence tried is gaussian at sigma 1.0, with too few "
        "pictures to say that it holds as drawn with seed 0 (the strongest attacks regrow 0.20, "
        "undefended 0.95). "
        "Release french horn and racket with gaussian at sigma 3.0, which holds as drawn "
        "with seed 0 (the strongest attacks regrow 0.03, undefended 0.95). Candle: "
        "no defence tried holds; the best is decoy at sigma 1.0 (the strongest attacks regrow "
        "0.60, undefended 0.95). No defence is recommended for kite, since each that was attacked "
        "costs more than 0.05 of preserved accuracy, or nobody knows how much."
    )


def test_what_may_cost_little_is_recommended_and_what_costs_much_is_not():
    """sigma 3 regrows least. The interval of 60 of 100 ends below .85, that of 6 of 10 does not."""
    accuracy, detectability = study()
    loud = (accuracy["sigma"] == "3.0") & (accuracy["role"] == "preserved")
    for hits, n, chosen in ((60, 100, "1.0"), (6, 10, "1.0"), (9, 10, "3.0"), (8, 10, "3.0")):
        accuracy.loc[loud & (accuracy["variant"] == "pruned"), ["hits", "n", "rate"]] = (
            hits,
            n,
            hits / n,
        )
        table = tradeoff(accuracy, detectability)
        row = table[table["recommended"]].iloc[0]
        assert (interval(hits, n)[1] >= 0.85) == (chosen == "3.0")
        assert row["sigma"] == chosen
    twice = accuracy[accuracy["sigma"] == "3.0"].assign(weight_seed="1")
    both = pd.concat([accuracy, twice], ignore_index=True)
    table = tradeoff(both, detectability)
    assert table[table["recommended"]]["sigma"].to_list() == ["3.0"], "it alone was drawn twice"
    loud = (both["sigma"] == "3.0") & (both["role"] == "preserved")
    both.loc[loud, ["hits", "n", "rate"]] = 60, 100, 0.6
    table = tradeoff(both, detectability)
    assert table[table["recommended"]]["sigma"].to_list() == ["1.0"], "draws of what is too dear"


def test_a_defended_model_that_is_attacked_without_being_drawn_has_its_row():
    accuracy, detectability = study()
    drawn = (accuracy["defence"] == "gaussian") & (accuracy["variant"] == "pruned")
    table = tradeoff(accuracy[~drawn], detectability).set_index(["defence", "sigma"])
    row = table.loc["gaussian", "3.0"]
    assert (row["revival"], row["holds"], row["recommended"]) == (0.03, "yes", False)
    shown = report.readable_defences(table.reset_index()).set_index("defence")
    assert shown.loc["gaussian 3.0", ["erased", "preserved", "holds"]].to_list() == ["", "", "yes"]


def test_what_costs_nobody_knows_how_much_is_not_recommended():
    accuracy, detectability = study()
    unknown = (accuracy["defence"] != "none") & (accuracy["role"] == "preserved")
    table = tradeoff(accuracy[~unknown], detectability)
    assert not table["recommended"].any() and "yes" in table["holds"].to_list()
    assert advice(table).startswith("No defence is recommended for church, since")


def test_of_several_draws_the_worst_counts():
    accuracy, detectability = study()
    again = accuracy[accuracy["sigma"] == "1.0"].query("defence == 'gaussian'").copy()
    again["weight_seed"] = "1"
    attacked = (again["variant"] == "revived") & (again["role"] == "erased")
    again.loc[attacked, ["hits", "rate"]] = [[55, 0.55], [10, 0.1]]
    again.loc[(again["variant"] == "pruned") & (again["role"] == "erased"), "rate"] = 0.05
    once = tradeoff(accuracy, detectability)
    twice = tradeoff(pd.concat([accuracy, again], ignore_index=True), detectability)
    assert len(once) == len(twice)
    row = twice[twice["recommended"]].squeeze()
    assert (row["defence"], row["sigma"], row["draws"]) == ("gaussian", "1.0", 2)
    assert (row["attacks"], row["revival"], row["weight_seed"]) == (4, 0.55, "1")
    assert row["erased"] == pytest.approx(0.07), "the mean of .09 and .05"
    assert (row["low"], row["high"]) == pytest.approx(
        proportion_confint(55, 100, 0.05 / 4, "wilson")
    )
    assert "draws" not in report.readable_defences(once)
    assert report.readable_defences(twice)["draws"].tolist().count(2) == 1
    assert row["holds"] == "no" and once.set_index("sigma").loc["1.0", "holds"].iloc[0] != "no"
    assert "the strongest of 4 attacks (max K=0.6 at smallest-0.02, draw 1)" in advice(twice)


def test_a_draw_that_nobody_attacked_is_not_counted():
    accuracy, detectability = study()
    unattacked = rates(NOISE | {"sigma": "1.0", "weight_seed": "1", "variant": "pruned"}, 9, 86)
    table = tradeoff(
        pd.concat([accuracy, pd.DataFrame(unattacked)], ignore_index=True), detectability
    )
    assert table.set_index("sigma").loc["1.0", "draws"].tolist() == [1, 1]
    assert "as drawn with seed 0" in advice(table)


def test_what_was_drawn_less_often_is_not_recommended():
    accuracy, detectability = study()
    lucky = accuracy[accuracy["sigma"] == "1.0"].query("defence == 'gaussian'").copy()
    lucky["defence"] = "row"
    lucky.loc[lucky["variant"] == "revived", ["hits", "rate"]] = 1, 0.01
    again = accuracy[accuracy["defence"] == "gaussian"].assign(weight_seed="1")
    table = tradeoff(pd.concat([accuracy, lucky]), detectability)
    assert table.loc[table["recommended"], "defence"].item() == "row"
    assert "which holds as drawn with seed 0" in advice(table)
    table = tradeoff(pd.concat([accuracy, lucky, again], ignore_index=True), detectability)
    assert table.loc[table["recommended"], "defence"].item() == "gaussian"


def test_a_defence_that_nobody_attacked_is_neither_good_nor_bad():
    accuracy, detectability = study()
    table = tradeoff(accuracy[accuracy["variant"] == "pruned"], detectability)
    assert (table["holds"] == "").all() and not table["recommended"].any()
    assert table["auc"].notna().all() and advice(table) == ""
    shown = report.readable_defences(table)
    assert (shown["strongest attack"] == "not attacked").all()
    nothing = tradeoff(accuracy.iloc[:0], detectability)
    assert len(nothing) == 0 and advice(nothing) == ""


def test_the_readable_table_marks_the_recommended():
    shown = report.readable_defences(tradeoff(*study())).set_index("defence")
    assert shown.loc["gaussian 1.0", "holds"] == "undecided, recommended"
    assert list(shown["holds"].str.contains("recommended")).count(True) == 1
    assert shown.loc["none", "regrows"].startswith("0.95 [")
    assert shown.loc["gaussian 1.0", "regrows"].startswith("0.20 [")
