# From pictures to predictions: who learns what, who forgets it, and attacks on them.
rule split:
    output:
        f"{OUT}/splits/{SPLIT}/parts.parquet",
    log:
        f"{OUT}/logs/split/{SPLIT}.log",
    benchmark:
        f"{OUT}/benchmarks/split/{SPLIT}.tsv"
    conda:
        ENV
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        code=CLASSES.code("split"),
        pictures=CLASSES.pictures,
        data=STUDY.data.model_dump(exclude={"folder", "side"}),
        forget=CLASSES.concept,
    script:
        "../workflow_scripts/split.py"


# Once of each split: to unpack a source takes longer than most of the jobs that need it.
rule pictures:
    input:
        f"{OUT}/splits/split={{split}}/concept={keys.NONE}/parts.parquet",
    output:
        f"{OUT}/pictures/split={{split}}/pictures.safetensors",
    log:
        f"{OUT}/logs/pictures/split={{split}}.log",
    benchmark:
        f"{OUT}/benchmarks/pictures/split={{split}}.tsv"
    wildcard_constraints:
        split=r"\d+",
    conda:
        ENV
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        code=CLASSES.code("pictures"),
        pictures=CLASSES.pictures,
        kind=STUDY.data.kind,
        side=STUDY.data.side,
    script:
        "../workflow_scripts/pictures.py"


rule train_classifier:
    input:
        parts=CLASSES.before,
        pictures=CLASSES.used,
    output:
        f"{OUT}/models/split={{split}}/concept={keys.NONE}/unlearner={classifiers.ORIGINAL}/seed={{seed}}/weights.safetensors",
    log:
        f"{OUT}/logs/train_classifier/split={{split}}/seed={{seed}}.log",
    benchmark:
        f"{OUT}/benchmarks/train_classifier/split={{split}}/seed={{seed}}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=6000,
        runtime=600,
        gpu=1,
    params:
        code=CLASSES.code("train_classifier"),
        versions=versions("classify"),
        network=STUDY.network,
        start=CLASSES.start,
        training=STUDY.training.model_dump(),
    script:
        "../workflow_scripts/train_classifier.py"


rule unlearn:
    input:
        before=CLASSES.before,
        parts=CLASSES.of(CLASSES.split),
        pictures=CLASSES.used,
        original=CLASSES.original,
    output:
        f"{OUT}/models/{MODEL}/weights.safetensors",
    log:
        f"{OUT}/logs/unlearn/{MODEL}.log",
    benchmark:
        f"{OUT}/benchmarks/unlearn/{MODEL}.tsv"
    wildcard_constraints:
        unlearner="|".join(STUDY.unlearners),
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=6000,
        runtime=600,
        gpu=1,
    params:
        code=CLASSES.unlearner_code,
        versions=versions("classify"),
        network=STUDY.network,
        start=CLASSES.start,
        augment=STUDY.training.augment,
        unlearner=CLASSES.unlearner,
    script:
        "../workflow_scripts/unlearn.py"


# From the released weights alone.
rule regrow:
    input:
        CLASSES.of(CLASSES.weights),
    output:
        f"{OUT}/regrown/{CELL}/weights.safetensors",
    log:
        f"{OUT}/logs/regrow/{CELL}.log",
    benchmark:
        f"{OUT}/benchmarks/regrow/{CELL}.tsv"
    wildcard_constraints:
        attack="|".join(STUDY.attacks) or "(?!)",
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
        gpu=1,
    params:
        code=CLASSES.attack_code,
        versions=versions("complete"),
        attack=CLASSES.attack,
    script:
        "../workflow_scripts/regrow.py"


# All logits of every picture, once: what is measured of them trains nothing anew.
rule predict:
    input:
        pictures=CLASSES.used,
        weights=CLASSES.of(CLASSES.released),
    output:
        f"{OUT}/predictions/{CELL}/predictions.parquet",
    log:
        f"{OUT}/logs/predict/{CELL}.log",
    benchmark:
        f"{OUT}/benchmarks/predict/{CELL}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=6000,
        runtime=60,
        gpu=1,
    params:
        code=CLASSES.code("predict"),
        versions=versions("classify"),
        network=STUDY.network,
    script:
        "../workflow_scripts/predict.py"


rule membership:
    input:
        parts=CLASSES.of(CLASSES.split),
        predictions=CLASSES.of(CLASSES.predictions),
    output:
        f"{OUT}/membership/{CELL}/membership.parquet",
    log:
        f"{OUT}/logs/membership/{CELL}.log",
    benchmark:
        f"{OUT}/benchmarks/membership/{CELL}.tsv"
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        code=CLASSES.code("membership"),
        versions=versions("membership"),
        features=list(FEATURES),
    script:
        "../workflow_scripts/membership.py"


rule relearn_classifier:
    input:
        parts=CLASSES.of(CLASSES.split),
        pictures=CLASSES.used,
        weights=CLASSES.of(CLASSES.weights),
        original=CLASSES.predicted_before,
    output:
        f"{OUT}/relearnt/{CELL}/curve.parquet",
    log:
        f"{OUT}/logs/relearn_classifier/{CELL}.log",
    benchmark:
        f"{OUT}/benchmarks/relearn_classifier/{CELL}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=1,
    params:
        code=CLASSES.code("relearn_classifier"),
        versions=versions("classify"),
        network=STUDY.network,
        settings=STUDY.relearn.model_dump(exclude={"unlearners"}),
    script:
        "../workflow_scripts/relearn_classifier.py"


# Of all runs of an unlearner by the same shadow models: splits, trainings and forgettings above.
rule shadowed:
    input:
        before=CLASSES.before,
        after=CLASSES.of(CLASSES.split),
        pictures=CLASSES.used,
        target=CLASSES.of(CLASSES.weights),
        shadows=CLASSES.of(CLASSES.shadows),
    output:
        f"{OUT}/shadowed/{MODEL}/shadowed.parquet",
    log:
        f"{OUT}/logs/shadowed/{MODEL}.log",
    benchmark:
        f"{OUT}/benchmarks/shadowed/{MODEL}.tsv"
    wildcard_constraints:
        split=r"\d+",
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=1,
    params:
        code=CLASSES.code("shadowed"),
        versions=versions("classify"),
        network=STUDY.network,
        apollo=STUDY.shadows.apollo.model_dump(),
    script:
        "../workflow_scripts/shadowed.py"


rule gradcam:
    input:
        parts=CLASSES.parts_looked_at,
        pictures=CLASSES.used,
        weights=CLASSES.weights_looked_at,
    output:
        f"{OUT}/figures/{{concept}}-gradcam.png",
    log:
        f"{OUT}/logs/gradcam/{{concept}}.log",
    benchmark:
        f"{OUT}/benchmarks/gradcam/{{concept}}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=CLASSES.code("gradcam"),
        versions=versions("gradcam"),
        kind=STUDY.data.kind,
        network=STUDY.network,
        each=STUDY.gradcam.pictures,
        names=[classifiers.ORIGINAL, *STUDY.gradcam.unlearners],
    script:
        "../workflow_scripts/gradcam.py"
