# Has a checkpoint of somebody's forgotten what it claims to? It is asked for on the command line, and
# stands beside the study.
rule audit:
    output:
        html=report(
            f"{AUDIT.out}/audit.html",
            caption="../workflow_scripts/regrowth/show/page/captions/audit.rst",
            category="Audit",
        ),
        json=f"{AUDIT.out}/audit.json",
    log:
        f"{AUDIT.out}/audit.log",
    benchmark:
        f"{AUDIT.out}/audit.tsv"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(20),
    params:
        code=DEPENDS.code("audit", ("complete.SOLVERS", "gauss-spin")),
        versions=versions("complete"),
        page=DEPENDS.page,
        asked=AUDIT,
        files=AUDIT.stamps(),
    script:
        "../workflow_scripts/audit.py"
