# Pictures that are deleted once they are judged are shown by their blurred thumbnails.
KEPT = [cell for cell in CELLS if cell["prompts"] not in UNSAFE]
DELETED = [cell for cell in CELLS if cell["prompts"] in UNSAFE]
#: One with unsafe pictures as they are has a name of its own, so that it is found and deleted when
#: they are to be kept no more.
GALLERY = "gallery"
if STUDY.keep_unblurred and any(prompts.is_unsafe(CATALOGUE, b) for b in BUNDLES):
    GALLERY = unsafe.GALLERY


rule gallery:
    input:
        expand(f"{OUT}/{GALLERY}/{{concept}}", concept=CONCEPTS),
    output:
        f"{OUT}/{GALLERY}/index.html",
    log:
        f"{OUT}/logs/gallery.log",
    benchmark:
        f"{OUT}/benchmarks/gallery.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        code=code("gallery"),
        page=PAGE_DIGEST,
    script:
        "../workflow_scripts/gallery.py"


rule gallery_pages:
    input:
        images=shards_shown(KEPT, "images"),
        thumbnails=shards_shown(DELETED, "thumbnails"),
    output:
        directory(f"{OUT}/{GALLERY}/{{concept}}"),
    log:
        f"{OUT}/logs/gallery/concept={{concept}}.log",
    benchmark:
        f"{OUT}/benchmarks/gallery/concept={{concept}}.tsv"
    conda:
        ENV
    threads: 4
    resources:
        mem_mb=growing(4000),
        runtime=minutes_shown,
    params:
        code=code("gallery_pages"),
        page=PAGE_DIGEST,
        sets=lambda wildcards: SETS[wildcards.concept],
    script:
        "../workflow_scripts/gallery_pages.py"
