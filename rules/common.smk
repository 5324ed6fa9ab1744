"""The sweep: the study's cells, their paths, and what each rule's result depends on."""

import json
import os
import re
import shutil
import subprocess
from functools import lru_cache

import pandas as pd
import yaml
from regrowth.defend.fills import FILLS, FILLS_BY_COMPLETION
from regrowth.erase import checkpoints
from regrowth.files import hub, keys
from regrowth.files.provenance import (
    DIGESTS,
    digest,
    file_digest,
    folder_digest,
    remembered_code_digest,
    versions,
)
from regrowth.models import disk, torchvision_weights
from regrowth.run import dag, driver, unsafe
from regrowth.run.cost import UNREADABLE
from regrowth.study import prompts, references
from regrowth.study.catalogue import FEATURES, concepts_of
from regrowth.study.config import baseline_cards, put_local
from snakemake.utils import Paramspace

OUT = f"results/{STUDY.study}"
HERE = os.getcwd()
ENV = "../envs/regrowth.yaml"

# Every script inherits these. Its terminal is the driver's, and may lack a letter; and glibc keeps
# freed memory instead of returning it at each step, which makes pictures on a CPU a sixth faster.
for name, value in {
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONIOENCODING": ":replace",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}.items():
    os.environ.setdefault(name, value)

BASELINES = baseline_cards(STUDY, ROOT, [])
put_local(STUDY, CATALOGUE, list(BASELINES.values()), [])
CARDS = {"pretrained": CARD} | BASELINES
FAMILY = STUDY.layers or CARD.layers
try:
    MODELS = {name: disk.locate(card, ROOT) for name, card in CARDS.items()}
    LAYERS = disk.attacked_layers(MODELS["pretrained"], FAMILY)
except (FileNotFoundError, ValueError) as error:
    raise WorkflowError(str(error)) from None

if beyond := [n for block in STUDY.sweep for n in block.layers_alone if n >= len(LAYERS)]:
    raise WorkflowError(
        f"layers_alone: there is no layer {beyond[0]}; the model's {len(LAYERS)} attacked layers are "
        f"numbered from 0 to {len(LAYERS) - 1}"
    )
PARTS = disk.parts(LAYERS, STUDY.layers_per_job)
#: Of a job that draws. Measured on a CPU, in single precision: 9.2 GB for SD-v1.5's 1.07 billion.
PIPELINE_MB = 2000 + max(map(disk.parameters, MODELS.values())) * 8 // 10**6
MODEL_DIGESTS = {
    name: folder_digest(folder, disk.loaded(folder), DIGESTS) for name, folder in MODELS.items()
}
MODEL_DIGEST = MODEL_DIGESTS["pretrained"]

#: Variants whose weights are rounded to 4 bits as they are drawn.
ROUNDED = ("quant4", "nf4")
#: Models that were pruned elsewhere, by concept.
CHECKPOINTS = {keys.slug(c): ROOT / path for c, path in STUDY.erasers.checkpoint.items()}
ASKED = keys.variants(STUDY.sweep, STUDY.weight_seed)
VARIANTS = [variant for variant, _ in ASKED]
CONCEPTS = list(dict.fromkeys(v["concept"] for v in VARIANTS))
PAGE_DIGEST = digest(
    [
        f.read_text(encoding="utf-8")
        for f in sorted(Path(ROOT, "workflow_scripts/regrowth/show/page").rglob("*.*"))
    ]
)
#: Every variant with a bundle of prompt sets that it draws; models as they are draw each set alone.
CELLS = [
    variant | {"prompts": bundle}
    for variant, asked in ASKED
    for bundle in prompts.bundles_of(STUDY, CATALOGUE, variant["concept"], asked, ROOT)
]
SETS = {
    c: prompts.pretrained_sets([cell["prompts"] for cell in CELLS if cell["concept"] == c])
    for c in CONCEPTS
}
CELLS += [
    keys.PRETRAINED | {"prompts": name}
    for name in prompts.pretrained_sets([s for sets in SETS.values() for s in sets])
]
CELLS += [
    keys.PRETRAINED | {"variant": name, "prompts": piece}
    for name, baseline in STUDY.baselines.items()
    for piece in prompts.pretrained_sets(
        [p for c in baseline.concepts for p in SETS.get(keys.slug(c), ())]
    )
]


def scores_of(cell):
    return [
        f"{OUT}/scores/{keys.path(cell)}/judge={judge}/scores.parquet"
        for judge in prompts.judges_of(CATALOGUE, cell["prompts"])
    ]


# Tables of what is there (rules/upkeep.smk): the study shrinks to the cells that are whole.
MADE = OUT
PARTIAL = os.environ.get("REGROWTH_PARTIAL")
if PARTIAL:
    MADE = str(Path(PARTIAL).parent)
    THERE = set(json.loads(Path(PARTIAL).read_text(encoding="utf-8"))["made"])
    CELLS = [cell for cell in CELLS if THERE.issuperset(scores_of(cell))]
    if not CELLS:
        raise WorkflowError("no cell of the study is whole yet")
    drawn = {tuple(cell[key] for key in keys.VARIANT) for cell in CELLS}
    VARIANTS = [v for v in VARIANTS if tuple(v.values()) in drawn]
    alone = {cell["prompts"] for cell in CELLS if cell["concept"] == keys.NONE}
    begun = {v["concept"] for v in VARIANTS}
    SETS = {c: [s for s in SETS[c] if c in begun or s in alone] for c in CONCEPTS}
    SETS = {c: sets for c, sets in SETS.items() if sets}
    CONCEPTS = list(SETS)


def there(files):
    """Of the files, those that are there when tables are made of what is there."""
    return [file for file in files if not PARTIAL or file in THERE]


BUNDLES = list(dict.fromkeys(cell["prompts"] for cell in CELLS))
UNSAFE = [b for b in BUNDLES if prompts.is_unsafe(CATALOGUE, b)]
UNSAFE = [] if STUDY.keep_unblurred else UNSAFE

ERASED = keys.pattern(keys.RELEASED[:2])
RELEASED = keys.pattern(keys.RELEASED)
DETECTED = keys.pattern([*keys.RELEASED, "detector"])
ATTACKED = keys.pattern([*keys.RELEASED, "detector", "solver"])
CELL = Paramspace(pd.DataFrame(CELLS), param_sep="=").wildcard_pattern
SHARD = f"{CELL}/shard={{shard}}.parquet"
SCORE = f"{CELL}/judge={{judge}}/scores.parquet"
REFERENCE = f"{OUT}/references/{keys.pattern(['prompts', 'judge'])}.safetensors"
PATCH = f"{keys.pattern(keys.VARIANT)}/patch.safetensors"


def is_whole_run():
    """Whether this run was to make everything: upkeep, single files and what is left of the study
    by `--until`, `--omit-from` or a batch are no study's end."""
    return any(job.rule.name == "all" for job in workflow.dag.targetjobs)


def tell_what_is_there():
    """After failures: what failed and why, and the tables of the rest."""
    driver.let_go()
    subprocess.run(dag.command(workflow.main_snakefile, config, Path(OUT, "partial"), "partial"))


def only_looks():
    return bool(PARTIAL) or bool(LOOKS.intersection(workflow.dag_settings.targets))


def delete_unsafe():
    """Unblurred pictures that no judge waits for: of a run that was killed between the last score
    and their deletion, or in the middle of writing them, or of one that was to keep them."""
    if STUDY.keep_unblurred or only_looks():
        return
    waited_for = {
        Path(file)
        for cell in CELLS
        if cell["prompts"] in UNSAFE and not all(Path(f).is_file() for f in scores_of(cell))
        for file in shards_of(cell, "images")
    }
    # And what this run has planned to read: it draws no picture that was there.
    waited_for |= {Path(file) for job in workflow.dag.needrun_jobs() for file in job.input}
    for file in (
        *unsafe.unblurred(Path(OUT, "images"), CATALOGUE, waited_for),
        *unsafe.sharp(Path(OUT, "thumbnails"), CATALOGUE, set(map(Path, SHARDS))),
    ):
        file.unlink(missing_ok=True)
    shutil.rmtree(Path(OUT, unsafe.GALLERY), ignore_errors=True)


def leave():
    """The end of this process: of a run, it leaves no unsafe picture that nobody waits for."""
    ran = workflow.is_main_process and workflow.executor_plugin is not None
    if not ran or workflow.dryrun or workflow.touch or workflow._dag is None or only_looks():
        return
    os.chdir(HERE)  # Snakemake has left it
    if Path(OUT).is_dir() and os.access(OUT, os.W_OK) and driver.hold(Path(OUT)):
        delete_unsafe()


def one_of(names):
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    concept="[a-z0-9-]+",
    eraser="[a-z]+",
    defence="[a-z-]+",
    sigma=r"none|\d+\.\d+",
    weight_seed=r"none|\d+",
    variant="[a-z0-9]+",
    detector=r"[a-z]+(-0\.\d+)?",
    solver="[a-z-]+",
    K=r"none|\d\.\d+",
    magnitude="[a-z-]+",
    prompts=one_of(BUNDLES),
    judge=one_of(CATALOGUE.judges),
    part=r"\d+",
    shard=r"\d+",


def growing(amount):
    """A resource that doubles with every retry."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


def code(script, methods=()):
    """Digest of a rule's script and of the library's definitions that it reaches."""
    file = ROOT / "workflow_scripts" / f"{script}.py"
    return remembered_code_digest(file, methods, DIGESTS)


def method_code(script, table, key):
    """The same with one method of a table alone: the one that the job's path names at `key`."""
    return lambda wildcards: code(script, ((table, wildcards[key].split("-0.")[0]),))


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
    if wildcards.variant in CARDS:
        return {}
    files = {"released": parts_of("released")(wildcards)}
    if keys.kind(wildcards.variant) in ("revived", "alone", "oracle"):
        cell = {key: wildcards[key] for key in keys.VARIANT}
        files["patch"] = f"{OUT}/patches/{keys.path(cell)}/patch.safetensors"
    return files


def sampling(wildcards):
    """The model that a variant is drawn from, and how."""
    name = wildcards.variant if wildcards.variant in CARDS else "pretrained"
    card = CARDS[name]
    steps = STUDY.sampler.steps or card.steps
    guidance = STUDY.sampler.guidance or card.guidance
    return {
        "model": MODEL_DIGESTS[name],
        "dtype": card.dtype,
        "steps": steps,
        "guidance": guidance,
    } | ({"rounded": STUDY.quantised} if wildcards.variant in ROUNDED else {})


@lru_cache
def bundle(name):
    return prompts.bundle_rows(STUDY, CATALOGUE, name, ROOT)


@lru_cache
def rows_digest(name, shard):
    first = int(shard) * STUDY.images.shard
    return digest(bundle(name)[first : first + STUDY.images.shard])


def shard_rows(wildcards):
    return rows_digest(wildcards.prompts, wildcards.shard)


def judged_on_gpu(wildcards):
    """NudeNet runs on the CPU, every other judge on a GPU if there is one."""
    return int(CATALOGUE.judges[wildcards.judge].kind != "nudenet")


@lru_cache
def judge_digest(name):
    """What a judge's raw scores depend on: its settings and its weights."""
    judge = CATALOGUE.judges[name]
    held = []
    if judge.model:
        held.append(hub_digest(judge))
    if judge.classes:
        held.append(file_digest(ROOT / judge.classes, DIGESTS))
    return digest(judge.kind, judge.label, held)


def sets_seen(wildcards):
    """Of the job's bundle, the sets that the judge looks at."""
    sets = wildcards.prompts.split("+")
    return [s for s in sets if wildcards.judge in prompts.source_of(CATALOGUE, s).judges]


def judge_code(wildcards):
    return code("score", (("judges._KINDS", CATALOGUE.judges[wildcards.judge].kind),))


def hub_digest(judge):
    if judge.kind == "inception" or torchvision_weights.is_file(judge.model):
        return file_digest(ROOT / judge.model, DIGESTS)
    folder = hub.directory(judge.model, judge.revision, "config.json", ROOT)
    return folder_digest(folder, disk.loaded(folder), DIGESTS)


def checkpoint_digest(wildcards):
    path = CHECKPOINTS[wildcards.concept]
    if path.is_file():
        return file_digest(path, DIGESTS)
    return folder_digest(path, checkpoints.paths(path, LAYERS[0].file.parent.name), DIGESTS)


def layer_alone(wildcards):
    """The name of the one layer that a variant is revived in; None: all."""
    alone = keys.kind(wildcards.variant) == "alone"
    return LAYERS[keys.layer_of(wildcards.variant)].name if alone else None


def shards_of(cell, folder):
    n = prompts.shard_count(len(bundle(cell["prompts"])), STUDY.images.shard)
    return [f"{OUT}/{folder}/{keys.path(cell)}/shard={i:03d}.parquet" for i in range(n)]


def images_of(wildcards):
    """Every shard of the variant and bundle that a judge is to score."""
    return shards_of({key: wildcards[key] for key in (*keys.VARIANT, "prompts")}, "images")


SHARDS = there(file for cell in CELLS for file in shards_of(cell, "thumbnails"))
SCORES = [file for cell in CELLS for file in scores_of(cell)]
REFERENCES = there(
    REFERENCE.format(prompts=name, judge=judge)
    for name in dict.fromkeys(s.split(".")[0] for sets in SETS.values() for s in sets)
    for judge in prompts.source_of(CATALOGUE, name).judges
    if CATALOGUE.judges[judge].kind in FEATURES
)


def shown_of(cells, concept):
    return [cell for cell in cells if prompts.concerns(cell, concept, SETS[concept])]


def shards_shown(cells, folder):
    """Input function: the shards of a concept's variants, and of the models that it is held to."""

    def files(wildcards):
        own = shown_of(cells, wildcards.concept)
        return [file for cell in own for file in shards_of(cell, folder)]

    return files


def minutes_shown(wildcards, attempt):
    """Measured on two busy cores: 22 to 28 pictures of 512 x 512 a second."""
    own = shown_of(CELLS, wildcards.concept)
    return (10 + sum(len(bundle(cell["prompts"])) for cell in own) // 1200) * 2 ** (attempt - 1)


def table_mb():
    """Tables are made concept by concept: at most 1.2 kB for each picture and judge was measured,
    and NudeNet has several rows a picture; and 20 kB for each picture whose features are read."""
    of = (
        sum(len(bundle(cell["prompts"])) for cell in CELLS if prompts.concerns(cell, c, sets))
        for c, sets in SETS.items()
    )
    cell = max((len(bundle(name)) for name in BUNDLES), default=0)
    return 1000 + max(of, default=0) * 3 // 1000 + cell * 20 // 1000


def sign_cells():
    """Released models without a defence × solvers, whose signs are measured: their folders."""
    released = {tuple(r.items()) for r in map(keys.released_of, VARIANTS) if r["sigma"] == "none"}
    return [
        keys.path(dict(cell) | {"detector": "zeros", "solver": solver})
        for cell in sorted(released)
        for solver in STUDY.signs.solvers
    ]


def defended():
    """Released models with a defence: told apart from what was kept, and held to the trade-off."""
    released = [keys.path(keys.released_of(v)) for v in VARIANTS if v["defence"] != keys.NONE]
    return list(dict.fromkeys(released))


def swept(concept):
    """Whether one magnitude of the concept has several values of K."""
    cells = [v for v in VARIANTS if v["concept"] == concept and v["variant"] == "revived"]
    ks = {(v["magnitude"], v["K"]) for v in cells if v["defence"] == keys.NONE}
    return len(ks) > len({magnitude for magnitude, _ in ks})


def revived_alone(concept):
    """Whether layers of the concept are revived one at a time."""
    return any(v["concept"] == concept and keys.kind(v["variant"]) == "alone" for v in VARIANTS)


def traded_off(concept):
    """Whether defended models of the concept are attacked, or a defence has several sigmas."""
    own = [v for v in VARIANTS if v["concept"] == concept and v["defence"] != keys.NONE]
    strengths = {(v["defence"], v["sigma"]) for v in own}
    several = len(strengths) > len({defence for defence, _ in strengths})
    return several or any(v["variant"] == "revived" for v in own)


SIGNS = [c for c in sign_cells() if there([f"{OUT}/signs/{c}/accuracy.parquet"])]
if not SIGNS and CONCEPTS and not PARTIAL:
    raise WorkflowError(
        "the study erases concepts, but attacks none without a defence, which all of its tables "
        "compare with: add a block with `variants: [pruned]` and no `defences`"
    )
DEFENDED = [c for c in defended() if there([f"{OUT}/detectability/{c}/detectability.parquet"])]
if DEFENDED and (flat := disk.constant(LAYERS)):
    raise WorkflowError(
        f"a defence is asked for, but of {', '.join(flat)} all weights are the same, so that there "
        f"is no spread to take a fill from: leave `defences` out, or attack other `layers`"
    )
#: What of a study is kept and shown, so that a run misses it. Pictures are not: whoever wants the
#: room may delete them.
WANTED = there(
    [
        *(*SCORES, *SHARDS, *REFERENCES),
        *(f"{OUT}/signs/{cell}/accuracy.parquet" for cell in SIGNS),
        *(f"{OUT}/detectability/{cell}/detectability.parquet" for cell in DEFENDED),
    ]
)
LAYOUT = {"layers": FAMILY, "layers_per_job": STUDY.layers_per_job, "shard": STUDY.images.shard}


def refuse_other_layout():
    """Finished work is filed by these two numbers, so they stay what they were."""
    begun = Path(OUT, "model.yaml")
    if not begun.exists():
        return
    try:
        before = yaml.safe_load(begun.read_text(encoding="utf-8"))["layout"]
    except UNREADABLE:
        raise WorkflowError(
            f"{begun}, which says how the results beside it are filed, is damaged. If the study still "
            f"says what it said when they were begun, delete this file: a run makes it anew"
        ) from None
    if before != LAYOUT:
        raise WorkflowError(
            f"{OUT} was begun with {before}, the study now says {LAYOUT}. Its results are filed by "
            f"these numbers: put them back, or give the study another name."
        )


def refuse_read_only():
    """Before any job, rather than at the end of each."""
    folder = next(f for f in (Path(OUT), *Path(OUT).parents) if f.exists())
    if not os.access(folder, os.W_OK):
        raise WorkflowError(
            f"{folder.resolve()} cannot be written to, so no result can be kept there"
        )


def refuse_no_numbers():
    """A weight under attack that is no number makes everything after it none."""
    if odd := disk.infinite(LAYERS):
        raise WorkflowError(
            f"{MODELS['pretrained']}: of {', '.join(odd)} some weights are no numbers"
        )


def refuse_other_checkpoints():
    """What was not pruned from this model, or not pruned alone, tells no mask."""
    weights, told = disk.read_weights(LAYERS) if CHECKPOINTS else {}, []
    for concept, path in CHECKPOINTS.items():
        try:
            checkpoints.check(path, LAYERS, weights)
        except (OSError, ValueError) as error:
            told.append(f"erasers.checkpoint: {concept}: {error}")
    if told:
        raise WorkflowError("\n".join(told))


def refuse_second_driver():
    """Of one study. Jobs, and Snakemakes that a run starts itself, take no lock; nor do looks."""
    targets = set(workflow.dag_settings.targets)
    if not workflow.execution_settings.lock or (targets and targets <= LOOKS):
        return
    if not driver.hold(Path(OUT)):
        raise WorkflowError(
            f"a run is at work on {OUT}: let it end, or ask `snakemake status` how far it is"
        )


refuse_other_layout()
