# How far a study is, whether its files are whole, what lies there for nothing, and its tables of what
# is there. Each script, and `plan`'s, builds the DAG of `all` with this run's own settings; nothing of
# the study is computed.
SETTINGS = [f"{n}_settings" for n in ("config", "storage", "workflow", "deployment", "dag")]
DRIVER = {
    "settings": lambda wildcards: {name: getattr(workflow, name) for name in SETTINGS},
    "cores": lambda wildcards: workflow.cores,
    "snakefile": workflow.main_snakefile,
    "out": OUT,
}


rule status:
    log:
        f"{OUT}/logs/status.log",
    localrule: True
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **DRIVER,
    script:
        "../workflow_scripts/status.py"


rule verify:
    log:
        f"{OUT}/logs/verify.log",
    localrule: True
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **DRIVER,
    script:
        "../workflow_scripts/verify.py"


rule partial:
    log:
        f"{OUT}/logs/partial.log",
    localrule: True
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **DRIVER,
    script:
        "../workflow_scripts/partial.py"


rule leftovers:
    log:
        f"{OUT}/logs/leftovers.log",
    localrule: True
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        **DRIVER,
        delete=False,
    script:
        "../workflow_scripts/leftovers.py"


use rule leftovers as clean with:
    log:
        f"{OUT}/logs/clean.log",
    params:
        **DRIVER,
        delete=True,
