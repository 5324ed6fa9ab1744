"""The numbers that matter, on one object: loose inequalities with a margin."""

import pandas as pd
import pytest
import yaml
from road import ROOT, Road


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    study = yaml.safe_load((ROOT / "config.yaml").read_text())
    study["study"] = "effect"
    study |= {"judges": ["objects"], "images": {"erased": 28, "preserved": 2}}
    study["sweep"] = [
        {
            "concepts": ["church"],
            "variants": ["pruned", "revived"],
            "K": [0.6],
            "magnitudes": ["max", "mean", "sample"],
        }
    ]
    road = Road(tmp_path_factory.mktemp("effect"), study)
    road.run()
    return {f.stem: pd.read_parquet(f) for f in (road.out / "tables").glob("*.parquet")}


def rate(tables, variant, magnitude="none", role="erased"):
    t = tables["accuracy"]
    chosen = (t["variant"] == variant) & (t["magnitude"] == magnitude) & (t["role"] == role)
    (value,) = t.loc[chosen, "rate"]
    return value


def test_the_model_draws_what_it_is_asked_for(tables):
    assert rate(tables, "pretrained") >= 0.8
    assert rate(tables, "pretrained", role="preserved") >= 0.7


def test_the_concept_is_erased_and_the_rest_is_not(tables):
    assert rate(tables, "pruned") <= rate(tables, "pretrained") - 0.5
    assert rate(tables, "pruned", role="preserved") >= 0.8


def test_it_grows_back_and_by_max_most(tables):
    assert rate(tables, "revived", "max") >= rate(tables, "pruned") + 0.3
    assert rate(tables, "revived", "max") > rate(tables, "revived", "mean")
    assert rate(tables, "revived", "max") > rate(tables, "revived", "sample")


def test_the_surest_signs_are_right(tables):
    signs = tables["signs"]
    for solver in ("nuclear", "faithful"):
        own = signs[(signs["solver"] == solver) & (signs["guess"] == "completed")]
        own = own.set_index("share")
        assert own.loc[1.0, "accuracy"] > 0.65
        assert own.loc[0.2, "accuracy"] > own.loc[0.2, "accuracy_rest"] + 0.1
    random = signs[(signs["guess"] == "random") & (signs["share"] == 1.0)]
    assert random["accuracy"].between(0.47, 0.53).all()
