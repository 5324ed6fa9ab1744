"""Scripts of a study of classifiers, run as Snakemake runs them, on a few drawn shapes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from regrowth.classify import data, networks, parts, split
from regrowth.files.digests import file_digest
from regrowth.files.store import read_about, write_arrays, write_frame
from regrowth.run import classroom
from running import execute
from shapes import shapes, write_idx
from test_classifiers_study import raw

KEYS = {"split": "0", "concept": "some", "unlearner": "ft", "seed": "0"}


@pytest.fixture
def run(tmp_path):
    """Runs a script in a study of 48 pictures to learn and 12 to test by; where it wrote."""
    write_idx(tmp_path, *shapes(60, 0), 48)
    config = raw(data={"kind": "idx", "folder": str(tmp_path)})

    def run(script: str, inputs: dict, **params):
        made = tmp_path / f"{script}.out"
        execute(script, tmp_path, config, KEYS, params, inputs, {"made": str(made)})
        return made

    return run


@pytest.fixture
def found(tmp_path) -> np.ndarray:
    """The part of each picture before anything is forgotten."""
    write_idx(tmp_path, *shapes(60, 0), 48)
    every = data.read("idx", data.idx_files(tmp_path))
    return split.split(every.labels, every.train, 0, (None, None), 0.1)


def told(tmp_path, name: str, found: np.ndarray) -> str:
    every = data.read("idx", data.idx_files(tmp_path))
    write_frame(tmp_path / name, parts.frame(every, found))
    return str(tmp_path / name)


def test_what_the_original_never_saw_is_not_unlearnt(run, tmp_path, found):
    """By the parts that it was trained on, whatever those of the forgetting say."""
    before = told(tmp_path, "before", found)
    pictures = run("pictures", {"parts": before}, kind="idx", side=None)
    network = networks.new("small", 3, torch.zeros(1, 3, 16, 16), 0)
    write_arrays(tmp_path / "original", networks.state(network))
    files = {"before": before, "pictures": str(pictures), "original": str(tmp_path / "original")}
    told_of = {"network": "small", "augment": False}
    ft = {"kind": "ft", "epochs": 1, "rate": 0.01, "batch": 16}
    after = split.forget_samples(found, 4, "some", 0)
    files["parts"] = told(tmp_path, "after", after)
    assert read_about(run("unlearn", files, unlearner=ft, **told_of))["backwards"] == 48 - 6 - 4
    leaked = after.copy()
    leaked[np.flatnonzero(found == "validation")[0]] = "forget"
    files["parts"] = told(tmp_path, "leaked", leaked)
    with pytest.raises(ValueError, match="that the original never saw is forgotten or kept"):
        run("unlearn", files, unlearner=ft, **told_of)


def test_a_training_starts_from_the_file_that_its_run_was_planned_with(tmp_path, monkeypatch):
    """And from none where it goes on from another network."""
    monkeypatch.chdir(tmp_path)
    torch.save(networks.resnet18_imagenet(1000, 3).state_dict(), tmp_path / "start.pth")
    config = raw(data={"kind": "idx", "folder": str(tmp_path)}, start=str(tmp_path / "start.pth"))
    job = SimpleNamespace(config=config, params=SimpleNamespace(start=None))
    assert classroom.beginning(job) is None
    job.params.start = file_digest(tmp_path / "start.pth", tmp_path / "digests.json")
    held = classroom.beginning(job)
    network = networks.new("resnet18-imagenet", 3, torch.zeros(1, 3, 4, 4), 0, held)
    given = torch.load(tmp_path / "start.pth", weights_only=True)
    assert torch.equal(network.layer4[1].conv2.weight, given["layer4.1.conv2.weight"])
    job.params.start = "planned with another"
    with pytest.raises(RuntimeError, match="start.pth has changed since this run was planned"):
        classroom.beginning(job)


def test_pictures_of_a_split_are_those_of_the_source(run, tmp_path, found):
    found[[3, 50]] = "unused"
    used = data.used(
        run("pictures", {"parts": told(tmp_path, "parts", found)}, kind="idx", side=None)
    )
    every = data.read("idx", data.idx_files(tmp_path))
    assert used.classes == 3 and used.places.tolist() == [*range(3), *range(4, 50), *range(51, 60)]
    np.testing.assert_array_equal(used.images, every.images[used.places])
    np.testing.assert_array_equal(used.labels, every.labels[used.places])


def test_an_unlearner_is_timed_by_its_own_models_and_not_by_shadows(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    took = {("0", "retrain", 0): 8, ("0", "retrain", 1): 12, ("0", "ft", 0): 5}
    took |= {("0-shadow0", "ft", 0): 1000}
    files = {}
    for (of, unlearner, seed), seconds in took.items():
        model = f"split={of}/concept=some/unlearner={unlearner}/seed={seed}"
        files[model] = f"results/x/models/{model}/weights.safetensors"
        benchmark = tmp_path / "results/x/benchmarks/unlearn" / f"{model}.tsv"
        benchmark.parent.mkdir(parents=True, exist_ok=True)
        benchmark.write_text(f"s\th:m:s\n{seconds}\t-\n", encoding="utf-8")
    wanted = {name: file for name, file in files.items() if "shadow" not in name}
    rows = pd.read_csv(run("timings", wanted, oracles=["retrain"])).set_index("unlearner")
    assert rows["seconds"].to_dict() == {"retrain": 10, "ft": 5}
    assert rows["of_retrain"].to_dict() == {"retrain": 1, "ft": 0.5}
