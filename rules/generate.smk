rule generate:
    input:
        unpack(SWEEP.variant_files),
    output:
        images=f"{OUT}/images/{SHARD}",
        thumbnails=f"{OUT}/thumbnails/{SHARD}",
    log:
        f"{OUT}/logs/generate/{SHARD}.log",
    benchmark:
        f"{OUT}/benchmarks/generate/{SHARD}.tsv"
    wildcard_constraints:
        prompts=one_of(b for b in SWEEP.bundles if b not in SWEEP.deleted),
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(240),
        gpu=1,
    params:
        code=DEPENDS.drawing_code,
        versions=versions("generate"),
        sampling=DEPENDS.sampling,
        format=STUDY.images.format,
        rows=DEPENDS.rows,
        blurred=False,
    script:
        "../workflow_scripts/generate.py"


# Unsafe pictures are gone once they are judged; what stays is blurred.
use rule generate as generate_unsafe with:
    output:
        images=temp(f"{OUT}/images/{SHARD}"),
        thumbnails=f"{OUT}/thumbnails/{SHARD}",
    wildcard_constraints:
        prompts=one_of(SWEEP.deleted),
    params:
        code=DEPENDS.drawing_code,
        versions=versions("generate"),
        sampling=DEPENDS.sampling,
        format=STUDY.images.format,
        rows=DEPENDS.rows,
        blurred=True,
