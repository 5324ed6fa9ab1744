"""The study: what a user writes, and its defaults."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from regrowth.attack import ASKED, VARIANTS
from regrowth.attack.settings import Comparison, Revival, Solver
from regrowth.defend import FILLS
from regrowth.draw import GUARDS
from regrowth.files.keys import NONE
from regrowth.models.card import LayerFamily, ModelCard, Scheduler
from regrowth.settings import Concept, Count, Number, Place, Positive, Seed, Strict, one_of
from regrowth.study.catalogue import Catalogue
from regrowth.study.instances import AnAttack, Erasers, InstanceName

Sigma = Annotated[float, Number, Field(ge=1e-6, allow_inf_nan=False)]
Asked = Annotated[str, one_of(*ASKED)]
Defence = Annotated[str, one_of(NONE, *FILLS, *GUARDS)]


def _strengths() -> str:
    """What sigma is, for each defence."""
    told: dict[str, list[str]] = {}
    for name, fill in FILLS.items():
        told.setdefault(fill.strength, []).append(name)
    return "; ".join(f"{', '.join(names)}: {what}" for what, names in told.items())


def _no_variant(name: str) -> str:
    if name in ("pretrained", *VARIANTS):
        raise ValueError(f"{name!r} is what a variant is called: give the baseline another name")
    return name


BaselineName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$"), AfterValidator(_no_variant)]


class Images(Strict):
    """How many pictures, and how they are made."""

    erased: Count = Field(64, description="pictures of the erased class, per variant")
    preserved: Count = Field(6, description="pictures of every other class, per variant")
    shard: Count = Field(500, description="pictures in one generate job and one file")
    batch: Count = Field(16, description="pictures in one pass of the pipeline")
    format: Literal["png", "webp"] = Field("png", description="both lossless")


class Sampler(Strict):
    """Overrides the model card's sampler."""

    scheduler: Scheduler | None = None
    steps: Count | None = None
    guidance: Positive | None = None

    def of(self, card: ModelCard) -> dict[str, Any]:
        """Each setting, the model card's where the study says none."""
        own = self.model_dump(exclude_none=True)
        return {name: own.get(name, getattr(card, name)) for name in Sampler.model_fields}


class Block(Revival, Comparison):
    """One block of the sweep: every combination of its lists is a variant."""

    concepts: Annotated[list[Concept], Field(min_length=1)]
    erasers: Annotated[list[InstanceName], Field(min_length=1)] = ["conceptprune"]
    defences: Annotated[list[Defence], Field(min_length=1)] = Field(
        ["none"],
        description="what fills the holes; or a guard, through which pictures are drawn and which "
        f"changes no weight: {', '.join(GUARDS)}",
    )
    sigmas: list[Sigma] = Field([], description=f"a defence's strength. {_strengths()}")
    weight_seeds: list[Seed] = Field(
        [],
        description="draws of a defence's fills and of the magnitudes that are drawn; empty: the "
        "study's weight_seed",
    )
    variants: list[Asked] = []
    attacks: list[str] = Field([], description="of the study's `attacks`, by name")
    prompts: list[str] = Field(
        [],
        description="judged on: erased (the concept's own class), preserved (all others), prompt "
        "sets by name; empty: everything the catalogue has for the concept",
    )

    @model_validator(mode="after")
    def _complete(self):
        if not self.variants and not self.attacks:
            raise ValueError("it asks for no variant: variants: [pruned, revived], say")
        missing = [
            f"variant {name!r} needs {told}"
            for name in self.variants
            if (settings := VARIANTS[name].settings)
            for told in settings.held.lacking(self)
        ]
        for defence in self.defences:
            if defence in FILLS and not self.sigmas:
                missing.append(f"defence {defence!r} needs sigmas, such as sigmas: [1.0]")
        if missing:
            raise ValueError("; ".join(missing))
        return self


class Signs(Strict):
    """Whose signs are measured, for every concept of the sweep; needs no pictures."""

    solvers: list[Solver] = ["nuclear", "faithful"]


class Learning(Strict):
    """How attackers train; their steps and rates are each attack's own."""

    pictures: Count = Field(64, description="that they learn from")
    batch: Count = 8
    seed: Seed = 0
    forbid: list[str] = Field(
        [],
        description="tokens that no prefix may have, beside those of the concept's name and of "
        "what else its prompts say of it",
    )
    auxiliary: Place | None = Field(
        None,
        description="a folder of pictures of other things, in the place of those that the "
        "pretrained model draws: captions in its metadata.csv (file_name, text), or in file names",
    )
    concept: dict[Concept, Place] = Field(
        {}, description="folders of pictures of concepts, likewise; each caption names the concept"
    )

    @property
    def told(self) -> dict[str, int]:
        """What a training is told."""
        return {name: getattr(self, name) for name in ("pictures", "batch", "seed")}


class Implicit(Strict):
    """The word that the guard `implicit` steers away from: as `inversion` learns it in the released
    model, with the study's `learning`."""

    lr: Positive = Field(0.1, description="Adam's rate")
    step: Count = Field(100, description="of training, after which it is taken")


class Detectability(Strict):
    """Equation 7's setting."""

    half_width: Positive = Field(
        0.5, description="of the interval around 0, in standard deviations of the kept weights"
    )


class Baseline(Strict):
    """Another model, as it is: drawn on the prompt sets of some concepts, beside the pretrained."""

    model: Place = Field(description="a model card (YAML)")
    concepts: Annotated[list[Concept], Field(min_length=1)]


class Study(Strict):
    """A study: what is erased from which model, how it is attacked, and how it is judged."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    model: Place = Field(description="a model card (YAML)")
    catalogue: Place = Field(description="the concepts, prompt sets and judges (YAML)")
    local: dict[str, Place] = Field(
        {},
        description="where things lie on this machine, instead of what card and catalogue say: the "
        "name of a model, judge or prompt set, or of a set's pictures (captions.reference)",
    )
    layers: LayerFamily | None = Field(None, description="instead of the model card's")
    paper: Place | None = Field(
        None, description="printed figures (CSV) to put beside the measured"
    )
    judges: list[str] = Field([], description="those of the catalogue's that judge; empty: all")
    baselines: dict[BaselineName, Baseline] = {}
    images: Images = Images()
    sampler: Sampler = Sampler()
    layers_per_job: Count = 16
    judges_per_job: Count = Field(
        1,
        description="how many judges look at a variant's pictures in one job: more where they are "
        "small, since a start takes seconds; a judge that is added then takes its job's with it",
    )
    weight_seed: Seed = Field(
        0, description="seeds the random fills of a defence and the drawn magnitudes"
    )
    quantised: Literal["all", "attacked"] = Field(
        "all",
        description="which matrices quant4 and nf4 round: all of the UNet's and the attacked, or "
        "the attacked alone, as in the paper's Quant Recover",
    )
    keep_unblurred: bool = Field(False, description="keep unsafe pictures as they are")
    erasers: Erasers = Erasers()
    attacks: dict[InstanceName, AnAttack] = Field(
        {}, description="attacks under names of their own, which blocks ask for by name"
    )
    sweep: Annotated[list[Block], Field(min_length=1)]
    signs: Signs = Signs()
    detectability: Detectability = Detectability()
    learning: Learning = Learning()
    implicit: Implicit = Implicit()
    identify: Count | None = Field(
        None,
        description="guess of each released model which concept was erased, as who has the base "
        "can, from so many denoising steps of every candidate's calibration",
    )
    best_of: list[Annotated[int, Number, Field(ge=2, strict=True)]] = Field(
        [],
        description="of so many pictures of one prompt a judge picks the best, as an attacker may: "
        "how often the concept then shows in one at least",
    )
    control: InstanceName | dict[InstanceName, InstanceName] | None = Field(
        None,
        description="of the erasers, one that releases a model which never knew its concepts: what "
        "an attack brings forth there, it teaches, and does not bring back; or of several erasers "
        "each one's own",
    )

    @property
    def controls(self) -> dict[str, str]:
        """By eraser, the one whose release never knew the concepts; controls have none."""
        if not isinstance(self.control, str):
            return self.control or {}
        names = self.erasers.names()
        return {name: self.control for name in names if name != self.control}


if __name__ == "__main__":
    for model, name in ((Study, "study"), (Catalogue, "catalogue")):
        text = json.dumps(model.model_json_schema(), indent=2)
        Path(f"config/{name}.schema.json").write_text(text + "\n", encoding="utf-8")
