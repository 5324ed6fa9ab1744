# The mask and the pretrained weights meet the attack's results here, to mark them, and nowhere else.
rule signs:
    input:
        completed=parts_of("completed", also=("detector", "solver")),
        released=parts_of("released"),
        masks=erased_parts,
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
        code=code("signs"),
        model=MODEL_DIGEST,
    script:
        "../workflow_scripts/signs.py"


rule oracle:
    input:
        released=parts_of("released"),
        masks=erased_parts,
    output:
        f"{OUT}/patches/{PATCH}",
    log:
        f"{OUT}/logs/oracle/{PATCH}.log",
    benchmark:
        f"{OUT}/benchmarks/oracle/{PATCH}.tsv"
    wildcard_constraints:
        variant="oracle",
    conda:
        ENV
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        code=code("oracle"),
        versions=versions("oracle"),
        model=MODEL_DIGEST,
    script:
        "../workflow_scripts/oracle.py"


rule detectability:
    input:
        released=parts_of("released"),
        masks=erased_parts,
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
        code=code("detectability"),
        half_width=STUDY.detectability.half_width,
    script:
        "../workflow_scripts/detectability.py"
