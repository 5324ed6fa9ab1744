"""The sweep: the study's cells, their paths, and what each rule's result depends on."""

import os
import re
from functools import lru_cache

import pandas as pd
import yaml
from regrowth import keys, models, prompts
from regrowth.config import concepts_of
from regrowth.provenance import code_digest, digest, folder_digest
from snakemake.utils import Paramspace

TEMPLATE = ROOT / "workflow_scripts" / "regrowth" / "report.html.j2"
OUT = f"results/{STUDY.study}"
ENV = "../envs/regrowth.yaml"

# Every script inherits these. Its terminal is the driver's; and glibc keeps freed memory instead of
# returning it at each step, which makes pictures on a CPU a sixth faster.
for name, value in {
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}.items():
    os.environ.setdefault(name, value)

try:
    MODEL = models.locate(CARD, ROOT)
    LAYERS = models.attacked_layers(MODEL, CARD.layers)
except (FileNotFoundError, ValueError) as error:
    raise WorkflowError(str(error)) from None

PARTS = models.parts(LAYERS, STUDY.layers_per_job)
MODEL_DIGEST = folder_digest(MODEL, Path("results/digests.json"))
STEPS = STUDY.sampler.steps or CARD.steps
GUIDANCE = STUDY.sampler.guidance or CARD.guidance

VARIANTS = keys.variants(STUDY.sweep, STUDY.weight_seed)
CONCEPTS = list(dict.fromkeys(v["concept"] for v in VARIANTS))
SETS = {c: prompts.sets_of(STUDY, CATALOGUE, c) for c in CONCEPTS}
#: Every variant with the prompt sets it is judged on; the pretrained model draws each set alone.
CELLS = [v | {"prompts": "+".join(SETS[v["concept"]])} for v in VARIANTS]
CELLS += [
    keys.PRETRAINED | {"prompts": name}
    for name in dict.fromkeys(s for sets in SETS.values() for s in sets)
]
BUNDLES = list(dict.fromkeys(cell["prompts"] for cell in CELLS))
UNSAFE = [b for b in BUNDLES if prompts.is_unsafe(CATALOGUE, b)]
UNSAFE = [] if STUDY.keep_unblurred else UNSAFE

ERASED = keys.pattern(keys.RELEASED[:2])
RELEASED = keys.pattern(keys.RELEASED)
ATTACKED = keys.pattern([*keys.RELEASED, "detector", "solver"])
SHARD = f"{Paramspace(pd.DataFrame(CELLS), param_sep='=').wildcard_pattern}/shard={{shard}}.parquet"
PATCH = f"{keys.pattern(keys.VARIANT)}/patch.safetensors"


def one_of(names):
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    concept="[a-z0-9-]+",
    eraser="[a-z]+",
    defence="[a-z-]+",
    sigma=r"none|\d+\.\d+",
    weight_seed=r"none|\d+",
    variant="[a-z0-9]+",
    detector="[a-z-]+",
    solver="[a-z-]+",
    K=r"none|\d\.\d+",
    magnitude="[a-z-]+",
    prompts=one_of(BUNDLES),
    part=r"\d+",
    shard=r"\d+",


def code(script):
    """Digest of a rule's script and of the library modules it reaches."""
    return code_digest(ROOT / "workflow_scripts" / f"{script}.py")


def layers_of(wildcards):
    return [layer.name for layer in PARTS[wildcards.part]]


def settings_of(wildcards):
    """The eraser's settings for this concept's kind."""
    family, _ = concepts_of(CATALOGUE)[wildcards.concept]
    settings = getattr(STUDY.erasers, wildcards.eraser)
    return getattr(settings, CATALOGUE.families[family].kind).model_dump()


def pairs_of(wildcards):
    family, name = concepts_of(CATALOGUE)[wildcards.concept]
    return prompts.calibration_pairs(CATALOGUE.families[family], name)


def parts_of(folder, **more):
    """Input function: every part below `folder` for the job's released model."""

    def files(wildcards):
        cell = keys.released_of(dict(wildcards.items()))
        cell |= {key: wildcards[key] for key in more.get("also", ())}
        return [f"{OUT}/{folder}/{keys.path(cell)}/part={part}.safetensors" for part in PARTS]

    return files


def erased_parts(wildcards):
    cell = {"concept": wildcards.concept, "eraser": wildcards.eraser}
    return [f"{OUT}/masks/{keys.path(cell)}/part={part}.safetensors" for part in PARTS]


def variant_files(wildcards):
    """What a variant is made of: nothing, the released layers, or these and a patch."""
    if wildcards.variant == "pretrained":
        return {}
    files = {"released": parts_of("released")(wildcards)}
    if wildcards.variant != "pruned":
        cell = {key: wildcards[key] for key in keys.VARIANT}
        files["patch"] = f"{OUT}/patches/{keys.path(cell)}/patch.safetensors"
    return files


@lru_cache
def bundle(name):
    return prompts.bundle_rows(STUDY, CATALOGUE, name, ROOT)


@lru_cache
def rows_digest(name, shard):
    first = int(shard) * STUDY.images.shard
    return digest(bundle(name)[first : first + STUDY.images.shard])


def shard_rows(wildcards):
    return rows_digest(wildcards.prompts, wildcards.shard)


def judges_used(wildcards):
    """What the scores of a bundle depend on: the settings and weights of every judge it meets."""
    families = dict.fromkeys(row["family"] for row in bundle(wildcards.prompts))
    names = dict.fromkeys(j for f in families for j in CATALOGUE.families[f].judges)
    return {name: judge_digest(name) for name in names}


@lru_cache
def judge_digest(name):
    judge = CATALOGUE.judges[name]
    weights = judge.model and folder_digest(ROOT / judge.model, Path("results/digests.json"))
    return digest(judge.model_dump(exclude={"threshold"}), weights)


def shards(folder, concept=None):
    """Every shard of the study below `folder`, or those that judge one concept."""
    files = []
    for cell in CELLS:
        shared = cell["concept"] == keys.NONE and cell["prompts"] in SETS.get(concept, ())
        if concept is None or cell["concept"] == concept or shared:
            n = prompts.shard_count(len(bundle(cell["prompts"])), STUDY.images.shard)
            files += [f"{OUT}/{folder}/{keys.path(cell)}/shard={i:03d}.parquet" for i in range(n)]
    return files


def sign_cells():
    """Released models without a defence × solvers: whose signs are measured."""
    released = {tuple(r.items()) for r in map(keys.released_of, VARIANTS) if r["sigma"] == "none"}
    return [
        dict(cell) | {"detector": "zeros", "solver": solver}
        for cell in sorted(released)
        for solver in STUDY.signs.solvers
    ]


def swept(concept):
    """Whether one magnitude of the concept has several values of K."""
    cells = [v for v in VARIANTS if v["concept"] == concept and v["variant"] == "revived"]
    ks = {(v["magnitude"], v["K"]) for v in cells if v["defence"] == keys.NONE}
    return len(ks) > len({magnitude for magnitude, _ in ks})


SIGNS = sign_cells()
FEATURES = [n for n in dict.fromkeys(j for f in CATALOGUE.families.values() for j in f.judges)]
FEATURES = [n for n in FEATURES if CATALOGUE.judges[n].kind == "features"]
LAYOUT = {"layers_per_job": STUDY.layers_per_job, "shard": STUDY.images.shard}


def refuse_other_layout():
    """Finished work is filed by these two numbers, so they stay what they were."""
    begun = Path(OUT, "model.yaml")
    before = yaml.safe_load(begun.read_text())["layout"] if begun.is_file() else LAYOUT
    if before != LAYOUT:
        raise WorkflowError(
            f"{OUT} was begun with {before}, the study now says {LAYOUT}. Its results are filed by "
            f"these numbers: put them back, or give the study another name."
        )


refuse_other_layout()
