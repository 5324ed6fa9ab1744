"""The catalogue: what can be erased, the prompt sets and the judges."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from regrowth.files import keys
from regrowth.judge.settings import Judge
from regrowth.settings import Count, Place, Seed, Strict

Kind = Literal["object", "style", "prompts"]


def _some(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


#: A name or a word, with composed letters and single blanks.
Name = Annotated[str, AfterValidator(_some), AfterValidator(keys.named)]
#: What a placeholder of a form may be called: {scene}, {a_scene}.
Placeholder = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Form = Annotated[str, AfterValidator(_some)]
Forms = Form | Annotated[list[Form], Field(min_length=1)]


class Calibration(Strict):
    """Paired prompts: `target` names the concept, `base` does not. One pair per filling."""

    base: Forms
    target: Forms

    @model_validator(mode="after")
    def _paired(self):
        n = [len(f) if isinstance(f, list) else 1 for f in (self.base, self.target)]
        if n[0] != n[1]:
            raise ValueError(f"base has {n[0]} forms, target {n[1]}; they are paired")
        return self


#: A name that stands in paths as it is.
PathName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Source(Strict):
    """Where prompts come from: forms to fill in, or a table (CSV, parquet, JSON)."""

    prompts: list[Form] = Field([], description="forms; picture i takes form i, cyclic")
    file: Place | None = Field(
        None,
        description="a table; with `hub`, its path in that data set. A family may have one for "
        "each class: titles-{name}.csv",
    )
    hub: str | None = Field(None, description="a data set on the Hugging Face hub")
    revision: str | None = None
    columns: dict[Literal["prompt", "class", "seed", "image"], str] = Field(
        {},
        description="the table's own column names; default: prompt, class, seed, image. "
        "image: the caption's picture in the reference folder, by its name or number",
    )
    seed: Seed | None = Field(
        None, description="one seed for every picture; default: the table's, else 0, 1, 2, …"
    )
    judges: list[str] = []
    reference: Place | None = Field(
        None,
        description="what FID compares with: a folder of pictures, or a file with their mean and "
        "covariance (.npz: mu, sigma)",
    )
    unsafe: bool = Field(False, description="pictures are deleted once judged, unless told")

    @property
    def drawn(self) -> bool:
        return bool(self.prompts or self.file)


class Special(Strict):
    """What one class says instead of its family."""

    prompts: list[Form] = []
    calibration: Calibration | None = None


class Family(Source):
    """Classes that are told apart by the same judges; each can be erased, the rest is preserved."""

    kind: Kind
    classes: Annotated[list[Name], Field(min_length=1)]
    fill: dict[Placeholder, Annotated[list[Name], Field(min_length=1)]] = {}
    calibration: Calibration
    special: dict[Name, Special] = Field({}, description="by class")
    preserved: str | None = Field(None, description="the family that must survive; default: this")
    also: list[str] = Field([], description="prompt sets that judge its concepts too")


class PromptSet(Source):
    """Prompts that belong to no class: an attack benchmark, or captions."""

    role: Literal["erased", "preserved"] = Field(
        description="erased: should the concept show? preserved: must the model still draw well?"
    )
    images: Count | None = Field(None, description="at most so many pictures")


class Catalogue(Strict):
    families: Annotated[dict[str, Family], Field(min_length=1)]
    prompt_sets: dict[PathName, PromptSet] = {}
    judges: Annotated[dict[PathName, Judge], Field(min_length=1)]


def concepts_of(catalogue: Catalogue) -> dict[str, tuple[str, str]]:
    """Slug → (family, class name), for everything that can be erased."""
    return {
        keys.slug(name): (family, name)
        for family, entry in catalogue.families.items()
        for name in entry.classes
    }
