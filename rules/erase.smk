rule calibrate:
    output:
        f"{OUT}/calibration/{CALIBRATED}/norms.safetensors",
    log:
        f"{OUT}/logs/calibrate/{CALIBRATED}.log",
    benchmark:
        f"{OUT}/benchmarks/calibrate/{CALIBRATED}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(60),
        gpu=1,
    params:
        **SAMPLER,
        code=DEPENDS.code("calibrate"),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        layers=[layer.name for layer in SWEEP.layers],
        pairs=DEPENDS.pairs_of,
        dtype=CARD.dtype,
    script:
        "../workflow_scripts/calibrate.py"


# What is learnt from: drawn once for all erasers of a concept. Of an unsafe one each draws its own, and
# none is written.
rule material:
    output:
        f"{OUT}/material/{SHOWN}/latents.safetensors",
    log:
        f"{OUT}/logs/material/{SHOWN}.log",
    benchmark:
        f"{OUT}/benchmarks/material/{SHOWN}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(60),
        gpu=1,
    params:
        **SAMPLER,
        code=DEPENDS.code("material"),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        pairs=DEPENDS.pairs_of,
    script:
        "../workflow_scripts/material.py"


rule gradients:
    input:
        DEPENDS.felt_on,
    output:
        f"{OUT}/gradients/{FELT}/gradients.safetensors",
    log:
        f"{OUT}/logs/gradients/{FELT}.log",
    benchmark:
        f"{OUT}/benchmarks/gradients/{FELT}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(2 * PIPELINE_MB),
        runtime=growing(120),
        gpu=1,
    params:
        **SAMPLER,
        code=DEPENDS.code("gradients"),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        layers=[layer.name for layer in SWEEP.layers],
        pairs=DEPENDS.pairs_of,
    script:
        "../workflow_scripts/gradients.py"


rule mask:
    input:
        DEPENDS.read_of,
    output:
        f"{OUT}/masks/{ERASED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/mask/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/mask/{ERASED}/part={{part}}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers("mask")),
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.eraser_code,
        model=DEPENDS.model,
        layers=DEPENDS.layers_of,
        every=[layer.name for layer in SWEEP.layers],
        eraser=DEPENDS.settings_of,
    script:
        "../workflow_scripts/mask.py"


# The model as it was pruned elsewhere: what it lacks is its mask.
rule mask_of_checkpoint:
    output:
        f"{OUT}/masks/{ERASED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/mask/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/mask/{ERASED}/part={{part}}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers("given")),
    conda:
        ENV
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=DEPENDS.code("mask_of_checkpoint"),
        model=DEPENDS.model,
        layers=DEPENDS.layers_of,
        checkpoint=DEPENDS.checkpoint,
    script:
        "../workflow_scripts/mask_of_checkpoint.py"


# Of an eraser that erases each concept alone, too: the masks are shared.
rule union:
    input:
        several.masks(SWEEP),
    output:
        f"{OUT}/masks/{ERASED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/union/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/union/{ERASED}/part={{part}}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers("union")),
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.code("union"),
        model=DEPENDS.model,
        layers=DEPENDS.layers_of,
    script:
        "../workflow_scripts/union.py"


rule prune:
    input:
        rules.mask.output,
    output:
        f"{OUT}/released/{ERASED}/defence=none/sigma=none/weight_seed=none/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/prune/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/prune/{ERASED}/part={{part}}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.masked),
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.code("prune"),
        model=DEPENDS.model,
        layers=DEPENDS.layers_of,
    script:
        "../workflow_scripts/prune.py"


# Pruned and filled elsewhere: what of it is under attack, as it is there. The holes are not known.
rule released_of_checkpoint:
    output:
        f"{OUT}/released/{ERASED}/defence=none/sigma=none/weight_seed=none/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/release/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/release/{ERASED}/part={{part}}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers("hidden")),
    conda:
        ENV
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=DEPENDS.code("released_of_checkpoint"),
        model=DEPENDS.model,
        layers=DEPENDS.layers_of,
        checkpoint=DEPENDS.checkpoint,
    script:
        "../workflow_scripts/released_of_checkpoint.py"


# Weights changed anywhere, and none erased: no mask, and nothing to complete.
rule edit:
    input:
        DEPENDS.learnt_by,
    output:
        f"{OUT}/released/{ERASED}/defence=none/sigma=none/weight_seed=none/edit.safetensors",
    log:
        f"{OUT}/logs/edit/{ERASED}.log",
    benchmark:
        f"{OUT}/benchmarks/edit/{ERASED}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers("edit")),
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(3 * PIPELINE_MB),
        runtime=growing(240),
        gpu=1,
    params:
        code=DEPENDS.editor_code,
        versions=versions("calibrate"),
        model=DEPENDS.model,
        about=DEPENDS.about,
        eraser=DEPENDS.settings_of,
    script:
        "../workflow_scripts/edit.py"


# The first concept's edit is shared with what erases it alone; what comes of all of them is made for
# the first concept, and the others' is the same.
rule sequence:
    input:
        several.before(SWEEP),
    output:
        f"{OUT}/released/{ERASED}/defence=none/sigma=none/weight_seed=none/edit.safetensors",
    log:
        f"{OUT}/logs/sequence/{ERASED}.log",
    benchmark:
        f"{OUT}/benchmarks/sequence/{ERASED}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers("sequence")),
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(3 * PIPELINE_MB),
        runtime=growing(240),
        gpu=1,
    params:
        code=several.code(DEPENDS),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        turns=several.turns(DEPENDS),
    script:
        "../workflow_scripts/sequence.py"


# The model as it was changed elsewhere is what is released.
rule edit_of_checkpoint:
    output:
        f"{OUT}/released/{ERASED}/defence=none/sigma=none/weight_seed=none/edit.safetensors",
    log:
        f"{OUT}/logs/edit/{ERASED}.log",
    benchmark:
        f"{OUT}/benchmarks/edit/{ERASED}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers("whole")),
    conda:
        ENV
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(20),
    params:
        code=DEPENDS.code("edit_of_checkpoint"),
        model=DEPENDS.model,
        checkpoint=DEPENDS.checkpoint,
    script:
        "../workflow_scripts/edit_of_checkpoint.py"


# What is released, as others take it: it can be published, or be what another study is about. None is
# made unless it is asked for by name.
rule checkpoint_of_released:
    input:
        released=SWEEP.parts_of("released"),
    output:
        directory(f"{OUT}/checkpoints/{RELEASED}"),
    log:
        f"{OUT}/logs/checkpoint/{RELEASED}.log",
    benchmark:
        f"{OUT}/benchmarks/checkpoint/{RELEASED}.tsv"
    wildcard_constraints:
        defence=one_of([keys.NONE, *FILLS]),
    conda:
        ENV
    resources:
        mem_mb=growing(2 * PIPELINE_MB),
        runtime=growing(20),
    params:
        code=DEPENDS.code("checkpoint_of_released"),
        model=DEPENDS.model,
        dtype=CARD.dtype,
    script:
        "../workflow_scripts/checkpoint_of_released.py"
