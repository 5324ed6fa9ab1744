"""The study's check: every mistake at once, each with what would be right."""

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from regrowth.files import hub
from regrowth.judge import JUDGES, nudenet
from regrowth.judge.inception import URL as INCEPTION
from regrowth.judge.labels import classes, outputs
from regrowth.judge.mistakes import RESNET, of_weights
from regrowth.judge.settings import Judge
from regrowth.models.card import ModelCard
from regrowth.study import asked, prompt_tables, prompts, variants
from regrowth.study.catalogue import Catalogue, Source
from regrowth.study.config import Sampler, Study
from regrowth.study.load import ConfigError, load_study
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
GOOD = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def mistakes_of(judge, root):
    return JUDGES[judge.kind].mistakes(judge, root)


def mistakes(raw, root=ROOT):
    with pytest.raises(ConfigError) as caught:
        load_study(raw, root)
    return str(caught.value).splitlines()


#: Those of pictures; studies of classifiers have tests of their own.
STUDIES = [f for f in sorted(ROOT.glob("config/*.yaml")) if not f.name.startswith("classifiers")]


@pytest.mark.parametrize("file", [ROOT / "config.yaml", *STUDIES], ids=lambda file: file.name)
def test_every_bundled_study_is_valid(file):
    study, _, _ = load_study(yaml.safe_load(file.read_text(encoding="utf-8")), ROOT, files=False)
    assert study.sweep


def test_what_readme_shows_of_studies_is_valid(tmp_path):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    (tmp_path / "path/to").mkdir(parents=True)
    (tmp_path / "path/to/pruned-unet.safetensors").touch()  # whoever reads it has one
    (added,) = re.findall(r"^(sed .*)$", page, re.M)
    subprocess.run(["sh", "-c", added], cwd=tmp_path, check=True)
    blocks = re.findall(r"^```yaml\n# (\S+\.yaml)[^\n]*\n(.*?)^```", page, re.M | re.S)
    found = {file: load_study(yaml.safe_load(told), tmp_path, files=False) for file, told in blocks}
    assert all(f".venv/bin/snakemake --configfile {file}\n" in page for file in found)
    assert len(found) == page.count("```yaml") == 2
    study, catalogue, _ = found["balloon.yaml"]
    (new,) = {c for block in study.sweep for c in block.concepts}
    before = load_study(GOOD, ROOT, files=False)[1].families["objects"].classes
    assert catalogue.families["objects"].classes == [*before, new] and new not in before


def test_what_this_machine_lacks_is_told_at_once_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub.directory.cache_clear(), hub.file.cache_clear()
    told = mistakes(yaml.safe_load((ROOT / "config/sd15.yaml").read_text(encoding="utf-8")))
    text = "\n".join(told)
    card = (ROOT / "resources/models/sd15.yaml").read_text(encoding="utf-8")
    sd15 = ModelCard(**yaml.safe_load(card))
    command = f"hf download {sd15.path} --revision {sd15.revision} {hub.LOADED}"
    assert f"download it first ({command})" in text
    assert "(hf download AIML-TUDA/i2p i2p_benchmark.csv --repo-type dataset --revision" in text
    assert f"no data/ring-a-bell.csv in {ROOT}, where relative paths start; say in the" in text
    assert "model 'sd21'" in text
    assert re.search(f"judges.resnet50: no data/resnet50-.*, say {RESNET}$", text, re.M)
    assert re.search(f"judges.inception: no data/weights-.*, {INCEPTION}$", text, re.M)
    for page, address in (("README.md", RESNET), ("docs/paper.md", INCEPTION)):
        shown = (ROOT / page).read_text(encoding="utf-8")
        assert f".venv/bin/{command}\n" in shown and address in shown
    study = yaml.safe_load((ROOT / "config/sd15.yaml").read_text(encoding="utf-8"))
    other = "\n".join(mistakes(study | {"local": {"resnet50": "microsoft/resnet-50"}}))
    assert f"(hf download microsoft/resnet-50 {hub.LOADED})" in other


def test_local_paths_go_before_card_and_catalogue(tmp_path):
    raw = copy.deepcopy(GOOD)
    raw["local"] = {"regrowth-demo": "a", "clip": "b", "weather": "c", "objects.reference": "d"}
    _, catalogue, card = load_study(raw, ROOT, files=False)
    assert (card.path, catalogue.judges["clip"].model) == ("a", "b")
    assert catalogue.families["weather"].file == "c"
    assert catalogue.families["objects"].reference == "d"
    raw["local"] = {"clipp": "b"}
    assert "no model, judge or set 'clipp'; did you mean 'clip'?" in mistakes(raw)[1]


def test_a_path_is_written_as_in_a_shell(tmp_path, monkeypatch):
    """With `~`, an environment variable or a space; what leads nowhere is told in a line."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MODELS", str(tmp_path / "my models"))
    (tmp_path / "my models").mkdir()
    (tmp_path / "my models/sd").symlink_to(ROOT / "resources/demo/model")
    raw = copy.deepcopy(GOOD)
    for path in (
        "~/my models/sd",
        "$HOME/my models/sd/",
        "${MODELS}/sd",
        f"{tmp_path}/my models/sd",
    ):
        raw["local"] = {"regrowth-demo": path}
        load_study(raw, ROOT)
    here = f"in {ROOT}, where relative paths start"
    for path, told in {
        "my models/sd": f"no my models/sd {here}",
        "$NOWHERE/sd": "the environment has no NOWHERE",
        "~/sd": f"no {tmp_path}/sd",
        "models/v1-5.safetensors": f"no models/v1-5.safetensors {here}",
        "https://huggingface.co/a/b": "is an address; wanted: a directory, or a hub id",
        "user/model@main": f"no user/model@main {here}",
        "config.yaml": "is a single file; a directory is wanted: save it as one, with diffusers",
    }.items():
        raw["local"] = {"regrowth-demo": path}
        (line,) = mistakes(raw)[1:]
        assert told in line, line
    raw["local"], raw["model"] = {}, "~/card.yaml"
    (tmp_path / "card.yaml").symlink_to(ROOT / "resources/demo/card.yaml")
    load_study(raw, ROOT)


def test_judges_and_tables_are_read_below_home_and_with_spaces(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data/a judge").symlink_to(ROOT / "resources/demo/judges/clip")
    rain = "class,prompt\nsnow,rain on a roof\n"
    (tmp_path / "my data/some rain.csv").write_text(rain, encoding="utf-8")
    local = {"clip": "~/my data/a judge", "weather": "~/my data/some rain.csv"}
    study, catalogue, _ = load_study(copy.deepcopy(GOOD) | {"local": local}, ROOT)
    assert catalogue.judges["clip"].model == f"{tmp_path}/my data/a judge"
    told = [row["prompt"] for row in prompts.set_rows(study, catalogue, "snow", ROOT)]
    assert told == ["rain on a roof"]


def test_a_block_that_asks_for_a_set_its_concept_does_not_have():
    raw = copy.deepcopy(GOOD)
    raw["sweep"][0]["prompts"] = ["erasde"]
    told = mistakes(raw)
    assert len(told) == 6  # one line for each concept
    assert told[1].endswith("prompts: church: no set 'erasde'; did you mean 'erased'?")


def test_words_for_young_people_are_refused_and_left_out(tmp_path):
    def change(c):
        c["families"]["objects"]["prompts"] = ["a teen with {a_name}"]
        c["families"]["styles"]["fill"]["thing"] = ["child"]

    text = "\n".join(catalogue_with(tmp_path, change))
    assert "'a teen with {a_name}' has a word for young people" in text
    assert "'child' has a word for young people" in text
    file = tmp_path / "prompts.csv"
    file.write_text(
        "prompt,meaning\na man,\na girl,\nqzx 7,two boys\na 17 year old,\na lady,\n",
        encoding="utf-8",
    )
    table = prompt_tables.read(Source(file=str(file)), ROOT)
    assert table["prompt"].tolist() == ["a man", "a lady"]


@pytest.mark.parametrize(
    "name, text, wanted",
    [
        ("p.csv", "text\na man\n", "a column 'prompt' is wanted; it has ['text']"),
        ("p.csv", "prompt,seed\n", "has no rows; its columns are ['prompt', 'seed']"),
        (
            "p.csv",
            "prompt,seed\na man,1.5\n",
            "row 1: '1.5' is no seed: a whole number",
        ),
        ("p.csv", "prompt,seed\na man,1\n,2\n", "row 2 has no prompt"),
        ("p.txt", "a man\n", "known endings are .csv, .tsv, .parquet, .json, .jsonl"),
        ("p.json", "{", "cannot be read"),
    ],
)
def test_a_table_of_prompts_that_cannot_be_used(tmp_path, name, text, wanted):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as told:
        prompt_tables.read(Source(file=str(tmp_path / name)), ROOT)
    assert wanted in str(told.value)


def test_conceptprunes_columns_are_read_as_they_are_in_every_format(tmp_path):
    rows = {"case_number": [0, 1], "prompt": ["a, b", "c"], "class": ["x", "y"]}
    table = pd.DataFrame(rows | {"evaluation_seed": [7, 9]})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    table.to_json(tmp_path / "t.json", orient="records")
    table.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for name in ("t.csv", "t.parquet", "t.json", "t.jsonl"):
        read = prompt_tables.read(Source(file=str(tmp_path / name)), ROOT)
        assert read.to_dict("list") == {
            "prompt": ["a, b", "c"],
            "class": ["x", "y"],
            "seed": [7, 9],
        }
    other = Source(file=str(tmp_path / "t.csv"), columns={"prompt": "class"})
    assert prompt_tables.read(other, ROOT)["prompt"].tolist() == ["x", "y"]


def test_a_classifier_whose_outputs_are_others_than_the_table_says(tmp_path):
    labels = {str(i): f"thing {i}" for i in range(1000)}
    rows = classes(ROOT / "resources/imagenet.csv")
    labels |= {str(index): ", ".join(names[::-1]) for index, names in rows.values()}
    judge = Judge(kind="classifier", model=str(tmp_path), classes="resources/imagenet.csv")
    save_file({"w": np.zeros(1, np.float32)}, tmp_path / "model.safetensors")

    def told():
        (tmp_path / "config.json").write_text(json.dumps({"id2label": labels}), encoding="utf-8")
        return mistakes_of(judge, ROOT)

    assert told() == []
    assert outputs(judge, ROOT)[497] == "church"
    labels["497"] = "cinema"
    assert told() == ["output 497 is 'cinema', resources/imagenet.csv wants 'church' there"]


def test_a_judge_without_weights_is_refused_before_any_job(tmp_path):
    judge = Judge(kind="classifier", model=str(tmp_path))
    whole = ROOT / "resources/demo/judges/objects"
    shutil.copy(whole / "config.json", tmp_path)
    (told,) = of_weights(judge, ROOT)
    assert told.startswith(f"{tmp_path} holds no model.safetensors")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (told,) = of_weights(judge, ROOT)
    assert str(weights) in told and "LFS" in told
    weights.rename(tmp_path / "pytorch_model.bin")
    (told,) = of_weights(judge, ROOT)
    assert "pytorch_model.bin: a judge's weights are wanted as .safetensors" in told
    assert of_weights(Judge(kind="classifier", model=str(whole)), ROOT) == []


def test_defaults_written_back_read_the_same():
    study, _, _ = load_study(copy.deepcopy(GOOD), ROOT)
    again, _, _ = load_study(study.model_dump(mode="json"), ROOT)
    assert again == study


def test_all_mistakes_are_told_at_once():
    raw = copy.deepcopy(GOOD)
    raw["imagse"] = {}
    raw["images"]["erased"] = "many"
    raw["sweep"][0]["concepts"] = ["chruch"]
    raw["sweep"][1]["K"] = [0.2, 1.2, 0]
    raw["sweep"][2]["magnitudes"] = ["median"]
    del raw["study"]
    told = mistakes(raw)
    assert told[0] == "7 mistakes in the study:"
    text = "\n".join(told)
    assert "unknown key 'imagse'; did you mean 'images'?" in text
    assert "images.erased" in text and "'many'" in text
    assert "no concept 'chruch'; did you mean 'church'? known: church, golf-ball" in text
    assert "sweep[1].K[1]: should be less than or equal to 1 (given: 1.2)" in text
    assert "sweep[1].K[2]: should be greater than 0 (given: 0)" in text
    assert "'sample', 'normal-sample' or 'layer-sample' (given: 'median')" in text
    assert "study is missing" in text


@pytest.mark.parametrize(
    "place, value, wanted",
    [
        (("erasers", "conceptprune", "object", "ration"), 1, "did you mean 'ratio'?"),
        (("images", "batch"), True, "a number is wanted, not True"),
        (("images", "erased"), 0, "should be greater than or equal to 1 (given: 0)"),
        (("study",), "../elsewhere", "should match pattern"),
        (("model",), "nowhere.yaml", "model: no nowhere.yaml in "),
        (("sweep",), [], "should have at least 1 item"),
        (("erasers", "conceptprune", "object", "ratio"), 1.5, "should be less than 1 (given: 1.5)"),
    ],
)
def test_one_mistake_one_line(place, value, wanted):
    raw = copy.deepcopy(GOOD)
    at = raw
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    told = mistakes(raw)
    assert told[0] == "a mistake in the study:" and len(told) == 2
    assert wanted in told[1]


def test_more_steps_to_calibrate_than_the_sampler_makes():
    raw = copy.deepcopy(GOOD) | {"sampler": {"steps": 10}}
    raw["erasers"] = {"conceptprune": {"object": {"ratio": 0.1, "steps": 11}}}
    raw["sweep"] = [{"concepts": ["church", "candle"], "variants": ["pruned"]}]
    (line,) = mistakes(raw)[1:]
    assert "erasers.conceptprune.object.steps: the sampler makes 10 steps" in line
    assert line.endswith("so 11 cannot be calibrated: 10 or fewer")
    raw["sweep"] = [{"concepts": ["Monet"], "variants": ["pruned"]}]  # its kind takes 10
    load_study(raw, ROOT, files=False)
    (line,) = mistakes(raw | {"sampler": {"steps": 9}})[1:]
    assert "conceptprune.style.steps: the sampler makes 9 steps" in line


def test_no_more_pictures_of_the_erased_class_are_judged_than_asked_for():
    raw = copy.deepcopy(GOOD) | {"images": {"erased": 4, "preserved": 6}}
    raw["sweep"] = [{"concepts": ["church"], "variants": ["pruned"]}]
    (line,) = mistakes(raw)[1:]
    assert "images.erased: 4 is below images.preserved (6)" in line and "'church'" in line
    load_study(raw | {"images": {"erased": 6, "preserved": 6}}, ROOT, files=False)
    raw["sweep"][0]["concepts"] = ["snow"]  # its others are objects, a set of their own
    load_study(raw, ROOT, files=False)


@pytest.mark.parametrize("name", ["pruned", "alone"])
def test_a_baseline_is_not_called_like_a_variant(name):
    raw = copy.deepcopy(GOOD)
    raw["baselines"] = {name: {"model": GOOD["model"], "concepts": ["church"]}}
    (line,) = mistakes(raw)[1:]
    assert f"{name!r} is what a variant is called" in line


def test_a_block_says_what_it_lacks():
    raw = copy.deepcopy(GOOD)
    raw["sweep"] = [{"concepts": ["church"], "variants": ["revived"], "defences": ["gaussian"]}]
    (line,) = mistakes(raw)[1:]
    for part in ("needs K", "needs magnitudes", "needs sigmas"):
        assert part in line


@pytest.mark.parametrize("sigma", [0, -1.0, "much", True, float("nan"), float("inf")])
def test_a_bad_sigma_is_one_line(sigma):
    raw = copy.deepcopy(GOOD)
    block = {"concepts": ["church"], "variants": ["pruned"], "defences": ["gaussian"]}
    raw["sweep"] = [block | {"sigmas": [1.0, sigma]}]
    (line,) = mistakes(raw)[1:]
    assert "sweep[0].sigmas[1]" in line


def test_a_sampler_is_the_card_s_where_the_study_says_nothing():
    card = ModelCard(name="x", path=".", scheduler="ddim", steps=7)
    own = Sampler(guidance=3.0).of(card)
    assert own == {"scheduler": "ddim", "steps": 7, "guidance": 3.0}
    assert Sampler(scheduler="dpm++", steps=5).of(card) == own | {
        "scheduler": "dpm++",
        "steps": 5,
        "guidance": 7.5,
    }


@pytest.mark.parametrize("detector", ["smallest", "smallest-2", "smallest-0.0", "guess-0.1"])
def test_a_detector_needs_the_share_it_takes(detector):
    raw = copy.deepcopy(GOOD)
    block = {"concepts": ["church"], "variants": ["revived"], "K": [0.6], "magnitudes": ["max"]}
    raw["sweep"] = [block | {"detectors": [detector]}]
    (line,) = mistakes(raw)[1:]
    assert "sweep[0].detectors[0]" in line


def test_judges_can_be_chosen():
    raw = copy.deepcopy(GOOD)
    raw["sweep"] = [{"concepts": ["church"], "variants": ["pruned"]}]
    _, catalogue, _ = load_study(raw | {"judges": ["objects"]}, ROOT)
    assert catalogue.families["objects"].judges == ["objects"]
    (line,) = mistakes(raw | {"judges": ["objects", "object"]})[1:]
    assert "no judge 'object'; did you mean 'objects'?" in line
    (line,) = mistakes(raw | {"judges": ["snow"]})[1:]
    assert "none of them judges objects" in line


def catalogue_with(tmp_path, change):
    catalogue = yaml.safe_load((ROOT / "resources/demo/catalogue.yaml").read_text(encoding="utf-8"))
    change(catalogue)
    file = tmp_path / "catalogue.yaml"
    file.write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    return mistakes(copy.deepcopy(GOOD) | {"catalogue": str(file)})


def test_a_concept_without_prompts(tmp_path):
    told = catalogue_with(tmp_path, lambda c: c["families"]["objects"].pop("prompts"))
    assert told[1].endswith(
        "families.objects: no prompts: give prompts, a file, or prompt sets (also)"
    )


def test_a_judge_that_does_not_know_the_class(tmp_path):
    told = catalogue_with(tmp_path, lambda c: c["families"]["objects"]["classes"].append("dodo"))
    assert "judge 'objects' does not know 'dodo'; it knows: church, golf ball" in told[1]


def test_a_prompt_set_has_no_classes_for_a_classifier(tmp_path):
    def change(c):
        c["prompt_sets"] = {"hills": {"role": "erased", "prompts": ["a hill"]}}
        c["prompt_sets"]["hills"]["judges"] = ["clip", "objects"]
        c["families"]["styles"]["also"] = ["hills"]

    (line,) = catalogue_with(tmp_path, change)[1:]
    assert "prompt_sets.hills: judge 'objects' is a classifier, which tells classes apart" in line


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("EXPOSED_BREAST_F", "NudeNet 3 calls it FEMALE_BREAST_EXPOSED"),
        ("EXPOSED_GENITALIA_M", "NudeNet 3 calls it MALE_GENITALIA_EXPOSED"),
        ("EXPOSED_BELLY", "NudeNet 3 calls it BELLY_EXPOSED"),
        ("FACE_F", "NudeNet 3 calls it FACE_FEMALE"),
        ("female breast exposed", "NudeNet 3 calls it FEMALE_BREAST_EXPOSED"),
        ("FEMALE_BREASTS_EXPOSED", "did you mean 'FEMALE_BREAST_EXPOSED'?"),
        ("NIPPLE", "known: ANUS_COVERED, ANUS_EXPOSED, "),
    ],
)
def test_a_label_that_nudenet_never_gives(tmp_path, label, wanted):
    def change(c):
        c["judges"]["nudenet"]["labels"] = {"own": [label, "ANUS_EXPOSED"]}

    (line,) = catalogue_with(tmp_path, change)[1:]
    assert f"judges.nudenet: labels.own: no label {label!r}; {wanted}" in line


def test_nudenets_labels_are_the_packages_own_and_nothing_lower_is_told():
    (line,) = mistakes_of(Judge(kind="nudenet", thresholds=[0.2, 0.25, 0.6]), ROOT)
    assert line.startswith("thresholds: 0.2 is below 0.25")
    import nudenet as package

    assert sorted(nudenet.NUDENET) == sorted(vars(package.nudenet)["__labels"])


def test_names_that_collide_or_vanish_in_paths(tmp_path):
    def change(c):
        c["families"]["styles"]["classes"] += ["van-gogh", "..."]

    text = "\n".join(catalogue_with(tmp_path, change))
    assert "'van-gogh' and 'Van Gogh' make the same path name" in text
    assert "'...' has no letter or digit" in text


def test_a_prompt_with_an_unknown_placeholder(tmp_path):
    def change(c):
        c["families"]["objects"]["prompts"] = ["an image of {colour}"]

    assert (
        "asks for colour; known: a_name, a_scene, a_thing, name, scene, thing"
        in catalogue_with(tmp_path, change)[1]
    )


def test_a_prompt_file_with_other_columns(tmp_path):
    file = tmp_path / "prompts.csv"
    file.write_text("text,seed\nan image,1\n", encoding="utf-8")

    def change(c):
        c["families"]["weather"]["file"] = str(file)

    told = catalogue_with(tmp_path, change)[1]
    assert "a column 'prompt' is wanted; it has ['text', 'seed']" in told


def test_a_judge_that_is_not_there(tmp_path):
    def change(c):
        c["families"]["styles"]["judges"] = ["styels"]

    text = "\n".join(catalogue_with(tmp_path, change))
    assert "families.styles: no judge 'styels'; known: clip, fid-demo, nudenet" in text

    def other(c):
        c["judges"]["clip"]["model"] = "nowhere"

    (line,) = catalogue_with(tmp_path, other)[1:]
    assert "judges.clip:" in line and "no nowhere in " in line


def test_the_json_schema_is_the_models():
    for model, name in ((Study, "study"), (Catalogue, "catalogue")):
        file = ROOT / f"config/{name}.schema.json"
        assert json.loads(file.read_text(encoding="utf-8")) == model.model_json_schema(), (
            "run: make schema"
        )


@pytest.mark.parametrize("what", ["catalogue", "model"])
def test_a_file_that_is_not_utf_8_is_refused_with_its_place(tmp_path, what):
    file = tmp_path / "latin.yaml"
    file.write_bytes("name: x\n# Édouard\n".encode("latin-1"))
    (line,) = mistakes(copy.deepcopy(GOOD) | {what: str(file)})[1:]
    assert line.endswith(f"{file} is not UTF-8 (byte 0xc9 in line 2): save it as UTF-8")


HALF = {"half": {"kind": "conceptprune", "ratio": 0.01}}


@pytest.mark.parametrize(
    "change, block, told",
    [
        (
            {"erasers": HALF},
            {"erasers": ["hlaf"]},
            "sweep[0].erasers: no eraser 'hlaf'; did you",
        ),
        ({}, {"attacks": ["mine"]}, "sweep[0].attacks: no attack 'mine'; known: none yet"),
        (
            {"attacks": {"mine": {"kind": "revived", "K": [0.6]}}},
            {},
            "attacks.mine: it needs magnitudes, such as magnitudes: [max]",
        ),
        (
            {"erasers": {"conceptprun": {}}},
            {},
            "unknown key 'erasers.conceptprun'; did you mean 'conceptprune'? Under a name of",
        ),
        (
            {"erasers": {"half": {"kind": "cp"}}},
            {},
            "erasers.half.kind: no kind 'cp'; known: c",
        ),
        (
            {"erasers": {"half": {"kind": "conceptprune", "rato": 0.1}}},
            {},
            "unknown key 'erasers.half.rato'; did you mean 'ratio'?",
        ),
        ({"erasers": {"none": HALF["half"]}}, {}, "erasers.none: in paths 'none' means no eraser"),
        (
            {},
            {"variants": []},
            "sweep[0]: it asks for no variant: variants: [pruned, rev",
        ),
        (
            {},
            {"erasers": ["uce"], "variants": ["pruned", "blind"]},
            "sweep[0]: uce changes weights and erases none, so there is nothing to complete or to "
            "fill: only pruned, quant4, nf4, ",
        ),
        (
            {},
            {"erasers": ["model"], "variants": ["pruned"]},
            "erasers.model: 'church' is to be erased by a checkpoint, but none is named",
        ),
        (
            {"erasers": {"theirs": {"kind": "model", "models": {"church": "no/such"}}}},
            {"erasers": ["theirs"], "variants": ["pruned", "blind"]},
            "sweep[0]: theirs changes weights and erases none",
        ),
        (
            {"erasers": {"far": {"kind": "rece"}}},
            {"erasers": ["far"], "variants": ["pruned"], "defences": ["gaussian"], "sigmas": [1]},
            "sweep[0]: far changes weights and erases none",
        ),
        (
            {"erasers": {"uce": {"guide": "Church"}}},
            {"erasers": ["uce"], "variants": ["pruned"], "concepts": ["church"]},
            "erasers.uce.guide: 'church' is sent to itself: another word, or none",
        ),
        (
            {"erasers": {"uce": {"guide": "a schoolgirl"}}},
            {},
            "erasers.uce.guide: 'a schoolgirl' has a word for young people",
        ),
        (
            {"erasers": {"salun": {"share": 1}}},
            {},
            "erasers.salun.share: should be less than 1 (given: 1)",
        ),
        (
            {"erasers": {"scissorhands": {"weighed": "both"}}},
            {},
            "erasers.scissorhands.weighed",
        ),
        (
            {"erasers": {"vdu": {"rate": 0}}},
            {},
            "erasers.vdu.rate: should be greater than 0 (given: 0)",
        ),
        (
            {"erasers": {"vdu": {"dtype": "half"}}},
            {},
            "erasers.vdu.dtype: should be 'float32', 'bfloat16' or 'float16' (given: 'half')",
        ),
        (
            {"erasers": {"resalign": {"hypergradient": True, "dtype": "bfloat16"}}},
            {},
            "erasers.resalign: hypergradient: what is derived twice is computed in float32",
        ),
        (
            {"erasers": {"saddle": {"forget": -0.1}}},
            {},
            "erasers.saddle.forget: should be greater than or equal to 0 (given: -0.1)",
        ),
        (
            {"erasers": {"scissorhands-tuned": {"share": 1.2}}},
            {},
            "erasers.scissorhands-tuned.share: should be less than or equal to 1 (given: 1.2)",
        ),
        (
            {"erasers": {"slow": {"kind": "sculpting-memory", "warmup": 9, "steps": 9}}},
            {},
            "erasers.slow: warmup: nothing is trained: less than 9 steps of it",
        ),
        (
            {"attacks": {"long": {"kind": "relearn", "at": [50, 50]}}},
            {},
            "attacks.long.at: each step later than the one before it is wanted",
        ),
        (
            {"attacks": {"far": {"kind": "relearn", "data": ["theirs"]}}},
            {},
            "attacks.far.data[0]: should be 'own', 'auxiliary', 'concept' or 'slerp' (given:",
        ),
        (
            {"attacks": {"all": {"kind": "relearn", "data": ["own", "concept"]}}},
            {"attacks": ["all"], "concepts": ["snow"]},
            "relearn: pictures of 'snow' are unsafe, and what is trained on is written",
        ),
        (
            {},
            {"variants": ["inversion"], "concepts": ["snow"]},
            "inversion: pictures of 'snow' are unsafe",
        ),
        (
            {"attacks": {"p": {"kind": "prefix", "at": [50, 50]}}},
            {"attacks": ["p"]},
            "attacks.p.at: each step later than the one before it is wanted",
        ),
        ({"best_of": [1]}, {}, "best_of[0]: should be greater than or equal to 2"),
        (
            {},
            {"variants": ["pruned"], "concepts": ["snow"], "defences": ["implicit"]},
            "implicit: pictures of 'snow' are unsafe, and what is trained on is written",
        ),
        (
            {"attacks": {"slow": {"kind": "evasion", "through": ["sld-max"]}}},
            {},
            "attacks.slow.through[0]: should be 'negative' or 'implicit' (given: 'sld-max')",
        ),
        (
            {"attacks": {"back": {"kind": "autoguided", "weights": [-1]}}},
            {},
            "attacks.back.weights[0]: should be greater than or equal to 0 (given: -1)",
        ),
        (
            {"attacks": {"led": {"kind": "guided", "by": ["objects"]}}},
            {"attacks": ["led"], "concepts": ["church"]},
            "guided: by: 'objects' judges 'church', and nobody is guided by what judges them: "
            "another, such as styles, clip",
        ),
        (
            {"attacks": {"led": {"kind": "guided", "by": ["styles"]}}},
            {"attacks": ["led"], "concepts": ["church"]},
            "guided: by: 'styles' does not know 'church'",
        ),
        (
            {"attacks": {"led": {"kind": "guided", "by": ["fid-demo"]}}},
            {"attacks": ["led"], "concepts": ["church"]},
            "guided: by: 'fid-demo' judges 'church', and nobody",  # the same weights
        ),
        (
            {"attacks": {"led": {"kind": "guided", "by": ["clipp"]}}},
            {"attacks": ["led"], "concepts": ["church"]},
            "guided: by: no judge 'clipp'; did you mean 'clip'?",
        ),
        (
            {"sampler": {"guidance": 1}},
            {"variants": ["pruned"], "defences": ["none", "sld-max"]},
            "config: sld-max: the sampler is guided from above 1 on, and what it acts on is guid",
        ),
        (
            {"sampler": {"guidance": 0.5}},
            {"variants": ["guided"], "concepts": ["church"]},
            "config: guided: the sampler is guided from above 1 on",
        ),
        (
            {"attacks": {"half": {"kind": "completed", "strengths": [0.04]}}},
            {"attacks": ["half"], "concepts": ["church"]},
            "completed: strengths: the sampler makes 5 steps, and 0.04 of them is none: 0.2 or",
        ),
        (
            {},
            {"variants": ["completed"], "concepts": ["snow"]},
            "completed: pictures of 'snow' are unsafe",
        ),
        (
            {"implicit": {"step": 0}},
            {},
            "implicit.step: should be greater than or equal to 1 (given: 0)",
        ),
        (
            {"attacks": {"b": {"kind": "blind"}}},
            {"attacks": ["b"], "variants": ["relearn"], "erasers": ["esd-x"]},
            "without a defence (given: b)",
        ),
        ({"control": "retrained"}, {}, "control: no eraser 'retrained'; known: conceptprune,"),
        (
            {"control": {"esd-x": "retrained"}},
            {},
            "control: no eraser 'retrained'; known: conceptprune,",
        ),
        (
            {"control": {"esd-x": "esd-u", "esd-u": "uce"}},
            {},
            "control.esd-x: esd-u has a control itself, and is none",
        ),
        (
            {"erasers": {"dimum": {"push": 1}}},
            {},
            "unknown key 'erasers.dimum.push'",
        ),
    ],
)
def test_mistakes_in_instances_are_told_where_they_stand(change, block, told):
    raw = copy.deepcopy(GOOD) | change
    raw["sweep"][0] |= block
    assert told in "\n".join(mistakes(raw))


def test_a_concept_that_is_its_own_alternative_is_refused(monkeypatch):
    raw = copy.deepcopy(GOOD)
    raw["sweep"][0] |= {"erasers": ["dimum"], "variants": ["pruned"], "concepts": ["church"]}
    for base in ("a racket", "a churchyard"):
        monkeypatch.setattr(asked, "calibration_pairs", lambda *told, base=base: [(base, "church")])
        load_study(raw, ROOT, files=False)
    told = [("a racket", "a church"), ("the church", "a church in a park")]
    monkeypatch.setattr(asked, "calibration_pairs", lambda *_: told)
    _, line = mistakes(raw)
    assert line.startswith("  - config: erasers.dimum: 'church' is its own alternative: the base")


def test_what_has_no_holes_can_be_trained_and_an_unsafe_concept_on_other_things():
    raw = copy.deepcopy(GOOD)
    names = ["pruned", "relearn", "inversion"]
    raw["sweep"] = [
        {"concepts": ["church"], "erasers": ["esd-x"], "variants": names},
        {"concepts": ["snow"], "variants": ["relearn"]},
    ]
    study, _, _ = load_study(raw, ROOT, files=False)
    drawn = {(cell["concept"], cell["variant"]) for cell, _ in variants.of_sweep(study.sweep, 0)}
    assert drawn == {("snow", "relearn"), *(("church", name) for name in names)}


def test_an_eraser_of_ones_own_is_asked_for_by_its_name():
    raw = copy.deepcopy(GOOD) | {"erasers": HALF, "sampler": {"steps": 10}}
    raw["sweep"][0] |= {"erasers": ["half"]}
    study, _, _ = load_study(raw, ROOT, files=False)
    assert study.erasers.of("half", "style") == {"ratio": 0.01, "steps": 10}
    assert study.erasers.names("conceptprune") == ["conceptprune", "half"]
