"""What docs/results.md says of reading the results elsewhere, run as it stands there."""

import importlib
import re

import pandas as pd
import pytest
from regrowth.files.store import read_hive
from regrowth.study import variants
from road import ROOT

TEXT = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
LINES = dict(re.findall(r"^\| (\w+) \| `(.+)` \|$", TEXT, re.M))
KEYS = ["concept", "variant", "K"]


@pytest.fixture
def run(smoke, monkeypatch):
    """Run the block of a package: the names that it makes, of as many rows as the comments tell."""
    monkeypatch.chdir(smoke.folder)

    def run_(package, **settings):
        module = importlib.import_module(package)
        for name, value in settings.items():
            monkeypatch.setattr(module.config, name, value)
        (block,) = (b for b in BLOCKS if re.search(rf"^import {package}\b", b, re.M))
        made: dict = {}
        exec(block, made)
        told = re.findall(r"^(\w+) = .*# (\d+) rows", block, re.M)
        assert [len(made[name]) for name, _ in told] == [int(n) for _, n in told]
        return made

    return run_


def counts(frame, by):
    """How many rows each has of these keys, "none" where it lacks one."""
    return frame[by].astype(object).fillna("none").value_counts().to_dict()


@pytest.fixture
def wanted(smoke):
    """The same by the library's own reader: of scores, and of pictures."""
    found = []
    for stage, by in (("scores", [*KEYS, "judge"]), ("images", KEYS)):
        root = smoke.out / stage
        found.append(counts(read_hive(root.rglob("*.parquet"), root, variants.KEYS), by))
    return found


def rows(smoke):
    return len(pd.read_csv(smoke.out / "tables" / "accuracy.csv"))


@pytest.mark.parametrize("reader", LINES)
def test_a_line_reads_all_scores(smoke, monkeypatch, wanted, reader):
    monkeypatch.chdir(smoke.folder)
    importlib.import_module("pyarrow.dataset")
    known = {name: importlib.import_module(name) for name in ("pyarrow", reader.lower())}
    assert len(LINES) == 4 and len(eval(LINES[reader], known)) == sum(wanted[0].values())


def test_pandas(run, smoke, wanted):
    made = run("pandas")
    assert counts(made["scores"], [*KEYS, "judge"]) == wanted[0] and len(wanted[0]) > 10
    church = {keys: n for keys, n in wanted[1].items() if keys[0] == "church"}
    assert counts(made["pictures"], KEYS) == church
    assert made["pictures"]["image"][0]["bytes"].startswith(b"\x89PNG")
    assert len(made["rates"]) == rows(smoke)


def test_duckdb(run, smoke, wanted):
    made = run("duckdb")
    told = made["counts"].df()
    told[KEYS] = told[KEYS].fillna("none")
    assert told.set_index([*KEYS, "judge"])["n"].to_dict() == wanted[0]
    assert len(made["rates"].df()) == rows(smoke)


def test_polars(run, smoke, wanted):
    made = run("polars")
    told = pd.DataFrame(made["scores"].select(*KEYS, "judge").to_dicts())
    assert counts(told, [*KEYS, "judge"]) == wanted[0]
    assert len(made["rates"]) == rows(smoke)


def test_datasets(run, tmp_path, wanted):
    made = run("datasets", HF_DATASETS_CACHE=tmp_path)
    revived = {keys: n for keys, n in wanted[1].items() if keys[1] == "revived"}
    assert len(made["pictures"]) == sum(revived.values())
    assert made["pictures"][0]["image"].size == made["keyed"][0]["image"].size == (64, 64)
    assert counts(made["keyed"].select_columns(KEYS).to_pandas(), KEYS) == wanted[1]
