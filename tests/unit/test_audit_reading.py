"""Checkpoints in every form that people save them in: one UNet by its own names, or one line."""

import os
import pickle
import sys

import numpy as np
import pytest
import torch
import zoo
from regrowth.audit import pickles, reading
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def state():
    whole = zoo.unet()
    return zoo.pruned(whole, zoo.holes(whole))


@pytest.mark.parametrize("form", zoo.FORMS)
def test_every_form_is_the_same_unet(tmp_path, state, form):
    given = reading.opened(zoo.FORMS[form](tmp_path, state))
    assert set(given.tensors) == set(state)
    assert given.layout == ("CompVis" if form.startswith("CompVis") else "diffusers")
    for name, tensor in given.tensors.items():
        wanted = state[name].bfloat16() if form == "bfloat16" else state[name]
        read = tensor.value()
        assert tensor.shape == tuple(wanted.shape) and read.dtype == np.float32
        np.testing.assert_array_equal(read, wanted.float().numpy())


@pytest.mark.parametrize("form", zoo.WITH_TEXT)
def test_a_text_encoder_is_read_beside_the_unet_or_alone(tmp_path, state, form):
    write, with_unet = zoo.WITH_TEXT[form]
    text = zoo.text()
    given = reading.opened(write(tmp_path, state, text))
    own = {f"text_encoder.{name}": w for name, w in text.items()}
    wanted = own | state if with_unet else own
    assert set(given.tensors) == set(wanted)
    for name in own:
        np.testing.assert_array_equal(given.tensors[name].value(), wanted[name].float().numpy())


def test_parts_that_one_of_two_has_not_are_not_compared(tmp_path, state):
    model, unet, text = (reading.opened(p) for p in (zoo.MODEL, zoo.UNET, zoo.TEXT.parent))
    assert len(model.tensors) == len(unet.tensors) + len(text.tensors) == 686 + 36
    beside = reading.opened(zoo.UNET, model)
    assert set(beside.tensors) == set(unet.tensors) and beside.notes == []
    beside = reading.opened(zoo.MODEL, unet)
    assert set(beside.tensors) == set(unet.tensors)
    assert beside.notes == ["its text encoder was not looked at: the base has none"]
    with pytest.raises(ValueError, match="are different parts of a model"):
        reading.opened(zoo.TEXT.parent, unet)


def test_a_lora_of_both_is_added_to_both(tmp_path):
    """kohya's: as it names a text encoder's layers."""
    base, draw = reading.opened(zoo.MODEL), torch.Generator().manual_seed(0)
    layer = "encoder.layers.0.mlp.fc2"
    out, into = zoo.text()[f"{layer}.weight"].shape
    down, up = torch.randn(2, into, generator=draw), torch.randn(out, 2, generator=draw)
    before = f"lora_te_text_model_{layer.replace('.', '_')}"
    own = {f"{before}.lora_down.weight": down, f"{before}.lora_up.weight": up}
    own |= {name: torch.ones(2, 2) for name in ("lora_te2_x.lora_up.weight",)}
    save_file(own, tmp_path / "x.safetensors")
    given, name = reading.opened(tmp_path / "x.safetensors", base), f"text_encoder.{layer}.weight"
    change = given.tensors[name].value() - base.tensors[name].value()
    np.testing.assert_allclose(change, (up @ down).numpy(), atol=1e-5)
    assert given.notes == ["a LoRA of 1 matrices, added to the base at its full strength"]


@pytest.mark.parametrize("how", zoo.LORAS)
def test_a_lora_is_added_to_its_base(tmp_path, how):
    base = reading.opened(zoo.UNET)
    given = reading.opened(zoo.lora(tmp_path, how), base)
    down, up = (f.double().numpy() for f in zoo.factors())
    scale = 1 / 2 if how == "kohya" else 1
    for name in given.tensors:
        change = given.tensors[name].value() - base.tensors[name].value()
        wanted = scale * up @ down if name == f"{zoo.TO_V}.weight" else 0
        np.testing.assert_allclose(change, np.broadcast_to(wanted, change.shape), atol=2e-7)
    assert any("1 of its layers" in note for note in given.notes)


def test_a_lora_of_a_convolution(tmp_path):
    base = reading.opened(zoo.UNET)
    name = "down_blocks.0.resnets.0.conv1"
    draw = torch.Generator().manual_seed(0)
    down, up = (torch.randn(*s, generator=draw) for s in ((2, 48, 3, 3), (48, 2, 1, 1)))
    own = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    save_file(own, tmp_path / "x.safetensors")
    given = reading.opened(tmp_path / "x.safetensors", base).tensors[f"{name}.weight"].value()
    wanted = base.tensors[f"{name}.weight"].value() + np.einsum(
        "or,rikl->oikl", up[:, :, 0, 0].numpy(), down.numpy()
    )
    np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_what_a_checkpoint_lacks_is_its_bases(tmp_path, state):
    base = reading.opened(zoo.UNET)
    part = {name: w + 1 for name, w in state.items() if ".attn2." in name}
    given = reading.opened(zoo.single(tmp_path, part), base)
    assert given.notes == ["606 of 686 tensors are not in the checkpoint: the base's"]
    conv = "conv_in.weight"
    assert given.tensors[conv].value().tobytes() == base.tensors[conv].value().tobytes()


class Evil:
    def __init__(self, made):
        self.made = str(made)

    def __reduce__(self):
        return open, (self.made, "w")


def text(name, content):
    def write(folder, state):
        (folder / name).write_bytes(content)
        return folder / name

    return write


def cut(name):
    def write(folder, state):
        file = zoo.single(folder, state) if name.endswith("s") else zoo.before("")(folder, state)
        file.write_bytes(file.read_bytes()[:100_000])
        return file

    return write


def saved(change):
    return lambda folder, state: zoo.single(folder, change(state))


def kept(end):
    return lambda state: {n: w for n, w in state.items() if n.endswith(end)}


def left(*ends):
    return lambda state: {f"{zoo.TO_V}.weight{end}": torch.ones(2) for end in ("", *ends)} | state


def evil(folder, state):
    torch.save(state | {"evil": Evil(folder / "made")}, folder / "x.ckpt")
    return folder / "x.ckpt"


class Command:
    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.system, (f"touch '{self.made}'",)


def evil_beside_a_trainer(folder, state):
    return zoo.trained(folder, state, evil=Command(folder / "made"))


def evil_alone(folder, state):
    (folder / "x.pt").write_bytes(pickle.dumps(Evil(folder / "made")))
    return folder / "x.pt"


BAD = {
    "nothing there": (lambda folder, state: folder / "no.pt", "No such file"),
    "an empty folder": (lambda folder, state: folder, "holds no diffusion_pytorch_model"),
    "a text": (text("a.txt", b"hello world, this is a text"), "holds more than weights"),
    "empty": (text("a.safetensors", b""), "is empty: its download failed"),
    "a web page": (text("a.ckpt", b"<!DOCTYPE html>"), "is a web page"),
    "a pointer": (text("a.pt", b"version https://git-lfs.github.com/spec/v1\n"), "Git-LFS"),
    "GGUF": (text("a.gguf", b"GGUF\3\0\0\0" + bytes(99)), "is GGUF"),
    "GGUF renamed": (text("a.safetensors", b"GGUF\3\0\0\0" + bytes(99)), "is GGUF"),
    "code": (evil, "holds more than weights by name"),
    "code beside what a trainer left": (evil_beside_a_trainer, r"by name, \w+\.system: save"),
    "code alone": (evil_alone, "holds more than weights by name"),
    "cut safetensors": (cut("safetensors"), "is cut short: 100,000 of 12,"),
    "cut pickle": (cut("pt"), "is cut short: its download ended after 100,000 bytes"),
    "bitsandbytes": (saved(left(".absmax", ".quant_map")), "was quantised by bitsandbytes"),
    "GPTQ": (saved(left(".qweight", ".qzeros")), "was quantised by GPTQ"),
    "a transformer": (
        saved(lambda s: {"transformer_blocks.0.attn.to_q.weight": torch.ones(2, 2)}),
        "it is a transformer's, not a UNet's",
    ),
    "an autoencoder": (
        saved(lambda s: {"decoder.up_blocks.0.resnets.0.conv1.weight": torch.ones(2, 2)}),
        "holds no UNet's weights; it has decoder",
    ),
    "two UNets": (
        saved(
            lambda s: {f"{a}.{n}": w + 0 for n, w in kept("to_q.weight")(s).items() for a in "ab"}
        ),
        "several UNets, after 'a.' and 'b.'",
    ),
    "a LoRA": (lambda folder, state: zoo.lora(folder, "peft"), "is a LoRA, .* say base="),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_one_line_and_nothing_is_run(tmp_path, state, what):
    write, said = BAD[what]
    with pytest.raises((OSError, ValueError), match=said) as told:
        reading.opened(write(tmp_path, state))
    assert "\n" not in str(told.value) and not (tmp_path / "made").exists()


@pytest.mark.parametrize("what", ["a text", *(name for name in BAD if name.startswith("code"))])
def test_what_asks_for_code_is_refused_before_torch_looks(tmp_path, state, monkeypatch, what):
    file = BAD[what][0](tmp_path, state)
    monkeypatch.setattr(torch, "load", lambda *some, **how: pytest.fail("torch was asked"))
    with pytest.raises(ValueError, match=BAD[what][1]):
        reading.opened(file)


def test_of_what_a_trainer_left_nothing_is_made(tmp_path, state):
    """Its names are let through while a file is read, and at no other time."""
    file = zoo.trained(tmp_path, state)
    reading.opened(file)
    assert zoo.LIGHTNING not in sys.modules
    with pytest.raises(pickle.UnpicklingError, match="ModelCheckpoint|numpy"):
        torch.load(file, weights_only=True)
    made = pickles.Nothing("anything", 3)
    made.__setstate__({"x": 1})
    assert not hasattr(made, "x") and not hasattr(made, "__dict__")


def test_another_architecture_says_which_tensors_differ(tmp_path, state):
    conv = torch.ones(48, 9, 3, 3, dtype=torch.float16)  # as inpainting models have
    more = {"down_blocks.7.resnets.0.conv1.weight": torch.ones(2, 2, 3, 3)}
    less = {n: w for n, w in state.items() if n != "conv_out.bias"}
    file = zoo.single(tmp_path, less | {"conv_in.weight": conv} | more)
    with pytest.raises(ValueError) as told:
        reading.opened(file, reading.opened(zoo.UNET))
    assert str(told.value).endswith(
        "conv_in.weight is 48×9×3×3, the base's 48×4×3×3; the base has no "
        "down_blocks.7.resnets.0.conv1.weight; it has no conv_out.bias"
    )


def test_a_lora_of_another_model(tmp_path):
    own = {"x.y.lora_A.weight": torch.ones(2, 4), "x.y.lora_B.weight": torch.ones(4, 2)}
    save_file(own, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="LoRA of another model"):
        reading.opened(tmp_path / "x.safetensors", reading.opened(zoo.UNET))
    own = {f"{zoo.TO_V}.lora_{a}.weight": torch.ones(4, 4) for a in "AB"}
    save_file(own, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="another architecture: .* is 4×4, the base's"):
        reading.opened(tmp_path / "x.safetensors", reading.opened(zoo.UNET))
