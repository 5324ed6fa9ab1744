# The shipped weights: see resources/demo/README.md.
TRAINING = {
    "pictures": 24000,
    "vae_steps": 1700,
    "unet_steps": 6000,
    "resnet_steps": 1200,
    "clip_steps": 300,
    "gating": 0.2,
    "ffn_std": 0.01,
    "seed": 1,
}


# How the bundled demo model came to be; no other rule depends on it.
rule train_demo:
    output:
        model=directory("results/demo-model/model"),
        judges=directory("results/demo-model/judges"),
        curve="results/demo-model/training.csv",
    log:
        "results/logs/train_demo.log",
    benchmark:
        "results/benchmarks/train_demo.tsv"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=6000,
        runtime=240,
        gpu=1,
    params:
        code=code("train_demo"),
        settings=TRAINING,
    script:
        "../workflow_scripts/train_demo.py"
