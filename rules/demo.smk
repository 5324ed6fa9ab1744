# How the bundled demo model came to be; no other rule depends on it. A training that was stopped
# goes on from its checkpoint.
WORLD = {"pictures": 24000, "seed": 1}
#: The shipped UNet; then, shorter, the same, and what it is without each thing that was built in.
RECIPES = {
    "shipped": {"unet_steps": 5000, "gating": 0.25, "selectivity": 0.02, "ffn_std": 0.01},
    "short": {"unet_steps": 2000, "gating": 0.25, "selectivity": 0.02, "ffn_std": 0.01},
    "no-gating": {"unet_steps": 2000, "gating": 0.0, "selectivity": 0.02, "ffn_std": 0.01},
    "no-selectivity": {"unet_steps": 2000, "gating": 0.25, "selectivity": 0.0, "ffn_std": 0.01},
    "default-start": {"unet_steps": 2000, "gating": 0.25, "selectivity": 0.02, "ffn_std": None},
}


rule train_demo:
    input:
        "results/demo-model/shipped/model",
        "results/demo-model/judges",


rule train_tokenizer:
    output:
        tokenizer=directory("results/demo-model/tokenizer"),
    log:
        "results/logs/demo-model/tokenizer.log",
    benchmark:
        "results/benchmarks/demo-model/tokenizer.tsv"
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=code("train_tokenizer"),
        settings=WORLD,
    script:
        "../workflow_scripts/train_tokenizer.py"


rule train_vae:
    output:
        vae=directory("results/demo-model/vae"),
        curve="results/demo-model/vae.csv",
    log:
        "results/logs/demo-model/vae.log",
    benchmark:
        "results/benchmarks/demo-model/vae.tsv"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=1,
    params:
        code=code("train_vae"),
        settings=WORLD | {"vae_steps": 5500},
        checkpoint="results/demo-model/checkpoints/vae.pt",
    script:
        "../workflow_scripts/train_vae.py"


rule train_unet:
    input:
        vae="results/demo-model/vae",
        tokenizer="results/demo-model/tokenizer",
    output:
        model=directory("results/demo-model/{recipe}/model"),
        curve="results/demo-model/{recipe}/unet.csv",
    log:
        "results/logs/demo-model/{recipe}.log",
    benchmark:
        "results/benchmarks/demo-model/{recipe}.tsv"
    wildcard_constraints:
        recipe=one_of(RECIPES),
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=6000,
        runtime=360,
        gpu=1,
    params:
        code=code("train_unet"),
        settings=lambda wildcards: WORLD | RECIPES[wildcards.recipe],
        checkpoint="results/demo-model/checkpoints/{recipe}.pt",
    script:
        "../workflow_scripts/train_unet.py"


rule train_judges:
    input:
        vae="results/demo-model/vae",
        tokenizer="results/demo-model/tokenizer",
    output:
        judges=directory("results/demo-model/judges"),
    log:
        "results/logs/demo-model/judges.log",
    benchmark:
        "results/benchmarks/demo-model/judges.tsv"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=1,
    params:
        code=code("train_judges"),
        settings=WORLD | {"resnet_steps": 1200, "clip_steps": 400},
    script:
        "../workflow_scripts/train_judges.py"
