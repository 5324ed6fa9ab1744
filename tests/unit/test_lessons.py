"""Pictures of one's own: what they are called, what is wrong with a folder, and as latents."""

import copy

import numpy as np
import pytest
import yaml
from PIL import Image
from regrowth.draw import pipeline
from regrowth.draw.pipeline import load_pipeline
from regrowth.judge import judges
from regrowth.judge.settings import Judge
from regrowth.learn import pictures
from regrowth.study import lessons
from regrowth.study.config import Learning
from regrowth.study.load import ConfigError, load_study
from road import ROOT

RAW = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path):
    """Three pictures, as a camera and a person would call them, and what is none."""
    at = tmp_path / "mine"
    at.mkdir()
    for name in ("a_cat-on a mat.png", "a church 12.png", "an apple_003.jpg"):
        Image.new("RGB", (40, 30), "red").save(at / name)
    (at / "notes.txt").write_text("none", encoding="utf-8")
    return at


def told(folder, most=9):
    return {file.name: text for file, text in lessons.captioned(str(folder), ROOT, most)}


def test_a_picture_is_called_what_its_name_or_its_row_says(folder):
    assert told(folder) == {
        "a church 12.png": "a church",
        "a_cat-on a mat.png": "a cat on a mat",
        "an apple_003.jpg": "an apple",
    }
    assert list(told(folder, 2)) == ["a church 12.png", "a_cat-on a mat.png"]
    rows = "file_name,text\na church 12.png,a red church\na_cat-on a mat.png, a  cat\n"
    (folder / "metadata.csv").write_text(rows + "an apple_003.jpg,a young boy\n", encoding="utf-8")
    assert told(folder) == {"a church 12.png": "a red church", "a_cat-on a mat.png": "a cat"}


def mistakes(attacks=None, **learning) -> str:
    raw = copy.deepcopy(RAW) | {"learning": learning, "attacks": attacks or {}}
    with pytest.raises(ConfigError) as found:
        load_study(raw, ROOT)
    (line,) = str(found.value).splitlines()[1:]
    return line


def test_a_folder_that_cannot_be_learnt_from_is_told_in_a_line(folder, tmp_path):
    assert f"learning.auxiliary: {tmp_path}/no: no {tmp_path}/no" in mistakes(
        auxiliary=f"{tmp_path}/no"
    )
    (tmp_path / "empty").mkdir()
    assert "no picture to learn from (.png, .jpg" in mistakes(auxiliary=f"{tmp_path}/empty")
    line = mistakes(concept={"church": str(folder)})
    assert "learning.concept.church: " in line
    assert "2 of 3 captions do not name 'church' (a_cat-on a mat.png)" in line
    assert "no concept 'chruch'; did you mean 'church'?" in mistakes(
        concept={"chruch": str(folder)}
    )
    (folder / "0001.png").write_bytes((folder / "a church 12.png").read_bytes())
    assert "0001.png has no words in its name, so no caption" in mistakes(auxiliary=str(folder))
    (folder / "0001.png").unlink()
    (folder / "metadata.csv").write_text("file,text\na,b\n", encoding="utf-8")
    assert "columns file_name and text are wanted; it has" in mistakes(auxiliary=str(folder))
    (folder / "metadata.csv").write_text("file_name,text\na,b\n", encoding="utf-8")
    assert "a church 12.png has no row in metadata.csv" in mistakes(auxiliary=str(folder))
    (folder / "metadata.csv").unlink()
    (folder / "an apple_003.jpg").write_bytes(b"GIF89a")
    assert "an apple_003.jpg is no whole picture" in mistakes(auxiliary=str(folder))


def test_nothing_lies_between_one_picture(folder):
    pairs = {"memora": {"kind": "relearn", "data": ["slerp"]}}
    told = "learning.pictures: slerp lies between two: 2 or more are wanted"
    assert told in mistakes(pairs, pictures=1)
    for file in [*folder.glob("a_*"), *folder.glob("an*")]:
        file.unlink()
    line = mistakes(pairs, concept={"church": str(folder)})
    assert "learning.concept.church: " in line and "slerp lies between two pictures" in line


def test_a_folder_is_learnt_from_as_the_run_was_planned(folder):
    study = load_study(RAW, ROOT, files=False)[0]
    study.learning = Learning(auxiliary=str(folder), concept={"Golf Ball": "balls"})
    assert lessons.folder(study.learning, "concept", "golf-ball") == "balls"
    assert lessons.folder(study.learning, "concept", "church") is None
    assert lessons.folder(study.learning, "own", "church") is None
    found = lessons.captioned(str(folder), ROOT, 64)
    held = lessons.digest_of(found)
    assert lessons.planned(study, ROOT, "auxiliary", "church", held) == found
    Image.new("RGB", (40, 30), "blue").save(folder / "a church 12.png")
    with pytest.raises(RuntimeError, match="has changed since this run was planned"):
        lessons.planned(study, ROOT, "auxiliary", "church", held)


@pytest.fixture(scope="module")
def drawn():
    pipe = load_pipeline(ROOT / "resources/demo/model", "float32", "cpu")
    rows = [{"prompt": f"an image of a {name}", "seed": 0} for name in ("church", "cat")]
    return pipe, pipeline.latents(pipe, rows, 10, 2.0, 2)


def test_what_is_encoded_is_what_was_decoded(drawn):
    """Within what a lossy VAE leaves; and of a wider picture the middle, at the model's size."""
    pipe, latents = drawn
    shown = list(pictures.decoded(pipe, latents, 2))
    assert [p.size for p in shown] == [(64, 64)] * 2
    made = pictures.encoded(pipe, shown, 1)
    assert made.shape == latents.shape and made.dtype == np.float32
    again = [np.asarray(p, float) for p in pictures.decoded(pipe, made, 2)]
    for picture, other in zip(map(np.asarray, shown), again):
        assert np.abs(picture - other).mean() < 0.25 * np.abs(picture - picture.mean()).mean()
    wide = Image.new("RGB", (200, 128), "green")
    wide.paste(shown[0].resize((128, 128), Image.Resampling.NEAREST), (36, 0))
    np.testing.assert_allclose(pictures.encoded(pipe, [wide], 1)[0], made[0], atol=0.5)


def test_a_judge_counts_the_pictures_that_show_their_class(drawn):
    shown = list(pictures.decoded(*drawn, 2))
    judge = Judge(kind="classifier", model="resources/demo/judges/objects")
    rows = [{"prompt": "", "class": "church"}] * 2
    assert judges.hits(judge, ROOT, shown, rows, "cpu") == 1
    snow = Judge(kind="detector", model="resources/demo/judges/snow", label="snow")
    low = snow.model_copy(update={"threshold": 1e-9})
    assert [judges.hits(j, ROOT, shown, rows, "cpu") for j in (snow, low)] == [0, 2]
