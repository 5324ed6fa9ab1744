"""The answer: verdicts worked out from counts, and the sentence that they make."""

import pandas as pd
import pytest
from regrowth import keys, report
from regrowth.headline import answer, headline, rates, verdict
from regrowth.tables import interval
from statsmodels.stats.proportion import proportion_confint

PRUNED = keys.PRETRAINED | {"eraser": "conceptprune", "variant": "pruned"}
REVIVED = PRUNED | {"variant": "revived", "solver": "nuclear", "detector": "zeros", "K": "0.6"}


def rows(concept, n, pretrained, pruned, **revived):
    cells = [(keys.PRETRAINED, pretrained), (PRUNED, pruned)]
    cells += [(REVIVED | {"magnitude": m}, hits) for m, hits in revived.items()]
    out = []
    for cell, hits in cells:
        low, high = interval(hits, n)
        rate = {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}
        out.append(cell | {"concept": concept, "prompt_set": "s", "role": "erased"} | rate)
    return pd.DataFrame(out)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"pretrained": 98, "pruned": 10, "max": 90, "mean": 40}, "grew back"),
        ({"pretrained": 98, "pruned": 10, "max": 9}, "stayed erased"),
        (
            {"pretrained": 98, "pruned": 10, "max": 17},
            "erased; too few pictures to say whether it grew back",
        ),
        ({"pretrained": 98, "pruned": 10}, "erased; not attacked"),
        ({"pretrained": 98, "pruned": 95}, "too few pictures to say that it was erased"),
        (
            {"pretrained": 50, "pruned": 45, "max": 90},
            "grew back, though erasure is not certain",
        ),
    ],
)
def test_a_verdict_rests_on_intervals(counts, told):
    table = headline(rows("church", 100, **counts))
    assert [verdict(row) for row in table.to_dict("records")] == [told]


def test_the_strongest_of_several_attacks_has_a_wider_interval():
    (row,) = headline(rows("church", 64, 62, 20, max=40, mean=44, sample=30)).to_dict("records")
    assert (row["attacks"], row["strongest"]) == (3, "mean K=0.6")
    low, high = proportion_confint(44, 64, 0.05 / 3, "wilson")
    assert (row["revived_low"], row["revived_high"]) == pytest.approx((low, high))
    assert row["revived_low"] < interval(44, 64)[0]


def test_the_sentence_has_the_numbers_of_one_concept_and_the_range_of_several():
    church, gas = rows("church", 100, 98, 10, max=90), rows("gas pump", 100, 96, 30, max=80)
    low, high = (round(100 * bound) for bound in interval(90, 100))
    one = answer(headline(church))
    assert one.startswith("Erased by pruning, church grew back")
    assert f"90% [{low}, {high}] after the attack (n = 100)" in one
    both = answer(headline(pd.concat([church, gas])))
    assert "church and gas pump grew back" in both
    assert "96 to 98 % of pictures before, 10 to 30 % after erasure and 80 to 90 % after" in both
    few = answer(headline(rows("snow", 1, 1, 0, max=1)))
    assert few.startswith("Snow: too few pictures to say that it was erased (0% [0, 79] after")
    assert answer(headline(church.iloc[:1])).startswith("No concept")


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


def test_pooling_counts_no_picture_twice():
    """Every concept has a row of what the pretrained model preserves, of the same pictures."""
    rows = [
        keys.PRETRAINED | own | {"concept": concept, "role": role, "hits": 3, "n": 4}
        for concept in ("church", "candle")
        for own in ({}, {"eraser": "conceptprune", "variant": "pruned"})
        for role in ("erased", "preserved")
    ]
    table = report.pooled(pd.DataFrame(rows), ["church", "candle"])
    counts = table.set_index(["variant", "role"])[["hits", "n"]].T.to_dict("list")
    once = {("pretrained", "erased"), ("pruned", "erased"), ("pruned", "preserved")}
    assert counts == dict.fromkeys(once, [6, 8])
