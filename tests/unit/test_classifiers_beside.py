"""Intervals over runs, and a study of classifiers beside what Scissorhands prints."""

import numpy as np
import pandas as pd
import pytest
from regrowth.classify import UNLEARNERS, printed
from regrowth.classify import spread as over
from regrowth.classify.gaps import METRICS, Outcome
from regrowth.classify.paired import paired
from regrowth.classify.spread import interval, spread
from regrowth.classify.study import Cell
from regrowth.run.classroom import PRINTED
from regrowth.show.beside import section

PRINT = pd.read_csv(PRINTED, dtype=str)
UNLEARN = {kind: {"kind": kind} for kind, one in UNLEARNERS.items() if one.printed}
UNLEARN["scissorhands"] |= {"project": True, "init": "uniform"}
TENTH = {"kind": "samples", "share": 0.1, "number": None}


def run(unlearner: str, split: int, seed: int, df: float) -> Outcome:
    """Of a hundred pictures each; all but what is forgotten is right, and nothing unseen."""
    right, none = np.ones(100, bool), np.zeros(100, bool)
    parts = {"forget": np.arange(100) < round(100 * df), "test": right, "retain": right}
    return Outcome(Cell(str(split), "some", unlearner, str(seed)), parts, {"confidence": none}, 1)


def is_oracle(cell: Cell) -> bool:
    return cell.unlearner == "retrain"


def figures(table: pd.DataFrame, unlearner: str, metric: str) -> pd.Series:
    (row,) = table[(table["unlearner"] == unlearner) & (table["metric"] == metric)].iloc
    return row


# Intervals over runs


def test_the_interval_of_three_runs_is_students():
    """By hand: t of two degrees of freedom is 4.3027; the deviation of 1, 2 and 6 is 2.6458."""
    mean, low, high = interval([1.0, 2.0, 6.0])
    assert (mean, high - mean) == pytest.approx((3, 4.3027 * 2.6458 / 3**0.5), rel=1e-4)
    assert low == pytest.approx(6 - high)


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0, 0.0], []])
def test_what_has_no_spread_has_no_interval(values):
    assert np.isnan(interval(values)[1:]).all()


def test_runs_of_one_split_count_by_seed_and_of_several_by_split():
    runs = [run("retrain", 0, 0, 0.8), run("retrain", 0, 1, 0.9)]
    runs += [run("ft", 0, seed, df) for seed, df in enumerate((0.9, 0.94, 1.0))]
    one = spread(runs, is_oracle)
    told = figures(one, "ft", "df")
    wanted = interval([90, 94, 100])
    assert (told["mean"], told["low"], told["high"]) == pytest.approx(wanted)
    assert (told["n"], told["over"]) == (3, "seeds")
    # To each of two retrainings, of four metrics one: (10 + 0) / 2 / 4 for the first seed.
    gap = figures(one, "ft", "avg_gap")
    assert (gap["mean"], gap["low"]) == pytest.approx(interval([5 / 4, 9 / 4, 15 / 4])[:2])
    runs += [run("retrain", 1, 0, 0.8), run("retrain", 1, 1, 0.7)]
    runs += [run("ft", 1, seed, df) for seed, df in enumerate((0.8, 0.84, 0.9))]
    two = spread(runs, is_oracle)
    told = figures(two, "ft", "df")
    wanted = interval([284 / 3, 254 / 3])
    assert (told["mean"], told["low"], told["high"]) == pytest.approx(wanted)
    assert (told["n"], told["over"]) == (2, "splits")


def test_the_gap_of_two_retrainings_is_one_figure_and_has_no_interval():
    runs = [run("retrain", 0, 0, 0.8), run("retrain", 0, 1, 0.9), run("retrain", 0, 2, 0.8)]
    table = spread(runs, is_oracle)
    floor, df = (figures(table, "retrain", metric) for metric in ("avg_gap", "df"))
    assert floor["mean"] == pytest.approx((5 + 10 + 5) / 3 / 4) and np.isnan(floor["low"])
    assert df["over"] == "seeds" and df["low"] < df["mean"]


def test_an_interval_over_splits_covers_and_one_over_all_runs_would_not():
    """Five splits that move a figure as much as seeds do, three seeds of each; 1,500 studies: 95 %
    of the means to three standard errors of such a share."""
    rng, hits, pooled, n = np.random.default_rng(0), 0, 0, 1500
    cells = [Cell(str(split), "c", "u", str(seed)) for split in range(5) for seed in range(3)]
    for _ in range(n):
        values = np.repeat(rng.normal(size=5), 3) + rng.normal(size=15)
        told = over.over_runs(dict(zip(cells, values)), seeds=True)
        hits += told["low"] < 0 < told["high"]
        _, low, high = interval(list(values))
        pooled += low < 0 < high
    assert abs(hits / n - 0.95) < 3 * (0.95 * 0.05 / n) ** 0.5
    assert pooled / n < 0.9


def test_a_run_that_broke_counts_nowhere():
    broken = Outcome(Cell("0", "some", "ga", "0"), {}, {}, 1)
    table = spread([run("retrain", 0, 0, 0.8), broken, run("ga", 0, 1, 0.5)], is_oracle)
    assert figures(table, "ga", "df")["n"] == 1 and figures(table, "ga", "df")["mean"] == 50


# Run by run


def test_a_difference_is_of_runs_of_the_same_split_and_seed():
    """Two originals that differ by far more than two unlearners of either: unpaired, nothing."""
    runs = [run("retrain", 0, 0, 0.5), run("retrain", 1, 0, 0.5)]
    for split, df in ((0, 0.9), (1, 0.6)):
        runs += [run("ft", split, seed, df + seed / 100) for seed in (0, 1)]
        runs += [run("ga", split, seed, df + seed / 100 + 0.04 + split / 50) for seed in (0, 1)]
    table = paired(runs, is_oracle, ["ft"])
    assert {*table["unlearner"]} == {"retrain", "ga"} and {*table["against"]} == {"ft"}
    df, gap = (figures(table, "ga", metric) for metric in ("df", "avg_gap"))
    assert (df["mean"], df["low"], df["high"]) == pytest.approx(interval([4, 6]))
    assert (gap["mean"], gap["low"]) == pytest.approx(interval([1, 1.5])[:2])
    assert (df["n"], df["over"], df["larger"], df["runs"]) == (2, "splits", 4, 4)
    assert figures(table, "ga", "dt")["larger"] == 0, "where nothing differs none is the larger"
    retrained = figures(table, "retrain", "df")
    assert (retrained["mean"], retrained["runs"]) == (pytest.approx((-40 - 10) / 2), 2)


def test_a_run_without_its_like_is_beside_none():
    """Of three runs two broke: the one that is left stands for no other seed."""
    runs = [run("retrain", 0, seed, 0.5) for seed in (0, 1, 2)] + [run("ft", 0, 1, 0.9)]
    runs += [Outcome(Cell("0", "some", "ft", seed), {}, {}, 1) for seed in "02"]
    runs += [run("ga", 0, seed, df) for seed, df in enumerate((0.1, 0.8, 0.2))]
    for one, against, mean, larger in (("ga", "ft", -10, 0), ("ft", "ga", 10, 1)):
        row = figures(paired(runs, is_oracle, [against]), one, "df")
        assert (row["mean"], row["runs"]) == (pytest.approx(mean), 1)
        assert row["larger"] == larger and np.isnan(row["low"])
    assert paired(runs, is_oracle, ["ones"]).empty


# Beside print


def told(forget: dict, data: str = "cifar-10", **more) -> dict:
    made = {"data": data, "network": "resnet18", "forget": forget, "unlearners": UNLEARN} | more
    return made | {"printed": {name: _called(one) for name, one in made["unlearners"].items()}}


def as_printed(about: dict, table: str, dataset: str, setting: str) -> dict:
    """Tables of a study that measured what is printed, to the digit."""
    rows = []
    own = PRINT[(PRINT["table"] == table) & (PRINT["dataset"] == dataset)]
    for one in own[own["setting"] == setting].to_dict("records"):
        names = {n for n, u in about["unlearners"].items() if _called(u) == one["method"]}
        of = {"attack": "none", "concept": "some", "mean": float(one["mean"]), "over": "splits"}
        of |= {"metric": printed.METRICS[one["metric"]], "low": 0.0, "high": 100.0, "n": 5}
        rows += [of | {"unlearner": name} for name in names]
    return {"spread": pd.DataFrame(rows)[over.SPREAD]}


def _called(one: dict) -> str:
    return UNLEARNERS[one["kind"]].printed


@pytest.mark.parametrize(
    ("data", "what", "where", "n"),
    [
        ("cifar-10", TENTH, ("1", "CIFAR-10", "random 10%"), 44),
        ("cifar-100", TENTH | {"share": 0.5}, ("8", "CIFAR-100", "random 50%"), 44),
        ("svhn", TENTH | {"share": 0.2}, ("7", "SVHN", "random 20%"), 44),
        ("svhn", {"kind": "classes", "classes": [0]}, ("5", "SVHN", printed.CLASS), 44),
    ],
)
def test_a_study_of_the_printed_pictures_stands_beside_its_own_table(data, what, where, n):
    about = told({"some": what}, data)
    rows = printed.beside(PRINT, about, as_printed(about, *where))
    own = rows[(rows["table"] == where[0]) & (rows["dataset"] == where[1])]
    assert len(own) == n and own["same"].all() and set(rows["dataset"]) == {where[1]}
    np.testing.assert_array_equal(own["difference"], 0)
    notes = PRINT["note"].notna() & (PRINT["table"] == where[0]) & (PRINT["dataset"] == where[1])
    marked = own["note"] != ""
    assert marked.sum() == (notes & (PRINT["setting"] == where[2])).sum()


def test_other_pictures_or_another_network_are_not_the_same():
    about = told({"some": TENTH}, "fashion-mnist")
    rows = printed.beside(PRINT, about, as_printed(about, "1", "SVHN", "random 10%"))
    assert list(rows["dataset"].unique()) == ["CIFAR-10", "CIFAR-100", "SVHN"]
    assert len(rows[rows["table"] == "1"]) == 3 * 44 and not rows["same"].any()
    about = told({"some": TENTH}, network="small")
    rows = printed.beside(PRINT, about, as_printed(about, "1", "CIFAR-10", "random 10%"))
    assert len(rows) and not rows["same"].any()


def test_a_tenth_of_the_people_is_four_of_forty():
    about = told({"some": {"kind": "classes", "classes": [1, 2, 3, 4]}}, "orl")
    tables = as_printed(about, "2", "CelebAMask-HQ", "10% of 307 identities")
    assert set(printed.beside(PRINT, about, tables)["table"]) == {"2"}
    about = told({"some": {"kind": "classes", "classes": [1, 2, 3]}}, "orl")
    assert printed.beside(PRINT, about, tables).empty


@pytest.mark.parametrize(("first", "same"), [(30, True), (31, True), (15, False)])
def test_some_thirty_of_celebas_people_are_its_tenth(first, same):
    about = told({"some": {"kind": "classes", "classes": [], "first": first}}, "celeba-hq")
    about["network"] = "resnet34-imagenet"
    tables = as_printed(about, "2", "CelebAMask-HQ", "10% of 307 identities")
    assert printed.beside(PRINT, about, tables)["same"].tolist() == [True] * (44 if same else 0)


def test_an_ablation_stands_beside_table_4_alone():
    rest = {"kind": "scissorhands", "project": False, "init": "ones"}
    about = told({"some": TENTH}, unlearners={"retrain": UNLEARN["retrain"], "ones": rest})
    tables = as_printed(about, "1", "CIFAR-10", "random 10%")
    rows = printed.beside(PRINT, about, tables)
    own = rows[rows["unlearner"] == "ones"]
    assert set(own["setting"]) == {"random 10%; projection no, one"} and len(own) == 5
    assert own["note"].str.startswith("printed without projection").all()


def test_relearning_that_met_its_cap_is_a_bound():
    about = told({"some": TENTH})
    tables = as_printed(about, "1", "CIFAR-10", "random 10%")
    curves = {
        "concept": "some",
        "unlearner": "salun",
        "passes": [40, 20],
        "censored": [True, False],
        "reason": "",
    }
    rows = printed.beside(PRINT, about, tables | {"relearning": pd.DataFrame(curves)})
    (row,) = rows[rows["metric"] == "relearn_epochs"].to_dict("records")
    assert (row["table"], row["measured"]) == ("3", 30) and np.isnan(row["difference"])
    assert row["note"].endswith("; at least: 1 of 2 runs met the cap")


def test_relearning_is_held_against_print_only_where_neither_met_a_cap():
    """Print's SalUn relearns in 24.25 passes, and its Scissorhands in more than 200."""
    about = told({"some": TENTH})
    curves = pd.DataFrame({"concept": "some", "unlearner": ["salun", "scissorhands", "salun"]})
    curves = curves.assign(passes=[20, 40, np.nan], censored=[False, True, False])
    curves["reason"] = ["", "", "it broke"]
    tables = as_printed(about, "1", "CIFAR-10", "random 10%") | {"relearning": curves}
    rows = printed.beside(PRINT, about, tables)
    own = rows[rows["metric"] == "relearn_epochs"].set_index("unlearner")
    assert own["difference"].tolist() == [
        pytest.approx(20 - 24.25),
        pytest.approx(np.nan, nan_ok=True),
    ]
    text = section(rows, about)
    assert "> 40.0<br><span class=printed>> 200</span>" in text and "<td>20.0<br>" in text


def test_the_page_has_both_figures_and_says_which_are_suspicious():
    about = told({"some": TENTH})
    tables = as_printed(about, "1", "CIFAR-10", "random 10%")
    tables["spread"]["mean"] += 1
    page = section(printed.beside(PRINT, about, tables), about)
    one = PRINT[(PRINT["method"] == "BE") & (PRINT["metric"] == "acc_df")].iloc[1]
    assert (one["dataset"], one["setting"]) == ("CIFAR-10", "random 10%")
    assert f"{float(one['mean']) + 1:.1f} [0.0, 100.0]<br>" in page
    assert f"{float(one['mean']):g} ± {float(one['std']):g}</span><sup>" in page
    assert one["note"] in page and "Table 1: CIFAR-10, random 10%</h3>" in page
    assert METRICS[0] in page


def test_a_study_without_printed_rows_has_no_section():
    about = told({"some": {"kind": "samples", "share": None, "number": 7}})
    tables = as_printed(about, "1", "CIFAR-10", "random 10%")
    rows = printed.beside(PRINT, about, tables)
    assert rows.empty and list(rows) == printed.BESIDE and section(rows, about) == ""
