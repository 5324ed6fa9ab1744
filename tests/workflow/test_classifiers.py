"""A study of classifiers from nothing, on pictures that are drawn here."""

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from regrowth.classify.gaps import BROKEN
from regrowth.files.store import read_arrays, read_frame
from road import ROOT, Road
from shapes import shapes, write_idx

STUDY = {
    "kind": "classifiers",
    "study": "shapes",
    "training": {"epochs": 4, "batch": 30, "rate": 0.05},
    "seeds": {"unlearn": [0]},
    "forget": {"disc": {"kind": "classes", "classes": [1]}},
    "unlearners": {
        "retrain": {"kind": "retrain"},
        "cut": {"kind": "cut", "score": "salun", "share": 0.1},
        "ft": {"kind": "ft", "epochs": 1},
        "ga": {"kind": "ga", "epochs": 1, "rate": 1e38},  # which breaks it
    },
    "attacks": {"blind": {"kind": "blind"}},
    "relearn": {"unlearners": ["retrain", "ga"], "cap": 1},
    "shadows": {"unlearners": ["ft"], "number": 4, "apollo": {"steps": 1}},
    "gradcam": {"unlearners": ["retrain"], "pictures": 1},
}
END = {"classifier_tables": 1, "timings": 1}


@pytest.fixture(scope="module")
def road(tmp_path_factory) -> Road:
    folder = tmp_path_factory.mktemp("classifiers")
    write_idx(folder / "pictures", *shapes(240, 0), 150)
    # By this kind, since its pictures may be shown.
    study = STUDY | {"data": {"kind": "fashion-mnist", "folder": str(folder / "pictures")}}
    road = Road(folder, study)
    assert f"\nReport: results/{study['study']}/report.html\n" in road.run()
    return road


def test_every_cell_is_measured_and_a_second_run_has_nothing_to_do(road):
    assert not road.planned()
    rates = read_frame(road.out / "tables/rates.parquet")
    cells = set(zip(rates["unlearner"], rates["attack"]))
    whole = {(name, "none") for name in ("original", *STUDY["unlearners"])}
    assert cells == whole | {("cut", "blind")}
    forgotten = rates[(rates["metric"] == "accuracy") & (rates["of"] == "forget")]
    known = forgotten.set_index(["unlearner", "attack"])["rate"]
    assert known["original", "none"] > 0.6 and known["retrain", "none"] == 0
    assert "<h2>disc</h2>" in (road.out / "report.html").read_text(encoding="utf-8")
    took = pd.read_csv(road.out / "timings.csv").set_index("unlearner")
    assert took.loc["retrain", "of_retrain"] == 1 and took.loc["cut", "seconds"] > 0


def test_a_model_that_broke_is_told_as_such_by_all_that_measures_it(road):
    rates, gaps, relearnt = (
        read_frame(road.out / f"tables/{name}.parquet").set_index("unlearner")
        for name in ("rates", "gaps", "relearning")
    )
    assert {rates.loc["ga", "reason"], gaps.loc["ga", "reason"]} == {BROKEN}
    assert relearnt["reason"].to_dict() == {"retrain": "", "ga": BROKEN}
    assert relearnt.loc["retrain", "passes"] == 1 and relearnt["passes"].isna()["ga"]


def test_shadows_tell_of_what_is_forgotten_and_of_its_held_out_class(road):
    rows = read_frame(road.out / "tables/shadowed.parquet").set_index("by")
    assert list(rows.index) == ["u-lira", "apollo"] and set(rows["unlearner"]) == {"ft"}
    assert set(rows["n_forgotten"]) == {45} and set(rows["n_unseen"]) == {5}
    assert 0 <= rows.loc["u-lira", "low"] <= rows.loc["u-lira", "auc"] <= 1


def test_the_page_shows_where_the_models_look(road):
    assert "Grad-CAM with and without" in (road.out / "report.html").read_text(encoding="utf-8")
    assert Image.open(road.out / "figures/disc-gradcam.png").width > 100


def test_the_attack_fills_what_was_cut_and_nothing_else(road):
    at = "split=0/concept=disc/unlearner=cut/seed=0"
    cut = read_arrays(road.out / f"models/{at}/weights.safetensors")
    grown = read_arrays(road.out / f"regrown/{at}/attack=blind/weights.safetensors")
    original = "models/split=0/concept=none/unlearner=original/seed=0/weights.safetensors"
    before = read_arrays(road.out / original)
    for name, weights in grown.items():
        gone = (cut[name] == 0) & (before[name] != 0)
        assert (weights[~gone] == cut[name][~gone]).all()
        assert (cut[name] == before[name]).all() == (not gone.any())
        assert not gone.any() or weights[gone].any()


def test_what_is_added_makes_its_own_alone(road):
    more = road.config["unlearners"] | {"bs": {"kind": "bs", "epochs": 1}}
    before = road.config
    road.write(before | {"unlearners": more})
    assert road.planned() == END | {"unlearn": 1, "predict": 1, "membership": 1}
    road.write(before | {"relearn": {"unlearners": ["retrain", "ga", "cut"], "cap": 1}})
    assert road.planned() == {"classifier_tables": 1, "relearn_classifier": 1}
    road.write(before)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            {"data": {"kind": "fashion-mnist", "folder": "nowhere"}},
            "nowhere has no train-images-idx*",
        ),
        ({"forget": {"star": {"kind": "classes", "classes": ["star"]}}}, "no class 'star'"),
        ({"forget": {"most": {"kind": "samples", "number": 200}}}, "200 of 135 training pictures"),
    ],
)
def test_a_mistake_is_told_before_any_job(road, more, told):
    before = road.config
    road.write(before | more)
    said = road.run("--dry-run", good=False)
    road.write(before)
    assert told in said and "Traceback" not in said


def test_the_papers_benchmark_is_planned_on_files_of_cifars_layout(tmp_path):
    """One split and seed of it, and four shadows; the pictures are noise."""
    rng, n = np.random.default_rng(0), 100
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        rows = rng.integers(256, size=(n, 3073), dtype=np.uint8)
        rows[:, 0] = np.arange(n) % 10
        (tmp_path / f"{name}.bin").write_bytes(rows.tobytes())
    study = yaml.safe_load((ROOT / "config/classifiers-paper.yaml").read_text(encoding="utf-8"))
    study["data"]["folder"] = str(tmp_path)
    study |= {"seeds": {"unlearn": [0]}, "shadows": study["shadows"] | {"number": 4}}
    concepts, made = len(study["forget"]), len(study["forget"]) * len(study["unlearners"])
    attacked, relearnt = concepts * len(study["attacks"]), concepts * 5
    betrayed = concepts * len(study["shadows"]["unlearners"])
    assert Road(tmp_path, study).planned() == END | {
        "split": (1 + 4) * (1 + concepts),
        "pictures": 1,
        "train_classifier": 1 + 4,
        "unlearn": made + 4 * betrayed,
        "regrow": attacked,
        "predict": 1 + made + attacked,
        "membership": concepts + made + attacked,
        "relearn_classifier": relearnt,
        "shadowed": betrayed,
    }
