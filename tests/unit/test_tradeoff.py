"""The trade-off table: the strongest attack, the verdict, the advice, from rates made by hand."""

import pandas as pd
import pytest
from regrowth.files import keys
from regrowth.measure.cells import interval
from regrowth.measure.headline import of_both_roles
from regrowth.measure.paired import decide
from regrowth.measure.tradeoff import COLUMNS, advice, tradeoff
from regrowth.show.readable import readable_defences
from regrowth.study import variants
from statsmodels.stats.proportion import proportion_confint

NONE = dict.fromkeys(variants.KEYS, "none") | {"concept": "church", "eraser": "conceptprune"}
NOISE = {"defence": "gaussian", "weight_seed": "0"}
ATTACK = {"variant": "revived", "detector": "smallest-0.02", "solver": "nuclear"}
ATTACK |= {"K": "0.6", "magnitude": "max"}


#: Of a thousand pictures: what the undefended pruned model shows of the erased and of all others.
BARE = {"erased": 100, "preserved": 900}


def rates(cell, erased, preserved, n=1000):
    """Two rows of the accuracy table, of a thousand pictures or another n at the same rates. Hits
    are nested: of two variants, what the rarer shows the other shows, too."""
    out = []
    for role, hits in (("erased", erased), ("preserved", preserved)):
        row = {**NONE, **cell, "prompt_set": "objects", "role": role, "judge": "objects"}
        out.append(row | counts(hits * n // 1000, n, BARE[role] * n // 1000))
    return out


def counts(hits, n, bare):
    low, high = interval(hits, n)
    told = {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high, "pairs": n}
    return told | {"gained": max(0, hits - bare), "lost": max(0, bare - hits)}


def change(accuracy, chosen, hits, n=1000):
    """Other counts in some rows of the table."""
    for at in accuracy.index[chosen]:
        bare = BARE[accuracy.loc[at, "role"]] * n // 1000
        for name, value in counts(hits, n, bare).items():
            accuracy.loc[at, name] = value


def found(cell, **auc):
    about = {key: {**NONE, **cell}[key] for key in keys.RELEASED}
    rows = [
        {**about, "layer": "all", "detector": d, "auc": a, "tpr": a / 2} for d, a in auc.items()
    ]
    return rows + [{**rows[0], "layer": "one", "auc": 1.0}]


def study():
    """sigma 1 hides well, and may hold; sigma 3 hides better, but costs too much; 0.1 is found."""
    rows = rates({"variant": "pruned"}, 100, 900)
    rows += rates(ATTACK | {"detector": "zeros"}, 950, 920)
    told = []
    for sigma, left, preserved, regrown in (
        ("0.1", 120, 900, 900),
        ("1.0", 90, 880, 140),
        ("3.0", 20, 600, 30),
    ):
        cell = NOISE | {"sigma": sigma}
        rows += rates(cell | {"variant": "pruned"}, left, preserved)
        rows += rates(cell | ATTACK, regrown, 800)
        rows += rates(cell | ATTACK | {"K": "0.2"}, regrown - 20, 850)
        told += found(cell, smallest=0.9 - float(sigma) / 4, residual=0.5)
    decoy = {"defence": "decoy", "sigma": "1.0"}
    rows += rates(decoy | {"variant": "pruned"}, 100, 900)
    # an attack that draws its magnitudes has a seed, the released model has none
    drawn = ATTACK | {"detector": "zeros", "magnitude": "sample", "weight_seed": "0"}
    rows += rates(decoy | drawn, 600, 700) + rates(decoy | drawn | {"K": "0.2"}, 500, 700)
    told += found(decoy, smallest=0.8)
    return pd.DataFrame(rows), pd.DataFrame(told)


def judged(accuracy, detectability):
    return tradeoff(accuracy, detectability).set_index(["defence", "sigma"])


def test_the_strongest_attack_of_each_defence():
    table = judged(*study())
    noisy = [("gaussian", sigma) for sigma in ("0.1", "1.0", "3.0")]
    assert list(table.index) == [("none", "none"), *noisy, ("decoy", "1.0")]
    row = table.loc["gaussian", "1.0"]
    assert (row["erased"], row["preserved"]) == (0.09, 0.88)
    assert (row["attacks"], row["tried"], row["revival"], row["n"]) == (2, 2, 0.14, 1000)
    assert row[["revival_preserved", "prompt_set", "judge"]].tolist() == [0.8, *["objects"] * 2]
    assert row["strongest"] == "max K=0.6 at smallest-0.02"
    wide = proportion_confint(140, 1000, 0.025, "wilson")
    assert (row["low"], row["high"]) == pytest.approx(wide)
    assert row["low"] < interval(140, 1000)[0], "two attacks: a wider interval than for one"
    up = decide([40, 20], [0, 0], [1000, 1000])
    told = row["difference"], row["difference_low"], row["difference_high"], row["wanted"]
    assert told == (0.04, up.low, up.high, up.wanted)
    down = decide([20], [0], [1000])
    assert (row["cost"], row["cost_low"], row["cost_high"]) == (0.02, down.low, down.high)
    alone = interval(880, 1000)
    assert (row["preserved_low"], row["preserved_high"]) == pytest.approx(alone)
    assert (row["detector"], row["auc"], row["tpr"]) == ("smallest", 0.65, 0.325)
    assert table.loc["gaussian", "3.0"]["detector"] == "residual"
    assert table.loc[
        "none",
        "none",
    ][["detector", "auc", "tpr"]].tolist() == ["zeros", 1, 1]
    assert table.loc["decoy", "1.0"]["revival"] == 0.6


def test_every_interval_holds_its_point():
    accuracy, detectability = study()
    second = accuracy.assign(prompt_set="others", n=accuracy["n"])
    change(second, (second["role"] == "preserved") & (second["variant"] == "pruned"), 700)
    for frame in (accuracy, pd.concat([accuracy, second], ignore_index=True)):
        table = tradeoff(frame, detectability)
        for name, low, high in (
            ("preserved", "preserved_low", "preserved_high"),
            ("revival", "low", "high"),
            ("difference", "difference_low", "difference_high"),
            ("cost", "cost_low", "cost_high"),
        ):
            assert ((table[low] <= table[name]) & (table[name] <= table[high])).all(), name


def test_what_holds_and_what_is_recommended():
    table = judged(*study())
    assert table["holds"].to_list() == ["no", "no", "undecided", "yes", "no"]
    assert table["recommended"].to_list() == [False, False, True, False, False]
    assert table["wanted"].notna().to_list() == [False, False, True, False, False]


def test_an_attack_is_held_against_its_own_prompt_set():
    """Where the concept shows more in any case, an attack must show it more still."""
    accuracy, detectability = study()
    hard = pd.DataFrame(rates(NOISE | {"sigma": "3.0"} | ATTACK, 0, 0)[:1])
    hard = hard.assign(prompt_set="hard", hits=500, rate=0.5, gained=0, lost=0)
    row = judged(pd.concat([accuracy, hard], ignore_index=True), detectability)
    row = row.loc["gaussian", "3.0"]
    assert (row["holds"], row["attacks"], row["tried"]) == ("yes", 3, 2)
    assert (row["prompt_set"], row["revival"], row["difference"]) == ("hard", 0.5, 0)


def test_what_only_nudenet_judges_has_its_verdict():
    accuracy, told = study()
    erased = accuracy["role"] == "erased"
    seen = accuracy[erased].assign(judge="nudenet", labels="strict", threshold=0.5)
    tables = {"accuracy": accuracy[~erased], "detections": seen}
    by_nudenet, by_classifier = (
        tradeoff(rates, told).drop(columns="judge") for rates in (of_both_roles(tables), accuracy)
    )
    assert (by_classifier["holds"] != "").any()
    pd.testing.assert_frame_equal(by_nudenet, by_classifier)


@pytest.mark.parametrize("n", [1, 4, 20])
def test_few_pictures_do_not_make_a_defence_hold(n):
    rows = rates({"variant": "pruned"}, 0, 1000, n) + rates(NOISE | ATTACK, 0, 1000, n)
    table = tradeoff(pd.DataFrame(rows).assign(gained=0, lost=0), study()[1])
    assert table["holds"].to_list() == ["", "undecided"] and table["wanted"].iloc[1] == 74


def test_the_advice_is_a_sentence_to_act_on():
    accuracy, detectability = study()
    told = advice(tradeoff(accuracy, detectability))
    assert told.startswith("church: the best defence tried is gaussian at sigma 1.0, with too few")
    assert "that it holds as drawn with seed 0 (n = 1,000; about 2,400 would decide): the" in told
    assert "the strongest of 2 attacks (max K=0.6 at smallest-0.02) regrows" in told
    assert "regrows 0.14 [" in told and "undefended 0.95, +0.04 [+0.03, +0.06] against" in told
    low, high = interval(880, 1000)
    assert f"accuracy 0.88 [{low:.2f}, {high:.2f}] is left, a cost of +0.02 [+0.01, +0.03]" in told
    gaussian = (accuracy["sigma"] == "1.0") & (accuracy["defence"] == "gaussian")
    told = advice(tradeoff(accuracy[~gaussian], detectability))
    assert told.startswith("church: no defence tried holds; the best is decoy at sigma 1.0: the")
    change(accuracy, gaussian & (accuracy["variant"] == "revived"), 50)
    told = advice(tradeoff(accuracy, detectability))
    assert told.startswith(
        "church: release it with gaussian at sigma 1.0, which holds as drawn with seed 0: the"
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
        "pictures to say that it holds as drawn with seed 0 (the strongest attacks regrow 0.14, "
        "undefended 0.95, +0.04 [+0.03, +0.06] against erasure alone; about 2,400 pictures of each "
        "would decide). Release french horn and racket with gaussian at sigma 3.0, which holds as "
        "drawn with seed 0 (the strongest attacks regrow 0.03, undefended 0.95, -0.07 [-0.09, "
        "-0.05] against erasure alone). Candle: "
        "no defence tried holds; the best is decoy at sigma 1.0 (the strongest attacks regrow "
        "0.60, undefended 0.95, +0.50 [+0.46, +0.54] against erasure alone). No "
        "defence is recommended for kite, since each that was attacked "
        "costs more than 0.05 of preserved accuracy, or nobody knows how much."
    )


def test_what_several_concepts_regrow_is_told_from_the_least_to_the_most():
    table = tradeoff(*study())
    chosen = table["recommended"]
    less = table.assign(revival=table["revival"].where(~chosen, 0.12))
    less["wanted"] = table["wanted"].where(~chosen, 900)
    four = {"church": table, "kite": less, "racket": table, "candle": table}
    told = advice(pd.concat([some.assign(concept=c) for c, some in four.items()]))
    assert told.startswith("Church, kite, racket and candle: the best defence tried is")
    assert "regrow 0.12 to 0.14, undefended 0.95, +0.04 [" in told
    assert "about 900 to 2,400 pictures of each would decide)" in told
    bare = table["defence"] == "none"
    for some in (table, less):
        some.loc[bare, "attacks"] = 0
    told = advice(pd.concat([some.assign(concept=c) for c, some in four.items()]))
    assert "regrow 0.12 to 0.14, +0.04 [" in told
    assert "regrows 0.14 [0.12, 0.17], +0.04 [" in advice(table)


def test_what_may_cost_little_is_recommended_and_what_costs_much_is_not():
    """sigma 3 regrows least. Of a few pictures nobody can say that it costs too much."""
    accuracy, detectability = study()
    loud = (accuracy["sigma"] == "3.0") & (accuracy["role"] == "preserved")
    loud &= accuracy["variant"] == "pruned"
    for hits, n, chosen in ((600, 1000, "1.0"), (4, 10, "1.0"), (8, 10, "3.0"), (860, 1000, "3.0")):
        change(accuracy, loud, hits, n)
        row = tradeoff(accuracy, detectability).query("recommended").squeeze()
        bare = 900 * n // 1000
        assert (decide([bare - hits], [0], [n]).word != "beyond") == (chosen == "3.0")
        assert row["sigma"] == chosen
    twice = accuracy[accuracy["sigma"] == "3.0"].assign(weight_seed="1")
    both = pd.concat([accuracy, twice], ignore_index=True)
    table = tradeoff(both, detectability)
    assert table[table["recommended"]]["sigma"].to_list() == ["3.0"], "it alone was drawn twice"
    loud = (both["sigma"] == "3.0") & (both["role"] == "preserved")
    change(both, loud, 600)
    table = tradeoff(both, detectability)
    assert table[table["recommended"]]["sigma"].to_list() == ["1.0"], "draws of what is too dear"


def test_a_cost_is_that_of_the_worst_draw():
    accuracy, detectability = study()
    again = accuracy[accuracy["defence"] == "gaussian"].assign(weight_seed="1")
    kept = (again["role"] == "preserved") & (again["variant"] == "pruned")
    change(again, kept, 700)
    for order in ([accuracy, again], [again, accuracy]):
        row = judged(pd.concat(order, ignore_index=True), detectability).loc["gaussian", "1.0"]
        worst = decide([20, 200], [0, 0], [1000, 1000])
        assert (row["cost"], row["cost_low"], row["cost_high"]) == (0.2, worst.low, worst.high)
        wide = proportion_confint(700, 1000, 0.025, "wilson")
        assert row["preserved"] == 0.7
        assert (row["preserved_low"], row["preserved_high"]) == pytest.approx(wide)
        assert not row["recommended"]


def test_what_met_fewer_attacks_is_not_recommended():
    """A defence that stood `zeros` alone, which find nothing in it, beside one that met two."""
    accuracy, detectability = study()
    lucky = accuracy[(accuracy["defence"] == "gaussian") & (accuracy["sigma"] == "1.0")].copy()
    lucky["defence"] = "row"
    lucky = lucky[lucky["K"] != "0.2"].replace({"detector": {"smallest-0.02": "zeros"}})
    change(lucky, lucky["variant"] == "revived", 0)
    table = judged(pd.concat([accuracy, lucky], ignore_index=True), detectability)
    assert table.loc["row", "1.0"][["holds", "tried", "fewer"]].tolist() == ["yes", 1, True]
    assert table["recommended"].to_list() == [False, False, True, False, False, False]
    assert table["fewer"].to_list() == [False] * 5 + [True]
    shown = readable_defences(table.reset_index()).set_index("defence")
    assert shown.loc["row 1.0", "holds"] == "yes, met fewer attacks"


def test_what_met_fewer_attacks_on_its_other_draws_is_not_recommended():
    """As many kinds and draws, but one attack of the second draw is left out."""
    accuracy, detectability = study()
    accuracy = accuracy[accuracy["defence"] != "decoy"]
    again = accuracy[accuracy["defence"] == "gaussian"].assign(weight_seed="1")
    spared = (again["sigma"] == "1.0") & (again["K"] == "0.2")
    for left_out, chosen in ((spared & False, "1.0"), (spared, "0.1")):
        both = pd.concat([accuracy, again[~left_out]], ignore_index=True)
        change(both, (both["sigma"] == "3.0") & (both["role"] == "preserved"), 600)
        table = tradeoff(both, detectability)
        assert table.loc[table["recommended"], "sigma"].item() == chosen
        assert table.loc[table["fewer"], "sigma"].to_list() == ["1.0"] * int(left_out.any())
        assert set(table.loc[table["sigma"] != "none", "tried"]) == {2}


def test_what_is_not_drawn_is_held_to_the_kinds_of_attacks_alone():
    """Of a decoy there is but one draw: three of another make no difference."""
    accuracy, detectability = study()
    decoyed = accuracy["defence"] == "decoy"
    change(accuracy, decoyed & (accuracy["variant"] == "revived"), 50)
    noisy = accuracy[accuracy["sigma"] == "0.1"]
    more = [noisy.assign(weight_seed=seed) for seed in ("1", "2")]
    table = judged(pd.concat([accuracy, *more], ignore_index=True), detectability)
    assert table["attacks"].to_list() == [1, 6, 2, 2, 2]
    assert table["recommended"].to_list() == [False, False, False, False, True]
    assert table["fewer"].to_list() == [False, False, True, False, False], "3.0 is too dear"


def test_a_decoy_that_met_fewer_kinds_of_attacks_is_not_recommended():
    accuracy, detectability = study()
    decoyed = accuracy["defence"] == "decoy"
    change(accuracy, decoyed & (accuracy["variant"] == "revived"), 10)
    for left_out, chosen in ((decoyed & False, "decoy"), (decoyed, "gaussian")):
        some = accuracy[~(left_out & (accuracy["K"] == "0.2"))].reset_index(drop=True)
        table = tradeoff(some, detectability)
        assert table.loc[table["recommended"], "defence"].item() == chosen
        assert table.loc[table["fewer"], "defence"].to_list() == ["decoy"] * int(left_out.any())


def test_prompt_sets_do_not_stand_for_draws():
    """As many attacks, but on two prompt sets of one draw."""
    accuracy, detectability = study()
    lucky = accuracy[(accuracy["defence"] == "gaussian") & (accuracy["sigma"] == "1.0")]
    lucky = lucky.assign(defence="row")
    change(lucky, lucky["variant"] == "revived", 10)
    again = accuracy[accuracy["defence"] == "gaussian"].assign(weight_seed="1")
    both = [accuracy, lucky, lucky.assign(prompt_set="others"), again]
    table = judged(pd.concat(both, ignore_index=True), detectability)
    assert table.loc["row", "1.0"][["attacks", "draws", "fewer"]].tolist() == [4, 1, True]
    assert table.loc["gaussian", "1.0"][["attacks", "draws"]].tolist() == [4, 2]
    assert table.loc["gaussian", "1.0"]["recommended"]


def test_of_equals_the_cheaper_is_recommended():
    accuracy, detectability = study()
    again = accuracy[(accuracy["defence"] == "gaussian") & (accuracy["sigma"] == "1.0")]
    for hits, chosen in ((890, "row"), (870, "gaussian")):
        cheap = again.assign(defence="row")
        change(cheap, (cheap["role"] == "preserved") & (cheap["variant"] == "pruned"), hits)
        table = tradeoff(pd.concat([accuracy, cheap], ignore_index=True), detectability)
        assert table.loc[table["recommended"], "defence"].item() == chosen


def test_what_surely_holds_comes_before_what_may():
    """Though the top of its interval is higher, for fewer pictures and a larger budget's sake."""
    accuracy, detectability = study()
    sure = accuracy[(accuracy["defence"] == "gaussian") & (accuracy["sigma"] == "1.0")]
    sure = sure.assign(defence="row")
    change(sure, sure["variant"] == "revived", 100)
    dear = (sure["role"] == "preserved") & (sure["variant"] == "pruned")
    change(sure, dear, 851)
    table = tradeoff(pd.concat([accuracy, sure], ignore_index=True), detectability)
    chosen = table[table["recommended"]].squeeze()
    assert (chosen["defence"], chosen["holds"]) == ("row", "yes") and chosen["cost"] > 0.04


def test_what_may_hold_comes_before_what_does_not():
    """Though the top of its interval is higher, for fewer pictures."""
    accuracy, detectability = study()
    failed = accuracy[(accuracy["defence"] == "gaussian") & (accuracy["sigma"] == "1.0")]
    failed = failed.assign(defence="row")
    change(failed, failed["variant"] == "revived", 200)
    few = (accuracy["defence"] == "gaussian") & (accuracy["sigma"] == "1.0")
    change(accuracy, few & (accuracy["variant"] == "revived"), 3, 20)
    table = tradeoff(pd.concat([accuracy, failed], ignore_index=True), detectability)
    both = table.set_index(["defence", "sigma"])["difference_high"]
    assert both["row", "1.0"] < both["gaussian", "1.0"]
    chosen = table[table["recommended"]].squeeze()
    assert (chosen["defence"], chosen["holds"]) == ("gaussian", "undecided")


def test_concepts_stand_in_their_own_order_and_alone():
    """The second has no model without a defence to be held to: nothing of it holds."""
    accuracy, detectability = study()
    other = accuracy[accuracy["defence"] != "none"].assign(concept="bus")
    table = tradeoff(pd.concat([accuracy, other], ignore_index=True), detectability)
    assert list(dict.fromkeys(table["concept"])) == ["church", "bus"]
    assert table.index.is_unique and list(table.columns)[:4] == list(NONE)[:4]
    assert (table.loc[table["concept"] == "bus", "holds"] == "").all()
    assert (table.loc[table["concept"] == "church", "holds"] != "").any()
    nothing = tradeoff(accuracy.iloc[:0], detectability)
    assert list(nothing.columns) == list(table.columns) == COLUMNS


def test_a_draw_of_which_nothing_is_known_may_be_anything():
    """No picture of it was drawn of the undefended model, too."""
    accuracy, detectability = study()
    again = accuracy[accuracy["defence"] == "gaussian"].assign(weight_seed="1")
    again[["pairs", "gained", "lost"]] = float("nan")
    row = judged(pd.concat([accuracy, again], ignore_index=True), detectability)
    row = row.loc["gaussian", "1.0"]
    assert (row["cost"], row["cost_high"]) == (0.02, 1)
    assert (row["difference"], row["difference_high"]) == (0.04, 1)
    assert row["holds"] == "undecided"


def test_of_how_many_draws_a_verdict_speaks():
    accuracy, detectability = study()
    held = accuracy["variant"] == "revived"
    change(accuracy, held & (accuracy["defence"] != "none"), 50)
    again = accuracy[accuracy["defence"] == "gaussian"].assign(weight_seed="1")
    decoyed = tradeoff(accuracy, detectability)
    decoyed["recommended"] = decoyed["defence"] == "decoy"
    assert "release it with decoy at sigma 1.0, which holds: the strongest" in advice(decoyed)
    twice = tradeoff(pd.concat([accuracy, again], ignore_index=True), detectability)
    twice["recommended"] = (twice["defence"] == "gaussian") & (twice["sigma"] == "1.0")
    assert "gaussian at sigma 1.0, which holds in each of 2 draws: the" in advice(twice)


def test_three_concepts_are_advised_on_one_by_one():
    table = tradeoff(*study())
    told = advice(pd.concat([table.assign(concept=c) for c in ("bus", "kite", "owl")]))
    assert [told.count(f"{c}: the best defence tried") for c in ("bus", "kite", "owl")] == [1, 1, 1]
    dear = table.assign(recommended=False, attacks=table["attacks"].clip(upper=1))
    assert advice(dear).startswith("No defence is recommended for church")
    bare = dear.assign(attacks=dear["attacks"].where(dear["defence"] == "none", 0))
    assert advice(bare) == "", "no defence was attacked"


def test_a_defended_model_that_is_attacked_without_being_drawn_has_its_row():
    accuracy, detectability = study()
    drawn = (accuracy["defence"] == "gaussian") & (accuracy["variant"] == "pruned")
    table = tradeoff(accuracy[~drawn], detectability).set_index(["defence", "sigma"])
    row = table.loc["gaussian", "3.0"]
    assert (row["revival"], row["holds"], row["recommended"]) == (0.03, "yes", False)
    shown = readable_defences(table.reset_index()).set_index("defence")
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
    change(again, attacked & (again["K"] == "0.6"), 550)
    change(again, (again["variant"] == "pruned") & (again["role"] == "erased"), 50)
    once = tradeoff(accuracy, detectability)
    twice = tradeoff(pd.concat([accuracy, again], ignore_index=True), detectability)
    assert len(once) == len(twice)
    row = twice[twice["recommended"]].squeeze()
    assert (row["defence"], row["sigma"], row["draws"]) == ("gaussian", "1.0", 2)
    assert (row["attacks"], row["revival"], row["weight_seed"]) == (4, 0.55, "1")
    assert row["erased"] == pytest.approx(0.07), "the mean of .09 and .05"
    assert (row["low"], row["high"]) == pytest.approx(
        proportion_confint(550, 1000, 0.05 / 4, "wilson")
    )
    assert "draws" not in readable_defences(once)
    assert readable_defences(twice)["draws"].tolist().count(2) == 1
    assert row["holds"] == "no" and once.set_index("sigma").loc["1.0", "holds"].iloc[0] != "no"
    assert "the strongest of 4 attacks (max K=0.6 at smallest-0.02, draw 1)" in advice(twice)


def test_a_draw_that_nobody_attacked_is_not_counted():
    accuracy, detectability = study()
    unattacked = rates(NOISE | {"sigma": "1.0", "weight_seed": "1", "variant": "pruned"}, 90, 860)
    table = tradeoff(
        pd.concat([accuracy, pd.DataFrame(unattacked)], ignore_index=True), detectability
    )
    assert table.set_index("sigma").loc["1.0", "draws"].tolist() == [1, 1]
    assert "as drawn with seed 0" in advice(table)


def test_what_was_drawn_less_often_is_not_recommended():
    accuracy, detectability = study()
    lucky = accuracy[accuracy["sigma"] == "1.0"].query("defence == 'gaussian'").copy()
    lucky["defence"] = "row"
    change(lucky, lucky["variant"] == "revived", 10)
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
    assert (table["draws"] == 1).all()
    assert table["auc"].notna().all() and advice(table) == ""
    shown = readable_defences(table)
    assert (shown["strongest attack"] == "not attacked").all()
    nothing = tradeoff(accuracy.iloc[:0], detectability)
    assert len(nothing) == 0 and advice(nothing) == ""


def test_the_readable_table_marks_the_recommended():
    shown = readable_defences(tradeoff(*study())).set_index("defence")
    assert shown.loc["gaussian 1.0", "holds"] == "undecided, recommended"
    assert list(shown["holds"].str.contains("recommended")).count(True) == 1
    assert shown.loc["none", "regrows"].startswith("0.95 [")
    assert shown.loc["gaussian 1.0", "regrows"].startswith("0.14 [")
    assert shown.loc["gaussian 1.0", "against erasure alone"] == "+0.04 [+0.03, +0.06]"
    assert shown.loc["gaussian 1.0", "cost"] == "+0.02 [+0.01, +0.03]"
