"""A ResNet-50 from torchvision's file of weights, as transformers' model; needs no torchvision.

Names, shapes and the number of outputs are read without torch, so a study is checked quickly.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import TypeGuard

from regrowth.files import tensors

ENDINGS = (".pth", ".safetensors")
#: How the sha256 of IMAGENET1K_V1's files begins, which stands in torchvision's names for them.
V1 = ("0676ba61", "19c8e357")
Shapes = dict[str, tuple[int, ...]]


def is_file(model: str | None) -> TypeGuard[str]:
    """Whether a judge's `model` names such a file, not a directory or a hub id."""
    return model is not None and model.endswith(ENDINGS)


def resnet(file: Path):
    """(transformers' ResNetForImageClassification, float32 and in eval mode; its image processor).

    Stands for torchvision's resnet50 with IMAGENET1K_V2 and its preprocessing: shorter side to 232
    (a file named as IMAGENET1K_V1's: 256; bilinear), the centre's 224², ImageNet's mean and
    deviation. An output is called by its index.
    Raises FileNotFoundError, or ValueError for anything but tensors with these names and shapes.
    Source: torchvision/models/resnet.py, torchvision/transforms/_presets.py.
    """
    import torch
    from transformers import BitImageProcessorPil, ResNetConfig, ResNetForImageClassification

    found = shapes(file)
    widths, depths = _widths(found), _depths(found)
    labels = {i: str(i) for i in range(found["fc.weight"][0])}
    config = ResNetConfig(
        embedding_size=found["conv1.weight"][0],
        hidden_sizes=widths,
        depths=depths,
        layer_type="bottleneck",
        downsample_in_bottleneck=False,  # a stage's stride is in its 3×3 convolution
        id2label=labels,
        label2id={name: i for i, name in labels.items()},
    )
    net = ResNetForImageClassification(config).eval()
    held = {n: torch.from_numpy(w) for n, w in tensors.read(file, found).items()}
    counters = {n: t for n, t in net.state_dict().items() if n.endswith("num_batches_tracked")}
    net.load_state_dict(counters | {_renamed(name): weight for name, weight in held.items()})
    process = BitImageProcessorPil(
        size={"shortest_edge": 256 if any(sha in file.name for sha in V1) else 232},
        crop_size={"height": 224, "width": 224},
        resample=2,  # Pillow's bilinear
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    return net, process


def outputs(file: Path) -> int:
    """How many classes the file's net tells apart. Raises as `shapes` does."""
    return shapes(file)["fc.weight"][0]


@lru_cache
def shapes(file: Path) -> Shapes:
    """Name → shape of each tensor of a complete ResNet, without the batch norms' counters.

    No tensor is read and nothing in the file is run. Raises FileNotFoundError or ValueError.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}: torchvision's weights of ResNet-50")
    try:
        held = tensors.headers(file)
    except ValueError as error:
        raise ValueError(f"{file.name} is no state dict of tensors: {error}") from None
    found = {n: shape for n, (_, shape) in held.items() if not n.endswith("num_batches_tracked")}
    wanted = _wanted(found)
    lacking, strange = [n for n in wanted if n not in found], [n for n in found if n not in wanted]
    if lacking or strange:
        told = [f"it lacks {_some(lacking)}"] if lacking else []
        told += [f"it has {_some(strange)}"] if strange else []
        raise ValueError(f"{file.name} is no ResNet as torchvision names it: {'; '.join(told)}")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise ValueError(
                f"{file.name}: {name} is {found[name]}, a ResNet-50's would be {shape}"
            )
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _depths(found: Shapes) -> list[int]:
    """How many blocks each stage has."""
    blocks = {at[0] for at in map(re.compile(r"layer\d+\.\d+\.").match, found) if at}
    stages = max(1, len({block.split(".")[0] for block in blocks}))
    return [sum(b.startswith(f"layer{i + 1}.") for b in blocks) for i in range(stages)]


def _widths(found: Shapes) -> list[int]:
    """How many channels leave each stage; 0 where the file does not tell."""
    first = [f"layer{i + 1}.0.conv3.weight" for i in range(len(_depths(found)))]
    return [found.get(name, (0,))[0] for name in first]


def _wanted(found: Shapes) -> Shapes:
    """Names and shapes of a ResNet of bottlenecks, as deep and wide as `found`."""
    out: Shapes = {}

    def layer(conv, norm, wide, before, side):
        out[f"{conv}.weight"] = (wide, before, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            out[f"{norm}.{part}"] = (wide,)

    before = found.get("conv1.weight", (0,))[0]
    layer("conv1", "bn1", before, 3, 7)
    for stage, (wide, depth) in enumerate(zip(_widths(found), _depths(found)), 1):
        for block in range(max(1, depth)):
            name = f"layer{stage}.{block}"
            layer(f"{name}.conv1", f"{name}.bn1", wide // 4, before, 1)
            layer(f"{name}.conv2", f"{name}.bn2", wide // 4, wide // 4, 3)
            layer(f"{name}.conv3", f"{name}.bn3", wide, wide // 4, 1)
            if block == 0 and (stage > 1 or wide != before):
                layer(f"{name}.downsample.0", f"{name}.downsample.1", wide, before, 1)
            before = wide
    n = found.get("fc.weight", (0,))[0]
    return out | {"fc.weight": (n, before), "fc.bias": (n,)}


def _renamed(name: str) -> str:
    """What transformers' ResNetForImageClassification calls torchvision's `name`."""
    module, _, part = name.rpartition(".")
    if module == "fc":
        return f"classifier.1.{part}"
    convolves = module.endswith(("conv1", "conv2", "conv3", "downsample.0"))
    kind = "convolution" if convolves else "normalization"
    if not module.startswith("layer"):
        return f"resnet.embedder.embedder.{kind}.{part}"
    stage, block, rest = module.removeprefix("layer").split(".", 2)
    place = "shortcut" if rest.startswith("downsample") else f"layer.{int(rest[-1]) - 1}"
    return f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}.{place}.{kind}.{part}"
