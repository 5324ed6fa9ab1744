"""The paper's printed figures beside measured ones, worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from regrowth.files import keys
from regrowth.measure import paper, tables
from regrowth.measure.cells import interval
from regrowth.study import variants

ROOT = Path(__file__).resolve().parents[2]
PRINTED = pd.read_csv(ROOT / "resources/paper/roots_tables.csv", dtype=str)
RELEASED = variants.PRETRAINED | {"concept": "church", "eraser": "conceptprune"}
PRUNED = RELEASED | {"variant": "pruned"}
MAX = RELEASED | {"variant": "revived", "detector": "zeros", "solver": "faithful", "K": "0.6"}
MAX |= {"magnitude": "max"}
PLACE = {"prompt_set": "objects", "role": "erased"}


def rate(cell, hits, n, **more):
    low, high = interval(hits, n)
    told = {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high}
    return cell | PLACE | {"judge": "objects"} | told | more


def study(**frames):
    empty = {name: pd.DataFrame(columns=columns) for name, columns in tables.COLUMNS.items()}
    solved = [*keys.RELEASED, "detector", "solver"]
    both = ["share", "n", "right", "n_rest", "right_rest", "accuracy", "low", "high"]
    both += ["accuracy_rest", "low_rest", "high_rest"]
    empty["signs"] = pd.DataFrame(columns=[*solved, "guess", *both])
    empty["alignment"] = pd.DataFrame(columns=[*solved, "recovered", "pretrained", "share", "n"])
    return empty | {name: pd.DataFrame(rows) for name, rows in frames.items()}


def of(table, /, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def one(table):
    assert len(table) == 1
    return table.iloc[0]


def test_rates_stand_beside_the_printed_ones_with_their_difference():
    golf = MAX | {"concept": "golf-ball"}
    rows = [rate(PRUNED, 50, 500), rate(MAX, 250, 500), rate(golf, 400, 500)]
    rows.append(rate(MAX | {"solver": "nuclear"}, 0, 500))  # the paper's own solver goes first
    table = paper.beside(study(accuracy=rows), PRINTED)
    assert len(table) == len(PRINTED) and table["measured"].notna().sum() < 20
    row = one(of(table, table="1", concept="church", variant="pruned", metric="erased_accuracy"))
    assert (row["paper"], row["measured"], row["n"]) == (0.08, 0.1, 500)
    assert row["difference"] == pytest.approx(0.02) and row["inside"]
    row = one(of(table, table="1", concept="church", variant="max", metric="erased_accuracy"))
    assert row["measured"] == 0.5 and row["setting"] == "faithful solver"
    assert "Table 9" in of(table, table="1", concept="church", variant="max")["note"].iloc[0]


def test_an_average_is_over_the_concepts_of_its_table_and_says_how_many():
    rows = [rate(MAX, 100, 200), rate(MAX | {"concept": "golf-ball"}, 180, 200)]
    rows.append(rate(MAX | {"concept": "dodo"}, 0, 200))  # not in the paper
    table = paper.beside(study(accuracy=rows), PRINTED)
    where = {"concept": "average", "variant": "max", "metric": "erased_accuracy"}
    row = one(of(table, table="1", **where))
    assert row["measured"] == pytest.approx(0.7) and row["concepts"] == 2 and row["n"] == 400
    assert (row["low"], row["high"]) == interval(280, 400)
    rows[1] = rate(MAX | {"concept": "golf-ball"}, 3, 1000)  # the mean is not the pooled rate
    row = one(of(paper.beside(study(accuracy=rows), PRINTED), table="1", **where))
    assert row["measured"] == pytest.approx(0.2515) and np.isnan(row["low"])
    assert np.isnan(of(table, table="11", **where)["measured"].iloc[0])  # another eraser


def test_an_attack_that_is_printed_without_its_k_has_table_1s():
    salun = MAX | {"eraser": "salun"}
    rows = [rate(salun, 50, 100), rate(salun | {"K": "0.2"}, 90, 100), rate(MAX, 7, 10)]
    table = paper.beside(study(accuracy=rows), PRINTED)
    where = {"eraser": "salun", "variant": "max", "metric": "erased_accuracy"}
    row = one(of(table, table="11", concept="church", **where))
    assert (row["paper"], row["measured"], row["K"]) == (0.66, 0.5, "0.6")
    assert one(of(table, table="text", **where))["paper"] == 0.68
    told = of(table, table="text", eraser="conceptprune", variant="max", metric="erased_accuracy")
    assert one(told)["measured"] == 0.7


def test_defended_variants_and_oracles_are_none_of_the_papers_columns():
    defended = MAX | {"defence": "gaussian", "sigma": "1.0"}
    oracle = RELEASED | {"variant": "oracle", "magnitude": "max"}
    table = paper.beside(study(accuracy=[rate(defended, 1, 2), rate(oracle, 1, 2)]), PRINTED)
    assert table["measured"].isna().all()


def test_coverage_counts_the_printed_cells_of_each_table():
    table = paper.beside(study(accuracy=[rate(PRUNED, 50, 500)]), PRINTED)
    told = paper.coverage(table).set_index("table")
    assert told.loc["1"].tolist() == [156, 2] and told["printed"].sum() == len(PRINTED)  # + average
    assert told.drop(["1", "text"])["measured"].sum() == 0


def test_clip_fid_and_detections_have_their_places():
    monet = PRUNED | {"concept": "monet"}
    clip = {"judge": "clip", "n": 50, "low": 0.2, "high": 0.3, "clip_score": 0.9}
    own = monet | {"prompt_set": "styles", "role": "erased", "similarity": 0.25} | clip
    coco = {"prompt_set": "captions", "role": "preserved"}
    nude = PRUNED | {"concept": "nudity"}
    found = rate(nude, 70, 4000, prompt_set="i2p", judge="nudenet", threshold=0.5)
    made = study(
        similarity=[own, own | coco | {"similarity": 0.31}],
        fid=[monet | coco | {"judge": "inception", "n": 9, "n_reference": 9, "fid": 17.0}],
        detections=[found | {"labels": "conceptprune"}, found | {"labels": "strict", "hits": 1}],
    )
    table = paper.beside(made, PRINTED)
    two = of(table, table="2", concept="monet", variant="pruned").set_index("metric")["measured"]
    wanted = {"clip_similarity": 0.25, "clip_score": 0.9, "coco_fid": 17.0}
    assert two.to_dict() == wanted | {"coco_clip_similarity": 0.31}
    row = one(of(table, table="7", variant="pruned", metric="nude_images_i2p"))
    assert (row["paper"], row["measured"]) == (74, 70) and row["low"] < 70 < row["high"]
    assert row["setting"] == "conceptprune, threshold 0.5"


def test_signs_and_alignment_are_tables_six_and_five():
    solve = dict.fromkeys([*keys.RELEASED, "detector"], "none") | {"solver": "faithful"}
    solve |= {"concept": "golf-ball", "eraser": "conceptprune"}
    right = {"guess": "completed", "share": 0.2, "n": 100, "right": 96, "accuracy": 0.96}
    right |= {"low": 0.9, "high": 0.98, "n_rest": 400, "right_rest": 260, "accuracy_rest": 0.65}
    right |= {"low_rest": 0.6, "high_rest": 0.7}
    fifth = solve | {"recovered": 1, "pretrained": 2, "share": 0.3, "n": 500}
    table = paper.beside(study(signs=[solve | right], alignment=[fifth]), PRINTED)
    six = of(table, table="6", K="0.2").set_index("metric")
    assert six["measured"].to_dict() == {"sign_accuracy_top_k": 0.96, "sign_accuracy_rest": 0.65}
    assert six["inside"].all()
    row = one(of(table, table="5", metric="overlap_R1_P2"))
    assert (row["paper"], row["measured"]) == (0.27, 0.3)
