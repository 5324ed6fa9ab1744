# Pictures that are deleted once they are judged are shown by their blurred thumbnails.
#: One with unsafe pictures as they are has a name of its own, so that it is found and deleted when
#: they are to be kept no more.
GALLERY = "gallery"
if SWEEP.shows_unsafe:
    GALLERY = unsafe.GALLERY


rule gallery:
    input:
        expand(f"{OUT}/{GALLERY}/{{concept}}", concept=SWEEP.concepts),
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
        code=DEPENDS.code("gallery", *depends.NAMES_ALONE),
        page=DEPENDS.page,
    script:
        "../workflow_scripts/gallery.py"


rule gallery_pages:
    input:
        images=SWEEP.shards_shown(False, "images"),
        thumbnails=SWEEP.shards_shown(True, "thumbnails"),
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
        runtime=lambda wildcards, attempt: outputs.gallery_minutes(SWEEP, wildcards.concept)
        * 2 ** (attempt - 1),
    params:
        code=DEPENDS.code("gallery_pages", *depends.NAMES_ALONE),
        page=DEPENDS.page,
        sets=lambda wildcards: SWEEP.sets[wildcards.concept],
    script:
        "../workflow_scripts/gallery_pages.py"
