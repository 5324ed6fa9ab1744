rule defend:
    input:
        pruned=rules.prune.output,
        mask=rules.mask.output,
    output:
        f"{OUT}/released/{RELEASED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/defend/{RELEASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/defend/{RELEASED}/part={{part}}.tsv"
    wildcard_constraints:
        defence=one_of(n for n, f in FILLS.items() if not f.completed),
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.method_code("defend", "defend.FILLS", "defence"),
        versions=versions("defend"),
    script:
        "../workflow_scripts/defend.py"


# What these fill in depends on a completion, so they have the attack's needs and code.
rule defend_by_completion:
    input:
        pruned=rules.prune.output,
        mask=rules.mask.output,
    output:
        f"{OUT}/released/{RELEASED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/defend_by_completion/{RELEASED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/defend_by_completion/{RELEASED}/part={{part}}.tsv"
    wildcard_constraints:
        defence=one_of(n for n, f in FILLS.items() if f.completed),
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        gpu=1,
    params:
        code=DEPENDS.method_code(
            "defend_by_completion",
            "defend.FILLS",
            "defence",
            ("complete.SOLVERS", "nuclear"),
        ),
        versions=versions("defend_by_completion"),
    script:
        "../workflow_scripts/defend_by_completion.py"
