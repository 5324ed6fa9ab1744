"""Pruned checkpoints of a user's: what they erased is found, and other models are refused."""

import pickle

import numpy as np
import pytest
import torch
from regrowth import checkpoints, models
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
    return models.attacked_layers(tmp_path / "model", "ffn2"), weights, masks


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


@pytest.mark.parametrize("write", [directory, safetensors, state, nested])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_mask_of_a_checkpoint_is_what_it_lacks(tmp_path, model, pruned, write, dtype):
    layers, weights, masks = model
    file = write(tmp_path, {n: w.astype(dtype) for n, w in pruned.items()})
    found = checkpoints.masks(file, layers, weights)
    for name in NAMES:
        np.testing.assert_array_equal(found[name], masks[name])


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
    with pytest.raises(FileNotFoundError, match="empty/unet holds no .safetensors file"):
        checkpoints.masks(tmp_path / "empty", *model[:2])
    torch.save([torch.ones(3)], tmp_path / "list.pt")
    cut = safetensors(tmp_path, pruned)
    cut.write_bytes(cut.read_bytes()[:-40])
    for file in (tmp_path / "list.pt", cut):
        with pytest.raises(ValueError, match=f"{file.name} holds more than weights by name, or is"):
            checkpoints.masks(file, *model[:2])
    brain = {n: torch.from_numpy(w).bfloat16() for n, w in pruned.items()}
    torch.save(brain, tmp_path / "brain.pt")
    with pytest.raises(ValueError, match="wanted: torch.float16 or torch.float32") as told:
        checkpoints.masks(tmp_path / "brain.pt", *model[:2])
    assert "bfloat16" in str(told.value) and "damaged" not in str(told.value)


def test_a_pickle_with_more_than_weights_is_refused(tmp_path, model):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "proof"), "w")

    for write in (torch.save, lambda held, file: file.write_bytes(pickle.dumps(held))):
        write({NAMES[0]: Evil()}, tmp_path / "evil.pt")
        with pytest.raises(ValueError, match="holds more than weights"):
            checkpoints.masks(tmp_path / "evil.pt", *model[:2])
    assert not (tmp_path / "proof").exists()
