"""The study: what a user writes, its defaults, and all its mistakes at once."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, model_validator
from regrowth.files import hub, keys
from regrowth.models.card import LayerFamily, ModelCard
from regrowth.settings import Count, Number, Place, Positive, Seed, Share, Strict, lines, read
from regrowth.study import checks
from regrowth.study.catalogue import Catalogue, concepts_of

Solver = Literal["faithful", "softimpute", "nuclear", "gauss-spin"]
Eraser = Literal["conceptprune", "checkpoint"]
Magnitude = Literal["max", "mean", "sample", "normal-sample", "layer-sample"]
Defence = Literal["none", "gaussian", "gaussian-absolute", "row", "decoy", "flip", "surrogate"]
Detector = Annotated[
    str, Field(pattern=r"^(zeros|(smallest|row|column|residual|combined)-0\.\d*[1-9])$")
]
Oracle = Literal["pretrained", "sample", "mean", "max"]
Sigma = Annotated[float, Number, Field(ge=1e-6, allow_inf_nan=False)]


class ConfigError(ValueError):
    """Every mistake of a study, one line each."""


def _known_concept(name: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("concepts")
    if known is not None and keys.slug(name) not in known:
        near = difflib.get_close_matches(keys.slug(name), known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no concept {name!r}; {hint}known: {', '.join(known)}")
    return name


Concept = Annotated[str, AfterValidator(_known_concept)]


def _no_variant(name: str) -> str:
    taken = ("pretrained", "pruned", "quant4", "nf4", "revived", "alone", "oracle")
    if keys.kind(name) in taken:
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

    steps: Count | None = None
    guidance: Positive | None = None


class ConceptPrune(Strict):
    """ConceptPrune's settings: the ratio rho and the number of denoising steps tau."""

    ratio: Annotated[float, Number, Field(gt=0, lt=1)]
    steps: Count


class ConceptPruneByKind(Strict):
    object: ConceptPrune = ConceptPrune(ratio=0.02, steps=10)
    style: ConceptPrune = ConceptPrune(ratio=0.02, steps=10)
    prompts: ConceptPrune = ConceptPrune(ratio=0.01, steps=10)


class Erasers(Strict):
    conceptprune: ConceptPruneByKind = ConceptPruneByKind()
    checkpoint: dict[Concept, Place] = Field(
        {},
        description="for each concept, the model as it was pruned elsewhere: a directory like the "
        "model's, or a file with the weights of its UNet (or text encoder)",
    )


class Block(Strict):
    """One block of the sweep: every combination of its lists is a variant."""

    concepts: Annotated[list[Concept], Field(min_length=1)]
    erasers: Annotated[list[Eraser], Field(min_length=1)] = ["conceptprune"]
    defences: Annotated[list[Defence], Field(min_length=1)] = ["none"]
    sigmas: list[Sigma] = Field(
        [],
        description="a defence's strength. gaussian, surrogate: in standard deviations of the "
        "layer's kept weights; gaussian-absolute: as it is; row, flip: times the kept weights that "
        "are drawn; decoy: zeroed weights for each erased one",
    )
    weight_seeds: list[Seed] = Field(
        [],
        description="draws of a defence's fills and of the magnitudes that are drawn; empty: the "
        "study's weight_seed",
    )
    variants: Annotated[
        list[Literal["pruned", "quant4", "nf4", "revived", "oracle"]], Field(min_length=1)
    ]
    detectors: Annotated[list[Detector], Field(min_length=1)] = Field(
        ["zeros"],
        description="what the attacker takes for erased: zeros, or the share of all weights that "
        "a detector finds most suspicious, such as smallest-0.02",
    )
    solvers: Annotated[list[Solver], Field(min_length=1)] = ["nuclear"]
    K: list[Share] = []
    magnitudes: list[Magnitude] = []
    layers_alone: list[Annotated[int, Number, Field(ge=0)]] = Field(
        [],
        description="besides all layers at once, revived in one of these alone, by its number from "
        "0 in the model's order; each is a variant",
    )
    oracles: list[Oracle] = Field(
        [],
        description="pretrained: pretrained magnitudes, sampled signs; "
        "the others: pretrained signs, such magnitudes",
    )
    prompts: list[str] = Field(
        [],
        description="judged on: erased (the concept's own class), preserved (all others), prompt "
        "sets by name; empty: everything the catalogue has for the concept",
    )

    @model_validator(mode="after")
    def _complete(self):
        missing = []
        if "revived" in self.variants and not self.K:
            missing.append("variant 'revived' needs K, such as K: [0.6]")
        if "revived" in self.variants and not self.magnitudes:
            missing.append("variant 'revived' needs magnitudes, such as magnitudes: [max]")
        if "oracle" in self.variants and not self.oracles:
            missing.append("variant 'oracle' needs oracles, such as oracles: [max]")
        for defence in self.defences:
            if defence != "none" and not self.sigmas:
                missing.append(f"defence {defence!r} needs sigmas, such as sigmas: [1.0]")
        if missing:
            raise ValueError("; ".join(missing))
        return self


class Signs(Strict):
    """Whose signs are measured, for every concept of the sweep; needs no pictures."""

    solvers: list[Solver] = ["nuclear", "faithful"]


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
    sweep: Annotated[list[Block], Field(min_length=1)]
    signs: Signs = Signs()
    detectability: Detectability = Detectability()


def load_study(raw: dict, root: Path, files: bool = True) -> tuple[Study, Catalogue, ModelCard]:
    """Check a study (a mapping, as Snakemake reads it), its card and its catalogue.

    Relative paths start at `root`. files: look at the judges and the tables of prompts that it
    needs, too. Raises ConfigError with every mistake found, one line each.
    """
    mistakes: list[str] = []
    catalogue = read(raw.get("catalogue"), "catalogue", Catalogue, root, mistakes)
    card = read(raw.get("model"), "model", ModelCard, root, mistakes)
    context = {}
    if catalogue:
        mistakes += checks.catalogue_mistakes(catalogue, raw["catalogue"])
        context["concepts"] = list(concepts_of(catalogue))
    study = None
    try:
        study = Study.model_validate(raw, context=context)
    except ValidationError as error:
        mistakes += lines(error, Study, "config")
    if study and catalogue and card:
        cards = [card, *baseline_cards(study, root, mistakes).values()]
        put_local(study, catalogue, cards, mistakes)
        mistakes += block_mistakes(study, catalogue)
        mistakes += picture_mistakes(study, catalogue)
        mistakes += checkpoint_mistakes(study, root)
        mistakes += eraser_mistakes(study, catalogue, card)
        mistakes += keep_judges(study, catalogue)
        if files and not mistakes:
            mistakes += checks.file_mistakes(study, catalogue, root, study.catalogue)
            mistakes += [told for card in cards for told in checks.model_mistakes(card, root)]
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ConfigError(
            f"{count} in the study:\n" + "\n".join(f"  - {' '.join(m.split())}" for m in mistakes)
        )
    return study, catalogue, card


def baseline_cards(study: Study, root: Path, mistakes: list[str]) -> dict[str, ModelCard]:
    """The card of every baseline by name, bad ones left out and told in `mistakes`."""
    found = {
        name: read(b.model, f"baselines.{name}.model", ModelCard, root, mistakes)
        for name, b in study.baselines.items()
    }
    return {name: card for name, card in found.items() if card}


def put_local(study: Study, catalogue: Catalogue, cards: list[ModelCard], mistakes: list[str]):
    """Put the study's `local` paths in the place of the card's and the catalogue's."""
    models = {card.name: card for card in cards}
    tables = {**catalogue.families, **catalogue.prompt_sets}
    for name, path in study.local.items():
        if name in models:
            models[name].path, models[name].revision = path, None
        elif name in catalogue.judges:
            catalogue.judges[name].model, catalogue.judges[name].revision = path, None
        elif name in tables:
            tables[name].file, tables[name].hub = path, None
        elif name.removesuffix(".reference") in tables:
            tables[name.removesuffix(".reference")].reference = path
        else:
            known = [*models, *catalogue.judges, *tables, *(f"{t}.reference" for t in tables)]
            mistakes.append("config: local: " + checks.unknown("model, judge or set", name, known))


def keep_judges(study: Study, catalogue: Catalogue) -> list[str]:
    """Leave every prompt set the judges that the study asks for; lines for those nobody knows."""
    if study.judges:
        for source in (*catalogue.families.values(), *catalogue.prompt_sets.values()):
            source.judges = [name for name in source.judges if name in study.judges]
    out = [
        "config: judges: " + checks.unknown("judge", name, list(catalogue.judges))
        for name in study.judges
        if name not in catalogue.judges
    ]
    named = [concept for block in study.sweep for concept in block.concepts]
    for family in dict.fromkeys(concepts_of(catalogue)[keys.slug(c)][0] for c in named):
        entry = catalogue.families[family]
        sources = [entry, *(catalogue.prompt_sets[name] for name in entry.also)]
        if not any(source.judges for source in sources):
            out.append(f"config: judges: none of them judges {family}")
    return out


def block_mistakes(study: Study, catalogue: Catalogue) -> list[str]:
    """Prompt sets that a block asks for and a concept of it does not have."""
    out = []
    for i, block in enumerate(study.sweep):
        for concept in block.concepts:
            family, _ = concepts_of(catalogue)[keys.slug(concept)]
            known = ["erased", "preserved", *catalogue.families[family].also]
            out += [
                f"config: sweep[{i}].prompts: {concept}: " + checks.unknown("set", name, known)
                for name in block.prompts
                if name not in known
            ]
    return list(dict.fromkeys(out))


def picture_mistakes(study: Study, catalogue: Catalogue) -> list[str]:
    """Fewer pictures of the erased class than its family's shared set has of every class.

    That set is drawn once for every concept, so its pictures of the erased class are judged too.
    """
    erased, shared = study.images.erased, study.images.preserved
    blocks = [b for b in study.sweep if not b.prompts or {"erased", "preserved"} & {*b.prompts}]
    for concept in (concept for block in blocks for concept in block.concepts):
        family, _ = concepts_of(catalogue)[keys.slug(concept)]
        entry = catalogue.families[family]
        if erased < shared and entry.drawn and entry.preserved in (None, family):
            return [
                f"config: images.erased: {erased} is below images.preserved ({shared}), and all "
                f"{shared} of {concept!r} are judged: erased: {shared} or more, or fewer preserved"
            ]
    return []


def checkpoint_mistakes(study: Study, root: Path) -> list[str]:
    """Checkpoints that a block asks for and nobody named, or that are not there."""
    given = study.erasers.checkpoint
    asked = [c for block in study.sweep if "checkpoint" in block.erasers for c in block.concepts]
    out = [
        f"config: erasers.checkpoint: {concept!r} is to be erased by a checkpoint, but none is "
        f"named: {concept}: a model directory, or a file of weights"
        for concept in dict.fromkeys(asked)
        if keys.slug(concept) not in map(keys.slug, given)
    ]
    return out + [
        f"config: erasers.checkpoint.{concept}: {hub.nowhere(path, root)}"
        for concept, path in given.items()
        if not (root / path).exists()
    ]


def eraser_mistakes(study: Study, catalogue: Catalogue, card: ModelCard) -> list[str]:
    """More denoising steps to calibrate than the sampler makes, for a kind that is erased so."""
    made = study.sampler.steps or card.steps
    asked = [c for block in study.sweep if "conceptprune" in block.erasers for c in block.concepts]
    known = concepts_of(catalogue)
    kinds = dict.fromkeys(catalogue.families[known[keys.slug(c)][0]].kind for c in asked)
    return [
        f"config: erasers.conceptprune.{kind}.steps: the sampler makes {made} steps, so at most "
        f"{made} can be calibrated (given: {steps})"
        for kind in kinds
        if (steps := getattr(study.erasers.conceptprune, kind).steps) > made
    ]


if __name__ == "__main__":
    for model, name in ((Study, "study"), (Catalogue, "catalogue")):
        text = json.dumps(model.model_json_schema(), indent=2)
        Path(f"config/{name}.schema.json").write_text(text + "\n", encoding="utf-8")
