"""Where a checkout and its environment may lie."""

import os
import shutil
import sys
from pathlib import Path

import yaml
from road import ROOT, Road


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


#: Apptainer's stand-in: it runs what is to run in the image on this machine, which has no /mnt.
APPTAINER = """#!/bin/sh
case "$1" in --version) echo "apptainer version 1.4.0"; exit ;; esac
echo "$APPTAINERENV_PYTHONPATH $*" >> "{called}"
while [ "$1" != bash ]; do shift; done
exec "$@"
"""


def test_with_apptainer_a_job_runs_in_the_image_and_else_no_rule_names_it(tmp_path):
    study = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
    road, model = Road(tmp_path, study), f"results/{study['study']}/model.yaml"
    program, called = tmp_path / "bin" / "apptainer", tmp_path / "called"
    program.parent.mkdir()
    program.write_text(APPTAINER.format(called=called), encoding="utf-8")
    program.chmod(0o755)
    path = [program.parent, Path(sys.executable).parent, os.environ["PATH"]]
    env = road.env | {"PATH": os.pathsep.join(map(str, path))}
    road.run(model, "--sdm", "apptainer", env=env)
    told = called.read_text(encoding="utf-8")
    assert (road.out / "model.yaml").is_file()
    assert told.startswith(f"{ROOT / 'workflow_scripts'} exec --home") and " regrowth.sif " in told
    assert "ontainer" not in road.run(model, "--forcerun", "resolve", env=env)
    assert called.read_text(encoding="utf-8") == told
