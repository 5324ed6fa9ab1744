"""A study of classifiers: what a user writes, its mistakes, and the cells that it asks for."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import Field, GetPydanticSchema, ValidationError, create_model, model_validator
from regrowth.classify import ATTACKS, NETWORKS, SOURCES, UNLEARNERS, data, parts, shadows
from regrowth.classify.settings import GradCam, Part, Relearn, Shadows, Training
from regrowth.files import hub, keys, tensors
from regrowth.kinds import Kind
from regrowth.settings import Count, Number, Place, Seed, Strict, lines, one_of

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Seeds = Annotated[list[Seed], Field(min_length=1)]
Rest = Annotated[float, Number, Field(ge=0, lt=1)]


def _instances(table: Kind[Any]) -> Any:
    """What makes anything the settings of one of a table's methods, by its `kind`."""
    tagged = []
    for name, record in table.items():
        own: dict[str, Any] = {"kind": (Literal[name], ...)}
        model = record.settings.held
        tagged.append(create_model(model.__name__, __base__=model, **own))
    by_kind = Field(discriminator="kind")
    return GetPydanticSchema(lambda _, held: held(Annotated[Union[*tagged], by_kind]))


AnUnlearner = Annotated[Any, _instances(UNLEARNERS)]
AnAttack = Annotated[Any, _instances(ATTACKS)]


class Data(Strict):
    """Pictures and how many of them are used."""

    kind: Annotated[str, one_of(*SOURCES)]
    folder: Place | None = None
    side: Count | None = Field(
        None, description="pixels a side that pictures of folders are cut to; by default 224"
    )
    train: Count | None = Field(None, description="of the training pictures; by default all")
    test: Count | None = Field(None, description="of the test pictures; by default all")
    validation: Rest = Field(0.1, description="share of each class's training pictures, held out")


class Samples(Strict):
    """Pictures at random."""

    kind: Literal["samples"]
    share: Part | None = None
    number: Count | None = None

    @model_validator(mode="after")
    def _one(self) -> "Samples":
        if (self.share is None) == (self.number is None):
            raise ValueError("either a share or a number is wanted")
        return self


class Classes(Strict):
    """All pictures of some classes: of things, or of people."""

    kind: Literal["classes"]
    classes: list[int | str] = []
    first: Count | None = Field(None, description="in their place, so many, the first there are")

    @model_validator(mode="after")
    def _one(self) -> "Classes":
        if bool(self.classes) == bool(self.first):
            raise ValueError("either classes or the first so many are wanted")
        return self


class SeedsOf(Strict):
    """split: who learns which picture. train: the original's start. unlearn: all that follows."""

    split: Seeds = [0]
    train: Seed = 0
    unlearn: Seeds = [0, 1]


class Classifiers(Strict):
    """The whole study."""

    kind: Literal["classifiers"]
    study: Name
    data: Data
    network: Annotated[str, one_of(*NETWORKS)] = "small"
    start: Place | None = Field(
        None, description="ImageNet's weights of that network, which trainings start from"
    )
    training: Training = Training()
    seeds: SeedsOf = SeedsOf()
    forget: Annotated[
        dict[Name, Annotated[Samples | Classes, Field(discriminator="kind")]], Field(min_length=1)
    ]
    unlearners: dict[Name, AnUnlearner]
    instead: dict[Name, dict[Name, dict[str, Any]]] = Field(
        {}, description="by what is forgotten and by unlearner, settings that are others there"
    )
    attacks: dict[Name, AnAttack] = {}
    relearn: Relearn = Relearn()
    shadows: Shadows = Shadows()
    gradcam: GradCam = GradCam()
    choices: dict[Name, Annotated[list[str], Field(min_length=2)]] = Field(
        {}, description="unlearners that are one at several settings: which a rule picks"
    )
    against: list[Name] = Field(
        [], description="unlearners that each other one is held against, run by run"
    )

    def unlearner(self, name: str, concept: str) -> Any:
        """An unlearner's settings for what is to be forgotten."""
        told, own = self.unlearners[name], self.instead.get(concept, {}).get(name, {})
        return type(told).model_validate(told.model_dump() | own)

    @model_validator(mode="after")
    def _others(self) -> "Classifiers":
        for concept, some in self.instead.items():
            if concept not in self.forget:
                raise ValueError(f"instead: {unknown(concept, self.forget)}")
            for name in some:
                if name not in self.unlearners:
                    raise ValueError(f"instead.{concept}: {unknown(name, self.unlearners)}")
                try:
                    self.unlearner(name, concept)
                except ValidationError as error:
                    told = error.errors()[0]
                    at = ".".join(map(str, ("instead", concept, name, *told["loc"])))
                    raise ValueError(f"{at}: {told['msg']} (given: {told['input']})") from None
        return self

    @model_validator(mode="after")
    def _known(self) -> "Classifiers":
        if "retrain" not in [one.kind for one in self.unlearners.values()]:
            raise ValueError("unlearners: none is a retrain, which all are held against")
        if ORIGINAL in self.unlearners or keys.NONE in {*self.attacks, *self.forget}:
            raise ValueError(f"{ORIGINAL} and {keys.NONE} are names with a meaning of their own")
        named = {f"{key}.unlearners": getattr(self, key).unlearners for key in TRIED}
        named |= {f"choices.{choice}": names for choice, names in self.choices.items()}
        named["against"] = self.against
        for key, names in named.items():
            for name in names:
                if name not in self.unlearners:
                    raise ValueError(f"{key}: {unknown(name, self.unlearners)}")
        if self.gradcam.unlearners and not SOURCES[self.data.kind].shown:
            shown = ", ".join(name for name, source in SOURCES.items() if source.shown)
            raise ValueError(f"gradcam: pictures of {self.data.kind} are not shown; of {shown} are")
        if self.data.side and not SOURCES[self.data.kind].sized:
            raise ValueError(f"data.side: pictures of {self.data.kind} have one of their own")
        if self.choices and not self.data.validation:
            raise ValueError("choices: nothing to choose by without data.validation")
        if self.shadows.unlearners and not self.data.validation:
            raise ValueError("shadows: without data.validation nothing is left that no model saw")
        return self


ORIGINAL = "original"
#: Where torchvision's weights of ResNet-34 are, IMAGENET1K_V1.
IMAGENET = "https://download.pytorch.org/models/resnet34-b627a593.pth"
#: The keys that name some unlearners.
TRIED = ("relearn", "shadows", "gradcam")


def unknown(name: Any, known: Any) -> str:
    near = difflib.get_close_matches(str(name), list(map(str, known)), 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no {name!r}; {hint}known: {', '.join(map(str, known))}"


class Mistaken(ValueError):
    """A study's mistakes, one line each."""

    def __init__(self, told: list[str]):
        super().__init__("\n".join(told))


def load(raw: dict[str, Any]) -> Classifiers:
    """A study as Snakemake reads it. Raises Mistaken."""
    try:
        return Classifiers.model_validate(raw)
    except ValidationError as error:
        raise Mistaken(lines(error, Classifiers, "config")) from None


def files_of(study: Classifiers, root: Path) -> list[Path]:
    """The files of its pictures. Raises Mistaken that says what to install or download."""
    source = SOURCES[study.data.kind]
    folder = study.data.folder or source.folder or ""
    try:
        return source.files(root / hub.expanded(folder) if folder else Path())
    except FileNotFoundError as error:
        told = f"config: data: {error}; {study.data.kind}: {source.get}"
        where = "" if study.data.kind == "orl" else ", and say where it lies under data.folder"
        raise Mistaken([told + where]) from None


def _unfit(network: str, channels: int, start: Path) -> str:
    """`networks.unfit` of a file."""
    from regrowth.classify import networks  # torch, which most plans do without

    shapes = {name: shape for name, (_, shape) in tensors.headers(start).items()}
    return networks.unfit(network, channels, shapes)


@dataclass(frozen=True)
class Cell:
    """A model: of a split, what it was made to forget, by what, with which seed, and what an
    attacker made of it."""

    split: str
    concept: str
    unlearner: str
    seed: str
    attack: str = keys.NONE

    @property
    def path(self) -> str:
        return keys.path({field.name: getattr(self, field.name) for field in fields(self)})


KEYS = tuple(field.name for field in fields(Cell))
#: What names a model before any attack.
RELEASED = KEYS[:-1]


def original(study: Classifiers, split: int | str) -> Cell:
    """Of a split, or of a shadow, whose number is its seed."""
    _, shadow = shadows.told(str(split))
    seed = study.seeds.train if shadow is None else shadow
    return Cell(str(split), keys.NONE, ORIGINAL, str(seed))


def cells(study: Classifiers) -> Iterator[Cell]:
    """Everything that is measured, the original on each concept first; of what draws nothing, one
    run."""
    for split in map(str, study.seeds.split):
        for concept in study.forget:
            yield Cell(split, concept, ORIGINAL, str(study.seeds.train))
            for name, unlearner in study.unlearners.items():
                drawn = len(study.seeds.unlearn) if UNLEARNERS[unlearner.kind].random else 1
                for seed in map(str, study.seeds.unlearn[:drawn]):
                    yield Cell(split, concept, name, seed)
                    if UNLEARNERS[unlearner.kind].holes:
                        yield from (Cell(split, concept, name, seed, a) for a in study.attacks)


def relearnt(study: Classifiers) -> list[Cell]:
    wanted = study.relearn.unlearners
    return [cell for cell in cells(study) if cell.unlearner in wanted and cell.attack == keys.NONE]


def shadowed(study: Classifiers) -> list[Cell]:
    """Whom shadow models attack."""
    wanted = study.shadows.unlearners
    return [cell for cell in cells(study) if cell.unlearner in wanted and cell.attack == keys.NONE]


def shadows_of(study: Classifiers, cell: Cell) -> list[Cell]:
    """The shadow models of a cell: they are of all runs of its unlearner."""
    names = ((n, shadows.name(cell.split, n)) for n in range(study.shadows.number))
    return [Cell(name, cell.concept, cell.unlearner, str(n)) for n, name in names]


def looked_at(study: Classifiers, concept: str) -> list[Cell]:
    """Whose maps of a concept are drawn, the original's first."""
    split, seed = str(study.seeds.split[0]), str(study.seeds.unlearn[0])
    own = Cell(split, concept, ORIGINAL, str(study.seeds.train))
    return [own, *(Cell(split, concept, name, seed) for name in study.gradcam.unlearners)]


def start_of(study: Classifiers, root: Path) -> Path | None:
    """The file that trainings start from. Raises Mistaken where it is not there."""
    if study.start is None:
        return None
    if (root / study.start).is_file():
        return root / study.start
    raise Mistaken([f"config: start: {hub.nowhere(study.start, root)}; ImageNet's are {IMAGENET}"])


def check(study: Classifiers, files: list[Path], start: Path | None = None) -> None:
    """Every split of every concept, before any job. Raises Mistaken with all that is wrong."""
    try:
        pictures = data.read(study.data.kind, files, study.data.side)
    except (OSError, ValueError) as error:
        raise Mistaken([f"config: data: {error}"]) from None
    told: dict[str, None] = {}
    if start:
        try:
            unfit = _unfit(study.network, pictures.images.shape[1], start)
        except (OSError, ValueError) as error:
            unfit = str(error)
        if unfit:
            told[f"config: start: {start}: {unfit}"] = None
    for name, what in study.forget.items():
        for seed in study.seeds.split:
            try:
                parts.parts(pictures, study.data.model_dump(), what.model_dump(), name, str(seed))
            except ValueError as error:
                told[f"config: {error}"] = None
    if told:
        raise Mistaken(list(told))


if __name__ == "__main__":
    text = json.dumps(Classifiers.model_json_schema(), indent=2)
    Path("config/classifiers.schema.json").write_text(text + "\n", encoding="utf-8")
