"""Where a checkout and its environment may lie."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from road import ROOT, Road


def test_a_job_runs_with_a_python_below_a_folder_with_a_space(tmp_path):
    study = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
    place = tmp_path / "my drive"
    place.mkdir()
    road = Road(place, study)
    (place / "env").symlink_to(sys.prefix)
    python = place / "env/bin" / Path(sys.executable).name
    command = [str(python), *road.command(f"results/{study['study']}/model.yaml")[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (road.out / "model.yaml").is_file()


def test_a_library_of_another_checkout_is_named(tmp_path):
    """Two checkouts that share an environment: the rules of one with the library of the other."""
    for name in ("Snakefile", "rules", "profiles", "resources"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "workflow_scripts", tmp_path / "workflow_scripts")
    study = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
    road = Road(tmp_path, study, root=tmp_path)
    told = road.run("--dry-run", good=False, env=dict(os.environ))
    assert f"these rules lie in {tmp_path}" in told and "pip install --editable" in told
    assert "Traceback" not in told


MODULE = """
configfile: "study.yaml"


module regrowth:
    snakefile:
        "{root}/Snakefile"
    config:
        config


use rule * from regrowth
"""


def test_another_workflow_uses_it_as_a_module(tmp_path):
    """From a folder of its own, as Snakemake's modules are used: the same plan; jobs run."""
    study = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
    for name in ("plain", "other"):
        (tmp_path / name).mkdir()
    plain = Road(tmp_path / "plain", study)
    other = Road(tmp_path / "other", study, root=tmp_path / "other")
    (other.root / "Snakefile").write_text(MODULE.format(root=ROOT), encoding="utf-8")
    (other.root / "profiles").symlink_to(ROOT / "profiles")
    assert other.planned() == plain.planned()
    other.run("results/smoke/model.yaml")
    assert (other.out / "model.yaml").is_file()
