"""The study's check: every mistake at once, each with what would be right."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from regrowth.config import Catalogue, ConfigError, Study, load_study

ROOT = Path(__file__).resolve().parents[2]
GOOD = yaml.safe_load((ROOT / "config.yaml").read_text())


def mistakes(raw, root=ROOT):
    with pytest.raises(ConfigError) as caught:
        load_study(raw, root)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("file", ["config.yaml", *map(str, sorted(ROOT.glob("config/*.yaml")))])
def test_every_bundled_study_is_valid(file):
    study, _, _ = load_study(yaml.safe_load((ROOT / file).read_text()), ROOT)
    assert study.sweep


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
    assert "'max', 'mean' or 'sample' (given: 'median')" in text
    assert "study is missing" in text


@pytest.mark.parametrize(
    "place, value, wanted",
    [
        (("erasers", "conceptprune", "object", "ration"), 1, "did you mean 'ratio'?"),
        (("images", "batch"), True, "a number is wanted, not True"),
        (("images", "erased"), 0, "should be greater than or equal to 1 (given: 0)"),
        (("study",), "../elsewhere", "should match pattern"),
        (("model",), "nowhere.yaml", "model: no file nowhere.yaml"),
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


def test_a_block_says_what_it_lacks():
    raw = copy.deepcopy(GOOD)
    raw["sweep"] = [{"concepts": ["church"], "variants": ["revived"], "defences": ["gaussian"]}]
    (line,) = mistakes(raw)[1:]
    for part in ("needs K", "needs magnitudes", "needs sigmas"):
        assert part in line


def catalogue_with(tmp_path, change):
    catalogue = yaml.safe_load((ROOT / "resources/demo/catalogue.yaml").read_text())
    change(catalogue)
    file = tmp_path / "catalogue.yaml"
    file.write_text(yaml.safe_dump(catalogue))
    return mistakes(copy.deepcopy(GOOD) | {"catalogue": str(file)})


def test_a_concept_without_prompts(tmp_path):
    told = catalogue_with(tmp_path, lambda c: c["families"]["objects"].pop("prompts"))
    assert told[1].endswith("families.objects: no prompts: give prompts, or a file")


def test_a_judge_that_does_not_know_the_class(tmp_path):
    told = catalogue_with(tmp_path, lambda c: c["families"]["objects"]["classes"].append("dodo"))
    assert "judge 'objects' does not know 'dodo'; it knows: church, golf ball" in told[1]


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
    file.write_text("text,seed\nan image,1\n")

    def change(c):
        c["families"]["weather"]["file"] = str(file)

    told = catalogue_with(tmp_path, change)[1]
    assert "columns prompt, class, seed are wanted; it has ['text', 'seed']" in told


def test_a_judge_that_is_not_there(tmp_path):
    def change(c):
        c["judges"]["clip"]["model"] = "nowhere"
        c["families"]["styles"]["judges"] = ["styels"]

    text = "\n".join(catalogue_with(tmp_path, change))
    assert "judges.clip: no model directory nowhere" in text
    assert "families.styles: no judge 'styels'; known: clip, fid-demo, nudenet" in text


def test_the_json_schema_is_the_models():
    for model, name in ((Study, "study"), (Catalogue, "catalogue")):
        file = ROOT / f"config/{name}.schema.json"
        assert json.loads(file.read_text()) == model.model_json_schema(), "run: make schema"
