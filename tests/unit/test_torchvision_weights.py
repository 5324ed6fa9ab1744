"""torchvision's ResNet file as transformers' model: against its own forward pass, written out."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from regrowth.judge import JUDGES, judges, labels
from regrowth.judge.settings import Judge
from regrowth.models import torchvision_weights as weights
from safetensors.torch import save_file

WIDTHS, DEPTHS, STEM, CLASSES = (16, 24, 40), (2, 1, 3), 8, 7


def mistakes_of(judge, root):
    return JUDGES[judge.kind].mistakes(judge, root)


def random_state(widths=WIDTHS, depths=DEPTHS, stem=STEM) -> dict[str, torch.Tensor]:
    """torchvision's names, with batch norms that have seen data; layer1 has a downsample too."""
    rng, state = torch.Generator().manual_seed(0), {}

    def layer(conv, norm, wide, before, side):
        fan = before * side * side
        draw = torch.randn((wide, before, side, side), generator=rng)
        state[f"{conv}.weight"] = draw * (2 / fan) ** 0.5
        for part in ("bias", "running_mean"):
            state[f"{norm}.{part}"] = 0.3 * torch.randn(wide, generator=rng)
        for part in ("weight", "running_var"):
            state[f"{norm}.{part}"] = 0.5 + torch.rand(wide, generator=rng)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(3)

    layer("conv1", "bn1", stem, 3, 7)
    before = stem
    for stage, (wide, depth) in enumerate(zip(widths, depths), 1):
        for i in range(depth):
            at = f"layer{stage}.{i}"
            layer(f"{at}.conv1", f"{at}.bn1", wide // 4, before, 1)
            layer(f"{at}.conv2", f"{at}.bn2", wide // 4, wide // 4, 3)
            layer(f"{at}.conv3", f"{at}.bn3", wide, wide // 4, 1)
            if i == 0:
                layer(f"{at}.downsample.0", f"{at}.downsample.1", wide, before, 1)
            before = wide
    state["fc.weight"] = torch.randn((CLASSES, before), generator=rng) * before**-0.5
    state["fc.bias"] = torch.randn(CLASSES, generator=rng)
    return state


def forward(state, x, depths=DEPTHS) -> torch.Tensor:
    """torchvision's resnet in eval mode, one line a layer."""

    def norm(name, x):
        told = [state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *told)

    def conv(name, x, stride=1, padding=0):
        return F.conv2d(x, state[f"{name}.weight"], stride=stride, padding=padding)

    x = F.relu(norm("bn1", conv("conv1", x, 2, 3)))
    x = F.max_pool2d(x, 3, 2, 1)
    for stage, depth in enumerate(depths, 1):
        for i in range(depth):
            at, stride = f"layer{stage}.{i}", 2 if stage > 1 and i == 0 else 1
            y = F.relu(norm(f"{at}.bn1", conv(f"{at}.conv1", x)))
            y = F.relu(norm(f"{at}.bn2", conv(f"{at}.conv2", y, stride, 1)))
            y = norm(f"{at}.bn3", conv(f"{at}.conv3", y))
            if i == 0:
                x = norm(f"{at}.downsample.1", conv(f"{at}.downsample.0", x, stride))
            x = F.relu(x + y)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


def alike(a, b):
    """To what float32 rounds over the layers, in proportion to the largest."""
    torch.testing.assert_close(a, b, rtol=0, atol=1e-4 * b.abs().max().item())


def saved(state, folder, how):
    file = folder / ("net.safetensors" if how == "safetensors" else "net.pth")
    if how == "safetensors":
        save_file(state, file)
    else:
        torch.save(state, file, _use_new_zipfile_serialization=how == "zip")
    return file


@pytest.mark.parametrize("how", ["zip", "before 1.6", "safetensors"])
def test_the_converted_model_is_torchvisions_forward_pass(tmp_path, how):
    state = random_state()
    file = saved(state, tmp_path, how)
    net, _ = weights.resnet(file)
    assert not net.training and weights.outputs(file) == CLASSES
    x = torch.randn((2, 3, 75, 90), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        alike(net(x).logits, forward(state, x))


def test_the_real_size_has_the_real_number_of_parameters():
    """25 557 032, as torchvision documents resnet50; its names are those that are wanted."""
    shapes = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 2048)}
    for stage, (wide, depth) in enumerate(zip((256, 512, 1024, 2048), (3, 4, 6, 3)), 1):
        shapes |= {f"layer{stage}.{i}.bn1.bias": () for i in range(depth)}
        shapes[f"layer{stage}.0.conv3.weight"] = (wide, wide // 4, 1, 1)
    wanted = weights._wanted(shapes)
    learnt = [np.prod(s) for n, s in wanted.items() if "running" not in n]
    assert len(wanted) == 267 and sum(learnt) == 25_557_032
    assert wanted["layer4.0.downsample.0.weight"] == (2048, 1024, 1, 1)


def test_old_files_without_counters_and_with_parameters_are_read(tmp_path):
    state = {n: v for n, v in random_state().items() if not n.endswith("tracked")}
    parameters = {n: torch.nn.Parameter(v) for n, v in state.items()}
    net, _ = weights.resnet(saved(parameters, tmp_path, "before 1.6"))
    x = torch.ones((1, 3, 64, 64))
    with torch.no_grad():
        alike(net(x).logits, forward(state, x))


class Evil:
    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return open, (str(self.made), "w")


@pytest.mark.parametrize("how", ["zip", "before 1.6", "bare pickle"])
def test_a_pickle_with_anything_but_tensors_is_refused_and_not_run(tmp_path, how):
    made, file = tmp_path / "made", tmp_path / "net.pth"
    state = random_state() | {"fc.bias": Evil(made)}
    if how == "bare pickle":
        file.write_bytes(pickle.dumps(Evil(made)))
    else:
        torch.save(state, file, _use_new_zipfile_serialization=how == "zip")
    for read in (weights.resnet, weights.outputs):
        with pytest.raises(ValueError, match="net.pth is no state dict of tensors: .*open"):
            read(file)
    assert not made.exists()
    pickle.loads(pickle.dumps(Evil(made)))
    assert made.exists()  # it would have been


@pytest.mark.parametrize("how", ["zip", "safetensors"])
def test_names_and_shapes_that_do_not_fit_are_told(tmp_path, how):
    state = random_state()
    del state["layer2.0.bn3.running_var"], state["fc.bias"]
    with pytest.raises(ValueError, match="lacks layer2.0.bn3.running_var, fc.bias$"):
        weights.resnet(saved(state, tmp_path, how))
    with pytest.raises(ValueError, match="it has layer1.0.conv1.bias$"):
        weights.resnet(
            saved(random_state() | {"layer1.0.conv1.bias": state["bn1.bias"]}, tmp_path, how)
        )
    with pytest.raises(ValueError, match=r"layer1.1.bn1.bias is \(5,\), .* be \(4,\)"):
        weights.resnet(saved(random_state() | {"layer1.1.bn1.bias": torch.ones(5)}, tmp_path, how))


def test_a_training_checkpoint_and_a_broken_file_are_refused(tmp_path):
    torch.save({"state_dict": random_state(), "epoch": 3}, tmp_path / "net.pth")
    with pytest.raises(ValueError, match="it holds state_dict, epoch"):
        weights.resnet(tmp_path / "net.pth")
    for name in ("broken.pth", "broken.safetensors"):
        (tmp_path / name).write_bytes(b"no weights")
        with pytest.raises(ValueError, match=f"{name} is no state dict"):
            weights.resnet(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no file"):
        weights.resnet(tmp_path / "absent.pth")


def test_preprocessing_is_torchvisions(tmp_path):
    """Pillow's own bilinear resize, then arithmetic; a wide picture keeps its shape."""
    _, process = weights.resnet(saved(random_state(), tmp_path, "zip"))
    rng = np.random.default_rng(0)
    for side, resized in (
        ((512, 512), (232, 232)),
        ((464, 928), (464, 232)),
        ((64, 64), (232,) * 2),
    ):
        picture = Image.fromarray(rng.integers(0, 256, (*side, 3), dtype=np.uint8))
        x = np.asarray(picture.resize(resized, Image.Resampling.BILINEAR), float) / 255
        top, left = (x.shape[0] - 224) // 2, (x.shape[1] - 224) // 2
        x = x[top : top + 224, left : left + 224]
        x = (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        told = process([picture] * 2, return_tensors="pt")["pixel_values"]
        assert told.dtype == torch.float32
        np.testing.assert_allclose(told[1].numpy(), x.transpose(2, 0, 1), atol=1e-5)
    first = saved(random_state(), tmp_path, "zip").rename(tmp_path / "resnet50-0676ba61.pth")
    assert weights.resnet(first)[1].size["shortest_edge"] == 256


def test_such_a_file_is_a_judge(tmp_path):
    """Its outputs are numbers until the table names them; the table cannot contradict it."""
    state = random_state()
    saved(state, tmp_path, "zip")
    (tmp_path / "classes.csv").write_text(
        "concept,index,names\nchurch,2,church\ncandle,5,candle|taper\n", encoding="utf-8"
    )
    judge = Judge(kind="classifier", model="net.pth", classes="classes.csv")
    assert mistakes_of(judge, tmp_path) == []
    named = {0: "0", 1: "1", 2: "church", 3: "3", 4: "4", 5: "candle", 6: "6"}
    assert labels.outputs(judge, tmp_path) == named
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(3)]
    told = judges.score(judge, tmp_path, images, [{}] * 3, "cpu")
    _, process = weights.resnet(tmp_path / "net.pth")
    p = forward(state, process(images, return_tensors="pt")["pixel_values"]).softmax(-1)
    assert [t["label"] for t in told] == [named[int(i)] for i in p.argmax(1)]
    np.testing.assert_allclose([t["score"] for t in told], p.max(1).values, atol=1e-5)
    seen = Judge(kind="features", model="net.pth")
    assert judges.features(seen, tmp_path, images, "cpu").shape == (3, WIDTHS[-1])


def test_what_is_wrong_with_such_a_judge_is_told_before_anything_runs(tmp_path):
    state = random_state()
    saved(state, tmp_path, "zip")
    (tmp_path / "classes.csv").write_text(
        "concept,index,names\nchurch,7,church\n", encoding="utf-8"
    )
    wrong = Judge(kind="classifier", model="net.pth", classes="classes.csv")
    (told,) = mistakes_of(wrong, tmp_path)
    assert "output 7" in told and "'nothing'" in told
    (told,) = mistakes_of(Judge(kind="classifier", model="no.pth"), tmp_path)
    assert "no no.pth in " in told and "https://" in told
    (told,) = mistakes_of(Judge(kind="clip", model="net.pth"), tmp_path)
    assert "clip" in told and "directory" in told
    del state["fc.bias"]
    torch.save(state, tmp_path / "less.pth")
    (told,) = mistakes_of(Judge(kind="features", model="less.pth"), tmp_path)
    assert "fc.bias" in told
