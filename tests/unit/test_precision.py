"""Training at half precision and on less memory, against training in single precision."""

import pytest
import torch
from pydantic import ValidationError
from regrowth.erase import ERASERS
from regrowth.learn import loop, precision
from regrowth.learn.precision import Scale, felt, saving
from regrowth.learn.state import Kept
from test_recipes import a_step, same, small, teach


@pytest.fixture(scope="module")
def taught():
    return small()


def gradient(taught, dtype, scale=None, times=1.0, **more):
    """Of one step, times a factor, as one long vector; and the scale that it took."""
    step, _ = a_step(taught, "dimum", dtype=dtype, **more)
    weights = [p.requires_grad_(True) for p in step.pipe.unet.parameters()]
    found = Scale(dtype)
    found.value = scale or found.value

    def combine(step, weights):
        loss = times * step.retain()
        return list(torch.autograd.grad(loss, weights)), [loss.detach()]

    gradients, _ = felt(combine, step, weights, found)
    step.pipe.unet.requires_grad_(False)
    assert {g.dtype for g in gradients} == {torch.float32}
    assert "forward" not in vars(step.pipe.unet) and not step.pipe.unet.is_gradient_checkpointing
    return torch.cat([g.flatten() for g in gradients]), found.value


def apart(one, other):
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("dtype, low, high", [("bfloat16", 1e-3, 0.1), ("float16", 1e-4, 0.02)])
def test_a_gradient_at_half_precision_is_nearly_the_single_ones(taught, dtype, low, high):
    single, _ = gradient(taught, "float32")
    half, _ = gradient(taught, dtype)
    assert low < apart(half, single) < high
    assert torch.equal(half, gradient(taught, dtype)[0])


def test_scaling_rounds_nothing_and_saves_what_would_vanish(taught):
    plain, _ = gradient(taught, "bfloat16", scale=1.0)
    assert torch.equal(plain, gradient(taught, "bfloat16", scale=2.0**10)[0])
    single, _ = gradient(taught, "float32", times=1e-5)
    assert apart(gradient(taught, "float16", scale=1.0, times=1e-5)[0], single) > 0.5
    assert apart(gradient(taught, "float16", times=1e-5)[0], single) < 0.02


def test_what_overflows_is_computed_again_at_a_lower_scale(taught):
    found, scale = gradient(taught, "float16", scale=2.0**22)
    assert 1 < scale < 2.0**22
    assert torch.equal(found, gradient(taught, "float16", scale=scale)[0])
    lost, scale = gradient(taught, "float16", scale=8.0, times=float("inf"))
    assert scale == 1 and not torch.isfinite(lost).all()


@pytest.mark.parametrize("name", ["erasediff", "resalign"])
def test_a_prediction_in_pieces_is_the_same_and_keeps_less(taught, name, monkeypatch):
    made = []
    kept = torch.autograd.graph.saved_tensors_hooks(
        lambda t: made.append(t.numel()) or t, lambda t: t
    )
    more = {"hypergradient": False} if name == "resalign" else {}
    with kept:
        whole, most = teach(taught, name, **more), sum(made)
        made.clear()
        pieces = teach(taught, name, gradient_checkpointing=True, **more)
    assert same(whole, pieces) and sum(made) < 0.5 * most


def test_who_saves_within_a_saving_training_does_not_end_it(taught):
    unet, asked = taught[0].unet, {"gradient_checkpointing": True}
    with saving(unet, asked):
        with saving(unet, asked), saving(unet, {}):
            assert unet.is_gradient_checkpointing
        assert unet.is_gradient_checkpointing
    with saving(unet, {}):
        assert not unet.is_gradient_checkpointing


@pytest.mark.parametrize("name", ["salun-tuned", "esd-x"])
def test_a_training_at_half_precision_repeats_itself_and_ends_in_single(taught, name):
    half = teach(taught, name, dtype="bfloat16")
    assert same(half, teach(taught, name, dtype="bfloat16"))
    assert not same(half, teach(taught, name))
    assert {value.dtype.name for value in half.values()} == {"float32"}


def test_the_scale_is_part_of_a_trainings_state(taught, tmp_path, monkeypatch):
    monkeypatch.setitem(precision.LOSS_SCALE, "float16", 2.0**22)
    whole = teach(taught, "dimum", steps=2, dtype="float16")
    kept, scales = Kept(tmp_path / "state.pt", "one", 1), []
    teach(taught, "dimum", kept, steps=1, dtype="float16")
    fallen = kept.read()["scale"]
    assert 1 < fallen < 2.0**22

    def seen(combine, step, weights, scale):
        scales.append(scale.value)
        return felt(combine, step, weights, scale)

    monkeypatch.setattr(loop, "felt", seen)
    assert same(teach(taught, "dimum", kept, steps=2, dtype="float16"), whole)
    assert scales == [fallen]


def test_what_is_derived_twice_is_computed_in_single_precision():
    settings = ERASERS["resalign"].settings.held
    assert settings(hypergradient=True).of("object")["dtype"] == "float32"
    for more in ({"dtype": "bfloat16"}, {"gradient_checkpointing": True}):
        settings(**more)
        with pytest.raises(ValidationError, match="hypergradient: what is derived twice"):
            settings(hypergradient=True, **more)
    with pytest.raises(ValidationError, match="dtype"):
        settings(dtype="float8")
