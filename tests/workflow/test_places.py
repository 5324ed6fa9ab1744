"""Where a checkout and its environment may lie."""

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
