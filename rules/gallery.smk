# Pictures that are deleted once they are judged are shown by their blurred thumbnails.
KEPT = [cell for cell in CELLS if cell["prompts"] not in UNSAFE]
DELETED = [cell for cell in CELLS if cell["prompts"] in UNSAFE]


rule gallery:
    input:
        images=[file for cell in KEPT for file in shards_of(cell, "images")],
        thumbnails=[file for cell in DELETED for file in shards_of(cell, "thumbnails")],
    output:
        directory(f"{OUT}/gallery"),
    log:
        f"{OUT}/logs/gallery.log",
    benchmark:
        f"{OUT}/benchmarks/gallery.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        code=code("gallery"),
        page=PAGE_DIGEST,
        sets=SETS,
    script:
        "../workflow_scripts/gallery.py"
