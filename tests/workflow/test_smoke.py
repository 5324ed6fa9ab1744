"""The whole DAG on the smoke study: what it makes, what a rerun does, what a crash costs."""

import copy
import os
import re
import signal
import subprocess
import time

import pandas as pd
import pyarrow.dataset as ds
import pytest
from regrowth import keys
from road import ROOT


def test_scores_open_as_one_table(smoke):
    table = ds.dataset(smoke.out / "scores", partitioning="hive").to_table().to_pandas()
    raw = ["prompt_set", "class", "prompt", "seed", "label", "score", "features"]
    assert list(table.columns) == [*raw, *keys.VARIANT, "prompts", "judge"]
    assert (table["features"].notna() == (table["judge"] == "fid-demo")).all()
    assert len(pd.read_parquet(smoke.out / "scores")) == len(table)
    judged = table[(table["concept"].astype(str) == "church") & (table["judge"] == "objects")]
    assert set(judged.groupby(list(keys.VARIANT), observed=True).size()) == {12}
    assert set(table["judge"]) == {"objects", "snow", "clip", "nudenet", "fid-demo"}
    assert table.loc[table["judge"] == "objects", "score"].between(0, 1).all()


def test_images_are_kept_and_unsafe_ones_are_not(smoke):
    shards = list((smoke.out / "images").rglob("*.parquet"))
    assert shards and not [s for s in shards if "snow" in str(s)]
    shard = pd.read_parquet(shards[0], partitioning=None)
    assert shard["image"].iloc[0]["bytes"].startswith(b"\x89PNG")
    assert {"prompt", "seed", *keys.VARIANT, "prompts"} <= set(shard.columns)
    small = [f for f in (smoke.out / "thumbnails").rglob("*.parquet") if "snow" in str(f)]
    assert small and all(pd.read_parquet(f, partitioning=None)["blurred"].all() for f in small)


def test_tables_figures_and_page_are_there(smoke):
    for name in (
        "accuracy",
        "similarity",
        "detections",
        "fid",
        "signs",
        "alignment",
        "layers",
        "solves",
        "missing",
    ):
        parquet = pd.read_parquet(smoke.out / "tables" / f"{name}.parquet")
        text = pd.read_csv(smoke.out / "tables" / f"{name}.csv")
        assert list(parquet.columns) == list(text.columns) and len(parquet) == len(text)
        assert (len(parquet) == 0) == (name == "missing")
        lines = (smoke.out / "tables" / f"{name}.tex").read_text().splitlines()
        lines = [line for line in lines if line.endswith(r" \\") and "multicolumn" not in line]
        cells = {len(re.findall(r"(?<!\\)&", line)) for line in lines}
        assert len(cells) == 1 and cells.pop() < len(parquet.columns)
    page = (smoke.out / "report.html").read_text()
    figures = {f.name for f in (smoke.out / "figures").iterdir()}
    names = ("church-pictures", "church-accuracy", "study-signs", "study-alignment", "study-layers")
    assert figures >= {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    assert page.count("data:image/webp;base64,") >= 10 and page.count("<figure") >= 3
    assert not re.search(r"(src|href)=\"http", page)
    accuracy = pd.read_parquet(smoke.out / "tables" / "accuracy.parquet")
    assert f"{accuracy['rate'].iloc[0]:.3f} [" in page


def test_solves_say_whether_they_converged(smoke):
    solves = pd.read_parquet(smoke.out / "tables" / "solves.parquet")
    assert len(solves) == 2 * 2 * 16  # concepts, solvers, layers
    assert solves["converged"].dtype == bool and (solves["iterations"] > 0).all()
    assert set(solves["solver"]) == {"nuclear", "faithful"}


def test_a_second_run_does_nothing(smoke):
    assert not smoke.planned()
    smoke.study.touch()
    assert not smoke.planned()


@pytest.fixture
def changed(smoke):
    """Change the study for one test."""
    before = copy.deepcopy(smoke.config)

    def change(edit):
        after = copy.deepcopy(before)
        edit(after)
        smoke.write(after)
        return smoke.planned()

    yield change
    smoke.write(before)


JUDGES = 3  # of an object: the classifier, CLIP and FID's features
END = {"tables": 1, "figures": 1, "report": 1}


def test_one_k_more_computes_only_that_k(changed):
    planned = changed(lambda s: s["sweep"][0]["K"].append(0.2))
    assert planned == {"revive": 1, "generate": 1, "score": JUDGES} | END


def test_one_sigma_more_computes_only_that_sigma(changed):
    planned = changed(lambda s: s["sweep"][1]["sigmas"].append(2.0))
    new = {"defend": 1, "detect": 1, "complete": 1, "revive": 1, "detectability": 1}
    assert planned == new | {"generate": 2, "score": 2 * JUDGES} | END


def test_one_concept_more_computes_only_that_concept(changed):
    planned = changed(lambda s: s["sweep"][2]["concepts"].append("candle"))
    new = {"calibrate": 1, "mask": 1, "prune": 1, "detect": 1}
    new |= {"complete": 2, "revive": 1, "signs": 2}
    assert planned == new | {"generate": 1, "score": JUDGES} | END  # the pretrained set is shared


def test_another_batch_size_computes_nothing(changed):
    assert not changed(lambda s: s["images"].update(batch=5))


def test_another_layout_is_refused(smoke, changed):
    with pytest.raises(AssertionError, match="put them back, or give the study another name"):
        changed(lambda s: s.update(layers_per_job=4))


def test_mistakes_stop_everything_with_a_line_each(smoke, changed):
    with pytest.raises(AssertionError) as told:
        changed(lambda s: s.update(sampelr={}, layers_per_job=0))
    text = str(told.value)
    assert "2 mistakes in the study:" in text
    assert "unknown key 'sampelr'; did you mean 'sampler'?" in text
    assert "layers_per_job: should be greater than or equal to 1 (given: 0)" in text
    assert "Traceback" not in text


def test_a_killed_run_resumes_to_the_same_bytes(smoke):
    """Lose one variant, kill the run that makes it again while it generates, resume."""
    before = smoke.bytes_of("scores") | smoke.bytes_of("tables")
    lost = [
        f for s in ("images", "scores") for f in (smoke.out / s).rglob("magnitude=max/**/*.parquet")
    ]
    lost = [f for f in lost if "concept=church" in str(f) and "defence=none" in str(f)]
    assert len(lost) == 1 + JUDGES
    for file in lost:
        file.unlink()
    for file in [*(smoke.out / "tables").iterdir(), smoke.out / "report.html"]:
        file.unlink()  # nothing is remade for results that nobody misses
    started = smoke.out / "logs" / "generate" / lost[0].relative_to(smoke.out / "images")
    started = started.with_name(started.name + ".log")
    started.unlink()
    log = smoke.folder / "killed.log"
    with open(log, "w") as stream:
        driver = subprocess.Popen(
            smoke.command(), stdout=stream, stderr=stream, start_new_session=True
        )
        deadline = time.monotonic() + 120
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert started.exists(), log.read_text()
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    assert not any(f.exists() for f in lost), log.read_text()
    smoke.run("--unlock")
    planned = smoke.planned()
    assert planned["generate"] == 1 and planned["score"] == JUDGES
    assert "calibrate" not in planned
    smoke.run()
    assert smoke.bytes_of("scores") | smoke.bytes_of("tables") == before
    assert not smoke.planned()


def test_a_failed_job_leaves_no_output_and_says_why(smoke):
    part = next((smoke.out / "completed").rglob("solver=faithful/part=00.safetensors"))
    cell = part.relative_to(smoke.out / "completed")
    released = smoke.out.joinpath("released", *cell.parts[:5], cell.name)
    whole, good = part.read_bytes(), released.read_bytes()
    times = released.stat()
    released.write_bytes(good[: len(good) // 2])
    part.unlink()
    os.utime(released, ns=(times.st_atime_ns, times.st_mtime_ns))
    try:
        target = part.relative_to(smoke.folder)
        smoke.run(str(target), good=False)
        assert not part.exists()
        log = (smoke.out / "logs" / "complete" / cell).with_suffix(".log")
        assert "SafetensorError" in log.read_text()
    finally:
        released.write_bytes(good)
        os.utime(released, ns=(times.st_atime_ns, times.st_mtime_ns))
    smoke.run(str(target))
    assert part.read_bytes() == whole


def test_the_attack_sees_released_weights_only(smoke):
    """Walk the DAG: what the mask and the pretrained weights reach, by rule."""
    dot = smoke.run("--rulegraph", "--forceall", "--quiet")
    names = dict(re.findall(r"(\d+)\[label = \"(\w+)\"", dot))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", dot)}
    parents = lambda rule: {a for a, b in edges if b == rule}  # noqa: E731
    assert parents("detect") == {"prune", "defend"}
    assert parents("complete") == {"prune", "defend", "detect"}
    assert parents("revive") == {"prune", "defend", "complete"}
    assert {b for a, b in edges if a == "mask"} == {"prune", "defend", "signs", "detectability"}
    assert {b for a, b in edges if a == "detectability"} == {"tables", "figures"}
    assert {b for a, b in edges if a == "signs"} == {"tables"}
    for script in ("detect", "complete", "revive"):
        source = (ROOT / "workflow_scripts" / f"{script}.py").read_text()
        assert "study.model" not in source and "read_weights" not in source
