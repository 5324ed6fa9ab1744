# The attack reads released weights only: never the mask, never the pretrained model.


rule detect:
    input:
        parts_of("released"),
    output:
        f"{OUT}/detected/{DETECTED}/positions.safetensors",
    log:
        f"{OUT}/logs/detect/{DETECTED}.log",
    benchmark:
        f"{OUT}/benchmarks/detect/{DETECTED}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        code=method_code("detect", "detectors.SCORES", "detector"),
    script:
        "../workflow_scripts/detect.py"


rule complete:
    input:
        released=f"{OUT}/released/{RELEASED}/part={{part}}.safetensors",
        detected=rules.detect.output,
    output:
        f"{OUT}/completed/{ATTACKED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/complete/{ATTACKED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/complete/{ATTACKED}/part={{part}}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        gpu=1,
    params:
        code=method_code("complete", "engine.SOLVERS", "solver"),
        versions=versions("complete"),
    script:
        "../workflow_scripts/complete.py"


rule revive:
    input:
        released=parts_of("released"),
        completed=parts_of("completed", also=("detector", "solver")),
    output:
        f"{OUT}/patches/{PATCH}",
    log:
        f"{OUT}/logs/revive/{PATCH}.log",
    benchmark:
        f"{OUT}/benchmarks/revive/{PATCH}.tsv"
    wildcard_constraints:
        variant=f"revived|{keys.ALONE}",
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=method_code("revive", "revival.KINDS", "magnitude"),
        versions=versions("revive"),
        alone=layer_alone,
    script:
        "../workflow_scripts/revive.py"
