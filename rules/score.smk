rule score:
    input:
        SWEEP.images_of,
    output:
        f"{OUT}/scores/{SCORE}",
    log:
        f"{OUT}/logs/score/{SCORE}.log",
    benchmark:
        f"{OUT}/benchmarks/score/{SCORE}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        gpu=DEPENDS.judge_gpus,
    params:
        code=DEPENDS.judge_code("score"),
        versions=versions("score"),
        judges=DEPENDS.judges,
        sees=DEPENDS.sees,
    script:
        "../workflow_scripts/score.py"


# First of all: a picture that cannot be read is found before any is drawn.
rule reference:
    output:
        f"{OUT}/references/{keys.pattern(['prompts', 'judge'])}.safetensors",
    log:
        f"{OUT}/logs/reference/{{prompts}}-{{judge}}.log",
    benchmark:
        f"{OUT}/benchmarks/reference/{{prompts}}-{{judge}}.tsv"
    priority: 1
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        gpu=DEPENDS.judge_gpus,
    params:
        code=DEPENDS.judge_code("reference"),
        versions=versions("reference"),
        judges=DEPENDS.judges,
        reference=DEPENDS.reference,
    script:
        "../workflow_scripts/reference.py"
