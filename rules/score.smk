rule score:
    input:
        f"{OUT}/images/{SHARD}",
    output:
        f"{OUT}/scores/{SHARD}",
    log:
        f"{OUT}/logs/score/{SHARD}.log",
    benchmark:
        f"{OUT}/benchmarks/score/{SHARD}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        code=code("score"),
        judges=judges_used,
    script:
        "../workflow_scripts/score.py"


rule reference:
    output:
        f"{OUT}/reference/{{judge}}.safetensors",
    log:
        f"{OUT}/logs/reference/{{judge}}.log",
    benchmark:
        f"{OUT}/benchmarks/reference/{{judge}}.tsv"
    wildcard_constraints:
        judge=one_of(FEATURES),
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        code=code("reference"),
        judge=lambda wildcards: judge_digest(wildcards.judge),
    script:
        "../workflow_scripts/reference.py"
