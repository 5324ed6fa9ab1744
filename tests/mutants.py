"""How many deliberate faults the unit tests see: `make mutants`, or one module: MODULE=tradeoff.

mutmut changes one thing of a function at a time and runs the tests that reach it. It wants the
package below src/, so each module is worked on in a copy below results/mutants. What
stands outside functions is not changed.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[1]
#: The tests that are about a module.
TESTS = {
    "complete/engine": ["completion"],
    "attack/revival": ["attack", "weights", "scripts"],
    "erase/masks": ["attack"],
    "attack/detectors": ["defence"],
    "measure/cells": ["cells", "tables", "report", "paper"],
    "measure/rates": ["rates", "tables", "report", "paper"],
    "measure/pictures": ["pictures", "tables", "report"],
    "measure/recovery": ["recovery", "tables", "report"],
    "measure/tables": ["tables", "report", "paper"],
    "measure/featured": ["tables", "report", "integrity"],
    "measure/tradeoff": ["tradeoff"],
    "measure/paired": ["paired"],
    "measure/headline": ["headline"],
}
SETTINGS = """
[tool.mutmut]
source_paths = ["src/"]
only_mutate = ["src/regrowth/{module}.py"]
pytest_add_cli_args_test_selection = {tests}
do_not_mutate_patterns = ['log\\.\\w+\\(.*\\)']
[tool.pytest.ini_options]
pythonpath = ["tests/workflow"]
markers = ["soak: longer than CI may take"]
"""
#: What mutmut says of a mutant that was seen.
SEEN = {"killed", "timeout", "segfault"}


def run(module: str) -> tuple[int, list[str]]:
    """How many mutants a module has, and those that no test sees, as differences."""
    place = ROOT / "results" / "mutants" / module
    shutil.rmtree(place, ignore_errors=True)
    copy = place / "mutants"
    copy.mkdir(parents=True)
    pycache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "workflow_scripts" / "regrowth", place / "src" / "regrowth", ignore=pycache
    )
    shutil.copytree(ROOT / "tests", place / "tests", ignore=pycache)
    for other in ("config", "config.yaml", "resources", "rules", "docs", "workflow_scripts"):
        (copy / other).symlink_to(ROOT / other)
    tests = [f"tests/unit/test_{name}.py" for name in TESTS[module]]
    settings = SETTINGS.format(module=module, tests=json.dumps(tests))
    (place / "pyproject.toml").write_text(settings, encoding="utf-8")
    # hypothesis repeats itself where CI is set
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "CI": "1", "PYTHONHASHSEED": "0"}
    mutmut = Path(sys.executable).with_name("mutmut")
    with (place / "log").open("w", encoding="utf-8") as log:
        done = subprocess.run([mutmut, "run"], cwd=place, env=quiet, stdout=log, stderr=log)
    if done.returncode:
        sys.exit(f"mutmut failed on {module}: {place / 'log'}")
    meta = copy / "src" / "regrowth" / f"{module}.py.meta"
    codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    lived = [name for name, code in codes.items() if status_by_exit_code[code] not in SEEN]
    show = [
        subprocess.run([mutmut, "show", name], cwd=place, capture_output=True, text=True).stdout
        for name in lived
    ]
    return len(codes), show


if __name__ == "__main__":
    asked = [
        m for m in TESTS if not sys.argv[1:] or m in sys.argv[1:] or m.split("/")[1] in sys.argv
    ]
    for module in asked:
        n, lived = run(module)
        print(*lived, sep="\n")
        print(f"{module}: {n - len(lived)} of {n} killed, {1 - len(lived) / n:.1%}", flush=True)
