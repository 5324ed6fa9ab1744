# What a study will take, before it is launched. Nothing is computed: the script builds the DAG of
# `all` with this run's own settings, and reads times and sizes of what is there.
SETTINGS = [f"{n}_settings" for n in ("config", "storage", "workflow", "deployment", "dag")]


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
        settings=lambda wildcards: {name: getattr(workflow, name) for name in SETTINGS},
        cores=lambda wildcards: workflow.cores,
        snakefile=workflow.main_snakefile,
        model=MODEL_DIGEST,
        cells=CELLS,
    script:
        "../workflow_scripts/plan.py"
