"""What a study of classifiers is planned and run with."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from regrowth.classify import UNLEARNERS, data, shadows, study
from regrowth.classify.study import Cell, Classifiers, Mistaken
from regrowth.files import keys, tensors
from regrowth.files.digests import DIGESTS, digest, file_digest, file_digests
from regrowth.files.provenance import remembered_code_digest
from regrowth.run.job import ROOT, begin
from regrowth.run.refusals import Refused
from regrowth.study.sweep import inspected

Of = Callable[..., Any]
#: Every figure of Scissorhands' Tables 1 to 8.
PRINTED = ROOT / "resources/paper/scissorhands_tables.csv"
#: Tables use no more of these than the names.
NAMES_ALONE = (("classify.UNLEARNERS", ""), ("classify.ATTACKS", ""), ("classify.FEATURES", ""))


def start(snakemake) -> tuple[str, list[Path]]:
    """`job.begin`; the study's name, and the files of its pictures, if they are still those that
    the run was planned with. Raises RuntimeError if not."""
    begin(snakemake)
    told = study.load(dict(snakemake.config))
    files = study.files_of(told, ROOT)
    planned = snakemake.params.get("pictures")
    if planned and planned != pictures_digest(files):
        raise RuntimeError(f"{files[0].parent} has changed since this run was planned")
    return told.study, files


def beginning(snakemake) -> dict[str, np.ndarray] | None:
    """What a training of this job starts from, by name. Raises RuntimeError if it is not what the
    run was planned with."""
    file = study.start_of(study.load(dict(snakemake.config)), ROOT)
    if not (file and snakemake.params.start):
        return None
    if file_digest(file, DIGESTS) != snakemake.params.start:
        raise RuntimeError(f"{file} has changed since this run was planned")
    held = tensors.Held(file)
    names = [n for n, (_, shape) in held.headers.items() if shape]  # but counts of batches
    return {name: held.read(name) for name in names}


def pictures_digest(files: list[Path]) -> str:
    return digest([*zip(data.told_apart(files), file_digests(files, DIGESTS))])


@dataclass(frozen=True)
class Classroom:
    """A study as the rules see it. there: the files that are, if tables are made of these alone."""

    study: Classifiers
    files: list[Path]
    root: Path
    there: frozenset[str] | None = None

    @property
    def out(self) -> str:
        return f"results/{self.study.study}"

    def code(self, script: str, *methods: tuple[str, str]) -> str:
        own = ("classify.SOURCES", self.study.data.kind), ("classify.NETWORKS", self.study.network)
        file = self.root / "workflow_scripts" / f"{script}.py"
        return remembered_code_digest(file, (*own, *methods), DIGESTS)

    @property
    def pictures(self) -> str:
        return pictures_digest(self.files)

    def start(self, wildcards) -> str | None:
        """What trainings start from, of one that starts anew."""
        file, named = study.start_of(self.study, self.root), wildcards.get("unlearner")
        fresh = named is None or UNLEARNERS[self.study.unlearners[named].kind].fresh
        return file_digest(file, DIGESTS) if file and fresh else None

    @property
    def cells(self) -> list[Cell]:
        """Everything that is measured; of what is there, whatever of it is whole."""
        return [cell for cell in study.cells(self.study) if self._there(*self.needed(cell))]

    @property
    def relearnt(self) -> list[Cell]:
        return [cell for cell in study.relearnt(self.study) if self._there(self.curve(cell))]

    @property
    def shadowed(self) -> list[Cell]:
        return [cell for cell in study.shadowed(self.study) if self._there(self.betrayed(cell))]

    @property
    def figures(self) -> list[str]:
        concepts = self.study.forget if self.study.gradcam.unlearners else ()
        files = (f"{self.out}/figures/{concept}-gradcam.png" for concept in concepts)
        return [file for file in files if self._there(file)]

    def needed(self, cell: Cell) -> tuple[str, ...]:
        """What tables read of a cell."""
        own = self.split(cell), self.weights(cell), self.predictions(cell)
        return (*own, self.membership(cell))

    def _there(self, *files: str) -> bool:
        return self.there is None or self.there.issuperset(files)

    # Where things lie

    def split(self, cell: Cell, concept: str | None = None) -> str:
        at = {"split": cell.split, "concept": concept or cell.concept}
        return f"{self.out}/splits/{keys.path(at)}/parts.parquet"

    def weights(self, cell: Cell) -> str:
        """A model before any attack."""
        at = {key: getattr(self.made(cell), key) for key in study.RELEASED}
        return f"{self.out}/models/{keys.path(at)}/weights.safetensors"

    def released(self, cell: Cell) -> str:
        """A model as it is measured."""
        if cell.attack == keys.NONE:
            return self.weights(cell)
        return f"{self.out}/regrown/{cell.path}/weights.safetensors"

    def predictions(self, cell: Cell) -> str:
        return f"{self.out}/predictions/{self.made(cell).path}/predictions.parquet"

    def membership(self, cell: Cell) -> str:
        return f"{self.out}/membership/{cell.path}/membership.parquet"

    def curve(self, cell: Cell) -> str:
        return f"{self.out}/relearnt/{cell.path}/curve.parquet"

    def betrayed(self, cell: Cell) -> str:
        at = {key: getattr(cell, key) for key in study.RELEASED}
        return f"{self.out}/shadowed/{keys.path(at)}/shadowed.parquet"

    def shadows(self, cell: Cell) -> list[str]:
        """The weights of a cell's shadow models."""
        return [self.weights(shadow) for shadow in study.shadows_of(self.study, cell)]

    def made(self, cell: Cell) -> Cell:
        """The model that a cell is about: the original is one, whatever is to be forgotten."""
        own = cell.unlearner == study.ORIGINAL
        return study.original(self.study, cell.split) if own else cell

    def of(self, file: Of) -> Of:
        """Input function of a job of one cell: this file of it."""
        return inspected(lambda wildcards: file(cell_of(wildcards)))

    def before(self, wildcards) -> str:
        """Input function: the parts that the original learnt by."""
        return self.split(study.original(self.study, wildcards.split))

    def used(self, wildcards) -> str:
        """Input function: the pictures of a split, which its shadows share."""
        split, _ = shadows.told(wildcards.get("split", str(self.study.seeds.split[0])))
        return f"{self.out}/pictures/split={split}/pictures.safetensors"

    def parts_looked_at(self, wildcards) -> str:
        return self.split(study.looked_at(self.study, wildcards.concept)[0])

    def weights_looked_at(self, wildcards) -> list[str]:
        return [self.weights(cell) for cell in study.looked_at(self.study, wildcards.concept)]

    def original(self, wildcards) -> list[str]:
        """Input function: the original's weights, for what does not start anew."""
        kind = self.study.unlearners[wildcards.unlearner].kind
        cell = study.original(self.study, wildcards.split)
        return [] if UNLEARNERS[kind].fresh else [self.weights(cell)]

    def predicted_before(self, wildcards) -> str:
        """Input function: the original's predictions."""
        return self.predictions(study.original(self.study, wildcards.split))

    # What stands in params

    def concept(self, wildcards) -> dict[str, Any] | None:
        what = self.study.forget.get(wildcards.concept)
        return what.model_dump() if what else None

    def unlearner(self, wildcards) -> dict[str, Any]:
        told = self.study.unlearner(wildcards.unlearner, wildcards.concept).model_dump()
        fresh = UNLEARNERS[told["kind"]].fresh
        return told | (self.study.training.model_dump() if fresh else {})

    def unlearner_code(self, wildcards) -> str:
        kind = self.study.unlearners[wildcards.unlearner].kind
        return self.code("unlearn", ("classify.UNLEARNERS", kind))

    def attack(self, wildcards) -> dict[str, Any]:
        return self.study.attacks[wildcards.attack].model_dump()

    def attack_code(self, wildcards) -> str:
        told = self.attack(wildcards)
        solver = ("complete.SOLVERS", told.get("solver", "gauss-spin"))
        magnitude = ("attack.MAGNITUDES", told.get("magnitude", ""))
        return self.code("regrow", ("classify.ATTACKS", told["kind"]), solver, magnitude)

    # What tables say

    @property
    def oracles(self) -> list[str]:
        return [name for name, one in self.study.unlearners.items() if one.kind == "retrain"]

    def about(self) -> dict[str, Any]:
        controls = [n for n, one in self.study.unlearners.items() if UNLEARNERS[one.kind].control]
        told = self.study.model_dump(
            include={"network", "forget", "unlearners", "choices", "against"}
        )
        told |= {"data": self.study.data.kind, "oracles": self.oracles}
        told["printed"] = {n: UNLEARNERS[u.kind].printed for n, u in self.study.unlearners.items()}
        return told | {"controls": [study.ORIGINAL, *controls]}


def cell_of(wildcards) -> Cell:
    told = {key: wildcards[key] for key in study.KEYS if key in wildcards.keys()}
    return Cell(**told)


def planned(raw: dict[str, Any], root: Path, whole: bool, partial: str | None = None) -> Classroom:
    """whole: whether its pictures are looked at, too. partial: the file that says which files are
    there, if tables are to be made of these alone. Raises Refused, for people."""
    try:
        told = study.load(raw)
        files, start = study.files_of(told, root), study.start_of(told, root)
        if whole:
            study.check(told, files, start)
    except Mistaken as error:
        raise Refused(str(error)) from None
    if not partial:
        return Classroom(told, files, root)
    made = frozenset(json.loads(Path(partial).read_text(encoding="utf-8"))["made"])
    classes = Classroom(told, files, root, made)
    if not classes.cells:
        raise Refused("no model of the study is measured yet")
    return classes
