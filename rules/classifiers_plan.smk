# What a study of classifiers will take.
rule plan:
    log:
        f"{OUT}/logs/plan.log",
    localrule: True
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **DRIVER,
    script:
        "../workflow_scripts/plan_classifiers.py"
