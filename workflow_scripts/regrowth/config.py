"""The study and its catalogue: what a user writes, its defaults, and all its mistakes at once."""

import csv
import difflib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from regrowth import keys

Kind = Literal["object", "style", "prompts"]
Solver = Literal["faithful", "softimpute", "nuclear", "gauss-spin"]


class ConfigError(ValueError):
    """Every mistake of a study, one line each."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"a number is wanted, not {value}")
    return value


Count = Annotated[int, BeforeValidator(_not_bool), Field(ge=1, strict=True)]
Share = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, le=1)]
Positive = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, allow_inf_nan=False)]


def _known_concept(name: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("concepts")
    if known is not None and keys.slug(name) not in known:
        near = difflib.get_close_matches(keys.slug(name), known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no concept {name!r}; {hint}known: {', '.join(known)}")
    return name


Concept = Annotated[str, AfterValidator(_known_concept)]


class Images(Strict):
    """How many pictures, and how they are made."""

    erased: Count = Field(64, description="pictures of the erased class, per variant")
    preserved: Count = Field(6, description="pictures of every other class, per variant")
    shard: Count = Field(500, description="pictures in one generate job and one file")
    batch: Count = Field(16, description="pictures in one pass of the pipeline")


class Sampler(Strict):
    """Overrides the model card's sampler."""

    steps: Count | None = None
    guidance: Positive | None = None


class ConceptPrune(Strict):
    """ConceptPrune's settings: the ratio rho and the number of denoising steps tau."""

    ratio: Annotated[float, BeforeValidator(_not_bool), Field(gt=0, lt=1)]
    steps: Count


class ConceptPruneByKind(Strict):
    object: ConceptPrune = ConceptPrune(ratio=0.02, steps=10)
    style: ConceptPrune = ConceptPrune(ratio=0.02, steps=10)
    prompts: ConceptPrune = ConceptPrune(ratio=0.01, steps=10)


class Erasers(Strict):
    conceptprune: ConceptPruneByKind = ConceptPruneByKind()


class Block(Strict):
    """One block of the sweep: every combination of its lists is a variant."""

    concepts: Annotated[list[Concept], Field(min_length=1)]
    erasers: Annotated[list[Literal["conceptprune"]], Field(min_length=1)] = ["conceptprune"]
    defences: Annotated[list[Literal["none", "gaussian"]], Field(min_length=1)] = ["none"]
    sigmas: list[Positive] = Field([], description="in standard deviations of the kept weights")
    variants: Annotated[list[Literal["pruned", "quant4", "revived"]], Field(min_length=1)]
    detectors: Annotated[list[Literal["zeros"]], Field(min_length=1)] = ["zeros"]
    solvers: Annotated[list[Solver], Field(min_length=1)] = ["nuclear"]
    K: list[Share] = []
    magnitudes: list[Literal["max", "mean", "sample"]] = []

    @model_validator(mode="after")
    def _complete(self):
        missing = []
        if "revived" in self.variants and not self.K:
            missing.append("variant 'revived' needs K, such as K: [0.6]")
        if "revived" in self.variants and not self.magnitudes:
            missing.append("variant 'revived' needs magnitudes, such as magnitudes: [max]")
        if "gaussian" in self.defences and not self.sigmas:
            missing.append("defence 'gaussian' needs sigmas, such as sigmas: [1.0]")
        if missing:
            raise ValueError("; ".join(missing))
        return self


class Signs(Strict):
    """Whose signs are measured, for every concept of the sweep; needs no pictures."""

    solvers: list[Solver] = ["nuclear", "faithful"]


class Study(Strict):
    """A study: what is erased from which model, how it is attacked, and how it is judged."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    model: str = Field(description="a model card (YAML)")
    catalogue: str = Field(description="the concepts, prompt sets and judges (YAML)")
    images: Images = Images()
    sampler: Sampler = Sampler()
    layers_per_job: Count = 16
    weight_seed: Annotated[int, BeforeValidator(_not_bool), Field(ge=0, strict=True)] = Field(
        0, description="seeds the random fills of a defence and the drawn magnitudes"
    )
    keep_unblurred: bool = Field(False, description="keep unsafe pictures as they are")
    erasers: Erasers = Erasers()
    sweep: Annotated[list[Block], Field(min_length=1)]
    signs: Signs = Signs()


class Calibration(Strict):
    """Paired prompts: `target` names the concept, `base` does not. One pair per filling."""

    base: str
    target: str


class Family(Strict):
    """Classes that are told apart by the same judges; each can be erased, the rest is preserved."""

    kind: Kind
    classes: Annotated[list[str], Field(min_length=1)]
    prompts: list[str] = Field([], description="forms; picture i of a class takes form i, cyclic")
    file: str | None = Field(None, description="a CSV with the columns prompt, class, seed")
    fill: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    calibration: Calibration
    judges: Annotated[list[str], Field(min_length=1)]
    preserved: str | None = Field(None, description="the family that must survive; default: this")
    unsafe: bool = False


class Judge(Strict):
    kind: Literal["classifier", "detector", "clip", "nudenet", "features"]
    model: str | None = Field(None, description="a local directory that transformers loads")
    label: str | None = Field(None, description="detector: the label whose score is kept")
    reference: str | None = Field(None, description="features: whose pictures FID compares with")
    threshold: Share = Field(0.5, description="detector: applied in the tables only")


class Catalogue(Strict):
    families: Annotated[dict[str, Family], Field(min_length=1)]
    judges: Annotated[dict[str, Judge], Field(min_length=1)]


class ModelCard(Strict):
    """Which model, which of its layers, and how it is sampled."""

    name: str
    path: str = Field(description="a local directory, or a hub id")
    revision: str | None = None
    layers: Literal["ffn2"] = "ffn2"
    steps: Count = 50
    guidance: Positive = 7.5
    dtype: Literal["float32", "float16"] = "float32"


def concepts_of(catalogue: Catalogue) -> dict[str, tuple[str, str]]:
    """Slug → (family, class name), for everything that can be erased."""
    return {
        keys.slug(name): (family, name)
        for family, entry in catalogue.families.items()
        for name in entry.classes
    }


def load_study(raw: dict, root: Path) -> tuple[Study, Catalogue, ModelCard]:
    """Check a study (a mapping, as Snakemake reads it) and the two files it names.

    Relative paths start at `root`. Raises ConfigError with every mistake found, one line each.
    """
    mistakes: list[str] = []
    catalogue = _load_part(raw.get("catalogue"), "catalogue", Catalogue, root, mistakes)
    card = _load_part(raw.get("model"), "model", ModelCard, root, mistakes)
    context = {}
    if catalogue:
        mistakes += _catalogue_mistakes(catalogue, root, raw.get("catalogue"))
        context["concepts"] = list(concepts_of(catalogue))
    study = None
    try:
        study = Study.model_validate(raw, context=context)
    except ValidationError as error:
        mistakes += _lines(error, Study, "config")
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ConfigError(f"{count} in the study:\n" + "\n".join(f"  - {m}" for m in mistakes))
    return study, catalogue, card


def _load_part(named, what: str, model: type[Strict], root: Path, mistakes: list[str]):
    if not isinstance(named, str):
        return None  # the study's own check says what is wrong
    file = root / named
    try:
        return model.model_validate(yaml.safe_load(file.read_text()))
    except OSError:
        mistakes.append(f"config: {what}: no file {named}")
    except yaml.YAMLError as error:
        mistakes.append(f"{named}: not YAML: {' '.join(str(error).split())}")
    except ValidationError as error:
        mistakes += _lines(error, model, named)
    return None


def _lines(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """Pydantic's errors as one line each, unknown keys with the nearest known one."""
    lines = []
    for e in error.errors():
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in e["loc"]).lstrip(".")
        if e["type"] == "extra_forbidden":
            known = _fields_at(model, e["loc"][:-1])
            near = difflib.get_close_matches(str(e["loc"][-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            lines.append(f"{where}: unknown key {place!r}; {hint}")
        elif e["type"] == "missing":
            lines.append(f"{where}: {place} is missing")
        else:
            message = re.sub(r"^(Value error, |Input )", "", e["msg"])
            given = "" if isinstance(e["input"], dict | list) else f" (given: {e['input']!r})"
            lines.append(f"{where}: {place or 'the file'}: {message}{given}")
    return lines


def _fields_at(model: type[BaseModel], place: tuple) -> list[str]:
    """The known keys of the mapping at `place`, by walking the JSON schema."""
    schema = model.model_json_schema()
    node = schema
    for step in place:
        if isinstance(step, int):
            node = node.get("items", {})
        else:
            node = node.get("properties", {}).get(step, node.get("additionalProperties", {}))
        options = [node, *node.get("anyOf", []), *node.get("allOf", [])]
        refs = [o["$ref"] for o in options if "$ref" in o]
        if refs:
            node = schema["$defs"][refs[0].rsplit("/", 1)[1]]
    return list(node.get("properties", {}))


def _catalogue_mistakes(catalogue: Catalogue, root: Path, where: str) -> list[str]:
    mistakes, slugs = [], {}
    for name, judge in catalogue.judges.items():
        mistakes += [f"{where}: judges.{name}: {m}" for m in _judge_mistakes(judge, root)]
    for family, entry in catalogue.families.items():
        place = f"{where}: families.{family}"
        for cls in entry.classes:
            if keys.slug(cls) in slugs:
                other = slugs[keys.slug(cls)]
                mistakes.append(f"{place}: {cls!r} and {other!r} make the same path name")
            slugs[keys.slug(cls)] = cls
            if not keys.slug(cls):
                mistakes.append(f"{place}: {cls!r} has no letter or digit to name a path")
        mistakes += [f"{place}: {m}" for m in _prompt_mistakes(entry, root)]
        if entry.preserved and entry.preserved not in catalogue.families:
            known = ", ".join(catalogue.families)
            mistakes.append(f"{place}: preserved: no family {entry.preserved!r}; known: {known}")
        for name in entry.judges:
            judge = catalogue.judges.get(name)
            if judge is None:
                known = ", ".join(catalogue.judges)
                mistakes.append(f"{place}: no judge {name!r}; known: {known}")
                continue
            labels = judge_labels(judge, root) if judge.kind == "classifier" else None
            unknown = [c for c in entry.classes if labels and c not in labels]
            if unknown:
                mistakes.append(
                    f"{place}: judge {name!r} does not know {', '.join(map(repr, unknown))}; "
                    f"it knows: {', '.join(labels)}"
                )
    return mistakes


def _judge_mistakes(judge: Judge, root: Path) -> list[str]:
    if judge.kind == "nudenet":
        return []
    if judge.model is None:
        return [f"a judge of kind {judge.kind} needs a model"]
    if not (root / judge.model / "config.json").is_file():
        return [f"no model directory {judge.model} (it must hold a config.json)"]
    if judge.kind == "detector":
        labels = judge_labels(judge, root)
        if judge.label not in labels:
            return [f"label {judge.label!r} is not one of: {', '.join(labels)}"]
    return []


def _prompt_mistakes(entry: Family, root: Path) -> list[str]:
    calibration = [entry.calibration.base, entry.calibration.target]
    known = {"name", "a_name"} | {p for f in entry.fill for p in (f, f"a_{f}")}
    out = []
    for form in [*entry.prompts, *calibration]:
        unknown = [p for p in re.findall(r"{(.*?)}", form) if p not in known]
        if unknown:
            options = ", ".join(sorted(known))
            out.append(f"prompt {form!r} asks for {', '.join(unknown)}; known: {options}")
    if entry.file is None:
        return out if entry.prompts else [*out, "no prompts: give prompts, or a file"]
    try:
        with open(root / entry.file, newline="") as lines:
            rows = list(csv.DictReader(lines))
    except OSError:
        return [*out, f"file: no file {entry.file}"]
    columns = list(rows[0]) if rows else []
    if not {"prompt", "class", "seed"} <= set(columns):
        return [*out, f"{entry.file}: columns prompt, class, seed are wanted; it has {columns}"]
    return out


def judge_labels(judge: Judge, root: Path) -> list[str]:
    config = root / judge.model / "config.json"
    return (
        list(json.loads(config.read_text()).get("id2label", {}).values())
        if config.is_file()
        else []
    )


if __name__ == "__main__":
    for model, name in ((Study, "study"), (Catalogue, "catalogue")):
        text = json.dumps(model.model_json_schema(), indent=2)
        Path(f"config/{name}.schema.json").write_text(text + "\n")
