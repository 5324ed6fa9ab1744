"""The sweep as the rules see it: patterns of paths, and what each wildcard may be."""

import re

from regrowth.attack import LESSONS, TUNINGS
from regrowth.attack.settings import SPELLED
from regrowth.complete import SOLVERS
from regrowth.defend import FILLS
from regrowth.draw import GUARDS
from regrowth.files import keys
from regrowth.files.digests import DIGESTS, file_digest
from regrowth.files.provenance import versions
from regrowth.models import disk
from regrowth.run import unsafe
from regrowth.run.planned import layout
from regrowth.study import attackers, depends, outputs, several, sweep, variants

OUT, ENV = SWEEP.out, "../envs/regrowth.yaml"
CARD = DEPENDS.cards["pretrained"]
SAMPLER = STUDY.sampler.of(CARD)
#: Tables of what is there go elsewhere (rules/upkeep.smk).
MADE = str(Path(PARTIAL).parent) if PARTIAL else OUT
#: Of a job that draws. Measured on a CPU, in single precision: 9.2 GB for SD-v1.5's 1.07 billion.
PIPELINE_MB = 2000 + max(map(disk.parameters, DEPENDS.folders.values())) * 8 // 10**6

ERASED = keys.pattern(keys.RELEASED[:2])
CALIBRATED = keys.pattern(["concept", "steps"])
SHOWN = keys.pattern(["concept", "of", "pictures"])
FELT = keys.pattern(["concept", "loss", "pictures"])
RELEASED = keys.pattern(keys.RELEASED)
DETECTED = keys.pattern(sweep.DETECTED)
ATTACKED = keys.pattern(sweep.ATTACKED)
CELL = f"{RELEASED}/variant={{variant}}/prompts={{prompts}}"
SHARD = f"{CELL}/shard={{shard}}.parquet"
SCORE = f"{CELL}/judges={{judges}}/scores.parquet"
REVIVED, ALONE, BLIND, ORACLE, RELEARNT, INVERTED, EVADED, DERIVED = (
    variants.patch(variants.named(name))
    for name in (
        "revived",
        "alone",
        "blind",
        "oracle",
        "relearn",
        "inversion",
        "evasion",
        "derived",
    )
)
PREFIX, RANDOM_PREFIX = (
    variants.patch(variants.named(name)) for name in ("prefix", "random-prefix")
)


def one_of(names):
    return "|".join(map(re.escape, names)) or "(?!)"


SPENT = {
    name: variants.costs(variants.named(name))
    for name in ("relearn", "inversion", "evasion", "prefix")
}


wildcard_constraints:
    concept="[a-z0-9-]+",
    eraser=one_of([keys.NONE, *STUDY.erasers.names()]),
    defence=one_of([keys.NONE, *FILLS, *GUARDS]),
    sigma=r"none|\d+\.\d+",
    weight_seed=r"none|\d+",
    steps=r"\d+",
    pictures=r"\d+",
    loss="noise|guided",
    variant=SWEEP.variant_pattern,
    detector=SPELLED,
    solver=one_of(SOLVERS),
    K=r"\d\.\d+",
    magnitude="[a-z-]+",
    layer_alone=r"\d+",
    data=one_of(LESSONS),
    parameters=one_of(TUNINGS),
    through=one_of(GUARDS),
    lr=r"\d+\.\d+",
    tokens=r"\d+",
    step=r"\d+",
    prompts=one_of(SWEEP.bundles),
    judge=one_of(CATALOGUE.judges),
    judges=one_of(dict.fromkeys(n for b in SWEEP.bundles for n in SWEEP.judges_of(b))),
    part=r"\d+",
    shard=r"\d+",


def growing(amount):
    """A resource that doubles with every retry."""
    return sweep.inspected(lambda wildcards, attempt: amount * 2 ** (attempt - 1))
