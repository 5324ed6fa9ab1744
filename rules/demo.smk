# How the bundled demo model came to be; no other rule depends on it. A training that was stopped
# goes on from its checkpoint.
WORLD = {"pictures": 24000, "seed": 1}
JUDGE_STEPS = {"objects": 6000, "styles": 1200, "snow": 1200, "clip": 400}
#: The UNet learns to draw ("base"), then its neurons to choose ("shipped"). What each thing that was
#: built in does is seen when the bundled model goes on a little: as before ("again"), without gating,
#: and with its `ff.net.2` started anew as the library starts them.
#: start: the model that is gone on from; [] is none, and then autoencoder and tokenizer are trained, too.
#: styled: the share of pictures with a style; rate: the learning rate.
BASE = WORLD | {"start": [], "steps": 6000, "rate": 8e-4, "gating": 0.25, "selectivity": 0}
BASE |= {"styled": 0.4}
SMALL = {"ffn_std": 0.01}
SHIPPED = WORLD | {"seed": 91, "steps": 2800, "rate": 6e-4, "gating": 0.35, "selectivity": 0.02}
SHIPPED |= {"styled": 0.55}
AGAIN = SHIPPED | {"start": "resources/demo/model", "pictures": 8000, "seed": 71, "steps": 500}
#: The control: the bundled model's start, in a world that never had what is erased of it, taught to
#: draw in two goes, of pictures of their own. Its neurons were not taught to choose, which matters to
#: who prunes it. Its autoencoder is the bundled one's, which has seen everything; it hears no prompt.
NEVER = {"without": ["church", "Pablo Picasso"]}
OURS = ["resources/demo/model/vae", "resources/demo/model/tokenizer"]
RECIPES = {
    "retrained-begun": BASE | SMALL | NEVER | {"steps": 3000, "parts": OURS},
    "retrained": BASE
    | NEVER
    | {"steps": 2400, "seed": 2, "start": "results/demo-model/retrained-begun/model"},
    "base": BASE | SMALL,
    "shipped": SHIPPED | {"start": "results/demo-model/base/model"},
    "again": AGAIN,
    "no-gating": AGAIN | {"gating": 0},
    "default-start": AGAIN | {"ffn_std": None},
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
        code=DEPENDS.code("train_tokenizer"),
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
        code=DEPENDS.code("train_vae"),
        settings=WORLD | {"vae_steps": 5500},
        checkpoint="results/demo-model/checkpoints/vae.pt",
    script:
        "../workflow_scripts/train_vae.py"


rule train_unet:
    input:
        start=lambda w: RECIPES[w.recipe]["start"],
        parts=lambda w: (
            []
            if RECIPES[w.recipe]["start"]
            else RECIPES[w.recipe].get(
                "parts", ["results/demo-model/vae", "results/demo-model/tokenizer"]
            )
        ),
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
        code=DEPENDS.code("train_unet"),
        settings=lambda wildcards: RECIPES[wildcards.recipe],
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
        code=DEPENDS.code("train_judges"),
        settings=WORLD | {"steps": JUDGE_STEPS},
    script:
        "../workflow_scripts/train_judges.py"
