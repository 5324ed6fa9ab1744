"""Files from strangers are data: nothing in them is ever run, and no name leaves its folder."""

import ast
import json
import pickle
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from regrowth.draw import pipeline
from regrowth.files import keys
from regrowth.judge import judges, networks
from regrowth.judge.settings import Judge
from regrowth.study.load import ConfigError, load_study
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "resources" / "demo" / "model"
SOURCES = sorted((ROOT / "workflow_scripts").rglob("*.py"))


def calls(file: Path) -> list[tuple[str, dict]]:
    """Every call of a module: the name called, and its keywords that are constants."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            constants = (k for k in node.keywords if isinstance(k.value, ast.Constant))
            named = {k.arg: k.value.value for k in constants}
            found.append((ast.unparse(node.func), named))
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: f.name)
def test_no_module_unpickles_or_runs_what_it_reads(file):
    for name, given in calls(file):
        last = name.split(".")[-1]
        assert name not in ("pickle.load", "pickle.loads", "pd.read_pickle", "eval", "exec"), name
        assert name != "torch.load" or given.get("weights_only") is True
        assert name != "np.load" or given.get("allow_pickle") is False
        assert last != "from_pretrained" or not given.get("trust_remote_code")
        assert name != "yaml.load"


def without_encoding(tree: ast.AST) -> list[str]:
    """The calls that open a file as text in whatever encoding the locale has."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or "encoding" in [k.arg for k in node.keywords]:
            continue
        name, method = ast.unparse(node.func), isinstance(node.func, ast.Attribute)
        place = 0 if method and name != "os.fdopen" else 1  # of the mode
        mode = [k.value for k in node.keywords if k.arg == "mode"] or node.args[place : place + 1]
        binary = bool(mode) and "b" in str(getattr(mode[0], "value", ""))
        text = name == "open" or name.endswith((".open", ".fdopen", ".FileHandler"))
        other = name in ("os.open", "Image.open", "archive.open", "store.write_text")
        whole = method and name.endswith((".read_text", ".write_text"))
        if not other and (whole or (text and not binary)):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("folder", ["workflow_scripts", "benchmarks", "tests"])
def test_every_text_file_is_opened_as_utf_8(folder):
    for file in (ROOT / folder).rglob("*.py"):
        assert without_encoding(ast.parse(file.read_text(encoding="utf-8"))) == [], file


def test_every_text_file_of_the_rules_is_opened_as_utf_8():
    for file in (ROOT / "Snakefile", *ROOT.glob("rules/*.smk")):
        found = re.findall(r"\b(?:open|read_text|write_text)\(.*", file.read_text(encoding="utf-8"))
        assert all('encoding="utf-8"' in call for call in found), file


def test_an_open_without_an_encoding_is_found():
    for call in ("open(f)", "f.open('w')", "f.read_text()", "open(f, mode='a')", "os.fdopen(3)"):
        assert without_encoding(ast.parse(call)), call
    for call in ("open(f, 'rb')", "f.open('wb')", "Image.open(f)", "store.write_text(f, t)"):
        assert not without_encoding(ast.parse(call)), call


class Evil:
    def __init__(self, made):
        self.made = str(made)

    def __reduce__(self):
        return open, (self.made, "w")


@pytest.fixture
def model(tmp_path):
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def test_a_pickled_checkpoint_in_a_model_is_refused_and_not_run(model, tmp_path):
    made, unet = tmp_path / "made", model / "unet"
    (file,) = unet.glob("*.safetensors")
    state = load_file(file)
    file.unlink()
    torch.save(state | {"evil": Evil(made)}, unet / "diffusion_pytorch_model.bin")
    with pytest.raises((OSError, ValueError)):
        pipeline.load_pipeline(model, "float32", "cpu")
    assert not made.exists()


@pytest.mark.parametrize(
    "change",
    [{"_class_name": ["pipeline", "Evil"]}, {"unet": ["evil", "Evil"]}],
    ids=["pipeline", "component"],
)
def test_code_in_a_model_directory_is_not_run(model, tmp_path, change):
    """A pipeline, and a component, of a class that the directory itself defines."""
    made = tmp_path / "made"
    code = f"open({str(made)!r}, 'w')\nclass Evil: pass\n"
    (model / "pipeline.py").write_text(code, encoding="utf-8")
    (model / "unet" / "evil.py").write_text(code, encoding="utf-8")
    index = json.loads((model / "model_index.json").read_text(encoding="utf-8"))
    (model / "model_index.json").write_text(json.dumps(index | change), encoding="utf-8")
    with pytest.raises(ValueError, match="custom code"):
        pipeline.load_pipeline(model, "float32", "cpu")
    assert not made.exists()


def test_a_model_and_a_judge_load_without_a_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    networks._loaded.cache_clear()
    pipeline.load_pipeline(MODEL, "float32", "cpu")
    judge = Judge(kind="classifier", model="resources/demo/judges/objects")
    rows = [{"prompt": "x", "class": "church"}]
    assert judges.score(judge, ROOT, [Image.new("RGB", (64, 64))], rows, "cpu")


def test_code_and_pickles_in_a_judge_are_not_run(tmp_path):
    made = tmp_path / "made"
    folder = shutil.copytree(ROOT / "resources/demo/judges/objects", tmp_path / "judge")
    (folder / "evil.py").write_text(
        f"open({str(made)!r}, 'w')\nclass Evil: pass\n", encoding="utf-8"
    )
    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    remote = {"AutoConfig": "evil.Evil", "AutoModelForImageClassification": "evil.Evil"}
    (folder / "config.json").write_text(json.dumps(about | {"auto_map": remote}), encoding="utf-8")
    rows = [{"prompt": "x", "class": "church"}]
    picture = [Image.new("RGB", (64, 64))]
    judge = Judge(kind="classifier", model=str(folder))
    told = judges.score(judge, tmp_path, picture, rows, "cpu")
    assert len(told) == 1 and not made.exists()  # it is read as what it is, a plain ResNet
    (file,) = folder.glob("*.safetensors")
    file.unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(made)))
    networks._loaded.cache_clear()
    with pytest.raises((OSError, ValueError)):
        judges.score(judge, tmp_path, picture, rows, "cpu")
    assert not made.exists()


STUDY = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
CATALOGUE = yaml.safe_load((ROOT / "resources/demo/catalogue.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["../../out", "/tmp/out", "a/b", "..", "a b", "{x}", ""])
@pytest.mark.parametrize("what", ["study", "baseline", "judge", "prompt set"])
def test_no_name_leaves_the_results_folder(tmp_path, what, name):
    study, catalogue = json.loads(json.dumps(STUDY)), json.loads(json.dumps(CATALOGUE))
    if what == "study":
        study["study"] = name
    elif what == "baseline":
        study["baselines"] = {name: {"model": "resources/demo/card.yaml", "concepts": ["church"]}}
    elif what == "judge":
        catalogue["judges"][name] = catalogue["judges"]["snow"]
    else:
        entry = {"role": "erased", "prompts": ["x"], "judges": ["clip"]}
        catalogue["prompt_sets"] = {name: entry}
        catalogue["families"]["objects"]["also"] = [name]
    file = tmp_path / "catalogue.yaml"
    file.write_text(yaml.safe_dump(catalogue), encoding="utf-8")
    study["catalogue"] = str(file)
    with pytest.raises(ConfigError, match="should match pattern"):
        load_study(study, ROOT)


def test_a_concept_is_a_path_name_whatever_it_is_called():
    """Classes may be called anything; paths have their slugs."""
    for name in ("../../out", "/etc/passwd", "Salvador Dalí", "a/b=c"):
        assert not set(keys.slug(name)) & set("/.={}")
