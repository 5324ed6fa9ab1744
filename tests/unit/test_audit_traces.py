"""What was done to a checkpoint: its traces, against closed forms and what was done to it."""

import numpy as np
import pytest
import torch
import zoo
from regrowth.attack import detectors
from regrowth.audit import classes, fills, reading, traces
from regrowth.draw.pipeline import load_pipeline
from regrowth.erase import closed_form
from regrowth.models import disk
from safetensors.torch import save_file


def matrix(seed=0, shape=(40, 90)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_zeros_rows_and_columns_are_counted():
    w = matrix()
    w[3], w[:, 5], w[:, 8], w[7, 7] = 0, 0, 0, 0
    told = traces.trace("x", w)
    zeros = 90 + 2 * 40 - 2 + 1
    assert told == traces.Trace("x", (40, 90), zeros, told.natural, zeros, 1, 2)


def test_what_half_precision_rounds_to_zero_is_natural_however_it_is_kept():
    w = matrix(shape=(200, 300)) * np.float32(1e-5)
    half = w.astype(np.float16).astype(np.float32)
    assert (half == 0).sum() > 100 and not traces.holes(half).any()
    wide = half.copy()
    wide[0, 0] = 1e-9  # now it is no half precision, and zeros are no chance
    assert traces.holes(wide).sum() == (wide == 0).sum()


def test_nothing_left_is_all_holes():
    assert traces.trace("x", np.zeros((3, 4), np.float32)).pruned == 12


@pytest.mark.parametrize("rank", [1, 3, 10])
@pytest.mark.parametrize("kept", [np.float32, np.float16])
def test_the_rank_of_a_difference(rank, kept):
    w, rng = matrix(), np.random.default_rng(1)
    change = rng.normal(size=(40, rank)) @ rng.normal(size=(rank, 90)) / 3
    now = (w + change).astype(kept).astype(np.float32)
    assert traces.rank(now, w.astype(kept).astype(np.float32)) == rank


def test_a_difference_of_full_rank_has_none():
    w = matrix()
    assert traces.rank(w + matrix(1) / 100, w) is None
    more = matrix(2, (40, 11)) @ matrix(3, (11, 90))  # a quarter of 40 is 10
    assert traces.rank(w + more, w) is None


@pytest.mark.parametrize("kept", ["half", "brain"])
def test_a_coarser_precision_is_no_change(kept):
    w = matrix()
    now = w.astype(np.float16).astype("f4") if kept == "half" else traces.tensors.bfloat16(w)
    now[0, :3] = [0, -now[0, 1], 2]
    found = traces.difference("x", now, w)
    assert (found.changed, found.zeroed, found.size, found.rank) == (3, 1, 40 * 90, None)
    by = w[0, 0] ** 2 + (2 * w[0, 1]) ** 2 + (2 - w[0, 2]) ** 2
    assert found.moved == pytest.approx(by / np.square(w[0, :3]).sum(), rel=2e-2)
    cosine = np.vdot(now, w) / np.linalg.norm(now) / np.linalg.norm(w)
    assert found.cosine == pytest.approx(cosine, abs=1e-6)


def test_a_twin_has_its_originals_covariance_and_sizes():
    rng = np.random.default_rng(0)
    root, size = rng.normal(size=(6, 6)), rng.uniform(0.5, 2, 4000)
    w = (root @ rng.normal(size=(6, 4000)) * size).astype(np.float32)
    one, two = detectors.by_row(w), fills.twin(w, rng)
    np.testing.assert_allclose(two @ two.T / 4000, one @ one.T / 4000, atol=0.1)
    told = np.corrcoef(np.square(one).sum(0), np.square(two).sum(0))[0, 1]
    assert told > 0.2 and not np.array_equal(one, two)
    np.testing.assert_allclose(fills.twin(w.T, np.random.default_rng(3)).shape, (4000, 6))


def test_square_matrices_are_not_looked_at():
    assert fills.fills({"x": matrix(shape=(50, 50))}) == fills.Fills(0, 0.0, 0.0, 0)
    assert fills.fills({"x": matrix(shape=(50, 50))}).told == "none"


FFN2 = disk.attacked_layers(zoo.MODEL, "ffn2")
WHOLE = {n: w.astype(np.float32) for n, w in disk.read_weights(FFN2).items()}
MASKS = zoo.holes({n: torch.from_numpy(w) for n, w in WHOLE.items()})


def filled(size):
    rng = np.random.default_rng(2)
    noise = {n: rng.normal(size=w.shape) * size * w.std() for n, w in WHOLE.items()}
    return {n: np.where(MASKS[n], noise[n], w).astype(np.float32) for n, w in WHOLE.items()}


def test_an_untouched_family_shows_no_fills():
    told = fills.fills(WHOLE)
    assert told.told == "none" and told.quiet == 0 and told.ratio < 1.3


@pytest.mark.parametrize("size", [0.05, 0.25, 1, 2])
def test_white_noise_in_the_holes_is_told(size):
    told = fills.fills(filled(size))
    assert told.told == "filled" and (told.quiet >= fills.QUIET) == (size < 1)


def test_what_all_families_of_a_file_show_is_its_nature():
    """As MiniLM's do, that nobody has filled; and one that shows more than the others is told."""
    alike = {name: fills.Fills(6, 0.09, 0.09 / r, 6) for name, r in (("a", 1.76), ("b", 1.6))}
    assert [one.told for one in alike.values()] == ["filled"] * 2
    assert [one.told for one in fills.together(alike).values()] == ["none"] * 2
    own = {"a": fills.Fills(16, 0.09, 0.05, 0), "b": fills.Fills(16, 0.05, 0.05, 0)}
    own |= {"c": fills.Fills(16, 0.05, 0.09, 9), "square": fills.Fills(0, 0.0, 0.0, 0)}
    told = {name: one.told for name, one in fills.together(own).items()}
    assert told == {"a": "filled", "b": "none", "c": "filled", "square": "none"}
    alone = {"a": own["a"], "square": own["square"]}
    assert fills.together(alone)["a"] == own["a"]


# --- classes, of a whole checkpoint


def noised(state, size):
    draw = torch.Generator().manual_seed(5)
    noise = {n: torch.randn(w.shape, generator=draw) * size * w.std() for n, w in state.items()}
    return {n: w + noise[n].half() if w.ndim > 1 else w for n, w in state.items()}


def with_masks(state, value):
    masks = {n: torch.from_numpy(m) for n, m in zoo.holes(state).items()}
    return state | {n: torch.where(m, value(state[n]), state[n]) for n, m in masks.items()}


def whole_columns(state):
    out = dict(state)
    for name in filter(zoo.is_ffn2, state):
        out[name] = state[name].clone()
        out[name][:, ::9] = 0
    return out


def low_rank(state):
    name = f"{zoo.TO_V}.weight"
    down, up = zoo.factors()
    return state | {name: (state[name].float() + up @ down).half()}


def white(w):
    return torch.randn(w.shape, generator=torch.Generator().manual_seed(1)).half() * w.std()


DONE = {
    "pruned": (lambda s: zoo.pruned(s, zoo.holes(s)), "pruned", "pruned"),
    "whole columns": (whole_columns, "pruned", "pruned"),
    "filled": (lambda s: with_masks(s, white), "pruned and filled", "pruned and filled"),
    "flipped": (lambda s: with_masks(s, lambda w: -w), "pruned and filled", "pruned and filled"),
    "masked": (lambda s: with_masks(s, lambda w: w * 1.2), "masked fine-tune", "no trace"),
    "low rank": (low_rank, "low-rank edit", "no trace"),
    "fine-tuned": (lambda s: noised(s, 0.05), "full fine-tune", "no trace"),
    "fine-tuned and pruned": (
        lambda s: zoo.pruned(noised(s, 0.05), zoo.holes(s)),
        "pruned",
        "pruned",
    ),
    "as it is": (lambda s: s, "untouched", "no trace"),
    "of other seeds": (
        lambda s: {n: w.flatten().roll(7).view(w.shape) for n, w in s.items()},
        "another model",
        None,
    ),
}


@pytest.mark.parametrize("what", DONE)
def test_what_was_done_is_told_with_its_base_and_without(tmp_path, what):
    change, with_base, alone = DONE[what]
    base = reading.opened(zoo.UNET)
    save_file(
        {n: w.contiguous() for n, w in change(zoo.unet()).items()}, tmp_path / "x.safetensors"
    )
    given = reading.opened(tmp_path / "x.safetensors", base)
    found = classes.told(given, base)
    assert found.done.kind == with_base, found.done
    if alone:
        found = classes.told(reading.opened(tmp_path / "x.safetensors"), None)
        assert found.done.kind == alone, found.done


def test_a_lora_is_a_low_rank_edit(tmp_path):
    base = reading.opened(zoo.UNET)
    done = classes.told(reading.opened(zoo.lora(tmp_path, "kohya"), base), base).done
    assert done.kind == "low-rank edit" and "rank 2 to 2" in done.why and "1 of 686" in done.why


def test_what_uce_solves_for_is_an_edit_of_one_rank_for_each_word(tmp_path):
    """One word is sent elsewhere: W changes by a product with that word's embedding alone."""
    pipe = load_pipeline(zoo.MODEL, "float32", "cpu")
    weights = disk.read_weights(list(disk.matrices(zoo.MODEL).values()))
    about = {"name": "church", "others": ["golf ball", "racket"]}
    edited = closed_form.uce(pipe, weights, about, closed_form.Uce().model_dump())
    own = {n: torch.from_numpy(np.ascontiguousarray(w)).half() for n, w in edited.items()}
    save_file(zoo.unet() | own, tmp_path / "x.safetensors")
    base = reading.opened(zoo.MODEL)
    done = classes.told(reading.opened(tmp_path / "x.safetensors", base), base).done
    assert done.kind == "low-rank edit" and "32 of 686" in done.why and "rank 1 to 1" in done.why
