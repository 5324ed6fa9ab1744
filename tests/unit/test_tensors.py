"""Files of tensors: what is read without torch is what torch reads."""

import numpy as np
import pytest
import torch
from regrowth.files import tensors
from safetensors.torch import save_file

KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


def state():
    made = {k: torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0)) for k in KINDS}
    return {name: w.to(KINDS[name]) for name, w in made.items()} | {"": torch.tensor(2.5)}


def write(folder, how):
    file = folder / f"x.{how.split(' ')[0]}"
    if how == "safetensors":
        save_file(state(), file)
    else:
        torch.save(state(), file, _use_new_zipfile_serialization=how != "bin legacy")
    return file


@pytest.mark.parametrize("how", ["safetensors", "bin", "bin legacy"])
def test_headers_and_tensors_are_those_of_torch(tmp_path, how):
    file = write(tmp_path, how)
    wanted = {name: (name or "F32", tuple(w.shape)) for name, w in state().items()}
    assert tensors.headers(file) == wanted and set(tensors.names(file)) == set(wanted)
    held = tensors.read(file, ["BF16", "F16", "F64", ""])
    assert held["BF16"].dtype == np.float32 and held["F16"].dtype == np.float16
    for name, w in held.items():
        assert w.itemsize == tensors.READ_AS[name or "F32"]
        np.testing.assert_array_equal(w, state()[name].double().numpy())


def test_rounding_to_bfloat16_is_torchs():
    rng = np.random.default_rng(0)
    values = rng.normal(size=4000) * 10.0 ** rng.integers(-42, 38, 4000)
    ties = np.arange(0x3F7F8000, 0x3F838000, 0x4000, dtype=np.uint32).view(np.float32)
    w = np.r_[values.astype(np.float32), ties, [0, -0.0, np.inf, -np.inf, 3.4e38]].astype("f4")
    wanted = torch.from_numpy(w).bfloat16().float().numpy()
    np.testing.assert_array_equal(tensors.bfloat16(w), wanted)
    np.testing.assert_array_equal(np.signbit(tensors.bfloat16(w)), np.signbit(wanted))
