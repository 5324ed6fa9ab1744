# Also made of what is there, by `snakemake partial`: then below MADE, and from fewer inputs.
rule classifier_tables:
    input:
        parts=sorted({CLASSES.split(cell) for cell in CELLS}),
        weights=sorted({CLASSES.weights(cell) for cell in CELLS}),
        predictions=sorted({CLASSES.predictions(cell) for cell in CELLS}),
        membership=[CLASSES.membership(cell) for cell in CELLS],
        relearnt=[CLASSES.curve(cell) for cell in RELEARNT],
        figures=CLASSES.figures,
        shadowed=[CLASSES.betrayed(cell) for cell in SHADOWED],
    output:
        parquet=[f"{MADE}/tables/{name}.parquet" for name in TABLES],
        csv=[f"{MADE}/tables/{name}.csv" for name in TABLES],
        page=f"{MADE}/report.html",
    log:
        f"{MADE}/logs/classifier_tables.log",
    benchmark:
        f"{MADE}/benchmarks/classifier_tables.tsv"
    conda:
        ENV
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=CLASSES.code("classifier_tables", *classroom.NAMES_ALONE),
        names=TABLES,
        about=CLASSES.about(),
        missing=PARTIAL,
        printed=file_digest(classroom.PRINTED, DIGESTS),
    script:
        "../workflow_scripts/classifier_tables.py"


# Beside the results, since no two runs agree on it.
rule timings:
    input:
        sorted({CLASSES.weights(cell) for cell in CELLS if cell.unlearner in STUDY.unlearners}),
    output:
        f"{MADE}/timings.csv",
    log:
        f"{MADE}/logs/timings.log",
    benchmark:
        f"{MADE}/benchmarks/timings.tsv"
    conda:
        ENV
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=CLASSES.code("timings"),
        oracles=CLASSES.oracles,
    script:
        "../workflow_scripts/timings.py"
