# Has a checkpoint of somebody's forgotten what it claims to? It is asked for on the command line, and
# stands beside the study.
rule audit_weights:
    output:
        f"{AUDIT.out}/weights.json",
    log:
        f"{AUDIT.out}/logs/weights.log",
    benchmark:
        f"{AUDIT.out}/benchmarks/weights.tsv"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(20),
    params:
        code=DEPENDS.code("audit_weights", ("complete.SOLVERS", "gauss-spin")),
        versions=versions("complete"),
        asked=AUDIT,
        files=AUDIT.stamps(),
    script:
        "../workflow_scripts/audit_weights.py"


# A study of its own, by the same rules: what it draws once it draws never again.
rule audit_pictures:
    input:
        rules.audit_weights.output,
    output:
        f"{AUDIT.out}/pictures.json",
    log:
        f"{AUDIT.out}/logs/pictures.log",
    localrule: True
    conda:
        ENV
    threads: workflow.cores
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(600),
    params:
        code=DEPENDS.code("audit_pictures", *depends.NAMES_ALONE),
        asked=AUDIT,
        prompts=AUDIT.stamps(AUDIT.prompts),
        snakefile=workflow.main_snakefile,
    script:
        "../workflow_scripts/audit_pictures.py"


rule audit:
    input:
        weights=rules.audit_weights.output,
        pictures=rules.audit_pictures.output if AUDIT.pictures else [],
    output:
        html=report(
            f"{AUDIT.out}/audit.html",
            caption="../workflow_scripts/regrowth/show/page/captions/audit.rst",
            category="Audit",
        ),
        json=f"{AUDIT.out}/audit.json",
    log:
        f"{AUDIT.out}/logs/audit.log",
    benchmark:
        f"{AUDIT.out}/benchmarks/audit.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.code("audit"),
        page=DEPENDS.page,
    script:
        "../workflow_scripts/audit.py"
