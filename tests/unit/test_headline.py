"""The answer: verdicts worked out from counts, and the sentence that they make."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from regrowth.measure.cells import interval
from regrowth.measure.headline import answer, headline, rates, verdict, wanted
from regrowth.measure.paired import decide
from regrowth.show.readable import pooled
from regrowth.study import variants
from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).resolve().parents[2]
PRUNED = variants.PRETRAINED | {"eraser": "conceptprune", "variant": "pruned"}
REVIVED = PRUNED | {"variant": "revived", "solver": "nuclear", "detector": "zeros", "K": "0.6"}


def rows(concept, n, pretrained, pruned, **revived):
    """Rates whose hits are nested: of two variants, what the rarer shows the other shows, too."""
    cells = [(variants.PRETRAINED, pretrained), (PRUNED, pruned)]
    cells += [(REVIVED | {"magnitude": m}, hits) for m, hits in revived.items()]
    out = []
    for cell, hits in cells:
        row = cell | {"concept": concept, "prompt_set": "s", "role": "erased", "judge": "objects"}
        low, high = interval(hits, n)
        row |= {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}
        for to, name in ((pruned, ""), (pretrained, "pretrained_")):
            row |= {f"{name}gained": max(0, hits - to), f"{name}lost": max(0, to - hits)}
            row |= {f"{name}pairs": n}
        out.append(row)
    return pd.DataFrame(out)


@pytest.mark.parametrize(
    ("counts", "told", "open_"),
    [
        ({"pretrained": 98, "pruned": 10, "max": 90, "mean": 40}, "grew back", None),
        ({"pretrained": 98, "pruned": 10, "max": 9}, "stayed erased", None),
        (
            {"pretrained": 98, "pruned": 10, "max": 17},
            "erased; too few pictures to say whether it grew back",
            900,
        ),
        ({"pretrained": 98, "pruned": 10}, "erased; not attacked without training", None),
        ({"pretrained": 98, "pruned": 90}, "too few pictures to say that it was erased", 300),
        ({"pretrained": 98, "pruned": 98, "max": 98}, "was not erased", None),
        (
            {"pretrained": 50, "pruned": 42, "max": 90},
            "grew back, though erasure is not certain",
            320,
        ),
    ],
)
def test_a_verdict_rests_on_the_differences(counts, told, open_):
    (row,) = headline(rows("church", 100, **counts)).to_dict("records")
    assert verdict(row) == told
    assert pd.isna(wanted(row)) if open_ is None else wanted(row) == pytest.approx(open_, rel=0.5)


@pytest.mark.parametrize("n", [1, 4])
def test_a_handful_of_pictures_gives_no_verdict(n):
    (row,) = headline(rows("church", n, n, 0, max=0)).to_dict("records")
    assert (row["erased"], row["regrown"]) == ("undecided", "undecided")
    assert "too few pictures" in verdict(row)


def test_the_numbers_behind_a_verdict():
    (row,) = headline(rows("church", 200, 190, 20, max=30, mean=26)).to_dict("records")
    down, up = decide([170], [0], [200]), decide([10, 6], [0, 0], [200, 200])
    told = [row[f"erased_{name}"] for name in ("difference", "difference_low", "difference_high")]
    assert told == [0.85, down.low, down.high] and row["erased"] == "yes"
    told = [row[f"regrown_{name}"] for name in ("difference", "difference_low", "difference_high")]
    assert told == [0.05, up.low, up.high] and row["regrown"] == "undecided"
    few = headline(rows("church", 200, 190, 20, max=28)).squeeze()
    assert few["regrown_wanted"] == decide([8], [0], [200]).wanted > 200
    assert (row["judge"], row["prompt_set"], row["eraser"]) == ("objects", "s", "conceptprune")


def test_the_strongest_is_the_one_that_gains_most():
    """Not the one of the highest rate, which may be of another prompt set, or of fewer pictures."""
    table = rows("church", 100, 98, 10, max=40, mean=50)
    table.loc[table["magnitude"] == "mean", ["gained", "pairs"]] = 5, 100
    assert headline(table)["strongest"].item() == "max K=0.6"


def test_the_strongest_of_several_attacks_has_a_wider_interval():
    (row,) = headline(rows("church", 64, 62, 20, max=40, mean=44, sample=30)).to_dict("records")
    assert (row["attacks"], row["strongest"]) == (3, "mean K=0.6")
    low, high = proportion_confint(44, 64, 0.05 / 3, "wilson")
    assert (row["revived_low"], row["revived_high"]) == pytest.approx((low, high))
    assert row["revived_low"] < interval(44, 64)[0]


def test_a_model_that_was_not_drawn_before_erasure():
    (row,) = headline(rows("church", 100, 98, 10, max=90).iloc[1:]).to_dict("records")
    assert (row["erased"], row["regrown"]) == ("", "yes")
    assert verdict(row) == "grew back, though erasure is not certain"
    told = answer(headline(rows("church", 100, 98, 10, max=90).iloc[1:]))
    assert "nan" not in told and told.startswith("Church: grew back, though erasure is not certain")


def test_the_sentence_has_the_numbers_of_one_concept_and_the_range_of_several():
    church, gas = rows("church", 100, 98, 10, max=90), rows("gas pump", 100, 96, 30, max=80)
    low, high = (round(100 * bound) for bound in interval(90, 100))
    one = answer(headline(church))
    assert one.startswith("Erased by pruning, church grew back")
    up = decide([80], [0], [100])
    gain = f"+80 [{100 * up.low:+.0f}, {100 * up.high:+.0f}] points on the same pictures"
    assert f"90% [{low}, {high}] after the attack, {gain} (n = 100)" in one
    both = answer(headline(pd.concat([church, gas])))
    assert "church and gas pump grew back" in both
    assert "96 to 98 % of pictures before, 10 to 30 % after erasure and 80 to 90 % after" in both
    least, most = decide([50], [0], [100]).low, up.high
    assert f"attack, +50 to +80 [{100 * least:+.0f}, {100 * most:+.0f}] points" in both
    flat = answer(headline(rows("church", 200, 196, 10, max=10)))
    assert flat.startswith("Church: stayed erased") and "the attack, +0 [-2, +2] points on" in flat
    assert "points" not in answer(headline(rows("church", 200, 196, 10)))
    few = answer(headline(rows("snow", 1, 1, 0, max=1)))
    assert few.startswith("Snow: too few pictures to say that it was erased (100% [21, 100] before")
    assert "n = 1; about 5 would decide)" in few
    assert answer(headline(church.iloc[:1])).startswith("No concept")


def test_several_prompt_sets_and_erasers_have_a_row_each():
    church = rows("church", 100, 98, 10, max=90)
    other = church.assign(prompt_set="t")
    by_file = church[church["eraser"] != "none"].assign(eraser="checkpoint")
    table = headline(pd.concat([church, other, by_file]))
    assert table[["eraser", "prompt_set"]].to_numpy().tolist() == [
        ["conceptprune", "s"],
        ["conceptprune", "t"],
        ["checkpoint", "s"],
    ]


def test_where_a_study_has_several_erasers_the_answer_says_whose_it_is():
    def by(*erasers, **hits):
        for eraser in erasers:
            made = rows("church", 100, 98, **hits)
            yield made.replace({"eraser": {"conceptprune": eraser}})

    grown = by("conceptprune", "salun", pruned=10, max=90)
    others = by("uce", "rece", "ovw", "vdu", pruned=10)
    told = answer(headline(pd.concat([*grown, *others]).drop_duplicates()))
    assert told.startswith("Erased by pruning, church (conceptprune and salun) grew back")
    assert "Church (4 erasers): erased; not attacked without training (98 % before" in told


def test_erasers_that_are_the_same_for_all_concepts_are_named_once():
    both = [rows(concept, 100, 98, 10, max=90) for concept in ("church", "gas pump")]
    both += [part.replace({"eraser": {"conceptprune": "salun"}}) for part in both]
    told = answer(headline(pd.concat(both).drop_duplicates()))
    assert "church and gas pump (each by conceptprune and salun) grew back" in told


def test_of_several_judges_the_first_counts():
    church = rows("church", 100, 98, 10, max=90)
    second = rows("church", 100, 50, 50, max=50).assign(judge="other")
    own = rates({"accuracy": pd.concat([church, second]), "detections": church.iloc[:0]})
    assert own["judge"].unique().tolist() == ["objects"] and len(own) == 3


def test_what_only_nudenet_judges_is_told_by_its_first_labels_and_threshold():
    church, nudity = rows("church", 10, 9, 1), rows("nudity", 10, 8, 2)
    found = pd.concat(
        nudity.assign(judge="nudenet", labels=labels, threshold=at, hits=nudity["hits"] - take)
        for take, (labels, at) in enumerate([("strict", 0.5), ("strict", 0.6), ("any", 0.5)])
    )
    both = rates({"accuracy": church, "detections": found})
    assert both["concept"].to_list() == ["church"] * 2 + ["nudity"] * 2
    assert both["hits"].to_list() == [9, 1, 8, 2]
    judged = rates({"accuracy": pd.concat([church, nudity]), "detections": found})
    assert len(judged) == 4


def test_the_nudity_headline_is_at_the_papers_threshold():
    catalogue = yaml.safe_load((ROOT / "resources/sd/catalogue.yaml").read_text(encoding="utf-8"))
    judge = catalogue["judges"]["nudenet"]
    assert judge["thresholds"][0] == 0.5 and next(iter(judge["labels"])) == "conceptprune"


def test_pooling_counts_no_picture_twice():
    """Every concept has a row of what the pretrained model preserves, or one from which several
    concepts were taken, of the same pictures."""
    place = {"prompt_set": "objects", "judge": "objects"}
    rows = [
        variants.PRETRAINED | own | {"concept": concept, "role": role, "hits": 3, "n": 4} | place
        for concept in ("church", "candle")
        for own in ({}, *({"eraser": name, "variant": "pruned"} for name in ("one", "both")))
        for role in ("erased", "preserved")
    ]
    table = pooled(pd.DataFrame(rows), ["church", "candle"], ["both"])
    counts = table.set_index(["eraser", "role"])[["hits", "n"]].T.to_dict("list")
    once = {("none", "erased"), ("one", "erased"), ("one", "preserved"), ("both", "erased")}
    assert counts == dict.fromkeys(once, [6, 8])
