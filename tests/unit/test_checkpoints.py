"""Pruned checkpoints of a user's: what they erased is found, and other models are refused."""

import pickle

import numpy as np
import pytest
import torch
from regrowth.erase import checkpoints
from regrowth.models import disk
from safetensors.numpy import save_file

NAMES = [f"down_blocks.{i}.ff.net.2.weight" for i in range(2)]


@pytest.fixture
def model(tmp_path):
    """Layers of a model in single precision, their weights, and a mask for each."""
    rng = np.random.default_rng(0)
    weights = {n: rng.normal(size=(6, 20)).astype(np.float32) for n in NAMES}
    weights[NAMES[0]][0, 0] = 0  # of the model's own
    (tmp_path / "model/unet").mkdir(parents=True)
    save_file(weights, tmp_path / "model/unet/diffusion_pytorch_model.safetensors")
    masks = {n: (rng.random(w.shape) < 0.2) & (w != 0) for n, w in weights.items()}
    return disk.attacked_layers(tmp_path / "model", "ffn2"), weights, masks


@pytest.fixture
def pruned(model):
    return {n: np.where(model[2][n], 0, w) for n, w in model[1].items()}


def directory(folder, held):
    (folder / "unet").mkdir()
    save_file(held, folder / "unet/any.safetensors")
    return folder


def safetensors(folder, held):
    save_file(held | {"other": np.ones(3, np.float32)}, folder / "unet.safetensors")
    return folder / "unet.safetensors"


def state(folder, held):
    torch.save({n: torch.from_numpy(w) for n, w in held.items()}, folder / "unet.pt")
    return folder / "unet.pt"


def nested(folder, held):
    state = {n: torch.from_numpy(w) for n, w in held.items()}
    torch.save({"state_dict": state, "step": 3}, folder / "unet.ckpt")
    return folder / "unet.ckpt"


def tensors(held):
    return {n: torch.from_numpy(w) for n, w in held.items()}


def parameters(folder, held):
    """dict(unet.named_parameters())"""
    torch.save({n: torch.nn.Parameter(w) for n, w in tensors(held).items()}, folder / "unet.pt")
    return folder / "unet.pt"


def sparse(folder, held):
    kinds = {n: w.to_sparse() if i else w.to_sparse_csr() for i, (n, w) in enumerate(held.items())}
    torch.save(kinds, folder / "unet.pt")
    return folder / "unet.pt"


def before(text, more=()):
    def write(folder, held):
        named = {f"{text}{n}": w for n, w in tensors(held).items()}
        torch.save(named | dict.fromkeys(more, torch.ones(2)), folder / "unet.pt")
        return folder / "unet.pt"

    return write


def deeper(folder, held):
    torch.save(
        {"model": {"unet": tensors(held)}, "optimizer": {"state": {0: [1]}}}, folder / "u.pt"
    )
    return folder / "u.pt"


def legacy(folder, held):
    torch.save(tensors(held), folder / "unet.bin", _use_new_zipfile_serialization=False)
    return folder / "unet.bin"


def prune(folder, held):
    """As torch.nn.utils.prune leaves a layer: what it was, and a mask."""
    named = {f"{n}_orig": torch.where(w == 0, 7, w) for n, w in tensors(held).items()}
    named |= {f"{n}_mask": (w != 0).to(w.dtype) for n, w in tensors(held).items()}
    torch.save(named, folder / "unet.pt")
    return folder / "unet.pt"


def of_a_unet_alone(folder, held):
    save_file(held, folder / "diffusion_pytorch_model.safetensors")
    save_file({n: w + 1 for n, w in held.items()}, folder / "backup.safetensors")
    return folder


def in_pieces(folder, held):
    """Shards without their index."""
    (folder / "unet").mkdir()
    for name, w in held.items():
        save_file({name: w}, folder / f"unet/{name}.safetensors")
    return folder


WAYS = [directory, safetensors, state, nested, parameters, legacy, deeper, of_a_unet_alone]
WAYS += [
    before("module."),
    before("unet."),
    before("_orig_mod.", more=["conv_in.weight"]),
    in_pieces,
]


@pytest.mark.parametrize("write", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_mask_of_a_checkpoint_is_what_it_lacks(tmp_path, model, pruned, write, dtype):
    layers, weights, masks = model
    file = write(tmp_path, {n: w.astype(dtype) for n, w in pruned.items()})
    found = checkpoints.masks(file, layers, weights)
    for name in NAMES:
        np.testing.assert_array_equal(found[name], masks[name])


def test_a_checkpoint_that_erased_nothing_is_refused(tmp_path, model):
    layers, weights, _ = model
    file = safetensors(tmp_path, weights)
    with pytest.raises(ValueError, match="so what was erased is unknown"):
        checkpoints.check(file, layers, weights)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("write", [sparse, prune])
def test_zeros_that_are_not_stored_are_erased_too(tmp_path, model, pruned, write):
    """Nor is what the model has at zero by itself."""
    layers, weights, masks = model
    held = tensors(pruned) if write is sparse else pruned
    found = checkpoints.masks(write(tmp_path, held), layers, weights)
    for name in NAMES:
        np.testing.assert_array_equal(found[name], masks[name])


ROUND = {"half": lambda w: w.half(), "brain": lambda w: w.bfloat16(), "as it is": lambda w: w}


@pytest.mark.parametrize("stored", [torch.float32, torch.float64, None])
@pytest.mark.parametrize("pruned_in", ROUND)
@pytest.mark.parametrize("model_in", ROUND)
def test_a_model_is_the_same_in_other_precisions(tmp_path, model, model_in, pruned_in, stored):
    """Pruned in one, kept in another: rounded from the model, or the model rounded from what was
    pruned. What rounds to zero is not erased."""
    layers, weights, masks = model
    weights = {n: w * np.float32(1e-4) for n, w in weights.items()}
    weights[NAMES[1]][0, :5] = [3e-8, -2e-8, 1e-9, 1e-41, 6e-8]  # half precision ends here
    masks[NAMES[1]][0, :5] = False
    true = {n: w.copy() for n, w in weights.items()}
    own = {n: ROUND[model_in](w).float().numpy() for n, w in tensors(true).items()}
    for start in (true, own):
        given = {n: ROUND[pruned_in](w) for n, w in tensors(start).items()}
        for n, w in given.items():
            w[torch.from_numpy(masks[n])] = 0
        kinds = {n: w.to(stored or w.dtype) for n, w in given.items()}
        torch.save(kinds, tmp_path / "unet.pt")
        if start is true and {model_in, pruned_in} == {"half", "brain"}:
            continue  # rounded twice from what neither holds: not told from another model
        found = checkpoints.masks(tmp_path / "unet.pt", layers, own)
        for name in NAMES:
            np.testing.assert_array_equal(found[name], masks[name] & (own[name] != 0), name)


def test_one_weight_that_was_trained_is_not_lost_in_rounding(tmp_path, model, pruned):
    """Neither file is the other rounded, though the two are alike in few bits."""
    layers, weights, masks = model
    trained = {n: w * np.float32(1 + 2e-4) for n, w in pruned.items()}
    with pytest.raises(ValueError, match="of .*, [0-9.]+% of the weights are neither"):
        checkpoints.masks(safetensors(tmp_path, trained), layers, weights)


def test_a_checkpoint_of_two_models_is_refused(tmp_path, model, pruned):
    both = {f"{at}.{n}": w for at in ("unet", "ema") for n, w in tensors(pruned).items()}
    torch.save(both, tmp_path / "both.pt")
    with pytest.raises(ValueError, match=r"both.pt holds both unet\.down.* and ema\.down"):
        checkpoints.masks(tmp_path / "both.pt", *model[:2])


def test_weights_that_underflow_in_fewer_bits_are_not_erased(tmp_path, model, pruned):
    layers, weights, masks = model
    weights[NAMES[1]][~masks[NAMES[1]]] *= 1e-8
    pruned[NAMES[1]] = np.where(masks[NAMES[1]], 0, weights[NAMES[1]])
    half = {n: w.astype(np.float16) for n, w in pruned.items()}
    assert (half[NAMES[1]] == 0).mean() > 0.5
    found = checkpoints.masks(safetensors(tmp_path, half), layers, weights)
    assert (found[NAMES[1]] == masks[NAMES[1]]).all()


def test_a_model_that_was_trained_on_is_refused(tmp_path, model, pruned):
    pruned[NAMES[1]][3, 4:7] += 0.5
    with pytest.raises(ValueError, match="of .*blocks.1.*, 2.50% of the weights are neither"):
        checkpoints.masks(state(tmp_path, pruned), *model[:2])


def test_another_architecture_is_refused(tmp_path, model, pruned):
    missing = {NAMES[0]: pruned[NAMES[0]]}
    with pytest.raises(ValueError, match="holds no weight down_blocks.1"):
        checkpoints.masks(directory(tmp_path, missing), *model[:2])
    wider = {n: np.ones((6, 21), np.float32) for n in NAMES}
    with pytest.raises(ValueError, match="is 6×21, the model's 6×20"):
        checkpoints.masks(safetensors(tmp_path, wider), *model[:2])


def test_what_are_no_weights_is_refused(tmp_path, model, pruned):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match="empty holds no diffusion_pytorch_model.safetensors"
    ):
        checkpoints.masks(tmp_path / "empty", *model[:2])
    torch.save([torch.ones(3)], tmp_path / "list.pt")
    np.savez(tmp_path / "arrays.npz", **pruned)
    (tmp_path / "nothing.pt").touch()
    (tmp_path / "page.pt").write_text(
        "\n <!DOCTYPE html><html>Quota exceeded</html>", encoding="utf-8"
    )
    pointer = "version https://git-lfs.github.com/spec/v1\n"
    (tmp_path / "pointer.safetensors").write_text(pointer, encoding="utf-8")
    (tmp_path / "short.pt").write_bytes(state(tmp_path, pruned).read_bytes()[:-900])
    (tmp_path / "short.safetensors").write_bytes(safetensors(tmp_path, pruned).read_bytes()[:-40])
    for name, told in {
        "list.pt": "holds more than weights by name, or is damaged: it is a list",
        "arrays.npz": "is NumPy's: save it as .safetensors",
        "nothing.pt": "is empty: its download failed",
        "page.pt": "is a web page: the download failed",
        "pointer.safetensors": "is a Git-LFS pointer, not what it points to: run `git lfs pull`",
        "short.pt": "is cut short: its download ended after",
        "short.safetensors": "is cut short: ",
    }.items():
        with pytest.raises(ValueError, match=f"{name} {told}") as error:
            checkpoints.masks(tmp_path / name, *model[:2])
        assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="absent.pt: No such file"):
        checkpoints.masks(tmp_path / "absent.pt", *model[:2])


def test_a_file_that_may_not_be_read_is_told_in_one_line(tmp_path, model, pruned, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    for write, place in ((safetensors, "safe_open"), (state, "zipfile.is_zipfile")):
        file = write(tmp_path, pruned)
        with monkeypatch.context() as patch, pytest.raises(PermissionError) as error:
            patch.setattr(f"regrowth.files.tensors.{place}", refuse)
            checkpoints.masks(file, *model[:2])
        assert str(error.value) == f"{file}: Permission denied"


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8])
def test_a_dtype_that_is_not_read_is_told_with_its_weight(tmp_path, model, pruned, dtype):
    torch.save({n: w.to(dtype) for n, w in tensors(pruned).items()}, tmp_path / "unet.pt")
    kind = str(dtype).removeprefix("torch.")
    told = f"unet.pt: {NAMES[0]} is {kind}; wanted: float32, float16 or bfloat16"
    with pytest.raises(ValueError, match=told):
        checkpoints.masks(tmp_path / "unet.pt", *model[:2])


def test_the_first_stable_diffusions_names_are_told(tmp_path, model):
    torch.save(
        {"state_dict": {"model.diffusion_model.out.2.bias": torch.ones(3)}}, tmp_path / "v1.ckpt"
    )
    with pytest.raises(
        ValueError, match="holds no weight down.*; it has .*: save it with diffusers"
    ):
        checkpoints.masks(tmp_path / "v1.ckpt", *model[:2])


def test_a_pickle_with_more_than_weights_is_refused(tmp_path, model):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "proof"), "w")

    for write in (torch.save, lambda held, file: file.write_bytes(pickle.dumps(held))):
        write({NAMES[0]: Evil()}, tmp_path / "evil.pt")
        with pytest.raises(ValueError, match="holds more than weights") as told:
            checkpoints.masks(tmp_path / "evil.pt", *model[:2])
        assert "\n" not in str(told.value)
    assert not (tmp_path / "proof").exists()


# A model that was changed elsewhere, and is released as it is


@pytest.fixture
def edited(model):
    """Every weight of one layer but one a little otherwise; the other layer as it is."""
    held = {n: w + np.float32(0.5) * (n == NAMES[1]) for n, w in model[1].items()}
    held[NAMES[1]][0, 0] = model[1][NAMES[1]][0, 0]
    return held


def own(model):
    return disk.stored(model[0][0].file.parents[1])


@pytest.mark.parametrize("write", WAYS)
def test_what_a_model_was_changed_in_is_what_is_not_the_models_own(tmp_path, model, edited, write):
    made = tmp_path / "made"
    made.mkdir()
    path = write(made, edited)
    checkpoints.fits(path, own(model))
    found, count = checkpoints.changed(path, own(model))
    assert count == found[NAMES[1]].size - 1, "one is as it was"
    assert list(found) == NAMES[1:] and found[NAMES[1]].dtype == np.float32
    np.testing.assert_array_equal(found[NAMES[1]], edited[NAMES[1]])


def test_a_model_that_does_not_fit_or_says_nothing_is_refused(tmp_path, model, edited):
    file = tmp_path / "unet.safetensors"

    def refused(held, told, way=checkpoints.fits):
        save_file(held, file)
        with pytest.raises(ValueError, match=told):
            way(file, own(model))

    refused({NAMES[0]: edited[NAMES[0]]}, f"holds no weight {NAMES[1]}: is it another architecture")
    refused(edited | {NAMES[1]: np.ones((6, 21), np.float32)}, "is 6×21, the model's 6×20")
    refused(dict(model[1]), "nothing was changed", checkpoints.changed)
    edited[NAMES[0]][2, 3] = np.nan
    refused(edited, f"{NAMES[0]} holds weights that are no numbers", checkpoints.changed)


TEXT = "encoder.layers.0.mlp.fc1."


@pytest.fixture
def worded(tmp_path, model):
    """The same model with a text encoder, whose names begin as transformers' do; its tensors."""
    rng = np.random.default_rng(1)
    held = {f"{TEXT}{own}": rng.normal(size=4).astype(np.float32) for own in ("weight", "bias")}
    write_text_encoder(tmp_path / "model", held, "text_model.")
    return held


def write_text_encoder(folder, held, before):
    (folder / "text_encoder").mkdir()
    named = {f"{before}{name}": w for name, w in held.items()}
    named["text_model.embeddings.position_ids"] = np.arange(3)
    save_file(named, folder / "text_encoder/model.safetensors")
    (folder / "text_encoder/config.json").write_text("{}", encoding="utf-8")


@pytest.mark.parametrize("before", ["text_model.", ""])
def test_a_text_encoder_that_differs_is_released_too(tmp_path, model, edited, worded, before):
    """By the names that a loaded pipeline has; indices are no weights. One that is not there, or
    not otherwise, is the model's."""
    given = worded | {f"{TEXT}bias": worded[f"{TEXT}bias"] + np.float32([0, 1, 2, 0])}
    (tmp_path / "made").mkdir()
    path = directory(tmp_path / "made", edited)
    alone, count = checkpoints.changed(path, own(model))
    assert list(alone) == NAMES[1:] and checkpoints.components(path) == ["unet"]
    write_text_encoder(path, given, before)
    checkpoints.fits(path, own(model))
    both, more = checkpoints.changed(path, own(model))
    name = f"text_encoder.{TEXT}bias"
    assert list(both) == [*NAMES[1:], name] and more == count + 2
    np.testing.assert_array_equal(both[name], given[f"{TEXT}bias"])
    save_file(dict(model[1]), path / "unet/any.safetensors")
    assert checkpoints.changed(path, own(model))[1] == 2, "its UNet may be the model's"
    save_file({TEXT + "weight": np.ones(4, np.float32)}, path / "text_encoder/model.safetensors")
    with pytest.raises(ValueError, match=f"holds no weight text_encoder.{TEXT}bias: is it another"):
        checkpoints.fits(path, own(model))
