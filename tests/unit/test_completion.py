"""The solvers against slow versions with a full SVD in float64."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from regrowth.attack.settings import Solver
from regrowth.complete import SOLVERS, gauss_spin
from regrowth.complete.engine import complete, complete_all
from regrowth.complete.problem import Outcome, Problem

SHAPES = [(12, 40), (40, 12), (24, 60)]
#: Prints what completion brings in besides torch, numpy and the standard library.
BROUGHT_IN = """
import sys
import numpy as np, torch
torch.linalg.eigh(torch.eye(2))
weights = np.random.default_rng(0).normal(size=(6, 9))
before = {name.partition(".")[0] for name in sys.modules}
from regrowth.complete import SOLVERS, complete
for solver in SOLVERS:
    complete(weights, weights > 1, solver)
print(*({name.partition(".")[0] for name in sys.modules} - before - {*sys.stdlib_module_names}))
"""


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Matrices as small as these gain nothing from a second, and wait for it on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(shape, seed=0, share=0.15, rank=4):
    rng = np.random.default_rng(seed)
    low = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    weights = low + 0.3 * rng.normal(size=shape)
    missing = rng.random(shape) < share
    return weights, missing


def same_signs(values, wanted):
    """Whether all signs agree that rounding cannot turn."""
    sure = np.abs(wanted) > 1e-3 * np.abs(wanted).max()
    return (np.sign(values) == np.sign(wanted))[sure].all() and sure.mean() > 0.9


def slow_iterates(weights, missing, n):
    """The first n iterates of the paper's iteration, for checking the stop by hand."""
    x = np.where(missing, np.nan, weights)
    out = [np.where(missing, np.nanmean(x, axis=0), x)]
    for _ in range(n):
        u, s, v = np.linalg.svd(out[-1], full_matrices=False)
        out.append(np.where(missing, (u * (s - s[-1])) @ v, weights))
    return out


@pytest.mark.parametrize("shape", SHAPES)
def test_faithful_equals_the_full_svd_iteration(shape):
    weights, missing = problem(shape)
    done = complete(weights, missing, "faithful")
    x = slow_iterates(weights, missing, done.iterations)
    change = [np.linalg.norm(x[i] - x[i - 2]) / np.linalg.norm(x[i - 2]) for i in range(2, len(x))]
    assert done.converged and change[-1] < 1e-5 and min(change[:-1]) >= 1e-5
    np.testing.assert_allclose(done.values, x[-1][missing], rtol=1e-4, atol=1e-5)
    assert same_signs(done.values, x[-1][missing])


@pytest.mark.parametrize("shape", SHAPES)
def test_nuclear_reaches_the_optimum(shape):
    """No slow solver needed: at the minimum of a convex norm no direction goes down."""
    weights, missing = problem(shape, seed=1)
    done = complete(weights, missing, "nuclear")
    assert done.converged
    x = np.where(missing, 0, weights)
    x[missing] = done.values
    norm = np.linalg.norm(x, "nuc")
    u, _, v = np.linalg.svd(x, full_matrices=False)
    slope = (u @ v)[missing]
    assert np.linalg.norm(slope) < 0.02 * np.sqrt(missing.sum())
    rng = np.random.default_rng(2)
    for _ in range(20):
        other = x.copy()
        other[missing] += 0.1 * rng.normal(size=missing.sum())
        assert np.linalg.norm(other, "nuc") > norm


@pytest.mark.parametrize("shape", SHAPES)
def test_nuclear_has_the_signs_of_the_full_svd_iteration_run_to_its_end(shape):
    weights, missing = problem(shape, seed=7)
    x = np.where(missing, 0, weights)
    for _ in range(20000):
        u, s, v = np.linalg.svd(x, full_matrices=False)
        x, before = np.where(missing, (u * (s - s[-1])) @ v, weights), x
        if np.linalg.norm(x - before) < 1e-8 * np.linalg.norm(x):
            break
    else:
        pytest.fail("the slow version did not settle")
    for dtype in (np.float64, np.float32):
        done = complete(weights.astype(dtype), missing, tolerance=1e-5)
        assert done.converged and same_signs(done.values, x[missing])


def test_every_step_of_nuclear_lowers_the_norm():
    weights, missing = problem((24, 60), seed=8)
    norms = []
    for limit in range(8):
        x = np.where(missing, 0, weights)
        x[missing] = complete(weights, missing, limit=limit, tolerance=0).values
        norms.append(np.linalg.norm(x, "nuc"))
    assert (np.diff(norms) < 0).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("power", [-110, -60, 90])
def test_the_scale_of_the_weights_does_not_matter(solver, power):
    """A power of two rounds nothing, so not one bit differs; squares of these would be lost."""
    weights, missing = problem((24, 60))
    weights = weights.astype(np.float32)
    one = complete(weights, missing, solver)
    other = complete(np.ldexp(weights, power), missing, solver)
    np.testing.assert_array_equal(other.values, np.ldexp(one.values, power))
    assert other.values.any()
    assert (other.iterations, other.converged) == (one.iterations, one.converged)


@pytest.mark.parametrize("solver", SOLVERS)
def test_zeros_tell_nothing(solver):
    weights, missing = problem((20, 30))
    done = complete(np.zeros_like(weights), missing, solver)
    assert not done.converged and done.note == "everything observed is zero"
    assert done.values.shape == (missing.sum(),) and not done.values.any()


def test_what_is_no_matrix_or_no_mask_is_refused():
    weights, missing = problem((20, 30))
    for array, mask, told in (
        (weights, missing.astype("u1"), "layer: a mask of bool is wanted, not of uint8"),
        (weights, missing.astype("f4"), "layer: a mask of bool is wanted, not of float32"),
        (weights[0], missing[0], "layer: a matrix is wanted, not an array of shape"),
        (weights[None], missing[None], "layer: a matrix is wanted, not an array of shape"),
    ):
        with pytest.raises(ValueError, match=told):
            complete(array, mask)
    as_lists = complete(weights.astype(float).tolist(), missing.tolist())
    tensors = complete(torch.from_numpy(weights.astype(float)), torch.from_numpy(missing))
    np.testing.assert_array_equal(as_lists.values, tensors.values)


@pytest.mark.parametrize("solver", SOLVERS)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_batch_is_the_same_as_one_by_one(solver, seed):
    """Other masks, other numbers of missing entries, other numbers of iterations."""
    layers = {
        f"layer {i}": problem((9, 25), seed=seed + i, share=0.05 + 0.12 * i) for i in range(3)
    }
    layers["full"] = (layers["layer 0"][0], np.zeros((9, 25), bool))
    together = complete_all(layers, solver, batch=3)
    assert list(together) == list(layers)
    for name, (weights, missing) in layers.items():
        alone = complete(weights, missing, solver)
        assert together[name].iterations == alone.iterations
        assert (together[name].converged, together[name].note) == (alone.converged, alone.note)
        atol = 1e-5 * np.abs(weights).max()
        np.testing.assert_allclose(together[name].values, alone.values, rtol=0, atol=atol)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_given_is_left_alone(solver, dtype):
    weights, missing = problem((9, 25), share=0.5)  # no column is spared
    weights, before = weights.astype(dtype), missing.copy()
    assert missing.any(0).all()
    given_ = weights.copy()
    complete(given_, missing, solver)
    np.testing.assert_array_equal(given_, weights)
    np.testing.assert_array_equal(missing, before)


def test_single_precision_is_enough_unless_the_conditioning_is_bad():
    weights, missing = problem((24, 60), seed=9)
    u, s, v = np.linalg.svd(weights, full_matrices=False)
    for smallest, told in ((0.2, "float32"), (1e-3, "float32, float64")):
        some = (u * np.geomspace(s[0], smallest * s[0], 24)) @ v
        for solver in ("faithful", "nuclear"):
            half = complete(some.astype(np.float32), missing, solver)
            whole = complete(some, missing, solver)
            assert half.dtype == told and whole.dtype == "float64"
            assert abs(half.iterations - whole.iterations) <= 1
            assert same_signs(half.values, whole.values)


def test_long_solves_log_their_residual(caplog, monkeypatch):
    from regrowth.complete import engine

    monkeypatch.setattr(engine, "PACE", 0)
    with caplog.at_level("INFO"):
        done = complete(*problem((12, 40)), "faithful", layer="mid_block.ff")
    lines = [r.message for r in caplog.records]
    assert len(lines) == done.iterations
    assert lines[-1].startswith(f"mid_block.ff: iteration {done.iterations}, residual ")


def test_solvers_agree_and_recover_low_rank_signs():
    weights, missing = problem((48, 160), seed=3)
    guess = {s: np.sign(complete(weights, missing, s).values) for s in ("faithful", "nuclear")}
    assert (guess["faithful"] == guess["nuclear"]).mean() >= 0.99
    assert (guess["nuclear"] == np.sign(weights[missing])).mean() > 0.9


def large_ones_missing(shape, share, seed=0):
    """Correlated rows, each column's largest entries gone, as pruning leaves them."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(shape[0], shape[0] // 3)) / np.sqrt(shape[0] / 3)
    weights = mix @ rng.normal(size=(shape[0] // 3, shape[1])) + 0.4 * rng.normal(size=shape)
    return weights, np.abs(weights) >= np.quantile(np.abs(weights), 1 - share, axis=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_softimpute_at_one_lambda_is_the_papers_equation_two(shape):
    weights, missing = problem(shape, seed=4)
    done = complete(weights, missing, "softimpute", lambdas=[2.0], limit=1000, tolerance=1e-9)
    x = np.zeros(shape)
    for _ in range(done.iterations):
        u, s, v = np.linalg.svd(np.where(missing, x, weights), full_matrices=False)
        x = (u * np.maximum(s - 2.0, 0)) @ v
    assert done.converged
    np.testing.assert_allclose(done.values, x[missing], rtol=1e-4, atol=1e-6)


def test_softimpute_takes_the_lambda_that_foretells_best():
    """Noise-free low rank wants no shrinkage, pure noise wants everything shrunk."""
    low, missing = problem((20, 60), seed=5, rank=2)
    rng = np.random.default_rng(6)
    clean = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 60))
    told = {}
    for name, weights in (("clean", clean), ("noise", rng.normal(size=(20, 60)))):
        note = complete(weights, missing, "softimpute").note
        told[name] = float(note.split(";")[0].removeprefix("lambda ")) / np.linalg.norm(weights, 2)
    assert told["clean"] < 0.02 < 0.3 < told["noise"]


def test_gauss_is_the_conditional_mean_of_every_column():
    weights, missing = large_ones_missing((12, 40), 0.2)
    layer = Problem(torch.from_numpy(weights)[None], torch.from_numpy(missing)[None])
    nothing = layer.zeros()
    k, push = gauss_spin._precision(layer, None, nothing, nothing, 0.5)
    zero = np.where(missing, 0, weights)
    gram = zero @ zero.T
    slow_k = 40 * np.linalg.inv(gram + 0.5 * np.trace(gram) / 12 * np.eye(12))
    np.testing.assert_allclose(k[0].numpy(), slow_k, rtol=0, atol=1e-8 * np.abs(slow_k).max())
    found, _, _ = gauss_spin._conditional_mean(layer, k, push, nothing, 1e-12, 500)
    slow = np.zeros(weights.shape)
    for j, gone in enumerate(missing.T):
        inside, across = slow_k[np.ix_(gone, gone)], slow_k[np.ix_(gone, ~gone)]
        slow[gone, j] = -np.linalg.solve(inside, across @ weights[~gone, j])
    np.testing.assert_allclose(found[0].numpy(), slow[missing], rtol=1e-6, atol=1e-9)


def test_scales_are_those_of_a_gaussian_whose_largest_are_gone():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(20000, 2)) * [0.5, 3.0]
    missing = np.abs(weights) >= np.quantile(np.abs(weights), [0.9, 0.7], axis=0).diagonal()
    layer = Problem(torch.from_numpy(weights)[None], torch.from_numpy(missing)[None])
    sigma, expected = (v.flatten().numpy() for v in gauss_spin._scales(layer))
    np.testing.assert_allclose(sigma, [0.5, 3.0], rtol=0.02)
    lost = [np.abs(weights[missing[:, j], j]).mean() for j in (0, 1)]
    np.testing.assert_allclose(sigma * expected, lost, rtol=0.02)


def test_gauss_spin_beats_the_nuclear_norm_where_the_largest_are_gone():
    right = dict.fromkeys(("nuclear", "gauss-spin"), 0)
    for seed in range(5):
        weights, missing = large_ones_missing((60, 240), 0.15, seed)
        for solver in right:
            guess = complete(weights, missing, solver).values
            right[solver] += (np.sign(guess) == np.sign(weights[missing])).mean() / 5
    assert right["gauss-spin"] > right["nuclear"] + 0.01 > 0.7


@pytest.mark.parametrize("solver", SOLVERS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_scaling_permuting_and_repeating(solver, seed, factor):
    weights, missing = problem((8, 20), seed)
    at = (lambda f: {"lambdas": [3.0 * f, 0.5 * f]}) if solver == "softimpute" else lambda f: {}
    one = np.zeros(weights.shape)
    one[missing] = complete(weights, missing, solver, **at(1)).values
    again = complete(weights, missing, solver, **at(1)).values
    np.testing.assert_array_equal(again, one[missing])
    scaled = complete(weights * factor, missing, solver, **at(factor)).values
    np.testing.assert_allclose(scaled, factor * one[missing], rtol=2e-3, atol=2e-3 * factor)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(8), rng.permutation(20)
    mixed = np.ix_(rows, columns)
    moved = complete(weights[mixed], missing[mixed], solver, **at(1)).values
    np.testing.assert_allclose(moved, one[mixed][missing[mixed]], rtol=2e-3, atol=2e-3)


def test_the_study_knows_every_solver():
    assert set(TypeAdapter(Solver).json_schema()["enum"]) == set(SOLVERS)


def test_what_stands_at_missing_positions_is_ignored():
    weights, missing = problem((10, 30))
    spoiled = np.where(missing, np.nan, weights)
    for solver in SOLVERS:
        a, b = complete(weights, missing, solver), complete(spoiled, missing, solver)
        np.testing.assert_array_equal(a.values, b.values)


def test_a_zero_row_is_told_and_not_passed_off_as_a_result():
    weights, missing = problem((10, 30))
    weights[3], missing[3] = 0, False
    done = complete(weights, missing, "faithful")
    assert not done.converged and "column means" in done.note
    assert complete(weights, missing, "nuclear").converged


def test_bad_input_is_refused():
    weights, missing = problem((4, 6))
    with pytest.raises(
        ValueError, match="unknown solver 'magic'; known: faithful, nuclear, softimp"
    ):
        complete(weights, missing, "magic")
    with pytest.raises(ValueError, match="everything is missing"):
        complete(weights, np.ones_like(missing), "nuclear")
    with pytest.raises(ValueError, match=r"mask of shape \(6, 4\) for weights of shape \(4, 6\)"):
        complete(weights, missing.T, "nuclear")
    bad = weights.copy()
    bad[~missing] = np.inf
    with pytest.raises(ValueError, match=r"layer 3: \d+ observed weights are not finite"):
        complete(bad, missing, "nuclear", layer="layer 3")
    with pytest.raises(ValueError, match="floating-point weights are wanted, not int64"):
        complete(np.ones((4, 6), int), missing)
    assert complete(weights, np.zeros_like(missing), "nuclear").values.shape == (0,)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_line_with_nothing_observed_is_told(solver):
    weights, missing = problem((10, 30))
    missing[4], missing[:, 7] = True, True
    done = complete(weights, missing, solver)
    assert "1 row has nothing observed; 1 column has nothing observed" in done.note
    assert np.isfinite(done.values).all()


def test_a_layer_too_large_for_its_device_goes_to_the_cpu(monkeypatch):
    from regrowth.complete import engine

    tried = []

    def full(problem):
        tried.append(problem)
        if len(tried) == 1:
            raise torch.OutOfMemoryError
        return SOLVERS["nuclear"](problem)

    weights, missing = problem((10, 30))
    monkeypatch.setitem(engine.SOLVERS, "full", full)
    done = complete(weights, missing, "full", device="cpu:0")
    assert done.device == "cpu" and "does not fit the memory of cpu:0" in done.note
    np.testing.assert_array_equal(done.values, complete(weights, missing).values)


def recorder(monkeypatch, solve=SOLVERS["nuclear"]):
    """A solver by the name of "seen", and the problems that it was given."""
    seen = []

    def solver(problem, **options):
        seen.append((problem, options))
        return solve(problem)

    monkeypatch.setitem(SOLVERS, "seen", solver)
    return seen


def test_layers_of_one_shape_and_precision_are_solved_together(monkeypatch):
    seen = recorder(monkeypatch)
    layers = {f"{shape} {i}": problem(shape, i) for shape in [(4, 9), (9, 4)] for i in range(9)}
    layers |= {f"half {i}": (w.astype(np.float32), m) for i, (w, m) in enumerate(layers.values())}
    sizes = {}
    for device, batch in [("cpu", None), ("cpu:0", None), ("cpu", 4)]:
        seen.clear()
        done = complete_all(layers, "seen", device, batch)
        assert list(done) == list(layers)
        sizes[device, batch] = sorted(len(p.x) for p, _ in seen)
        for name, one in done.items():
            assert one.device == device and one.values.dtype == np.float32
            assert one.dtype.startswith("float32" if name.startswith("half") else "float64")
            assert len(one.values) == layers[name][1].sum()
    assert sizes["cpu", None] == [1] * 36
    assert sizes["cpu:0", None] == [1] * 4 + [8] * 4
    assert sizes["cpu", 4] == [1] * 4 + [4] * 8


def test_the_short_side_goes_first(monkeypatch):
    seen = recorder(monkeypatch)
    for shape in [(3, 4), (4, 4), (4, 3)]:
        weights, missing = problem(shape, share=0.3)
        complete(weights, missing, "seen", faint=2)
        told, options = seen[-1]
        turned = shape == (4, 3)
        assert told.flipped == turned and options == {"faint": 2}
        wanted = missing.T if turned else missing
        np.testing.assert_array_equal(told.gone[0].numpy(), wanted)
        scale = float(told.unit[0, 0])  # a power of two, the largest weight just below it
        x = (weights.T if turned else weights) / scale
        np.testing.assert_array_equal(told.x[0].numpy(), np.where(wanted, 0, x))
        assert 0.5 <= np.abs(x[~wanted]).max() < 1 and np.log2(scale) % 1 == 0


def test_what_needs_no_solver_has_none(monkeypatch):
    seen = recorder(monkeypatch)
    weights, missing = problem((4, 9), share=0.3)
    layers = {"full": (weights, np.zeros_like(missing)), "zero": (0 * weights, missing)}
    done = complete_all(layers, "seen")
    told = {
        "iterations": 0,
        "residual": 0.0,
        "seconds": 0.0,
        "device": "cpu",
        "dtype": "",
        "sure": None,
    }
    for name, n, converged, note in [
        ("full", 0, True, "nothing is missing"),
        ("zero", missing.sum(), False, "everything observed is zero"),
    ]:
        found = vars(done[name]).copy()
        values = found.pop("values")
        assert values.dtype == np.float32 and values.tolist() == [0] * n
        assert found == told | {"converged": converged, "note": note}
    assert not seen
    spoilt = np.where(missing, np.nan, 0)  # what is missing is not looked at
    assert complete(spoilt, missing, "seen").note == "everything observed is zero"


def test_notes_of_lines_and_of_the_solver_are_joined():
    weights, missing = problem((10, 30))
    missing[4:6], missing[:, 7:10] = True, True
    done = complete(weights, missing, "nuclear", limit=1)
    assert done.note == (
        "2 rows have nothing observed; 3 columns have nothing observed; "
        "stopped at the iteration limit"
    )


def test_a_batch_too_large_for_its_device_is_solved_one_by_one(monkeypatch):
    def small(problem):
        if len(problem.x) > 1:
            raise torch.OutOfMemoryError
        return SOLVERS["nuclear"](problem)

    seen = recorder(monkeypatch, small)
    layers = {f"layer {i}": problem((10, 30), i) for i in range(3)}
    done = complete_all(layers, "seen", batch=3)
    assert [len(p.x) for p, _ in seen] == [3, 1, 1, 1] and list(done) == list(layers)
    for name, one in complete_all(layers).items():
        np.testing.assert_array_equal(done[name].values, one.values)
        assert done[name].note == one.note


def test_what_went_to_the_cpu_says_so_before_all_else(monkeypatch, caplog):
    def full(problem):
        if len(seen) == 1:
            raise torch.OutOfMemoryError
        return SOLVERS["nuclear"](problem, limit=1)

    seen = recorder(monkeypatch, full)
    done = complete_all({"a": problem((10, 30))}, "seen", "cpu:0")["a"]
    told = "does not fit the memory of cpu:0: completed on the CPU"
    assert done.note == f"{told}; stopped at the iteration limit"
    assert caplog.messages[-1] == f"a: {told}"


def test_seconds_are_a_layers_share(monkeypatch):
    from regrowth.complete import engine

    clock = iter(range(100, 200, 6))
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    recorder(monkeypatch, lambda p: Outcome(p.zeros(), *(p.zeros()[:, 0],) * 3, ["", "", ""]))
    done = complete_all({f"{i}": problem((4, 9), i) for i in range(3)}, "seen", batch=3)
    assert [one.seconds for one in done.values()] == [2.0] * 3


def test_a_long_solve_is_told_of_now_and_then(monkeypatch, caplog):
    from regrowth.complete import engine

    now = SimpleNamespace(at=100.0)
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: now.at))
    watch = engine._progress(["a", "b"], 100.0)
    with caplog.at_level("INFO"):
        for i, now.at in enumerate([105.0, 109.9, 110.0, 119.0, 120.0, 131.5]):
            watch(i, torch.tensor([[0.25], [0.5]]))
    assert caplog.messages == [
        "2 layers from a: iteration 2, residual 5.00e-01, 10 s",
        "2 layers from a: iteration 4, residual 5.00e-01, 20 s",
        "2 layers from a: iteration 5, residual 5.00e-01, 32 s",
    ]


def test_a_layer_has_a_name_even_if_none_is_given():
    weights, missing = problem((4, 6))
    with pytest.raises(ValueError, match="^layer: everything is missing"):
        complete(weights, np.ones_like(missing))


@pytest.mark.parametrize("power", [-200, 130, 600])
def test_weights_beyond_single_precision_are_refused(power):
    """Their completion would be zeros, or infinite."""
    weights, missing = problem((4, 6))
    with pytest.raises(
        ValueError, match="^layer: weights as large as .*e.* do not fit single prec"
    ):
        complete(np.ldexp(weights, power), missing)
    missing[0, 0] = True
    weights[0, 0] = 1e300  # what is missing is not looked at
    assert complete(weights, missing).converged


def test_spins_that_have_not_settled_are_told():
    weights, missing = large_ones_missing((12, 40), 0.2)
    done = complete(weights, missing, "gauss-spin", inner=1, outer=1)
    assert not done.converged and done.note == "the signs still moved at the last sweep"
    done = complete(weights, missing, "gauss-spin", limit=1, tolerance=1e-6)
    assert not done.converged
    assert done.note == "the conditional means stopped at the iteration limit"


def test_the_engine_needs_torch_and_numpy_alone():
    told = subprocess.run([sys.executable, "-c", BROUGHT_IN], capture_output=True, text=True)
    assert told.stdout.split() == ["regrowth"], told.stderr
