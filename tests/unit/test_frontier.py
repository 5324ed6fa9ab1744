"""The frontier: who gets what back for what, from rates that are worked out by hand."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from regrowth.measure import frontier, search
from regrowth.measure.paired import interval
from regrowth.measure.raw import costs
from regrowth.show.figures.frontier import frontier as drawn
from regrowth.show.readable import readable_frontier
from regrowth.study import variants

TRAINED = {"variant": "relearn", "data": "own", "parameters": "all", "lr": "0.00005"}
WORD = {"variant": "inversion", "lr": "0.02", "step": "100"}


def rate(eraser, own, hits, role="erased", gained=0, lost=0, **more):
    cell = variants.PRETRAINED | {"concept": "church", "eraser": eraser} | own
    told = {"prompt_set": "objects", "role": role, "judge": "objects", "n": 50, "rate": hits / 50}
    told |= {"low": hits / 50 - 0.1, "high": hits / 50 + 0.1, "hits": hits, "pairs": 50}
    told |= {"gained": gained, "lost": lost, "gain_on_pruned": (gained - lost) / 50}
    return cell | told | more


def relearnt(step, **more):
    return TRAINED | {"step": str(step)} | more


RATES = pd.DataFrame(
    [
        rate("none", {"variant": "pretrained"}, 49),
        rate("esd-x", {"variant": "pruned"}, 5),
        rate("esd-x", {"variant": "pruned"}, 45, role="preserved"),
        rate("esd-x", {"variant": "pruned"}, 20, judge="other"),
        rate("esd-x", WORD, 40, gained=36, lost=1),
        rate("esd-x", relearnt(50), 30, gained=26, lost=1),
        rate("esd-x", relearnt(10), 10, gained=5),
        rate("esd-x", relearnt(10), 40, role="preserved"),
        rate("esd-x", relearnt(50, data="auxiliary"), 25, gained=20),
        rate("esd-x", {"variant": "pruned"}, 3, defence="flip", sigma="1.0"),
        rate("esd-x", {"variant": "oracle", "magnitude": "max"}, 50),
        rate("retrained", {"variant": "pruned"}, 2),
        rate("retrained", relearnt(50), 4, gained=2),
    ]
)
COSTS = pd.DataFrame(
    [
        variants.PRETRAINED
        | {"concept": "church", "eraser": "esd-x"}
        | relearnt(step)
        | {"drawn": 640, "forwards": 640 + 8 * step, "backwards": 8 * step, "destroyed": step > 40}
        for step in (10, 50)
    ]
)


def test_the_easiest_knowledge_comes_first_and_every_row_says_what_it_costs():
    table = frontier.frontier(RATES, COSTS, None)
    assert list(table) == frontier.COLUMNS
    own = table[table["eraser"] == "esd-x"]
    assert own["knows"].tolist() == ["", "weights", "weights", "auxiliary", "concept"]
    assert own["steps"].tolist() == [0, 10, 50, 50, 100]
    assert own["rate"].tolist() == [0.1, 0.2, 0.6, 0.5, 0.8]
    few, long = own.iloc[1], own.iloc[2]
    assert (few["forwards"], few["backwards"], few["destroyed"]) == (720, 80, False)
    assert (long["forwards"], long["backwards"], long["destroyed"]) == (1040, 400, True)
    assert few["others"] == 0.8 and np.isnan(long["others"]) and own.iloc[0]["others"] == 0.9
    assert long["gain"] == 0.5
    assert (long["gain_low"], long["gain_high"]) == pytest.approx(interval(26, 1, 50))
    assert table["control"].isna().all()


def test_what_a_model_that_never_knew_it_is_taught_does_not_count():
    table = frontier.frontier(RATES, COSTS, "retrained")
    (row,) = table[(table["eraser"] == "esd-x") & (table["steps"] == 50)][:1].to_dict("records")
    assert (row["control"], row["control_n"]) == (0.08, 50)
    assert row["beyond"] == pytest.approx(0.52)
    # Newcombe's hybrid score interval, worked out from the two Wilson intervals
    from statsmodels.stats.proportion import proportion_confint

    (l1, u1), (l2, u2) = (proportion_confint(k, 50, method="wilson") for k in (30, 4))
    low = 0.52 - np.hypot(0.6 - l1, u2 - 0.08)
    high = 0.52 + np.hypot(u1 - 0.6, 0.08 - l2)
    assert (row["beyond_low"], row["beyond_high"]) == pytest.approx((low, high))
    assert table.loc[table["eraser"] == "retrained", "beyond"].isna().all()
    assert table.loc[table["attack"].str.startswith("word"), "beyond"].isna().all()


def test_the_answer_names_the_best_of_each_knowledge_and_what_it_took():
    (told,) = frontier.answer(frontier.frontier(RATES, COSTS, "retrained"))
    assert told == (
        "church, erased by esd-x: 0.10 as released; with the weights alone and 50 steps of "
        "training 0.60, 0.08 where it was never known; with pictures of other things and 50 steps "
        "of training 0.50; with pictures of the concept and 100 steps of training 0.80 (n = 50)."
    )
    assert frontier.answer(frontier.frontier(RATES.iloc[:2], COSTS, None)) == []


PREFIX = {"variant": "prefix", "tokens": "5", "lr": "0.01", "step": "100"}
CELL = variants.PRETRAINED | {"concept": "church", "eraser": "esd-x"}


def picked(own, name, best, over=np.nan):
    told = {"prompt_set": "objects", "judge": "objects", "attack": name, "judged": 5, "n": 10}
    told |= {"best": best, "best_low": best - 0.2, "best_high": best + 0.2}
    told |= {"over_seeds": over, "over_seeds_low": over - 0.3, "over_seeds_high": over + 0.3}
    return CELL | own | told


def test_a_judge_who_picks_is_known_and_paid_for_and_held_to_other_seeds():
    rates = pd.DataFrame(
        [
            *RATES[:3].to_dict("records"),
            rate("esd-x", PREFIX, 30, gained=26, lost=1),
            rate("esd-x", {"variant": "random-prefix", "tokens": "5"}, 6, gained=2, lost=1),
        ]
    )
    cost = {"drawn": 0, "forwards": 800, "backwards": 800, "destroyed": False, "words": "gas web"}
    found = pd.DataFrame(
        [
            picked({"variant": "pruned"}, "as released", 0.4),
            picked(PREFIX, "prefix found ×100", 0.9, over=0.5),
            picked({"variant": "random-prefix", "tokens": "5"}, "random prefix", 0.5, over=0.1),
            picked(PREFIX, "prefix found ×100", 0.7, over=0.5) | {"judge": "other"},
        ],
        columns=[*search.COLUMNS, "judge"],
    )
    table = frontier.frontier(rates, pd.DataFrame([CELL | PREFIX | cost]), None, found)
    assert table["attack"].tolist() == [
        "pruned",
        "random prefix",
        "prefix found ×100",
        "as released, best of 5",
        "random prefix, best of 5",
        "prefix found ×100, best of 5",
    ]
    assert table["knows"].tolist() == ["", "weights", "concept"] + ["judge"] * 3
    assert table["judged"].tolist() == [0] * 3 + [5] * 3
    plain, best = table.iloc[2], table.iloc[5]
    assert (plain["words"], plain["steps"], plain["backwards"]) == ("gas web", 100, 800)
    assert (best["rate"], best["n"], best["gain"], best["gain_low"]) == (0.9, 10, 0.5, 0.2)
    assert (best["steps"], best["backwards"]) == (100, 800) and pd.isna(best["others"])
    assert frontier.answer(table) == [
        "church, erased by esd-x: 0.10 as released; with the weights alone 0.12; with pictures of "
        "the concept and 100 steps of training 0.60; with a judge of 5 pictures a prompt 0.50; "
        "with pictures of the concept and a judge of 5 pictures a prompt and 100 steps of training "
        "0.90 (n = 50)."
    ]
    shown = readable_frontier(table)
    assert shown["judged"].tolist() == ["", "", "", 5, 5, 5]
    assert shown["words"].tolist()[2] == "gas web"
    figure = drawn(table, "church")
    labels = {c.get_label() for c in figure.axes[0].containers}
    assert "a judge, a prefix trained, best of 5" in labels
    plt.close(figure)


def test_pictures_of_other_things_that_show_the_concept_are_told():
    seen = pd.DataFrame([{"concept": "church", "data": "auxiliary", "seen": 3, "seen_n": 64}])
    table = frontier.frontier(RATES, COSTS, None, seen=seen)
    own = table["data"] == "auxiliary"
    assert own.sum() == 1 and table.loc[own, ["seen", "seen_n"]].values.tolist() == [[3, 64]]
    assert table.loc[~own, "seen"].isna().all()
    told = "church: 3 of 64 pictures of other things that an attacker trained on show it to its"
    assert frontier.answer(table)[-1].startswith(told)
    shown = readable_frontier(table)["shown by what it learnt from"].tolist()
    assert sorted(shown)[-1] == "3 of 64" and shown.count("") == len(shown) - 1
    none = frontier.frontier(RATES, COSTS, None, seen=seen.assign(seen=0))
    assert len(frontier.answer(none)) == 1 and none["seen"].max() == 0


def test_where_nobody_trains_nothing_is_spent(tmp_path):
    table = frontier.frontier(RATES, costs([], tmp_path), None)
    assert len(table) and (table[frontier.SPENT[1:3]] == 0).all(axis=None)


def test_without_a_released_model_there_is_no_row():
    table = frontier.frontier(RATES.iloc[:1], COSTS, None)
    assert table.empty and list(table) == frontier.COLUMNS


def test_the_figure_has_an_axis_a_released_model_and_a_line_a_way():
    table = frontier.frontier(RATES, COSTS, "retrained")
    figure = drawn(table, "church")
    one, other = figure.axes
    assert (one.get_title(), other.get_title()) == ("esd-x", "retrained")
    lines = {c.get_label(): list(c.lines[0].get_ydata()) for c in one.containers}
    assert lines == {
        "the weights alone, weights trained": [0.2, 0.6],
        "pictures of other things, weights trained": [0.5],
        "pictures of the concept, a word trained": [0.8],
    }
    plt.close(figure)
