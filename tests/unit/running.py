"""A workflow's script run as Snakemake runs it: on what it is told, and with what it writes."""

import runpy
from types import SimpleNamespace

import yaml
from regrowth.files.store import read_arrays
from regrowth.run.job import ROOT
from regrowth.study import variants

SMOKE = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
CELL = variants.PRETRAINED | {"concept": "church", "eraser": "conceptprune"}


class Named(SimpleNamespace):
    """Wildcards, params, resources and inputs: by attribute, by name and by place."""

    def items(self):
        return vars(self).items()

    def __getitem__(self, name):
        return list(self)[name] if isinstance(name, int) else vars(self)[name]

    def __iter__(self):
        return iter(vars(self).values())

    def get(self, name, other=None):
        return vars(self).get(name, other)


def run(script, folder, cell, params=(), config=SMOKE, writes=None, **files):
    """The arrays that a script writes; writes: the names of its outputs, where they have any, which
    lie in the folder by these."""
    given = {name: _at(folder, file) for name, file in files.items()}
    made = {name: str(folder / name) for name in writes or [f"{script}.out"]}
    execute(script, folder, config, cell, {"alone": None, **dict(params)}, given, made)
    return {} if writes else read_arrays(folder / f"{script}.out")


def execute(script, folder, config, wildcards, params, given, made):
    """given, made: its inputs and outputs by name."""
    told = Named(
        rule=script,
        config=config,
        log=[str(folder / "log")],
        threads=1,
        resources=Named(),
        params=Named(**params),
        wildcards=Named(**wildcards),
        input=Named(**given),
        output=Named(**made),
    )
    runpy.run_path(str(ROOT / f"workflow_scripts/{script}.py"), {"snakemake": told})


def _at(folder, file):
    """A file of the folder; of several, a list, as Snakemake has an input function's."""
    return str(folder / file) if isinstance(file, str) else [str(folder / one) for one in file]
