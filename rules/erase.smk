rule calibrate:
    output:
        f"{OUT}/calibration/{ERASED}/norms.safetensors",
    log:
        f"{OUT}/logs/calibrate/{ERASED}.log",
    benchmark:
        f"{OUT}/benchmarks/calibrate/{ERASED}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(60),
        gpu=1,
    params:
        code=code("calibrate"),
        versions=versions("calibrate"),
        model=MODEL_DIGEST,
        layers=[layer.name for layer in LAYERS],
        pairs=pairs_of,
        steps=STUDY.sampler.steps or CARD.steps,
        guidance=STUDY.sampler.guidance or CARD.guidance,
        dtype=CARD.dtype,
        eraser=settings_of,
    script:
        "../workflow_scripts/calibrate.py"


rule mask:
    input:
        rules.calibrate.output,
    output:
        f"{OUT}/masks/{ERASED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/mask/{ERASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/mask/{ERASED}/part={{part}}.tsv"
    wildcard_constraints:
        eraser="conceptprune",
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("mask"),
        model=MODEL_DIGEST,
        layers=layers_of,
        eraser=settings_of,
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
        eraser="checkpoint",
    conda:
        ENV
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=code("mask_of_checkpoint"),
        model=MODEL_DIGEST,
        layers=layers_of,
        checkpoint=checkpoint_digest,
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
        code=code("prune"),
        model=MODEL_DIGEST,
        layers=layers_of,
    script:
        "../workflow_scripts/prune.py"
