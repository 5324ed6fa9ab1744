# An attack reads what `Variant.needs` says: of a revived model released weights only, never the mask,
# never the pretrained model.


rule detect:
    input:
        SWEEP.parts_of("released"),
    output:
        f"{OUT}/detected/{DETECTED}/positions.safetensors",
    log:
        f"{OUT}/logs/detect/{DETECTED}.log",
    benchmark:
        f"{OUT}/benchmarks/detect/{DETECTED}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        code=DEPENDS.method_code("detect", "attack.DETECTORS", "detector"),
    script:
        "../workflow_scripts/detect.py"


rule complete:
    input:
        released=f"{OUT}/released/{RELEASED}/part={{part}}.safetensors",
        detected=rules.detect.output,
    output:
        f"{OUT}/completed/{ATTACKED}/part={{part}}.safetensors",
    log:
        f"{OUT}/logs/complete/{ATTACKED}/part={{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/complete/{ATTACKED}/part={{part}}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        gpu=1,
    params:
        code=DEPENDS.method_code("complete", "complete.SOLVERS", "solver"),
        versions=versions("complete"),
    script:
        "../workflow_scripts/complete.py"


rule revive:
    input:
        unpack(SWEEP.known_to("revived")),
        completed=SWEEP.parts_of("completed", "detector", "solver"),
    output:
        f"{OUT}/patches/{REVIVED}",
    log:
        f"{OUT}/logs/revive/{REVIVED}.log",
    benchmark:
        f"{OUT}/benchmarks/revive/{REVIVED}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.method_code("revive", "attack.MAGNITUDES", "magnitude"),
        versions=versions("revive"),
        alone=None,
    script:
        "../workflow_scripts/revive.py"


use rule revive as revive_alone with:
    input:
        unpack(SWEEP.known_to("alone")),
        completed=SWEEP.parts_of("completed", "detector", "solver"),
    output:
        f"{OUT}/patches/{ALONE}",
    log:
        f"{OUT}/logs/revive_alone/{ALONE}.log",
    benchmark:
        f"{OUT}/benchmarks/revive_alone/{ALONE}.tsv"
    params:
        code=DEPENDS.method_code("revive", "attack.MAGNITUDES", "magnitude"),
        versions=versions("revive"),
        alone=lambda wildcards: SWEEP.layers[int(wildcards.layer_alone)].name,


# Weights that are not under attack are the model's, in the release as well.
rule blind:
    input:
        unpack(SWEEP.known_to("blind")),
        detected=rules.detect.output,
    output:
        f"{OUT}/patches/{BLIND}",
    log:
        f"{OUT}/logs/blind/{BLIND}.log",
    benchmark:
        f"{OUT}/benchmarks/blind/{BLIND}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=1,
    params:
        code=DEPENDS.code("blind", ("complete.SOLVERS", "gauss-spin")),
        versions=versions("complete"),
        model=DEPENDS.model,
    script:
        "../workflow_scripts/blind.py"


# What an attacker may know beside the weights, drawn by the pretrained model; unsafe pictures of a
# concept are refused.
rule lesson:
    output:
        f"{OUT}/lessons/concept={{concept}}/data={{data}}/latents.safetensors",
    log:
        f"{OUT}/logs/lesson/concept={{concept}}/data={{data}}.log",
    benchmark:
        f"{OUT}/benchmarks/lesson/concept={{concept}}/data={{data}}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(60),
        gpu=1,
    params:
        **SAMPLER,
        code=DEPENDS.code("lesson"),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        prompts=DEPENDS.taught,
        given=attackers.given(SWEEP),
        pictures=STUDY.learning.pictures,
    script:
        "../workflow_scripts/lesson.py"


# Do pictures of other things show the concept after all?
rule look:
    input:
        f"{OUT}/lessons/concept={{concept}}/data={{data}}/latents.safetensors",
    output:
        f"{OUT}/seen/concept={{concept}}/data={{data}}/judge={{judge}}/seen.parquet",
    log:
        f"{OUT}/logs/look/concept={{concept}}/data={{data}}/judge={{judge}}.log",
    benchmark:
        f"{OUT}/benchmarks/look/concept={{concept}}/data={{data}}/judge={{judge}}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(20),
        gpu=1,
    params:
        code=DEPENDS.judge_code("look"),
        versions=versions("score"),
        model=DEPENDS.model,
        judges=DEPENDS.judges,
        word=DEPENDS.word,
    script:
        "../workflow_scripts/look.py"


# Weights that are not under attack are the model's, in the release as well.
rule relearn:
    input:
        unpack(SWEEP.known_to("relearn")),
    output:
        patch=f"{OUT}/patches/{RELEARNT}",
        costs=f"{OUT}/costs/{SPENT['relearn']}",
    log:
        f"{OUT}/logs/relearn/{RELEARNT}.log",
    benchmark:
        f"{OUT}/benchmarks/relearn/{RELEARNT}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(4 * PIPELINE_MB),
        runtime=growing(120),
        gpu=1,
    params:
        **SAMPLER,
        code=DEPENDS.method_code("relearn", "attack.LESSONS", "data", ("draw.GUARDS", "")),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        at=attackers.steps(SWEEP, "relearn"),
        settings=STUDY.learning.told,
        prompts=DEPENDS.taught,
        word=None,
    script:
        "../workflow_scripts/relearn.py"


use rule relearn as invert with:
    input:
        unpack(SWEEP.known_to("inversion")),
    output:
        patch=f"{OUT}/patches/{INVERTED}",
        costs=f"{OUT}/costs/{SPENT['inversion']}",
    log:
        f"{OUT}/logs/invert/{INVERTED}.log",
    benchmark:
        f"{OUT}/benchmarks/invert/{INVERTED}.tsv"
    params:
        code=DEPENDS.code("relearn", ("draw.GUARDS", ""), ("attack.LESSONS", "")),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        at=attackers.steps(SWEEP, "inversion"),
        settings=STUDY.learning.told,
        prompts=None,
        steps=None,
        guidance=None,
        scheduler=None,
        word=DEPENDS.word,


rule prefix:
    input:
        unpack(SWEEP.known_to("prefix")),
    output:
        patch=f"{OUT}/patches/{PREFIX}",
        costs=f"{OUT}/costs/{SPENT['prefix']}",
    log:
        f"{OUT}/logs/prefix/{PREFIX}.log",
    benchmark:
        f"{OUT}/benchmarks/prefix/{PREFIX}.tsv"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=growing(4 * PIPELINE_MB),
        runtime=growing(120),
        gpu=1,
    params:
        code=DEPENDS.code("prefix"),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        at=attackers.steps(SWEEP, "prefix"),
        settings=STUDY.learning.told,
        forbidden=attackers.unsaid(SWEEP),
    script:
        "../workflow_scripts/prefix.py"


# Of what is released nothing is read: whoever has it has its vocabulary.
rule random_prefix:
    input:
        unpack(SWEEP.known_to("random-prefix")),
    output:
        f"{OUT}/patches/{RANDOM_PREFIX}",
    log:
        f"{OUT}/logs/random_prefix/{RANDOM_PREFIX}.log",
    benchmark:
        f"{OUT}/benchmarks/random_prefix/{RANDOM_PREFIX}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=DEPENDS.code("random_prefix"),
        model=DEPENDS.model,
        seed=STUDY.learning.seed,
        forbidden=attackers.unsaid(SWEEP),
        pairs=DEPENDS.pairs_of,
    script:
        "../workflow_scripts/random_prefix.py"


use rule relearn as evade with:
    input:
        unpack(SWEEP.known_to("evasion")),
    output:
        patch=f"{OUT}/patches/{EVADED}",
        costs=f"{OUT}/costs/{SPENT['evasion']}",
    log:
        f"{OUT}/logs/evade/{EVADED}.log",
    benchmark:
        f"{OUT}/benchmarks/evade/{EVADED}.tsv"
    params:
        **SAMPLER,
        code=DEPENDS.method_code("relearn", "draw.GUARDS", "through", ("attack.LESSONS", "")),
        versions=versions("calibrate"),
        model=DEPENDS.model,
        at=attackers.steps(SWEEP, "evasion"),
        settings=STUDY.learning.told,
        prompts=None,
        embedded_at=STUDY.implicit.step,
        word=DEPENDS.word,


# The base's keys and values are known: λ as RECE's code has it for easy objects.
rule derive:
    input:
        unpack(SWEEP.known_to("derived")),
    output:
        f"{OUT}/patches/{DERIVED}",
    log:
        f"{OUT}/logs/derive/{DERIVED}.log",
    benchmark:
        f"{OUT}/benchmarks/derive/{DERIVED}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(20),
    params:
        code=DEPENDS.code("derive"),
        model=DEPENDS.model,
        word=DEPENDS.word,
        ridge=0.1,
    script:
        "../workflow_scripts/derive.py"


# Nothing is trained: which concept was it? The base and its prompts are known.
rule identify:
    input:
        released=SWEEP.parts_of("released"),
        calibrated=attackers.calibrations(SWEEP),
    output:
        f"{OUT}/identified/{RELEASED}/identified.parquet",
    log:
        f"{OUT}/logs/identify/{RELEASED}.log",
    benchmark:
        f"{OUT}/benchmarks/identify/{RELEASED}.tsv"
    conda:
        ENV
    resources:
        mem_mb=growing(PIPELINE_MB),
        runtime=growing(20),
    params:
        code=DEPENDS.code("identify"),
        model=DEPENDS.model,
        candidates=attackers.candidates(SWEEP),
        how=attackers.told_by(SWEEP),
    script:
        "../workflow_scripts/identify.py"
