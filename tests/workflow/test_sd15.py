"""The paper's study: its arithmetic from the DAG, and every path of it on small local models."""

import copy
import csv
import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from regrowth.demo import rehearsal
from regrowth.judge.labels import classes
from regrowth.learn.recipes import RECIPES
from regrowth.run import cost, plan
from road import ROOT, Road
from safetensors.numpy import save_file

KINDS = ("object", "style", "prompts")
#: The prompt set of nudity that the small study draws.
UNSAFE = ["mma"]
#: The rows of the prompt tables that the paper names, and of COCO's captions.
EDITS = {"uce", "dimum", "resalign"}
WITH_HOLES = {"conceptprune", "salun", "scissorhands"}
SIZES = {"i2p": 4703, "mma": 1000, "ring-a-bell": 101, "captions": 30000}


def bring(folder, sizes, judges):
    """A catalogue and `local` paths for a machine that has everything: tables, models, judges."""
    catalogue = yaml.safe_load((ROOT / "resources/sd/catalogue.yaml").read_text(encoding="utf-8"))
    catalogue["judges"]["inception"] = {"kind": "features", "model": str(judges / "resnet50")}
    file = folder / "catalogue.yaml"
    file.write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    local = {"resnet50": str(judges / "resnet50"), "clip": str(judges / "clip")}
    for name, n in sizes.items():
        local[name] = str(folder / f"{name}.csv")
        with open(local[name], "w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(["case_number", "adv_prompt" if name == "mma" else "prompt"])
            table.writerows([i, f"a plate with {i} apples"] for i in range(n))
    pictures = folder / "reference"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for i in range(8):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(pictures / f"{i}.png")
    return {"catalogue": str(file), "local": local | {"captions.reference": str(pictures)}}


def hollow(folder):
    """Judges that are good enough for a dry run: what they call their outputs, and a weight."""
    labels = {str(i): f"thing {i}" for i in range(1000)}
    rows = classes(ROOT / "resources/imagenet.csv").values()
    labels |= {str(index): names[0] for index, names in rows}
    for name in ("resnet50", "clip"):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(
            json.dumps({"id2label": labels}), encoding="utf-8"
        )
        save_file({"weight": np.zeros(1, np.float32)}, folder / name / "model.safetensors")
    return folder


FULL = pytest.param("sd15-full", 10_000, (5e6, 7e6), marks=pytest.mark.soak)  # as long as ten plans


@pytest.mark.parametrize("file, jobs, pictures", [("sd15", 3_300, (1.4e6, 1.5e6)), FULL])
def test_the_whole_study_is_one_dag_of_few_jobs(tmp_path, file, jobs, pictures):
    study = yaml.safe_load((ROOT / "config" / f"{file}.yaml").read_text(encoding="utf-8"))
    study |= bring(tmp_path, SIZES, hollow(tmp_path / "judges"))
    demo = str(ROOT / "resources/demo/model")
    study["local"] |= {"sd15": demo} | ({"sd21": demo} if "baselines" in study else {})
    road = Road(tmp_path, study)
    told = road.run("--dry-run", "--quiet", "progress", "host")
    outputs = re.findall(r"^ +output: (\S*images/\S+\.parquet)", told, re.M)
    assert len(outputs) == len(set(outputs)) == told.count("rule generate")
    assert len(re.findall(r"^(?:local)?rule \w+:$", told, re.M)) <= jobs
    cells = Counter(re.sub(r"/shard=\d+.*", "", output) for output in outputs)
    sizes = {"objects": 6500, "styles": 250, "nudity-words": 1000} | SIZES
    made = sum(sizes.get(cell.split("prompts=")[1], 500) for cell in cells)
    assert pictures[0] < made < pictures[1]
    pretrained = [c.split("prompts=")[1] for c in cells if "variant=pretrained" in c]
    assert sorted(pretrained) == sorted({*sizes} - {"captions"} | {"captions"})


def test_the_first_look_is_as_large_as_readme_says(tmp_path):
    study = yaml.safe_load((ROOT / "config/sd15-first.yaml").read_text(encoding="utf-8"))
    held = hollow(tmp_path / "judges")
    study["local"] = {name: str(held / name) for name in ("resnet50", "clip")}
    study["local"]["sd15"] = str(ROOT / "resources/demo/model")
    told = Road(tmp_path, study).run("plan")
    pictures, jobs = re.search(r"cells, (\d+) pictures, (\d+) jobs$", told, re.M).groups()
    page, lists = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "config/README.md")
    )
    assert f"n = 50, {pictures} pictures, two judges" in page
    assert f"{jobs} jobs, {pictures} pictures |" in lists
    hours = [plan.duration(int(pictures) / rate) for rate in cost.STATED.values()]
    assert f"| {' | '.join(cost.STATED)} |" in page and f"| {' | '.join(hours)} |" in page


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The paper's study, a cell of every kind, on random weights of the same classes."""
    folder = tmp_path_factory.mktemp("sd15")
    rehearsal.write_all(folder / "held", tiny=True)
    study = yaml.safe_load((ROOT / "config/sd15.yaml").read_text(encoding="utf-8"))
    study |= bring(folder, dict.fromkeys(SIZES, 2), folder / "held" / "judges")
    study["local"] |= dict.fromkeys(["sd15", "sd21"], str(folder / "held" / "model"))
    study |= {"study": "small", "sampler": {"steps": 2}, "images": {"erased": 1, "preserved": 1}}
    study["erasers"] = {"conceptprune": {k: {"ratio": 0.1, "steps": 1} for k in KINDS}}
    study["erasers"] |= {name: {"pictures": 2} for name in ("salun", "scissorhands")}
    kept = {"church", "Monet", "nudity"}
    for block in study["sweep"]:
        block["concepts"] = [c for c in block["concepts"] if c in kept]
        if block["concepts"] == ["Monet"]:  # FID is of these two
            block["variants"] = [v for v in block["variants"] if v in ("pruned", "revived")]
        if block["concepts"] == ["nudity"]:
            block["prompts"] = UNSAFE
        block["K"] = block.get("K", [])[:1]
        block["magnitudes"] = block.get("magnitudes", [])[:1]
        block["oracles"] = block.get("oracles", [])[:1]
    study["sweep"] = [b for b in study["sweep"] if b["concepts"] and b["variants"]]
    catalogue = yaml.safe_load((folder / "catalogue.yaml").read_text(encoding="utf-8"))
    catalogue["prompt_sets"]["nudity-words"]["images"] = 2
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    road = Road(folder, study)
    road.run()
    return road


@pytest.mark.soak
def test_every_cell_is_judged_and_stands_beside_the_paper(small):
    accuracy, detections, fid, paper = (
        pd.read_parquet(small.out / "tables" / f"{name}.parquet")
        for name in ("accuracy", "detections", "fid", "paper")
    )
    variants = set(accuracy["variant"])
    assert variants == {"pretrained", "pruned", "quant4", "nf4", "revived", "blind", "oracle"}
    nudity = detections[detections["concept"] == "nudity"]
    assert set(nudity["variant"]) == {"pretrained", "sd21", "pruned", "revived", "blind"}
    assert set(nudity["prompt_set"]) == set(UNSAFE)
    assert set(zip(nudity["labels"], nudity["threshold"])) == {
        (labels, at) for labels in ("conceptprune", "strict") for at in (0.45, 0.5, 0.6)
    }
    assert set(fid["concept"]) == {"monet"}
    assert set(fid["variant"]) == {"pretrained", "pruned", "revived"}
    measured = paper[paper["measured"].notna()]
    assert set(measured["table"]) == {"1", "2", "7", "9", "11", "text 5.4", "text"}
    assert len(pd.read_parquet(small.out / "tables" / "missing.parquet")) == 0
    page = (small.out / "report.html").read_text(encoding="utf-8")
    assert "Beside the paper" in page


@pytest.mark.soak
def test_the_pretrained_pictures_are_made_once_for_all_concepts(small):
    drawn = pd.concat(
        pd.read_parquet(f, partitioning=None).drop(columns="image")
        for f in (small.out / "thumbnails").rglob("variant=pretrained/**/*.parquet")
    )
    assert not drawn.duplicated(["prompt_set", "prompt", "seed"]).any()
    sets = {f.parent.name for f in (small.out / "scores").rglob("variant=pretrained/**/judges=*")}
    assert sets == {f"prompts={n}" for n in ("objects", "styles", *UNSAFE)} | {"prompts=captions"}


@pytest.mark.soak
def test_unsafe_pictures_are_gone_and_their_thumbnails_blurred(small):
    kept = [f for f in (small.out / "images").rglob("*.parquet") if "prompts=captions" in str(f)]
    assert kept
    for name in UNSAFE:
        assert not list((small.out / "images").rglob(f"prompts={name}/*.parquet"))
        thumbs = list((small.out / "thumbnails").rglob(f"prompts={name}/*.parquet"))
        assert thumbs
        assert all(pd.read_parquet(f, partitioning=None)["blurred"].all() for f in thumbs)


@pytest.mark.soak
def test_a_revived_patch_is_a_small_part_of_the_unet(small):
    """Packed positions of every attacked weight, and at most a float for each."""
    unet = sum(f.stat().st_size for f in (small.folder / "held/model/unet").glob("*.safetensors"))
    layers = yaml.safe_load((small.out / "model.yaml").read_text(encoding="utf-8"))["layers"]
    attacked = sum(out * into for out, into in layers.values())
    patches = list((small.out / "patches").rglob("variant=revived/**/patch.safetensors"))
    assert patches
    for patch in patches:
        assert patch.stat().st_size < attacked * (1 / 8 + 4) + 10_000 < unet


@pytest.mark.soak
def test_another_layer_family_is_attacked_when_the_study_says_so(small):
    before = small.config
    study = copy.deepcopy(before) | {"study": "fc2", "layers": "text_encoder.fc2", "baselines": {}}
    study["sweep"] = [{"concepts": ["church"], "variants": ["pruned"], "prompts": ["erased"]}]
    del study["local"]["sd21"]
    small.write(study)
    try:
        small.run()
        solves = pd.read_parquet(small.out / "tables" / "solves.parquet")
    finally:
        small.write(before)
    assert sorted(set(solves["layer"])) == [
        f"text_encoder.encoder.layers.{i}.mlp.fc2.weight" for i in (0, 1)
    ]


@pytest.mark.soak
def test_every_eraser_runs_on_a_model_of_these_classes(small, tmp_path):
    """The study of erasers at the papers' settings, but for what makes it long."""
    study = yaml.safe_load((ROOT / "config/sd15-erasers.yaml").read_text(encoding="utf-8"))
    study |= {key: small.config[key] for key in ("catalogue", "sampler", "images")}
    study["local"] = {n: small.config["local"][n] for n in ("sd15", "resnet50", "clip")}
    short = {"steps": 2, "pictures": 4, "batch": 2, "warmup": 1, "refresh": 1}
    for settings in study["erasers"].values():
        settings |= {key: value for key, value in short.items() if key in settings}
    study["erasers"]["conceptprune"] = {"object": {"ratio": 0.1, "steps": 1}}
    for block in study["sweep"]:
        block["concepts"] = ["church"]
    road = Road(tmp_path, study)
    road.run()
    table = pd.read_parquet(road.out / "tables/erasers.parquet").set_index("eraser")
    asked = {name for block in study["sweep"] for name in block["erasers"]}
    assert set(table.index) == asked and len(asked) == 12
    trained = table.loc[[n for n in asked if n in RECIPES]]
    assert (trained["backwards"] > 0).all() and (table["changed"] > 0).all()
    assert len(pd.read_parquet(road.out / "tables/missing.parquet")) == 0


@pytest.mark.soak
def test_every_attack_runs_on_a_model_of_these_classes(small, tmp_path):
    """The study of attackers, but for what makes it long."""
    study = yaml.safe_load((ROOT / "config/sd15-attackers.yaml").read_text(encoding="utf-8"))
    study |= {key: small.config[key] for key in ("catalogue", "sampler", "images")}
    study["local"] = {n: small.config["local"][n] for n in ("sd15", "resnet50", "clip")}
    short = {"steps": 2, "pictures": 4, "batch": 2}
    for settings in study["erasers"].values():
        settings |= {key: value for key, value in short.items() if key in settings}
    study["erasers"]["conceptprune"] = {"object": {"ratio": 0.1, "steps": 1}}
    study |= {"learning": {"pictures": 6, "batch": 2}, "implicit": {"lr": 0.005, "step": 2}}
    study |= {"identify": 1, "best_of": []}
    for settings in study["attacks"].values():
        settings["at"] = [2] if "at" in settings else []
    for block in study["sweep"]:
        block["concepts"] = ["church"]
    study["sweep"] = [{**block, "prompts": ["erased"]} for block in study["sweep"]]
    road = Road(tmp_path, study)
    road.run()
    assert len(pd.read_parquet(road.out / "tables/missing.parquet")) == 0
    table = pd.read_parquet(road.out / "tables/frontier.parquet")
    asked = {"relearn", "autoguided", "inversion", "prefix", "random-prefix"}
    asked |= {"pruned", "quant4", "noised", "completed", "guided"}
    for eraser, part in table.groupby("eraser"):
        wanted = asked | ({"revived", "blind"} if eraser in WITH_HOLES else set())
        assert set(part["variant"]) == wanted | ({"derived"} if eraser in EDITS else set())
    guards = pd.read_parquet(road.out / "tables/guards.parquet")
    assert set(guards["guard"]) == {"none", "negative", "implicit", "sld-medium"}
    assert guards["attack"].str.startswith("word learnt through implicit").any()
