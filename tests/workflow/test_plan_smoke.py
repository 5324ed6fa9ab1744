"""What `snakemake plan` says of the smoke study: of nothing, of what is there, and of an edit."""

import base64
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import yaml
from regrowth.files.store import write_frame
from regrowth.study import variants
from road import ROOT, Road

STUDY = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def road(tmp_path) -> Road:
    return Road(tmp_path, STUDY)


def rows_of(text: str) -> dict[str, list[str]]:
    """The lines of the tables by their first word; all, done, to do, time and why of a rule."""
    lines = (re.split(" {2,}", line.strip()) for line in text.splitlines())
    return {line[0]: line[1:] for line in lines if len(line) > 2}


def fake_shard(road: Road, seconds: float) -> None:
    """The pretrained model's pictures of the shared set, as if generate had made them."""
    model = yaml.safe_load((road.out / "model.yaml").read_text(encoding="utf-8"))["digest"]
    cell = variants.PRETRAINED | {"variant": "pretrained", "prompts": "objects"}
    image = {"bytes": b"\x89PNG" + bytes(996), "path": None}
    shard = pd.DataFrame({"prompt": "p", "seed": range(12), "image": [image] * 12})
    name = f"{variants.path(cell)}/prompts=objects/shard=000.parquet"
    for stage in ("images", "thumbnails"):
        write_frame(road.out / stage / name, shard, model=model, device="cpu")
    timed = road.out / "benchmarks" / "generate" / f"{name}.tsv"
    timed.parent.mkdir(parents=True)
    timed.write_text(f"s\th:m:s\n{seconds}\t0:00:00\n", encoding="utf-8")


def test_a_plan_says_what_a_run_would_do_and_does_nothing(road):
    road.run("results/smoke/model.yaml")
    fake_shard(road, seconds=24)  # 12 pictures: two seconds each
    road.write(road.config | {"sampler": {"steps": 8}})
    before = {str(f): f.stat().st_mtime_ns for f in road.out.rglob("*") if f.is_file()}

    text = road.run("plan")
    after = {str(f): f.stat().st_mtime_ns for f in road.out.rglob("*") if f.is_file()}
    del after[str(road.out / "logs" / "plan.log")]
    assert after == before
    assert "Study smoke: 8 cells, 86 pictures, 46 jobs" in text
    assert "12 made, 74 to make, in 7 of 8 shards; 14 are unsafe" in text
    assert "timed in   this study (cpu): resolve, generate" in text
    table, planned = rows_of(text), road.planned()
    assert {rule: int(table[rule][2]) for rule in planned} == planned
    assert table["resolve"][-1] == "sampler changed"
    assert table["generate"] == ["6", "1", "5", "2 min", "new"]
    assert table["generate_unsafe"][2:] == ["2", "26–50 s", "new"]
    assert table["mask"][2:] == ["2", "unknown", "new"]


def test_a_plan_fails_as_a_dry_run_does(road):
    """An output that was cut off, and a profile that does not make it again."""
    made = road.out / "model.yaml"
    made.parent.mkdir(parents=True)
    study = road.config
    layout = {"layers": "ffn2", "layers_per_job": 16, "shard": 500}
    made.write_text(yaml.safe_dump({"layout": layout}), encoding="utf-8")
    marks = road.folder / ".snakemake" / "incomplete"
    marks.mkdir(parents=True)
    name = f"results/{study['study']}/model.yaml"
    (marks / base64.urlsafe_b64encode(name.encode()).decode()).write_text("{}", encoding="utf-8")
    text = road.run("plan", "--workflow-profile", "none", good=False)
    assert "incomplete" in text and name in text and "Study smoke" not in text


def test_a_damaged_record_of_the_layout_is_told(road):
    begun = road.out / "model.yaml"
    begun.parent.mkdir(parents=True)
    begun.write_text("layout: [", encoding="utf-8")
    told = road.run("--dry-run", good=False)
    assert "results/smoke/model.yaml, which says" in told and "Traceback" not in told


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """A user's run by an interpreter below a path with a space, with such a working folder and
    TMPDIR, as of a checkout in "My Drive"; its exit code; and what it shows on a terminal, a
    pseudo-terminal of this machine."""
    folder = tmp_path_factory.mktemp("my drive")
    (folder / "my tmp").mkdir()
    (folder / "my venv").symlink_to(sys.prefix)
    road = Road(folder / "my tmp", STUDY)
    run = road.command("results/smoke/model.yaml")
    run[0] = str(folder / "my venv" / "bin" / Path(sys.executable).name)
    ours, theirs = pty.openpty()
    own = os.environ | {"TMPDIR": str(road.folder)}
    driver = subprocess.Popen(run, stdout=theirs, stderr=theirs, env=own)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the other side is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    return road, driver.wait(), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_an_interpreter_below_a_path_with_a_space_runs_the_jobs(driven):
    road, ended, shown = driven
    assert ended == 0, shown
    assert (road.out / "model.yaml").is_file()


def test_a_terminal_shows_one_bar_and_no_line_a_job(driven):
    *_, shown = driven
    assert re.search("looking at the model .*/1 jobs", shown)
    assert "Finished jobid" not in shown and "Select jobs" not in shown


def test_planning_needs_no_torch(road):
    """It takes seconds to import, and a study is planned anew for every look."""
    for name in ("torch", "diffusers", "transformers"):
        (road.folder / f"{name}.py").write_text(
            "raise SystemExit(__name__ + ' was imported')", encoding="utf-8"
        )
    path = os.pathsep.join(map(str, (road.folder, ROOT / "workflow_scripts")))
    told = road.run("--dry-run", env=os.environ | {"PYTHONPATH": path})
    assert "generate" in told and "was imported" not in told


def test_the_control_is_trained_from_its_own_start(road):
    told = road.run("-n", "results/demo-model/retrained/model", "--directory", str(ROOT))
    assert re.search(r"train_unet +2", told) and "train_vae" not in told
