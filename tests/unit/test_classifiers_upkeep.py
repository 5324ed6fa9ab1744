"""What is planned, there and not there of a study of classifiers."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from regrowth.classify import betrayed, choices, gaps, neighbours, study
from regrowth.classify.spread import spread
from regrowth.classify.study import Cell
from regrowth.run import classroom, cost, plan, progress
from regrowth.run.refusals import Refused
from regrowth.show import classifiers
from regrowth.show.classifiers import page
from shapes import write_idx
from test_classifiers_study import an_outcome, raw

UNLEARNERS = {"retrain": {"kind": "retrain"}, "cut": {"kind": "cut"}}


@pytest.fixture
def told(tmp_path) -> dict:
    rng = np.random.default_rng(0)
    write_idx(tmp_path, rng.integers(256, size=(60, 4, 4)), np.tile(np.arange(3), 20), 40)
    given = {"data": {"kind": "idx", "folder": str(tmp_path)}, "unlearners": UNLEARNERS}
    return raw(**given, attacks={"blind": {"kind": "blind"}}, relearn={"unlearners": ["cut"]})


@pytest.fixture
def there(tmp_path):
    """Writes which files are there, as `snakemake partial` does."""

    def write(files) -> str:
        at = tmp_path / "there.json"
        at.write_text(json.dumps({"made": sorted(files)}), encoding="utf-8")
        return str(at)

    return write


def test_tables_of_what_is_there_are_of_whole_models(told, there):
    whole = classroom.planned(told, classroom.ROOT, whole=False)
    assert len(whole.cells) == 1 + 2 + 2 and len(whole.relearnt) == 1
    first = Cell("0", "some", "retrain", "0")
    original, cut = (Cell("0", "some", name, "0") for name in (study.ORIGINAL, "cut"))
    files = {*whole.needed(first), *whole.needed(original), *whole.needed(cut)}
    files -= {whole.membership(cut)}
    files |= {whole.curve(cut)}
    some = classroom.planned(told, classroom.ROOT, whole=False, partial=there(files))
    assert some.cells == [original, first]
    assert some.relearnt == [cut]


def test_tables_of_nothing_are_refused_in_a_line(told, there):
    with pytest.raises(Refused, match="^no model of the study is measured yet$"):
        classroom.planned(told, classroom.ROOT, whole=False, partial=there([]))


def record(out: Path, rule: str, file: str, inputs=(), **wildcards) -> dict:
    told = {"rule": rule, "why": "new", "gpu": 0, "threads": 1, "wildcards": wildcards}
    told |= {"sampling": None, "eraser": None, "temporary": [], "inputs": list(map(str, inputs))}
    told |= {"log": str(out / "logs" / f"{file}.log"), "outputs": [str(out / file)]}
    return told | {"benchmark": str(out / "benchmarks" / rule / f"{file}.tsv")}


@pytest.fixture
def records(tmp_path) -> list[dict]:
    """Of three models one is measured, one failed, one waits for it."""
    keys = {"split": "0", "concept": "some", "seed": "0", "attack": "none"}
    cells = [keys | {"unlearner": name} for name in ("retrain", "ga")]
    attacked = keys | {"unlearner": "ga", "attack": "blind"}
    made = [
        record(tmp_path, "unlearn", "models/a/unlearner=retrain/w.safetensors"),
        record(tmp_path, "unlearn", "models/a/unlearner=ga/w.safetensors"),
        record(tmp_path, "membership", "membership/a", **cells[0]),
        record(tmp_path, "membership", "membership/b", made_of(tmp_path), **cells[1]),
        record(tmp_path, "membership", "membership/c", made_of(tmp_path), **attacked),
    ]
    for i in (0, 2):
        made[i]["why"] = ""
    log = Path(made[1]["log"])
    log.parent.mkdir(parents=True)
    log.write_text("2026-01-02 03:04:05,006 ERROR no space left\n", encoding="utf-8")
    return made


def made_of(out: Path) -> list[Path]:
    return [out / "models/a/unlearner=ga/w.safetensors"]


def test_a_model_that_is_not_measured_is_a_row_with_its_reason(records):
    states = progress.states(records, driven=False)
    assert progress.coverage(states) == "1 of 3 measured models are there"
    missing = progress.missing(records, states)
    assert list(missing) == [*study.KEYS, "reason"]
    assert missing[["unlearner", "attack"]].values.tolist() == [["ga", "none"], ["ga", "blind"]]
    assert set(missing["reason"]) == {"unlearn: no space left"}


def test_the_page_of_what_is_there_says_what_is_not(records):
    states = progress.states(records, driven=False)
    made = [an_outcome("retrain", i, (0.8, 0.8, 1, 0.2)) for i in (0, 1)]
    tables = {"gaps": gaps.gaps(made, bool), "spread": spread(made, bool)}
    tables |= {
        "printed": pd.DataFrame(),
        "neighbours": pd.DataFrame(),
        "missing": progress.missing(records, states),
    }
    about = {"data": "idx", "network": "small", "controls": []}
    text = page("x", about | {"coverage": progress.coverage(states)}, tables)
    assert "1 of 3 measured models are there; the rest is below" in text
    assert "unlearner ga, seed 0, attack blind</td><td>unlearn: no space left" in text


def test_the_page_has_a_row_for_each_pick_neighbour_and_attack_with_shadows():
    picks = [["some", "scissors", "blind", "b", 2.0, 3.0, 1.0, 4.0, 2]]
    picks += [["some", "scissors", "oracle", np.nan, np.nan, np.nan, np.nan, np.nan, 0]]
    text = classifiers._choices(pd.DataFrame(picks, columns=choices.COLUMNS))
    told = ["some, scissors, blind", "b", "2.0", "3.0", "1.0 to 4.0", "2"]
    assert cells(text) == [told, ["some, scissors, oracle"]]
    rows = [["some", "cut", "max", 6, 368, 0.793, 0.749, 0.831, 0.543, 25.0]]
    rows += [["some", "ft", "none", 6, 368, 0.486, 0.435, 0.537, 0.543, -5.7]]
    text = classifiers._neighbours(pd.DataFrame(rows, columns=neighbours.COLUMNS))
    first = ["some, cut + max", "6", "79.3", "74.9 to 83.1", "+25.0", "368"]
    assert cells(text) == [first, ["some, ft", "6", "48.6", "43.5 to 53.7", "-5.7", "368"]]
    rows = [["some", "ft", "u-lira", 0.71, 0.65, 0.77, 0.5, 0.25, 40, 30, 2]]
    rows += [["some", "ft", "apollo", np.nan, np.nan, np.nan, 0.1, 0.2, 40, 30, 2]]
    text = classifiers._shadowed(pd.DataFrame(rows, columns=betrayed.COLUMNS))
    first = ["some, ft, u-lira", "0.71", "0.65 to 0.77", "50.0 of 40", "25.0 of 30", "2"]
    assert cells(text) == [first, ["some, ft, apollo", "", "", "10.0 of 40", "20.0 of 30", "2"]]


def cells(table: str) -> list[list[str]]:
    rows = re.findall("<tr[^>]*>(.*?)</tr>", table)
    return [re.findall("<td>(.*?)</td>", row) for row in rows[1:]]


def test_unlearners_are_timed_each_by_itself(records, tmp_path):
    """What one took says nothing of another; what is to be made anew was timed, too."""
    for name, seconds in (("retrain", 30), ("ga", 2)):
        at = tmp_path / f"benchmarks/unlearn/models/a/unlearner={name}/w.safetensors.tsv"
        at.parent.mkdir(parents=True)
        at.write_text(f"s\th:m:s\n{seconds}\t-\n", encoding="utf-8")
    again = record(tmp_path, "unlearn", "models/b/unlearner=retrain/w.safetensors")
    records[0]["why"] = "code changed"  # it was timed before
    jobs, _ = plan.jobs_of([*records, again], tmp_path, "small", {}, 0)
    known = cost.benchmarked(tmp_path, "small")
    times = cost.estimate(jobs[jobs["why"] != ""], [(cost.OWN, known)], {})
    told = times.groupby("kind")["high"].agg(list)
    assert told["unlearn retrain"] == [30, 30] and told["unlearn ga"] == [2]
    assert np.isnan(told["membership"]).all()


def test_the_plan_says_how_many_models_there_will_be(told, records, tmp_path):
    loaded = study.load(told)
    jobs, _ = plan.jobs_of(records, tmp_path, "small", {}, 0)
    text = plan.models_text(loaded, study.cells(loaded), jobs)
    assert "Study x: 5 models measured, 5 jobs" in text
    assert "attacked   1 (blind)" in text and "runs of each a split: 2" in text
