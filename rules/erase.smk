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
        code=DEPENDS.code("calibrate"),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        layers=[layer.name for layer in SWEEP.layers],
        pairs=DEPENDS.pairs_of,
        steps=STUDY.sampler.steps or CARD.steps,
        guidance=STUDY.sampler.guidance or CARD.guidance,
        dtype=CARD.dtype,
    script:
        "../workflow_scripts/calibrate.py"


rule mask:
    input:
        DEPENDS.norms_of,
    output:
        f"{OUT}/masks/{ERASED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/mask/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/mask/{ERASED}/part={{part}}.tsv"
    wildcard_constraints:
        eraser=one_of(SWEEP.erasers(given=False)),
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.eraser_code,
        model=DEPENDS.model,
        layers=DEPENDS.layers_of,
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
        eraser=one_of(SWEEP.erasers(given=True)),
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


rule prune:
    input:
        rules.mask.output,
    output:
        f"{OUT}/released/{ERASED}/defence=none/sigma=none/weight_seed=none/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/prune/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/prune/{ERASED}/part={{part}}.tsv"
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
