"""The smoke study, run once from nothing for all tests that look at it."""

import copy
import os
import shutil
import uuid

import pytest
import yaml
from browser import browser, lacking, opened, resize
from regrowth.run import devices
from road import ROOT, Road


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Road:
    """The smoke study, run once from nothing."""
    study = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text(encoding="utf-8"))
    road = Road(tmp_path_factory.mktemp("smoke"), study)
    two = ",".join(f"GPU-{uuid.uuid4()}" for _ in range(2))  # no other run's on this machine
    pretended = {} if devices.numbers() else {"CUDA_VISIBLE_DEVICES": two}
    road.run(env=os.environ | pretended)
    return road


@pytest.fixture
def spare(smoke, tmp_path) -> Road:
    """A copy of the finished study, times and all, to be hurt."""
    folder = tmp_path / "work"
    shutil.copytree(smoke.folder, folder)
    return Road(folder, copy.deepcopy(smoke.config))


@pytest.fixture
def changed(smoke):
    """Change the study for one test: what a run would do then, by rule."""
    before = copy.deepcopy(smoke.config)

    def change(edit):
        after = copy.deepcopy(before)
        edit(after)
        smoke.write(after)
        return smoke.planned()

    yield change
    smoke.write(before)


@pytest.fixture
def project(smoke, tmp_path):
    """A copy of the project that may be edited, on the finished study."""
    for name in ("Snakefile", "rules", "workflow_scripts", "profiles", "envs", "resources"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return Road(smoke.folder, smoke.config, root=tmp_path)


@pytest.fixture(scope="session")
def judged_apart(smoke, tmp_path_factory) -> Road:
    """The smoke study with a job for each judge, as if somebody had run it."""
    road = Road(tmp_path_factory.mktemp("apart"), smoke.config | {"judges_per_job": 1})
    road.pretend()
    return road


@pytest.fixture
def apart(judged_apart, project):
    """A copy of the project that may be edited, on that study."""
    return Road(judged_apart.folder, judged_apart.config, root=project.root)


@pytest.fixture(scope="session")
def chromium():
    if why := lacking():
        pytest.skip(why)
    with browser() as driver:
        yield driver


@pytest.fixture
def phone(chromium):
    """The same, as wide as a phone."""
    resize(chromium, 380, 500)
    yield chromium
    resize(chromium)


@pytest.fixture
def page(chromium, smoke):
    """The smoke study's report, opened anew."""
    assert opened(chromium, smoke.out / "report.html") == ([], [])
    return chromium
