# Also made of what is there, by `snakemake partial`: then below MADE, and from fewer inputs.
TABLES = outputs.tables(SWEEP)
FIGURES = outputs.figures(SWEEP)


rule tables:
    input:
        scores=SWEEP.scores,
        signs=[f"{OUT}/signs/{c}/accuracy.parquet" for c in SWEEP.signs],
        alignment=[f"{OUT}/alignment/{c}/alignment.parquet" for c in SWEEP.signs],
        solves=[f"{OUT}/solves/{c}/solves.parquet" for c in SWEEP.signs],
        detectability=[f"{OUT}/detectability/{c}/detectability.parquet" for c in SWEEP.defended],
        normality=[f"{OUT}/normality/{c}/normality.parquet" for c in SWEEP.defended],
        references=SWEEP.references,
        costs=SWEEP.costs,
        seen=SWEEP.seen,
        identified=[f"{OUT}/identified/{c}/identified.parquet" for c in SWEEP.identified],
        erased=[file for files in SWEEP.compared.values() for file in files],
    output:
        parquet=[f"{MADE}/tables/{name}.parquet" for name in TABLES],
        csv=[f"{MADE}/tables/{name}.csv" for name in TABLES],
        latex=[f"{MADE}/tables/{name}.tex" for name in TABLES],
    log:
        f"{MADE}/logs/tables.log",
    benchmark:
        f"{MADE}/benchmarks/tables.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(outputs.table_mb(SWEEP)),
        runtime=growing(60),
    params:
        code=DEPENDS.code("tables", *depends.NAMES_ALONE),
        names=TABLES,
        sets=SWEEP.sets,
        missing=PARTIAL,
        erasers=DEPENDS.erasers(),
        together=several.together(SWEEP),
        controls=STUDY.controls,
        best_of=STUDY.best_of,
        judges=DEPENDS.judged(),
        roles={n: s.role for n, s in CATALOGUE.prompt_sets.items()},
        paper=STUDY.paper and file_digest(ROOT / STUDY.paper, DIGESTS),
    script:
        "../workflow_scripts/tables.py"


rule figures:
    input:
        tables=[f"{MADE}/tables/{name}.parquet" for name in outputs.DRAWN if name in TABLES],
        detectability=[f"{OUT}/detectability/{c}/detectability.parquet" for c in SWEEP.defended],
    output:
        [
            report(
                f"{MADE}/figures/{concept}-{figure}.png",
                caption=f"../workflow_scripts/regrowth/show/page/captions/{figure}.rst",
                category=category,
                labels={"figure": figure, "concept": concept},
            )
            for concept, figure, category in FIGURES
        ],
        [f"{MADE}/figures/{concept}-{figure}.svg" for concept, figure, _ in FIGURES],
    log:
        f"{MADE}/logs/figures.log",
    benchmark:
        f"{MADE}/benchmarks/figures.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        code=DEPENDS.code("figures", *depends.NAMES_ALONE),
        figures=[(concept, figure) for concept, figure, _ in FIGURES],
        half_width=STUDY.detectability.half_width,
        layers=[layer.name for layer in SWEEP.layers],
    script:
        "../workflow_scripts/figures.py"


# Of pictures alone, so that it need not wait for tables.
rule album:
    input:
        SWEEP.album,
    output:
        report(
            f"{MADE}/figures/{{concept}}-pictures.png",
            caption="../workflow_scripts/regrowth/show/page/captions/pictures.rst",
            category="Before and after",
            labels={"figure": "pictures", "concept": "{concept}"},
        ),
        f"{MADE}/figures/{{concept}}-pictures.svg",
    log:
        f"{MADE}/logs/album/concept={{concept}}.log",
    benchmark:
        f"{MADE}/benchmarks/album/concept={{concept}}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        code=DEPENDS.code("album", *depends.NAMES_ALONE),
        sets=lambda wildcards: SWEEP.sets[wildcards.concept],
    script:
        "../workflow_scripts/album.py"


rule report:
    input:
        tables=[f"{MADE}/tables/{name}.parquet" for name in TABLES],
        figures=[f"{MADE}/figures/{concept}-{figure}.svg" for concept, figure, _ in FIGURES],
        thumbnails=SWEEP.shards,
        model=f"{OUT}/model.yaml",
    output:
        html=f"{MADE}/report.html",
        summary=f"{MADE}/summary.txt",
    log:
        f"{MADE}/logs/report.log",
    benchmark:
        f"{MADE}/benchmarks/report.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.code("report", *depends.NAMES_ALONE),
        names=TABLES,
        figures=[(concept, figure) for concept, figure, _ in FIGURES],
        sets=SWEEP.sets,
        page=DEPENDS.page,
        objects=SWEEP.objects,
        together=list(several.together(SWEEP)),
    script:
        "../workflow_scripts/report.py"
