"""The frontier: who gets what back for what, from rates that are worked out by hand."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from regrowth.measure import frontier, search
from regrowth.measure.paired import interval
from regrowth.measure.raw import costs
from regrowth.show import report
from regrowth.show.figures.frontier import frontier as drawn
from regrowth.show.figures.frontier import most
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
#: As `rates.accuracy` holds them to the same attack on a model that never knew the concept.
HELD = RATES.assign(control_n=np.nan)
for column in ("rate", "n", "pairs", "gained", "lost"):
    at = (HELD["eraser"] == "esd-x") & (HELD["step"] == "50") & (HELD["data"] == "own")
    HELD[f"control_{column}"] = np.nan
    HELD.loc[at, f"control_{column}"] = dict(rate=0.08, n=50, pairs=50, gained=28, lost=2)[column]
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
    table = frontier.frontier(RATES, COSTS)
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
    table = frontier.frontier(HELD, COSTS)
    (row,) = table[(table["eraser"] == "esd-x") & (table["steps"] == 50)][:1].to_dict("records")
    assert (row["control"], row["control_n"]) == (0.08, 50)
    assert row["beyond"] == pytest.approx(0.52)
    assert (row["beyond_low"], row["beyond_high"]) == pytest.approx(interval(28, 2, 50))
    assert table.loc[table["eraser"] == "retrained", "beyond"].isna().all()
    assert table.loc[table["attack"].str.startswith("word"), "beyond"].isna().all()


def test_the_answer_names_the_best_of_each_knowledge_and_what_it_took():
    (told,) = frontier.answer(frontier.frontier(HELD, COSTS))
    ways = (
        "church, erased by esd-x: 0.10 [0.00, 0.20] as released; with the weights alone and 50 "
        "steps of training 0.60 [0.50, 0.70]{}; with pictures of other things and 50 steps of "
        "training 0.50 [0.40, 0.60]; with pictures of the concept and 100 steps of training 0.80 "
        "[0.70, 0.90] (n = 50)."
    )
    assert told == ways.format(", 0.52 [0.34, 0.66] beyond a model that never knew it")
    few = HELD.assign(control_rate=HELD["control_rate"] + 0.5, control_gained=3)
    (told,) = frontier.answer(frontier.frontier(few, COSTS))
    assert told == ways.format(", not shown to be more than where it was never known (0.58)")
    never = frontier.frontier(HELD[1:].assign(eraser="retrained"), COSTS)
    assert frontier.answer(never, ["retrained"])[0].startswith("church, never known: 0.10")
    assert frontier.answer(frontier.frontier(RATES.iloc[:2], COSTS)) == []


PREFIX = {"variant": "prefix", "tokens": "5", "lr": "0.01", "step": "100"}
CELL = variants.PRETRAINED | {"concept": "church", "eraser": "esd-x"}


def picked(own, name, best, over=np.nan, control=np.nan):
    told = {"prompt_set": "objects", "judge": "objects", "attack": name, "judged": 5, "n": 10}
    told |= {"best": best, "best_low": best - 0.2, "best_high": best + 0.2}
    told |= {"over_seeds": over, "over_seeds_low": over - 0.3, "over_seeds_high": over + 0.3}
    told |= {"control": control, "control_n": 10, "over_control": best - control}
    told |= {"over_control_low": best - control - 0.2, "over_control_high": best - control + 0.2}
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
            picked(PREFIX, "prefix found ×100", 0.9, over=0.5, control=0.3),
            picked({"variant": "random-prefix", "tokens": "5"}, "random prefix", 0.5, over=0.1),
            picked(PREFIX, "prefix found ×100", 0.7, over=0.5) | {"judge": "other"},
        ],
        columns=[*search.COLUMNS, "judge"],
    )
    table = frontier.frontier(rates, pd.DataFrame([CELL | PREFIX | cost]), found)
    assert table["attack"].tolist() == [
        "pruned",
        "random prefix",
        "prefix found ×100",
        "as released, best of 5",
        "random prefix, best of 5",
        "prefix found ×100, best of 5",
    ]
    assert table["knows"].tolist() == ["", "prompts", "concept"] + ["judge"] * 3
    assert table["judged"].tolist() == [0] * 3 + [5] * 3
    plain, best = table.iloc[2], table.iloc[5]
    assert (plain["words"], plain["steps"], plain["backwards"]) == ("gas web", 100, 800)
    assert (best["rate"], best["n"], best["gain"], best["gain_low"]) == (0.9, 10, 0.5, 0.2)
    assert (best["steps"], best["backwards"]) == (100, 800) and pd.isna(best["others"])
    assert frontier.answer(table) == [
        "church, erased by esd-x: 0.10 [0.00, 0.20] as released; with the concept's name 0.12 "
        "[0.02, 0.22]; with pictures of the concept and 100 steps of training 0.60 [0.50, 0.70]; "
        "with the concept's name and a judge of 5 pictures a prompt 0.50 [0.30, 0.70] (n = 10); "
        "with pictures of the concept and a judge of 5 pictures a prompt and 100 steps of training "
        "0.90 [0.70, 1.10] (n = 10), 0.60 [0.40, 0.80] beyond a model that never knew it (n = 50)."
    ]
    assert frontier.answer(table, best_of=[5]) == frontier.answer(table)
    told = "church: no judge picks, since no prompt has 5 pictures."
    assert frontier.answer(table[table["judged"] == 0], best_of=[5, 9])[-1] == told
    shown = readable_frontier(table, {})
    assert shown["judged"].tolist() == ["", "", "", 5, 5, 5]
    assert shown["words"].tolist()[2] == "gas web"
    figure = drawn(table, "church")
    labels = {c.get_label() for c in figure.axes[0].containers}
    assert labels == {"the concept's name", "pictures of the concept", "a judge"}
    plt.close(figure)


def test_pictures_of_other_things_that_show_the_concept_are_told():
    seen = pd.DataFrame([{"concept": "church", "data": "auxiliary", "seen": 3, "seen_n": 64}])
    table = frontier.frontier(RATES, COSTS, seen=seen)
    own = table["data"] == "auxiliary"
    assert own.sum() == 1 and table.loc[own, ["seen", "seen_n"]].values.tolist() == [[3, 64]]
    assert table.loc[~own, "seen"].isna().all()
    told = "church: 3 of 64 pictures of other things that an attacker trained on show it to its"
    assert frontier.answer(table)[-1].startswith(told)
    shown = readable_frontier(table, {})["shown by what it learnt from"].tolist()
    assert sorted(shown)[-1] == "3 of 64" and shown.count("") == len(shown) - 1
    none = frontier.frontier(RATES, COSTS, seen=seen.assign(seen=0))
    assert len(frontier.answer(none)) == 1 and none["seen"].max() == 0


def test_what_a_training_took_stands_beside_what_it_spent(tmp_path):
    table = frontier.frontier(RATES, COSTS).replace({"concept": {"church": "Church"}})
    trained = table[table["steps"] > 0].assign(concept="church").to_dict("records")
    for i, row in enumerate(trained):
        file = tmp_path / "relearn" / f"{variants.patch(row)}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"s\tmax_rss\n{i + 1.4}\t-\n", encoding="utf-8")
    other = tmp_path / "generate" / f"{variants.patch(trained[0])}/shard=000.parquet.tsv"
    other.parent.mkdir(parents=True)
    other.write_text("s\n99\n", encoding="utf-8")
    shown = readable_frontier(table, report.seconds(tmp_path))
    took = shown.set_index(table["steps"])["seconds, its training"]
    last = {variants.patch(row): i + 1 for i, row in enumerate(trained)}
    assert took[took.index > 0].tolist() == [last[variants.patch(row)] for row in trained]
    assert took[0].isna().all() and "seconds, its training" not in readable_frontier(table, {})


def test_where_nobody_trains_nothing_is_spent(tmp_path):
    table = frontier.frontier(RATES, costs([], tmp_path))
    assert len(table) and (table[frontier.SPENT[1:3]] == 0).all(axis=None)


def test_an_attack_may_be_there_before_what_is_released_is():
    alone = RATES[RATES["variant"] == "relearn"].assign(pairs=np.nan, gained=np.nan, lost=np.nan)
    table = frontier.frontier(alone.assign(gain_on_pruned=np.nan), COSTS)
    assert len(table) and table[["gain", "gain_low", "gain_high"]].isna().all(axis=None)
    assert table["rate"].notna().all() and frontier.answer(table) == []


def test_without_a_released_model_there_is_no_row():
    table = frontier.frontier(RATES.iloc[:1], COSTS)
    assert table.empty and list(table) == frontier.COLUMNS


def test_the_figure_has_an_axis_a_released_model_and_a_line_a_knowledge():
    """Of the attacks the best for what it costs; of the control, the same of its rates."""
    table = frontier.frontier(HELD, COSTS)
    figure = drawn(table, "church")
    one, other = figure.axes
    assert (one.get_title(), other.get_title()) == ("esd-x", "retrained")
    points = {c.get_label(): c.lines[0].get_xydata().tolist() for c in one.containers}
    assert points == {
        "the weights alone": [[800, 0.2], [1440, 0.6]],
        "pictures of other things": [[0, 0.5]],
        "pictures of the concept": [[0, 0.8]],
    }
    steps = [line.get_xydata().tolist() for line in one.lines if line.get_drawstyle() != "default"]
    assert steps[:2] == [[[800, 0.2], [1440, 0.6], [1440, 0.6]], [[1440, 0.08], [1440, 0.08]]]
    assert steps[2:] == [[[0, 0.5], [1440, 0.5]], [[0, 0.8], [1440, 0.8]]]
    plt.close(figure)


def test_what_costs_more_and_brings_no_more_is_no_part_of_the_frontier():
    table = pd.DataFrame({"cost": [5, 0, 5, 9, 7], "rate": [0.4, 0.3, 0.5, 0.5, 0.6]})
    assert most(table, "rate")[["cost", "rate"]].values.tolist() == [[0, 0.3], [5, 0.5], [7, 0.6]]
