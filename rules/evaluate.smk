# The mask and the pretrained weights meet the attack's results here, to mark them, and nowhere else.
rule signs:
    input:
        completed=SWEEP.parts_of("completed", "detector", "solver"),
        released=SWEEP.parts_of("released"),
        masks=SWEEP.masks_of,
    output:
        accuracy=f"{OUT}/signs/{ATTACKED}/accuracy.parquet",
        alignment=f"{OUT}/alignment/{ATTACKED}/alignment.parquet",
        solves=f"{OUT}/solves/{ATTACKED}/solves.parquet",
    log:
        f"{OUT}/logs/signs/{ATTACKED}.log",
    benchmark:
        f"{OUT}/benchmarks/signs/{ATTACKED}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        code=DEPENDS.code("signs"),
        model=DEPENDS.model,
    script:
        "../workflow_scripts/signs.py"


# A patch holds what a completion does.
use rule signs as signs_of_blind with:
    input:
        completed=[f"{OUT}/patches/{BLIND}"],
        released=SWEEP.parts_of("released"),
        masks=SWEEP.masks_of,
    output:
        accuracy=f"{OUT}/signs/{DETECTED}/solver=blind/accuracy.parquet",
        alignment=f"{OUT}/alignment/{DETECTED}/solver=blind/alignment.parquet",
        solves=f"{OUT}/solves/{DETECTED}/solver=blind/solves.parquet",
    log:
        f"{OUT}/logs/signs/{DETECTED}/solver=blind.log",
    benchmark:
        f"{OUT}/benchmarks/signs/{DETECTED}/solver=blind.tsv"


rule oracle:
    input:
        unpack(SWEEP.known_to("oracle")),
    output:
        f"{OUT}/patches/{ORACLE}",
    log:
        f"{OUT}/logs/oracle/{ORACLE}.log",
    benchmark:
        f"{OUT}/benchmarks/oracle/{ORACLE}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        code=DEPENDS.oracle_code,
        versions=versions("oracle"),
        model=DEPENDS.model,
    script:
        "../workflow_scripts/oracle.py"


rule detectability:
    input:
        released=SWEEP.parts_of("released"),
        masks=SWEEP.masks_of,
    output:
        detectability=f"{OUT}/detectability/{RELEASED}/detectability.parquet",
        normality=f"{OUT}/normality/{RELEASED}/normality.parquet",
    log:
        f"{OUT}/logs/detectability/{RELEASED}.log",
    benchmark:
        f"{OUT}/benchmarks/detectability/{RELEASED}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        code=DEPENDS.code("detectability"),
        half_width=STUDY.detectability.half_width,
    script:
        "../workflow_scripts/detectability.py"
