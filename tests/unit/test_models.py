"""Model directories as people have them: what is read of one is what diffusers loads of it."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from regrowth.draw import pipeline
from regrowth.files import digests
from regrowth.models import disk
from regrowth.models.card import ModelCard
from regrowth.study import checks
from safetensors.torch import load_file, save_file

MODEL = Path(__file__).resolve().parents[2] / "resources" / "demo" / "model"
NAMES = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}
NAMES["text_encoder"] = "model"


@pytest.fixture
def model(tmp_path):
    """The demo's model as links, to be replaced and not to be written through."""
    return Path(shutil.copytree(MODEL, tmp_path / "model", copy_function=os.symlink))


def whole(folder, part, name=""):
    return folder / part / f"{NAMES[part]}{name}.safetensors"


def rewrite(file, state):
    file.unlink(missing_ok=True)
    save_file(state, file, {"format": "pt"})


def settings(folder, name, **changes):
    held = json.loads((folder / name).read_text(encoding="utf-8"))
    (folder / name).unlink()
    (folder / name).write_text(json.dumps(held | changes), encoding="utf-8")


def shard(folder, part, state):
    """Two shards and their index."""
    names, placed = sorted(state), {}
    for i, some in enumerate((names[::2], names[1::2])):
        name = f"{NAMES[part]}-0000{i + 1}-of-00002.safetensors"
        rewrite(folder / part / name, {n: state[n] for n in some})
        placed |= dict.fromkeys(some, name)
    index = {"metadata": {"total_size": 1}, "weight_map": placed}
    file = folder / part / f"{NAMES[part]}.safetensors.index.json"
    file.write_text(json.dumps(index), encoding="utf-8")
    return file


def noise(state):
    return {name: torch.zeros_like(w) for name, w in state.items()}


# What diffusers loads


def variant_alone(folder, states):
    for part, state in states.items():
        whole(folder, part).unlink()
        rewrite(whole(folder, part, ".fp16"), {n: w.half() for n, w in state.items()})
    rewrite(whole(folder, "unet", "_old"), noise(states["unet"]))
    settings(folder, "model_index.json", feature_extractor=["transformers", "CLIPImageProcessor"])
    return torch.float16


def one_part_without_the_variant(folder, states):
    """The UNet is there in both; what reads the text encoder by its name reads it so, too."""
    whole(folder, "text_encoder").unlink()
    for part in ("text_encoder", "unet"):
        rewrite(whole(folder, part, ".fp16"), {n: w.half() for n, w in states[part].items()})
    rewrite(whole(folder, "unet"), noise(states["unet"]))
    return torch.float16


def brain_floats(folder, states):
    for part, state in states.items():
        rewrite(whole(folder, part), {n: w.bfloat16() for n, w in state.items()})
    return torch.bfloat16


def shards(folder, states):
    """diffusers takes shards before a whole file, transformers a whole file before shards."""
    shard(folder, "unet", states["unet"])
    rewrite(whole(folder, "unet"), noise(states["unet"]))
    shard(folder, "text_encoder", noise(states["text_encoder"]))


def copies_beside(folder, states):
    for part, state in states.items():
        for name in ("_old", "-copy", ".fp16", ".non_ema"):
            rewrite(whole(folder, part, name), noise(state))
        torch.save(noise(state), folder / part / "diffusion_pytorch_model.bin")
        torch.save(noise(state), folder / part / "pytorch_model.bin")


def pytorchs(folder, states):
    for part, state in states.items():
        whole(folder, part).unlink()
        name = "pytorch_model" if part == "text_encoder" else "diffusion_pytorch_model"
        torch.save(state, folder / part / f"{name}.bin")
    settings(folder, "unet/config.json", sample_size=[16, 16])


@pytest.mark.parametrize(
    "lay",
    [
        *(variant_alone, one_part_without_the_variant, brain_floats),
        *(shards, copies_beside, pytorchs),
    ],
)
def test_what_is_read_is_what_is_drawn(model, lay):
    states = {part: load_file(whole(model, part)) for part in NAMES}
    dtype = lay(model, states) or torch.float16  # as the demo's model is stored
    assert checks.model_mistakes(ModelCard(name="m", path=str(model)), Path("/")) == []
    pipe = pipeline.load_pipeline(model, "float32", "cpu")
    for part, state in states.items():
        drawn = getattr(pipe, part).state_dict()
        as_it_was = part == "vae" and lay is one_part_without_the_variant
        for name, w in (state if as_it_was else cast(state, dtype)).items():
            assert torch.equal(drawn[name.removeprefix("text_model.")], w.float()), name
    for family in ("ffn2", "text_encoder.fc2"):
        layers = disk.attacked_layers(model, family)
        for name, w in disk.read_weights(layers).items():
            drawn = pipeline.submodule(pipe, name.removesuffix(".weight")).weight
            np.testing.assert_array_equal(w.astype(np.float32), drawn.detach().numpy())
            assert w.flags.writeable and w.itemsize == layers[0].itemsize
    assert disk.parameters(model) == sum(w.numel() for s in states.values() for w in s.values())


def cast(state, dtype):
    return {name: w.to(dtype) if w.is_floating_point() else w for name, w in state.items()}


def test_the_digest_is_of_what_is_loaded(model, tmp_path):
    def digest():
        return digests.folder_digest(model, disk.loaded(model), tmp_path / "digests.json")

    assert disk.loaded(MODEL) == sorted(f for f in MODEL.rglob("*") if f.is_file())
    before = digest()
    state = load_file(whole(model, "unet"))
    copies_beside(model, {"unet": state})
    (model / "safety_checker").mkdir()
    rewrite(model / "safety_checker/model.safetensors", noise(state))
    assert digest() == before
    rewrite(whole(model, "unet"), noise(state))
    assert digest() != before


def test_a_weight_that_is_not_there_is_not_drawn_at_random(model):
    for part in NAMES:
        state = load_file(whole(model, part))
        name = next(n for n in state if "attn" in n or "attentions" in n)
        rewrite(whole(model, part), {n: w for n, w in state.items() if n != name})
        with pytest.raises(ValueError, match=f"{NAMES[part]}.safetensors holds no .*{name[-20:]}"):
            pipeline.load_pipeline(model, "float32", "cpu")
        rewrite(whole(model, part), state)


# What is refused before any job


def cut(folder):
    file = whole(folder, "unet")
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[:-1000])


def put(name, data=b""):
    def write(folder):
        (folder / name).unlink()
        (folder / name).write_bytes(data)

    return write


def lacking(name):
    def remove(folder):
        file = folder / name
        shutil.rmtree(file) if file.is_dir() else file.unlink()

    return remove


def a_directory(folder):
    whole(folder, "vae").unlink()
    whole(folder, "vae").mkdir()


def a_shard_less(folder):
    shard(folder, "unet", load_file(whole(folder, "unet")))
    (folder / "unet/diffusion_pytorch_model-00002-of-00002.safetensors").unlink()


def a_wrong_index(folder):
    file = shard(folder, "unet", load_file(whole(folder, "unet")))
    held = json.loads(file.read_text(encoding="utf-8"))
    held["weight_map"]["no.such.weight"] = held["weight_map"]["conv_in.bias"]
    file.write_text(json.dumps(held), encoding="utf-8")


def two_variants(folder):
    state = load_file(whole(folder, "vae"))
    for name in (".fp16", ".bf16"):
        rewrite(whole(folder, "vae", name), state)
    whole(folder, "vae").unlink()


def an_evil_pickle(folder):
    whole(folder, "vae").unlink()
    torch.save({"w": Path("x")}, folder / "vae/diffusion_pytorch_model.bin")


def index(**changes):
    return lambda folder: settings(folder, "model_index.json", **changes)


def unet(**changes):
    return lambda folder: settings(folder, "unet/config.json", **changes)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3438167540\n"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize(
    ("hurt", "wanted"),
    [
        (cut, f"{UNET} is cut short: [0-9,]+ of [0-9,]+ bytes"),
        (put(UNET), f"{UNET} is empty"),
        (put(UNET, POINTER), f"{UNET} is a Git-LFS pointer.*git lfs pull"),
        (put(UNET, b"<!DOCTYPE html><html>Quota exceeded</html>"), f"{UNET} is a web page"),
        (put(UNET, b"PK\3\4 and more"), f"{UNET} is PyTorch's"),
        (put(UNET, b"no weights at all, and long"), f"{UNET} holds more than .* or is damaged"),
        (lacking(UNET), "unet holds no diffusion_pytorch_model.safetensors or .*bin$"),
        (lacking("vae"), "model holds no vae/config.json"),
        (a_directory, "vae holds no diffusion_pytorch_model.safetensors or"),
        (a_shard_less, "unet holds no .*-00002-of-00002.safetensors, which .*index.json names"),
        (a_wrong_index, "index.json: no.such.weight is not in .*-of-00002.safetensors"),
        (two_variants, "model has weights of bf16 and fp16: keep"),
        (
            an_evil_pickle,
            "vae/diffusion_pytorch_model.bin holds more than weights by name, pathlib",
        ),
        (lacking("scheduler"), "holds no scheduler/scheduler_config.json"),
        (lacking("tokenizer"), "tokenizer holds neither tokenizer.json nor vocab.json"),
        (lacking("text_encoder/config.json"), "holds no text_encoder/config.json"),
        (put("model_index.json", b'{"_class_name": "S'), "model_index.json is no JSON"),
        (put("vae/config.json", b"[]"), "vae/config.json is no mapping"),
        (index(_class_name=None), "model_index.json names no pipeline"),
        (index(vae=[None, None]), "model_index.json names no vae: no Stable Diffusion"),
        (index(unet=["evil", "Evil"]), "unet is custom code"),
        (unet(addition_embed_type="text_time"), "unet is SDXL's"),
        (unet(in_channels=9), "unet: in_channels is 9, and 4 would fit"),
    ],
)
def test_what_no_pipeline_is_made_of_is_told_by_its_name(model, hurt, wanted):
    hurt(model)
    told = checks.model_mistakes(ModelCard(name="m", path=str(model)), Path("/"))
    assert len(told) == 1 + (wanted == "model holds no vae/config.json")  # nor its weights
    assert told[0].startswith("model 'm': ") and "\n" not in told[0]
    assert re.search(wanted, told[0]), told[0]


def test_layers_in_a_dtype_that_is_not_read_are_refused(model):
    state = load_file(whole(model, "unet"))
    rewrite(whole(model, "unet"), {n: w.to(torch.float8_e4m3fn) for n, w in state.items()})
    with pytest.raises(ValueError, match=f"{UNET}: .*net.2.weight is neither float32 nor"):
        disk.attacked_layers(model, "ffn2")


def test_weights_that_are_no_numbers_are_found(model):
    layers = disk.attacked_layers(model, "ffn2")
    assert disk.infinite(layers) == []
    state = load_file(whole(model, "unet"))
    for layer, value in ((layers[2], torch.nan), (layers[5], torch.inf)):
        state[layer.name][0, 1] = value
    rewrite(whole(model, "unet"), state)
    assert disk.infinite(layers) == [layers[2].name, layers[5].name]
