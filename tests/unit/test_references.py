"""What FID compares with: pictures that others bring, without those that no caption may have."""

import logging
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from regrowth.files import images
from regrowth.judge import inception, judges
from regrowth.judge.settings import Judge
from regrowth.measure.reference import reference
from regrowth.study import checks, prompt_tables, references
from regrowth.study.catalogue import Catalogue, PromptSet

ROOT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(0)
FEATURES = Judge(kind="features", model=str(ROOT / "resources/demo/judges/objects"))


def noise(wide: int, high: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (high, wide, 3), dtype=np.uint8))


def source(folder, **more) -> PromptSet:
    return PromptSet(role="preserved", reference=str(folder), **more)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """The real Inception, its weights made at random and so that what passes keeps its size."""
    file = tmp_path_factory.mktemp("inception") / "random.pth"
    whole = inception.fid().NoTrainInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        fetch = sys.modules[whole.__mro__[1].__module__]
        patch.setattr(fetch, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(whole, "load_state_dict", lambda *args: None)
        made = whole("inception-v3-compat", ["2048"])
    torch.manual_seed(0)
    for weight in made.parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)
    torch.save(made.state_dict(), file)
    return made, Judge(kind="inception", model=str(file))


def test_inceptions_features_of_pictures_of_any_sizes_are_each_pictures_own(net):
    """COCO's differ in size. Each is held against the network on it alone, to what a float32
    network rounds by its batch."""
    made, judge = net
    some = [noise(*size) for size in ((64, 48), (300, 20), (64, 48))]
    with torch.no_grad():
        own = [made(torch.tensor(np.asarray(p)).permute(2, 0, 1)[None])[0].numpy() for p in some]
    found = judges.features(judge, ROOT, some, "cpu")
    assert found.shape == (3, 2048)
    scale = np.abs(found).max()
    np.testing.assert_allclose(found, own, rtol=0, atol=1e-4 * scale)
    apart = np.abs(found[:, None] - found[None]).max(2) + scale * np.eye(3)
    assert apart.min() > 0.01 * scale


@pytest.fixture
def with_extra(tmp_path):
    """The Python of an environment with the extra `inception`, beside PyPI's torch, which its
    torchvision wants: gigabytes, so they are not left there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra, pins = project["optional-dependencies"]["inception"], ROOT / "requirements.txt"
    torch_ = re.search(r"^torch==(.*)$", pins.read_text(encoding="utf-8"), re.M)[1]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [tmp_path / "venv/bin/pip", "install", "--quiet", "--no-cache-dir", "-c", pins]
    subprocess.run([*pip, *extra, "torchmetrics", f"torch!={torch_}+cpu"], check=True)
    yield tmp_path / "venv/bin/python"
    shutil.rmtree(tmp_path / "venv")


@pytest.mark.soak
def test_with_the_extra_torch_fidelity_is_imported_as_it_stands(net, with_extra, tmp_path):
    """Its top and torchvision, which ours goes round: the same features."""
    own = """
import sys, numpy, torch, torchvision, torch_fidelity
from torchmetrics.image.fid import NoTrainInceptionV3
weights, pixels, out = sys.argv[1:]
net = NoTrainInceptionV3("inception-v3-compat", ["2048"], weights)
numpy.save(out, net(torch.from_numpy(numpy.load(pixels))).numpy())
"""
    _, judge = net
    picture = noise(64, 48)
    pixels, out = tmp_path / "pixels.npy", tmp_path / "out.npy"
    np.save(pixels, np.asarray(picture).transpose(2, 0, 1)[None])
    subprocess.run([with_extra, "-c", own, judge.model, pixels, out], check=True)
    found = judges.features(judge, ROOT, [picture], "cpu")
    np.testing.assert_allclose(found, np.load(out), rtol=0, atol=1e-4 * np.abs(found).max())


def test_other_weights_than_inceptions_are_refused(tmp_path):
    torch.save({"fc.weight": torch.ones(1000, 2048)}, tmp_path / "inception_v3_google.pth")
    with pytest.raises(ValueError, match="google.pth is not torch-fidelity's Inception"):
        inception.network(tmp_path / "inception_v3_google.pth")
    torch.save({"fc.weight": Path}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="evil.pth is not .*[Ww]eights.only"):
        inception.network(tmp_path / "evil.pth")


def test_a_picture_is_read_as_people_see_it(tmp_path):
    def read(picture, name="p.png", **how):
        picture.save(tmp_path / name, **how)
        return images.read(tmp_path / name)

    plain = noise(8, 6)
    rgb = np.asarray(plain)
    for name, how in (("p.png", {}), ("p.bmp", {}), ("p.webp", {"lossless": True}), ("p.tif", {})):
        np.testing.assert_array_equal(read(plain, name, **how), rgb)
    grey = RNG.integers(0, 65536, (6, 8)).astype(np.uint16)
    deep = np.asarray(read(Image.fromarray(grey), "deep.png"))
    np.testing.assert_array_equal(deep, np.repeat((grey >> 8)[:, :, None], 3, 2))
    alpha = plain.convert("RGBA")
    alpha.putalpha(
        Image.fromarray(np.where(np.arange(8) < 4, 255, 0).astype(np.uint8)[None].repeat(6, 0))
    )
    seen = np.asarray(read(alpha))
    np.testing.assert_array_equal(seen[:, :4], rgb[:, :4])
    assert (seen[:, 4:] == 255).all(), "on white, whatever colour lies below"
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    seen = np.asarray(read(palette, transparency=1))
    assert seen.tolist() == [[[10, 20, 30], [255, 255, 255]]]
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right
    np.testing.assert_array_equal(read(plain, exif=exif), np.rot90(rgb, -1))
    flat = Image.new("RGB", (16, 16), (200, 120, 40))
    for mode in ("CMYK", "YCbCr", "RGB"):
        seen = np.asarray(read(flat.convert(mode), "p.jpg", quality=95), int)
        assert np.abs(seen - [200, 120, 40]).max() <= 4


def test_what_is_no_whole_picture_is_told_by_name(tmp_path):
    noise(64, 64).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:-400])
    (tmp_path / "text.jpg").write_text("a church", encoding="utf-8")
    (tmp_path / "empty.png").touch()
    (tmp_path / "program.jpg").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", encoding="utf-8"
    )
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    for file in tmp_path.iterdir():
        with pytest.raises(ValueError, match=f"{file.name} (is no whole picture|holds floating)"):
            images.read(file)
    with pytest.raises(ValueError, match="cut.jpg is no whole picture"):
        reference(FEATURES, ROOT, str(tmp_path), "cpu")


def test_a_folder_of_pictures_is_checked_before_anything_runs(tmp_path):
    def told(name, *files):
        for file in files:
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).touch()
        return references.mistakes(str(tmp_path / name), ROOT)

    assert told("good", "a.JPEG", "b.tiff", "Thumbs.db", "c.png") == []
    kept, out = references.pictures(str(tmp_path / "good"), ROOT)
    assert [f.name for f in kept] == ["a.JPEG", "b.tiff", "c.png"] and not out
    (line,) = told("hidden", "a.jpg", "._a.jpg", ".b.png")
    assert "two pictures at least, here are 1 (.png, .jpg" in line
    (line,) = told("nested", "val2014/a.jpg", "val2014/b.jpg", ".git/x")
    assert "here are 0" in line and line.endswith("it has folders: name one of val2014")
    with pytest.raises(ValueError, match="here are 0"):
        reference(FEATURES, ROOT, str(tmp_path / "nested"), "cpu")
    assert references.mistakes(str(tmp_path / "absent"), ROOT) == [f"no {tmp_path / 'absent'}"]


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ({"mu": np.zeros(4), "sigma": np.eye(4)}, []),
        ({"mu": np.zeros(3), "sigma": np.eye(3)}, ["{file} is of 3 features, the judge has 4"]),
        ({"m": np.zeros(4), "s": np.eye(4)}, ["r.npz lacks mu and sigma; it has m, s"]),
        ({"mu": np.full(4, np.nan), "sigma": np.eye(4)}, ["r.npz holds other than finite numbers"]),
        ({"mu": np.zeros(4), "sigma": np.eye(3)}, ["r.npz: mu (width,) and sigma (width, width)"]),
        ({"mu": np.array([{}] * 4), "sigma": np.eye(4)}, ["r.npz cannot be read: Object arrays"]),
        (b"PK\3\4", ["r.npz cannot be read"]),
    ],
)
def test_a_file_of_moments_is_checked_before_anything_runs(tmp_path, held, wanted):
    file = tmp_path / "r.npz"
    file.write_bytes(held) if isinstance(held, bytes) else np.savez(file, **held)
    told = references.mistakes(str(file), ROOT, width=4)
    assert len(told) == len(wanted)
    assert all(t.startswith(w.format(file=file)) for t, w in zip(told, wanted))


def test_moments_of_another_network_are_refused_by_the_job(tmp_path):
    np.savez(tmp_path / "r.npz", mu=np.zeros(64), sigma=np.eye(64))
    with pytest.raises(ValueError, match="is of 64 features, the judge has 128"):
        reference(FEATURES, ROOT, str(tmp_path / "r.npz"), "cpu")
    catalogue = Catalogue(
        families={
            "f": {"kind": "object", "classes": ["a"], "calibration": {"base": "b", "target": "a"}}
        },
        prompt_sets={"s": source(tmp_path / "r.npz", judges=["i"])},
        judges={"i": {"kind": "inception", "model": "w.pth"}},
    )
    (line,) = checks._reference_mistakes(catalogue.prompt_sets["s"], catalogue, ROOT)
    assert line.endswith("is of 64 features, the judge has 2048")


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("file_name", ["val_01.jpg", "VAL_02.jpg", "x/val_03.jpg", "val_02.jpg"]),
        ("image_id", ["1", "2", "3", "2"]),
        ("picture", ["0001.png", "0002.png", "0003.png", "0002.png"]),
    ],
)
def test_a_picture_whose_caption_is_left_out_is_left_out(tmp_path, caplog, header, names):
    """By its name in the caption's row, or its number; one of several captions will do."""
    captions = ["a man with a dog", "two boys", "a lady", "people in a park"]
    rows = [f"prompt,{header}", *(f"{c},{n}" for c, n in zip(captions, names))]
    (tmp_path / "captions.csv").write_text("\n".join(rows), encoding="utf-8")
    folder = tmp_path / "pictures"
    folder.mkdir()
    some = [noise(64, 64) for _ in range(4)]
    for i, picture in enumerate(some, 1):
        picture.save(folder / f"val_0{i}.png")
    columns = {"image": header} if header == "picture" else {}
    own = source(folder, file=str(tmp_path / "captions.csv"), columns=columns)
    kept, out = references.pictures(own.reference, ROOT, own)
    assert [f.name for f in kept] == ["val_01.png", "val_03.png", "val_04.png"]
    assert [f.name for f in out] == ["val_02.png"]
    with caplog.at_level(logging.INFO):
        held = reference(FEATURES, ROOT, own.reference, "cpu", own)
    vectors = judges.features(FEATURES, ROOT, [some[0], *some[2:]], "cpu")
    assert held["n"] == 3
    np.testing.assert_allclose(held["mean"], vectors.mean(0), rtol=0, atol=1e-4 * vectors.max())
    assert "3 pictures; 1 left out" in caplog.text and "names no pictures" not in caplog.text
    before = references.digest_of(own, ROOT)
    (folder / "val_02.png").unlink()
    assert references.digest_of(own, ROOT) == before
    (folder / "val_04.png").unlink()
    assert references.digest_of(own, ROOT) != before


def test_a_table_that_names_no_pictures_is_said_and_a_pictures_own_name_counts(tmp_path, caplog):
    caplog.set_level("WARNING")
    (tmp_path / "captions.csv").write_text("prompt\na man\ntwo boys\n", encoding="utf-8")
    for name in ("a", "b", "two-girls_3"):
        noise(64, 64).save(tmp_path / f"{name}.png")
    own = source(tmp_path, file=str(tmp_path / "captions.csv"))
    assert prompt_tables.left_out(own, ROOT) is None
    reference(FEATURES, ROOT, own.reference, "cpu", own)
    assert "1 left out" not in caplog.text and "names no pictures" in caplog.text
    assert [f.name for f in references.pictures(own.reference, ROOT, own)[1]] == ["two-girls_3.png"]
