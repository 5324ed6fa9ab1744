# What a study will take.
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
        model=DEPENDS.model,
        cells=list(SWEEP.cells),
    script:
        "../workflow_scripts/plan.py"
