# Also made of what is there, by `snakemake partial`: then below MADE, and from fewer inputs.
TABLES = [
    *("accuracy", "similarity", "detections", "parts", "fid", "missing"),
    *(["signs", "alignment", "layers", "solves"] if SIGNS else []),
    *(["detectability", "normality", "defences"] if DEFENDED else []),
    *(["paper"] if STUDY.paper else []),
]


#: A judge's settings that the tables apply.
JUDGED = {"threshold", "thresholds", "labels"}


rule tables:
    input:
        scores=SCORES,
        signs=[f"{OUT}/signs/{c}/accuracy.parquet" for c in SIGNS],
        alignment=[f"{OUT}/alignment/{c}/alignment.parquet" for c in SIGNS],
        solves=[f"{OUT}/solves/{c}/solves.parquet" for c in SIGNS],
        detectability=[f"{OUT}/detectability/{c}/detectability.parquet" for c in DEFENDED],
        normality=[f"{OUT}/normality/{c}/normality.parquet" for c in DEFENDED],
        references=REFERENCES,
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
        mem_mb=growing(table_mb()),
        runtime=growing(60),
    params:
        code=code("tables"),
        names=TABLES,
        sets=SETS,
        missing=PARTIAL,
        judges={n: j.model_dump(include=JUDGED) for n, j in CATALOGUE.judges.items()},
        roles={n: s.role for n, s in CATALOGUE.prompt_sets.items()},
        paper=STUDY.paper and file_digest(ROOT / STUDY.paper, DIGESTS),
    script:
        "../workflow_scripts/tables.py"


BEGUN = list(dict.fromkeys(v["concept"] for v in VARIANTS))
FIGURES = [(c, "pictures", "Before and after") for c in BEGUN]
FIGURES += [(c, "accuracy", "Accuracy") for c in BEGUN]
FIGURES += [(c, "over-k", "Accuracy") for c in CONCEPTS if swept(c)]
FIGURES += [("study", f, "Signs") for f in ("signs", "alignment") if SIGNS]
FIGURES += [("study", "layers", "Layer by layer")] if SIGNS else []
FIGURES += [(c, "alone", "Layer by layer") for c in CONCEPTS if revived_alone(c)]
FIGURES += [(c, "defences", "Defences") for c in CONCEPTS if DEFENDED and traded_off(c)]
FIGURES += [("study", f, "Defences") for f in ("detectability", "roc") if DEFENDED]
#: The tables that figures are drawn from.
DRAWN = [
    name for name in ("accuracy", "signs", "alignment", "layers", "defences") if name in TABLES
]


rule figures:
    input:
        tables=[f"{MADE}/tables/{name}.parquet" for name in DRAWN],
        detectability=[f"{OUT}/detectability/{c}/detectability.parquet" for c in DEFENDED],
        thumbnails=SHARDS,
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
        code=code("figures"),
        figures=[(concept, figure) for concept, figure, _ in FIGURES],
        sets=SETS,
        half_width=STUDY.detectability.half_width,
        layers=[layer.name for layer in LAYERS],
    script:
        "../workflow_scripts/figures.py"


rule report:
    input:
        tables=[f"{MADE}/tables/{name}.parquet" for name in TABLES],
        figures=[f"{MADE}/figures/{concept}-{figure}.svg" for concept, figure, _ in FIGURES],
        thumbnails=SHARDS,
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
        code=code("report"),
        names=TABLES,
        figures=[(concept, figure) for concept, figure, _ in FIGURES],
        sets=SETS,
        page=PAGE_DIGEST,
        objects=[
            c
            for c in CONCEPTS
            if CATALOGUE.families[concepts_of(CATALOGUE)[c][0]].kind == "object"
        ],
    script:
        "../workflow_scripts/report.py"
