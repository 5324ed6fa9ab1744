rule resolve:
    output:
        f"{OUT}/model.yaml",
    log:
        f"{OUT}/logs/resolve.log",
    benchmark:
        f"{OUT}/benchmarks/resolve.tsv"
    priority: 100  # first of all: it records the layout that later runs must keep
    conda:
        ENV
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        code=DEPENDS.code("resolve"),
        model=DEPENDS.model,
        layers=[layer.name for layer in SWEEP.layers],
        layout=layout(SWEEP, STUDY.layers or CARD.layers),
        sampler=STUDY.sampler.model_dump(),
    script:
        "../workflow_scripts/resolve.py"
