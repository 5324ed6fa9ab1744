"""Keys, prompt sets, files, digests and models on disk."""

import filecmp
import hashlib
import json
import re
import shutil
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from regrowth.files import digests as digests_of
from regrowth.files import hub, images, keys, provenance, store
from regrowth.models import disk
from regrowth.models.card import ModelCard
from regrowth.run import job
from regrowth.study import prompts, variants
from regrowth.study.catalogue import PromptSet
from regrowth.study.depends import NAMES_ALONE
from regrowth.study.load import load_study

ROOT = Path(__file__).resolve().parents[2]
STUDY, CATALOGUE, CARD = load_study(
    yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")), ROOT
)


@given(st.one_of(st.floats(1e-7, 1), st.floats(1e-6, 1e6)))
@example(5e-7)
@example(0.9999999)
@example(1.0000004)
@example(0.1 + 0.2)
@example(1e22)
def test_a_number_has_one_spelling_and_no_other_number_has_it(value):
    text = keys.number(value)
    assert float(text) == value and re.fullmatch(r"\d+\.\d+", text)
    assert not re.search(r"\d0$", text.split(".")[1]), "no digits that say nothing"


def test_numbers_are_spelt_as_people_write_them():
    told = [keys.number(x) for x in (1, 0.6, 0.30, 2.0, 10, "0.60")]
    assert told == ["1.0", "0.6", "0.3", "2.0", "10.0", "0.6"]


@given(st.text())
def test_a_slug_cannot_leave_its_folder(name):
    assert set(keys.slug(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_concept_is_judged_on_the_issues_counts():
    (bundle,) = prompts.bundles_of(STUDY, CATALOGUE, "church", (), ROOT)
    rows = prompts.bundle_rows(STUDY, CATALOGUE, bundle, ROOT)
    classes = [r["class"] for r in rows]
    assert classes.count("church") == 64 and len(rows) - 64 == 11 * 6 == 66
    assert len({(r["prompt"], r["seed"]) for r in rows}) == len(rows)
    assert rows[0] == {
        "prompt": "an image of a church",
        "class": "church",
        "seed": 0,
        "prompt_set": "objects",
    }


def test_a_block_may_ask_for_some_prompt_sets_only():
    of = lambda *asked: prompts.bundles_of(STUDY, CATALOGUE, "church", asked, ROOT)  # noqa: E731
    assert of("preserved") == ["objects"]
    (alone,) = of("erased")
    rows = prompts.bundle_rows(STUDY, CATALOGUE, alone, ROOT)
    assert {r["class"] for r in rows} == {"church"} and [r["seed"] for r in rows] == [*range(64)]
    both = prompts.bundle_rows(STUDY, CATALOGUE, of()[0], ROOT)
    assert {tuple(r.values()) for r in rows} < {tuple(r.values()) for r in both}


def test_the_pretrained_model_draws_every_picture_once():
    bundles = ["objects+church", "objects.candle+candle", "objects+candle"]
    sets = prompts.pretrained_sets(bundles)
    assert sets == ["objects", "church", "candle"]
    drawn = [r for s in sets for r in prompts.set_rows(STUDY, CATALOGUE, s, ROOT)]
    wanted = [r for b in bundles for r in prompts.bundle_rows(STUDY, CATALOGUE, b, ROOT)]
    key = lambda r: (r["prompt"], r["seed"])  # noqa: E731
    assert len({key(r) for r in drawn}) == len(drawn)
    assert {key(r) for r in drawn} == {key(r) for r in wanted}
    assert prompts.pretrained_sets(["objects.candle+candle"]) == ["objects.candle", "candle"]


def test_a_prompt_set_keeps_its_rows_when_more_are_asked_for():
    more = STUDY.model_copy(update={"images": STUDY.images.model_copy(update={"erased": 70})})
    before = prompts.set_rows(STUDY, CATALOGUE, "monet", ROOT)
    assert prompts.set_rows(more, CATALOGUE, "monet", ROOT)[: len(before)] == before


def test_a_prompt_appended_to_a_table_changes_its_last_shard_only(tmp_path):
    shard = 4

    def digests(n):
        table = tmp_path / f"{n}.csv"
        table.write_text("prompt\n" + "".join(f"prompt {i}\n" for i in range(n)), encoding="utf-8")
        entry = PromptSet(role="erased", file=table.name, judges=["clip"])
        rows = prompts.prompt_set_rows(entry, tmp_path)
        return [digests_of.digest(rows[i : i + shard]) for i in range(0, len(rows), shard)]

    before, after = digests(10), digests(11)
    assert before[:2] == after[:2] and before[2] != after[2]
    assert digests(13)[:3] == digests(12)


def test_a_prompt_set_of_forms_turns_through_them():
    words = PromptSet(role="erased", prompts=["a", "b"], images=3, judges=["clip"])
    rows = prompts.prompt_set_rows(words, ROOT)
    assert [(r["prompt"], r["seed"]) for r in rows] == [("a", 0), ("b", 1), ("a", 2)]
    assert len(prompts.prompt_set_rows(words.model_copy(update={"images": None}), ROOT)) == 2


def test_unsafe_sets_make_a_bundle_unsafe():
    assert prompts.is_unsafe(CATALOGUE, "objects+snow")
    assert not prompts.is_unsafe(CATALOGUE, "objects+church")


def test_calibration_pairs_differ_in_the_concept_alone():
    objects = prompts.calibration_pairs(CATALOGUE.families["objects"], "church")
    scenes = CATALOGUE.families["objects"].fill["scene"]
    assert {target for _, target in objects} == {f"a church in a {scene}" for scene in scenes}
    things = {base.split(" in ")[0] for base, _ in objects}
    assert len(things) == 15 and "a church" not in things
    assert all(b.split(" in ")[1] == t.split(" in ")[1] for b, t in objects)
    styles = prompts.calibration_pairs(CATALOGUE.families["styles"], "Monet")
    assert styles[13] == ("a photo of an apple", "an apple in the style of Monet")


@pytest.mark.parametrize("kind", ["parquet", "safetensors"])
def test_no_flipped_bit_is_ever_read_as_a_result(tmp_path, kind):
    """One bit of every fifth byte: the file is refused and set aside, or says what was written."""
    file = tmp_path / f"x.{kind}"
    cell = {"bytes": bytes(range(50)), "path": None}
    frame = pd.DataFrame({"label": ["a", "b"] * 4, "score": np.arange(8.0), "image": [cell] * 8})
    arrays = {"layer": np.arange(40, dtype="f2").reshape(8, 5), "bits": np.arange(9, dtype="u1")}
    if kind == "parquet":
        store.write_frame(file, frame, study="demo")
    else:
        store.write_arrays(file, arrays, density=0.3)
    good, refused, aside = file.read_bytes(), 0, tmp_path / f".x.{kind}.damaged"

    def put(at, byte):  # into the file that is there: to make thousands anew takes longest
        with open(file, "r+b") as held:
            held.seek(at)
            held.write(bytes([byte]))

    for at, byte in [*enumerate(good)][::5]:
        put(at, byte ^ 1 << at % 8)
        try:
            if kind == "parquet":
                assert store.read_frame(file).equals(frame)
            else:
                back = store.read_arrays(file)
                assert all((back[name] == a).all() for name, a in arrays.items())
        except store.Damaged as error:
            refused += 1
            assert str(file) in str(error) and not file.exists()
            aside.rename(file)
        put(at, byte)
    assert refused > len(good) / 15
    file.write_bytes(good[: len(good) // 2])
    with pytest.raises(store.Damaged):
        (store.read_frame if kind == "parquet" else store.read_arrays)(file)
    assert [*tmp_path.iterdir()] == [aside]


def test_what_is_not_there_is_not_damaged(tmp_path):
    for read in (store.read_frame, store.read_arrays):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "x")


def test_a_model_that_changes_during_a_run_stops_its_jobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(ROOT / "resources/demo/model", tmp_path / "model")
    planned = digests_of.folder_digest(folder, disk.loaded(folder), digests_of.DIGESTS)
    study = job.Job(STUDY, CATALOGUE, CARD.model_copy(update={"path": str(folder)}), planned)
    assert study.model == folder
    (folder / "unet/notes.bin").write_text("not loaded", encoding="utf-8")
    assert study.located(study.card) == folder
    with open(folder / "model_index.json", "a", encoding="utf-8") as index:
        index.write(" ")
    with pytest.raises(RuntimeError, match="has changed since this run was planned"):
        study.located(study.card)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.txt"
    store.write_text(file, "old")
    with pytest.raises(RuntimeError), store.replacing(file) as part:
        part.write_text("half", encoding="utf-8")
        raise RuntimeError
    assert file.read_text(encoding="utf-8") == "old" and [f.name for f in tmp_path.iterdir()] == [
        "a.txt"
    ]


def test_arrays_and_frames_come_back(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.zeros(0, np.uint8)}
    store.write_arrays(tmp_path / "x.safetensors", arrays, note=[1, "two"])
    back = store.read_arrays(tmp_path / "x.safetensors")
    for name, values in arrays.items():
        np.testing.assert_array_equal(back[name], values)
    for copy in "yz":  # the same, byte by byte, however often it is written
        store.write_arrays(tmp_path / f"{copy}.safetensors", arrays, note=[1, "two"])
        assert filecmp.cmp(tmp_path / f"{copy}.safetensors", tmp_path / "x.safetensors", False)
    assert store.read_about(tmp_path / "x.safetensors") == {"note": [1, "two"]}
    folder = tmp_path / "scores" / "concept=church" / "K=1.0"
    store.write_frame(folder / "s.parquet", pd.DataFrame({"score": [0.5]}), study="demo")
    about = json.loads(pq.read_schema(folder / "s.parquet").metadata[b"regrowth"])
    assert about["study"] == "demo" and about["versions"]["torch"]
    frame = store.read_hive([folder / "s.parquet"], tmp_path / "scores")
    assert frame.to_dict("records") == [{"score": 0.5, "concept": "church", "K": "1.0"}]
    assert (folder / "s.parquet").stat().st_mode & 0o777 == 0o666 & ~store.UMASK


def forget():
    """What was read of any file."""
    for held in vars(provenance).values():
        if hasattr(held, "cache_clear"):
            held.cache_clear()


def digest_of(script, methods=()):
    forget()
    return provenance.code_digest(script, methods)


LIBRARY = {
    "run/job.py": """
        class Job:
            def device(self): return self.best()
            def best(self): return "cpu"
            def other(self): return 1
        def start(snakemake): return Job()
    """,
    "maths.py": '''
        """Words."""
        import os
        from regrowth import shapes
        os.umask(0)
        LIMIT = 3
        def f(x, unused=LIMIT): return g(x) + shapes.area(x)
        def g(x): return [shapes for shapes in x]
        def h(x): return x
        FUNCTIONS = {"f": f, "h": h}
    ''',
    "shapes.py": """
        def area(x): return 1
        def edge(x): return 2
    """,
}
SCRIPT = """
    from regrowth.run import job
    from regrowth.maths import f
    study = job.start(snakemake)
    print(f(1), study.device)
"""
SAME = [
    ("maths.py", '"""Words."""', '"""Other words."""  # and a comment'),
    ("maths.py", "def h(x): return x", "def h(x): return -x"),
    ("maths.py", "FUNCTIONS =", "def new(): pass\nFUNCTIONS ="),
    ("shapes.py", "return 2", "return 3"),
    ("run/job.py", "return 1", "return 2"),
    ("run/job.py", "return Job()", "return Job() or None"),
]
OTHER = [
    ("maths.py", "LIMIT = 3", "LIMIT = 4"),
    ("maths.py", "return g(x) +", "return g(x) -"),
    ("maths.py", "in x]", "in x if x]"),
    ("maths.py", "os.umask(0)", "os.umask(1)"),
    ("maths.py", "import os", "import posix as os"),
    ("shapes.py", "return 1", "return 0"),
    ("run/job.py", '"cpu"', '"cuda"'),
]


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library and a script that reaches a part of it."""
    folder = tmp_path / "regrowth"
    (folder / "run").mkdir(parents=True)
    monkeypatch.setattr(provenance, "LIBRARY", folder)
    for name, text in (LIBRARY | {"../script.py": SCRIPT}).items():
        (folder / name).write_text(dedent(text), encoding="utf-8")
    yield folder
    forget()


@pytest.mark.parametrize("file, before, after", SAME + OTHER, ids=lambda text: text)
def test_a_digest_sees_what_a_script_reaches_and_nothing_else(library, file, before, after):
    first = digest_of(library.parent / "script.py")
    text = (library / file).read_text(encoding="utf-8")
    assert text.count(before) == 1
    (library / file).write_text(text.replace(before, after), encoding="utf-8")
    same = digest_of(library.parent / "script.py") == first
    assert same == ((file, before, after) in SAME)


@pytest.mark.parametrize("room, seen", [("erase", True), ("study", False)])
def test_only_the_studys_own_config_is_plumbing(library, room, seen):
    (library / room).mkdir()
    script, config = library.parent / "script.py", library / room / "config.py"
    script.write_text(f"from regrowth.{room} import config\nconfig.f()", encoding="utf-8")
    told = []
    for value in (1, 2):
        config.write_text(f"def f(): return {value}", encoding="utf-8")
        told.append(digest_of(script))
    assert (told[0] != told[1]) == seen


def test_a_definition_that_moves_and_a_method_of_another_name_change_no_digest(library):
    script = library.parent / "script.py"
    first = digest_of(script)
    maths = (library / "maths.py").read_text(encoding="utf-8")
    moved = next(line for line in maths.splitlines() if line.startswith("def g"))
    (library / "deep").mkdir()
    (library / "deep" / "lists.py").write_text(moved, encoding="utf-8")
    maths = maths.replace(moved, "from regrowth.deep.lists import g")
    (library / "maths.py").write_text(maths, encoding="utf-8")
    assert digest_of(script) == first
    script.write_text("from regrowth import maths\nmaths.FUNCTIONS[name](1)", encoding="utf-8")
    asked = [(), (("maths.FUNCTIONS", "f"),), (("maths.FUNCTIONS", "h"),)]
    before = [digest_of(script, methods) for methods in asked]
    assert len(set(before)) == 3
    (library / "maths.py").write_text(maths.replace("return x", "return -x"), encoding="utf-8")
    changed = [old != digest_of(script, methods) for old, methods in zip(before, asked)]
    assert changed == [True, False, True]


COMPLETE = {"complete", "defend_by_completion"}
TAUGHT = {"edit", "sequence"}
EDITS = {
    ("judge/labels.py", "labels_of(judge, root) |", "{} |"): {"score"},
    ("run/compute.py", 'else "cpu"', 'else "mps"'): COMPLETE
    | TAUGHT
    | {"calibrate", "generate", "score", "gradients"},
    (
        "study/prompts.py",
        "def source_of(",
        "def source_of(*more, ",
    ): set(),  # a param says it
    ("complete/problem.py", "\nBLOCK = ", "\nBLOCK = 1 + "): COMPLETE,
    ("attack/quantise.py", "\nLEVELS = ", "\nLEVELS = 1 + "): {"generate"},
    ("attack/magnitudes.py", "row.mean())", "row.mean() + 0)"): set(),
    ("attack/magnitudes.py", "row.max())", "row.max() + 0)"): {"oracle", "revive"},
    ("complete/softimpute.py", "\nROUGH = ", "\nROUGH = 1 + "): set(),
    ("learn/loop.py", "optimiser.step()", "optimiser.step() or None"): TAUGHT,
    ("learn/recipes.py", "rate=6e-5,\n        retain=0,", "rate=7e-5,\n        retain=0,"): TAUGHT,
    ("learn/recipes.py", "retain=0.25", "retain=0.5"): set(),  # another recipe's
    ("erase/closed_form.py", "\nREADERS = ", "\nREADERS = 1 and "): set(),
    ("learn/losses.py", "\nGUIDANCE = ", "\nGUIDANCE = 1 + "): TAUGHT | {"gradients"},
    ("erase/saliency.py", "& (found > 0)", "& (found >= 0)"): {"mask"},
    ("files/store.py", "def read_hive(", "def unrelated():\n    pass\n\n\ndef read_hive("): set(),
    ("measure/guards.py", "_RATE = (", "_RATE = () or ("): {"tables"},
    ("measure/integrity.py", "1 - alike / pairs", "2 - alike / pairs"): {"tables"},
    ("measure/headline.py", "def verdict(row: dict)", "def verdict(row: dict, *more)"): set(),
}


@pytest.fixture
def edited(monkeypatch):
    """Forget what was read of a file, and nothing else."""
    forget()
    held = {name: {} for name in ("_definition", "_module")}
    for name, known in held.items():
        real = getattr(provenance, name).__wrapped__

        def keeping(*asked, real=real, known=known):
            if asked not in known:
                known[asked] = real(*asked)
            return known[asked]

        monkeypatch.setattr(provenance, name, keeping)

    def edited(file):
        provenance.code_digest.cache_clear()
        for known in held.values():
            for asked in [asked for asked in known if asked[0] == file]:
                del known[asked]

    yield edited
    forget()


def test_edits_of_the_library_are_seen_by_the_scripts_that_reach_them(
    tmp_path, monkeypatch, edited
):
    scripts = shutil.copytree(ROOT / "workflow_scripts", tmp_path / "workflow_scripts")
    monkeypatch.setattr(provenance, "LIBRARY", scripts / "regrowth")
    names = ("calibrate", "mask", "complete", "revive", "generate", "score")
    names += ("oracle", "defend_by_completion", "edit", "sequence", "gradients", "tables")

    def digests():
        taught = (("erase.ERASERS", "esd-x"), ("learn.recipes.RECIPES", "esd-x"))
        own = {
            "generate": (("attack.ROUNDINGS", "quant4"), *NAMES_ALONE),
            "mask": (("erase.ERASERS", "salun"),),
            **dict.fromkeys(TAUGHT, taught),
            "oracle": (("attack.ORACLES", "max"), ("attack.MAGNITUDES", "max")),
            "revive": (("attack.MAGNITUDES", "max"),),
            "complete": (("complete.SOLVERS", "nuclear"),),
            "tables": NAMES_ALONE,
            "defend_by_completion": (("defend.FILLS", "flip"), ("complete.SOLVERS", "nuclear")),
        }
        return {n: provenance.code_digest(scripts / f"{n}.py", own.get(n, ())) for n in names}

    before = digests()
    for (file, old, new), seen in EDITS.items():
        file = scripts / "regrowth" / file
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1
        file.write_text(text.replace(old, new), encoding="utf-8")
        edited(file)
        after = digests()
        assert {name for name in names if after[name] != before[name]} == seen
        file.write_text(text, encoding="utf-8")
        edited(file)


def test_a_file_digest_follows_its_content(tmp_path):
    file, cache = tmp_path / "w.json", tmp_path / "cache.json"
    file.write_text("one", encoding="utf-8")
    first = digests_of.file_digest(file, cache)
    assert digests_of.file_digest(file, cache) == first
    file.write_text("other", encoding="utf-8")
    assert digests_of.file_digest(file, cache) != first


@pytest.mark.parametrize(
    "held",
    ["", '{"a": ["1:2", ', "[1]", "null", "\xff", "[" * 99999, '{"%s": 3}', '{"%s": ["%s", 5]}'],
)
def test_remembered_digests_that_are_damaged_are_taken_anew(tmp_path, held):
    file, cache = tmp_path / "w.json", tmp_path / "cache.json"
    file.write_bytes(b"one")
    right, stat = hashlib.sha256(b"one").hexdigest(), file.stat()
    for name in (str(file), f"{stat.st_size}:{stat.st_mtime_ns}"):
        held = held.replace("%s", name, 1)
    cache.write_bytes(held.encode("latin1"))
    assert digests_of.file_digest(file, cache) == right
    assert json.loads(cache.read_text(encoding="utf-8"))[str(file)][1] == right
    cache.unlink()
    cache.mkdir()
    assert digests_of.file_digest(file, cache) == right


def test_digests_of_several_files_are_read_and_written_once(tmp_path, monkeypatch):
    files = [tmp_path / f"{i}.json" for i in range(5)]
    for file in files:
        file.write_text(file.name, encoding="utf-8")
    right = [hashlib.sha256(file.name.encode()).hexdigest() for file in files]
    written, remember = [], digests_of.remember
    monkeypatch.setattr(digests_of, "remember", lambda *a: (written.append(a), remember(*a)))
    for asked, new in ((3, 3), (5, 2), (5, 0)):
        assert digests_of.file_digests(files[:asked], tmp_path / "cache") == right[:asked]
        assert [len(more) for _, more in written] == ([new] if new else [])
        written.clear()


def test_digests_that_are_written_at_once_are_all_remembered(tmp_path):
    files = [tmp_path / f"{i}.json" for i in range(40)]
    for file in files:
        file.write_text(file.name, encoding="utf-8")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: digests_of.file_digest(file, tmp_path / "cache"), files))
    assert set(json.loads((tmp_path / "cache").read_text(encoding="utf-8"))) == set(map(str, files))


def test_the_default_study_defends_with_one_sigma():
    blocks = [block for block in STUDY.sweep if block.defences != ["none"]]
    assert [(block.defences, block.sigmas) for block in blocks] == [(["gaussian"], [1.0])]


def test_the_demo_model_has_sd_15s_sixteen_layers():
    layers = disk.attacked_layers(disk.locate(CARD, ROOT), CARD.layers)
    assert len(layers) == 16
    blocks = [layer.name.split(".")[0] for layer in layers]
    assert blocks == ["down_blocks"] * 6 + ["mid_block"] + ["up_blocks"] * 9
    assert all(layer.shape[1] == 4 * layer.shape[0] for layer in layers)
    assert [len(p) for p in disk.parts(layers, 5).values()] == [5, 5, 5, 1]
    weights = disk.read_weights(layers[:2])
    assert {n: w.shape for n, w in weights.items()} == {w.name: w.shape for w in layers[:2]}


def test_a_model_that_is_not_there_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="hf download someone/some-model --revision main"):
        disk.locate(ModelCard(name="x", path="someone/some-model", revision="main"), tmp_path)
    with pytest.raises(FileNotFoundError, match="no ./here in .*, where relative paths start"):
        disk.locate(ModelCard(name="x", path="./here"), tmp_path)


def test_conda_and_pip_pins_agree():
    lock = {
        line.strip()
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    conda = yaml.safe_load((ROOT / "envs/regrowth.yaml").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    assert set(conda[-1]["pip"]) == lock
    (alone,) = (ROOT / "requirements-alone.txt").read_text(encoding="utf-8").splitlines()[1:]
    after = (ROOT / "envs/regrowth.post-deploy.sh").read_text(encoding="utf-8")
    assert after.splitlines()[-1] == f"pip install --no-deps {alone}"


def test_the_extra_s_torchvision_is_the_pinned_torch_s():
    """torchvision 0.(n + 15) asks for torch 2.n."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    fidelity, asked = project["optional-dependencies"]["inception"]
    assert fidelity in (ROOT / "requirements-alone.txt").read_text(encoding="utf-8").splitlines()
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    torch = int(re.search(r"^torch==2\.(\d+)\.", pins, re.M)[1])
    assert asked == f"torchvision==0.{torch + 15}.*"


def test_files_with_and_without_features_are_one_data_set(tmp_path):
    rows = {"label": [None], "score": [0.5], "features": [None]}
    store.write_frame(tmp_path / "judge=a" / "s.parquet", pd.DataFrame(rows))
    rows = {"label": ["x"], "score": [None], "features": [np.ones(2, np.float32)]}
    store.write_frame(tmp_path / "judge=b" / "s.parquet", pd.DataFrame(rows))
    table = pd.read_parquet(tmp_path)
    assert table["judge"].tolist() == ["a", "b"] and table["features"][1].tolist() == [1, 1]
    (one,) = store.read_hive([tmp_path / "judge=b" / "s.parquet"], tmp_path)["features"]
    assert one.dtype == np.float32


def test_pictures_with_their_keys_in_the_path_are_one_data_set(tmp_path):
    """By pandas and by pyarrow, as scores are; a file that is taken away tells its keys still."""
    cells = [variants.PRETRAINED | {"prompts": "a"}]
    cells += [dict.fromkeys(variants.KEYS, "none") | {"K": "0.6", "prompts": "a+b"}]
    rows = [{"prompt_set": "a", "class": "x", "prompt": "p", "seed": i} for i in range(3)]
    pictures = [images.encode(Image.new("RGB", (4, 4), (60 * i, 0, 0))) for i in range(3)]
    shard = images.frame(rows, pictures)
    for cell in cells:
        for n in range(2):
            file = tmp_path / "images" / keys.path(cell) / f"shard={n:03d}.parquet"
            store.write_frame(file, shard, keys=cell)
    whole = pd.read_parquet(tmp_path / "images")
    beside = ds.dataset(tmp_path / "images", partitioning="hive").to_table().to_pandas()
    for table in (whole, beside):
        assert list(table.columns) == [*shard.columns, *cells[0]]
        assert Counter(table["K"]) == {"none": 6, "0.6": 6}
        assert [images.decode(c).getpixel((0, 0))[0] for c in table["image"][:3]] == [0, 60, 120]
    told = json.loads(pq.read_schema(file).metadata[b"regrowth"])
    assert told["keys"] == cells[1] == store.keys_of(file.with_name("x"), tmp_path / "images")
    with pytest.raises(ValueError, match=r"K=0.6 is a column"):
        store.write_frame(file, shard.assign(K="0.6"))
    # a study may be called what a column is called
    table = tmp_path / "defence" / "tables" / "t.parquet"
    store.write_frame(table, pd.DataFrame({"defence": ["flip"], "tables": [1]}))
    assert store.read_frame(table)["defence"].tolist() == ["flip"]


def test_a_hub_id_is_found_in_the_cache_and_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    revision = "0123456789" * 4
    held = tmp_path / "models--owner--name" / "snapshots" / revision
    table = tmp_path / "datasets--owner--name" / "snapshots" / revision / "data" / "t.csv"
    for file in (held / "model_index.json", table):
        file.parent.mkdir(parents=True)
        file.write_text("{}", encoding="utf-8")
    for kind in ("models", "datasets"):
        refs = tmp_path / f"{kind}--owner--name" / "refs"
        refs.mkdir()
        (refs / "main").write_text(revision, encoding="utf-8")
    card = ModelCard(name="m", path="owner/name")
    for at in (None, revision):
        assert disk.locate(card.model_copy(update={"revision": at}), ROOT) == held
        assert hub.file("data/t.csv", "owner/name", at, ROOT) == table
    with pytest.raises(FileNotFoundError, match="hf download owner/name --revision another"):
        disk.locate(card.model_copy(update={"revision": "another"}), ROOT)
    with pytest.raises(FileNotFoundError, match="hf download owner/name u.csv --repo-type dataset"):
        hub.file("u.csv", "owner/name", None, ROOT)


def test_digests_of_code_are_remembered_until_a_file_is_touched(tmp_path, monkeypatch):
    script, cache = tmp_path / "script.py", tmp_path / "digests.json"
    script.write_text("a = 1\n", encoding="utf-8")
    asked = []
    real = provenance.code_digest
    monkeypatch.setattr(
        provenance, "code_digest", lambda *args: (asked.append(args), real.__wrapped__(*args))[1]
    )

    def told(methods=()):
        forget()
        return provenance.remembered_code_digest(script, methods, cache)

    first = told()
    assert told() == first == real.__wrapped__(script) and len(asked) == 1
    told((("a.TABLE", "b"),))
    assert len(asked) == 2, "another method is another digest"
    script.write_text("a = 2\n", encoding="utf-8")
    second = told()
    assert second != first and len(asked) == 3
    (tmp_path / "module.py").write_text("", encoding="utf-8")
    assert told() == second and len(asked) == 4
    cache.write_text("{", encoding="utf-8")
    assert told() == second and len(asked) == 5


def test_a_part_is_read_alone_and_a_flipped_bit_of_it_is_seen(tmp_path):
    file = tmp_path / "x.safetensors"
    parts = {10: {"a/b": np.arange(3.0), "c": np.ones(2)}, 100: {"a/b": np.zeros(3)}}
    store.write_parts(file, parts)
    for number, arrays in parts.items():
        back = store.read_part(file, str(number))
        assert back.keys() == arrays.keys()
        assert all((back[name] == arrays[name]).all() for name in arrays)
    assert set(store.read_arrays(file)) == {"10/a/b", "10/c", "100/a/b"}
    with pytest.raises(KeyError, match="has no part 1"):
        store.read_part(file, "1")
    assert file.exists(), "asking for what is not there damages nothing"
    held = bytearray(file.read_bytes())
    at = held.index(np.arange(3.0).tobytes())
    held[at + 9] ^= 1
    file.write_bytes(held)
    assert (store.read_part(file, "100")["a/b"] == 0).all()
    with pytest.raises(store.Damaged):
        store.read_part(file, "10")
