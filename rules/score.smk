rule score:
    input:
        images_of,
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
        gpu=judged_on_gpu,
    params:
        code=judge_code,
        versions=versions("score"),
        judge=lambda wildcards: judge_digest(wildcards.judge),
        sees=sets_seen,
    script:
        "../workflow_scripts/score.py"


# First of all: a picture that cannot be read is found before any is drawn.
rule reference:
    output:
        REFERENCE,
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
        gpu=judged_on_gpu,
    params:
        code=code("reference"),
        versions=versions("reference"),
        judge=lambda wildcards: judge_digest(wildcards.judge),
        reference=lambda wildcards: references.digest_of(
            prompts.source_of(CATALOGUE, wildcards.prompts), ROOT
        ),
    script:
        "../workflow_scripts/reference.py"
