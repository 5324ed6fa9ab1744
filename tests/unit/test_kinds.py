"""Tables of methods: every record leads to its code, and each method keeps its kind's contract."""

import dataclasses
import re

import numpy as np
import pytest
from regrowth.attack import DETECTORS, LESSONS, MAGNITUDES, ORACLES, ROUNDINGS, TUNINGS, VARIANTS
from regrowth.attack.detectors import detect
from regrowth.attack.magnitudes import magnitudes
from regrowth.attack.oracles import oracle
from regrowth.attack.settings import SPELLED, parted
from regrowth.classify import ATTACKS, FEATURES, NETWORKS, SOURCES, UNLEARNERS
from regrowth.complete import SOLVERS
from regrowth.defend import FILLS
from regrowth.draw import GUARDS
from regrowth.erase import ERASERS, READ
from regrowth.judge import JUDGES
from regrowth.judge.settings import Judge
from regrowth.kinds import Kind, Place
from regrowth.learn.recipes import RECIPES
from regrowth.measure.tables import COLUMNS
from regrowth.models import LAYERS

TABLES = [DETECTORS, ERASERS, LAYERS, FILLS, JUDGES, MAGNITUDES, ORACLES, ROUNDINGS, SOLVERS]
TABLES += [GUARDS, LESSONS, TUNINGS, VARIANTS, ATTACKS, FEATURES, NETWORKS, SOURCES, UNLEARNERS]


def places(record):
    if isinstance(record, Place):
        return [record]
    return [v for v in vars(record).values() if isinstance(v, Place)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.what)
def test_every_record_leads_to_what_it_names(table):
    for name, record in table.items():
        assert re.fullmatch(r"[a-z][a-z0-9._-]*", name), "it stands in paths"
        assert isinstance(record, Place) or dataclasses.is_dataclass(record)
        assert all(place.held is not None for place in places(record))


def test_a_name_that_nobody_knows_is_told_with_those_that_are_there():
    table = Kind("colour", {"red": 1, "blue": 2})
    with pytest.raises(ValueError, match="^unknown colour 'green'; known: red, blue$"):
        table["green"]
    assert "green" not in table and list(table) == ["red", "blue"]


@pytest.fixture
def pruned():
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.03, (12, 40)).astype(np.float32)
    missing = rng.random(weights.shape) < 0.2
    missing[3] = True  # a row that has kept nothing
    return np.where(missing, 0, weights).astype(np.float32), missing, weights


@pytest.mark.parametrize("name", MAGNITUDES)
def test_a_magnitude_is_positive_and_drawn_if_it_says_so(name, pruned):
    weights, missing, _ = pruned
    one, same, other = (
        magnitudes(weights, missing, name, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert one.shape == (missing.sum(),) and np.isfinite(one).all() and (one >= 0).all()
    np.testing.assert_array_equal(one, same)
    assert (one == other).all() == (not MAGNITUDES[name].random)


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_knows_half_and_draws_if_it_says_so(name, pruned):
    weights, missing, truth = pruned
    known = truth[missing]
    one, other = (
        oracle(known, weights, missing, name, np.random.default_rng(seed)) for seed in (0, 1)
    )
    signs, sizes = (np.sign(one) == np.sign(known)).all(), np.allclose(np.abs(one), np.abs(known))
    assert (signs, sizes) == (name != "pretrained", name == "pretrained")
    assert (one == other).all() == (not ORACLES[name].random)


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_draws_if_it_says_so(name, pruned):
    weights, missing, truth = pruned
    more = [truth[missing]] if FILLS[name].completed else []
    one, other = (
        FILLS[name].fill(weights, missing, 1.0, np.random.default_rng(seed), *more)
        for seed in (0, 1)
    )
    assert (one == other).all() == (not FILLS[name].random)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_takes_the_share_that_it_is_told(name, pruned):
    weights, missing, truth = pruned
    spelled = f"{name}-0.05" if DETECTORS[name].share else name
    assert re.fullmatch(SPELLED, spelled) and parted(spelled)[0] == name
    found = detect({"a": weights}, spelled)["a"]
    assert found.dtype == bool and found.shape == weights.shape
    if DETECTORS[name].share:
        assert parted(spelled)[1] == 0.05
        assert not re.fullmatch(SPELLED, name), "it is told no share"
        n = detect({"a": truth}, spelled)["a"].sum()
        assert n == round(0.05 * truth.size)


def test_every_trained_eraser_has_a_recipe_and_every_recipe_an_eraser():
    trained = [n for n, e in ERASERS.items() if e.edit and e.edit.name == "erase.trained.edit"]
    assert set(trained) == set(RECIPES)


@pytest.mark.parametrize("name", [n for n, e in ERASERS.items() if e.mask])
def test_an_eraser_chooses_some_weights_and_by_its_settings(name, pruned):
    _, _, truth = pruned
    rng, settings = np.random.default_rng(0), ERASERS[name].settings.held().of("object")
    steps = settings.get("steps", 1)
    shape = (steps, truth.shape[1]) if ERASERS[name].reads == "norms" else truth.shape
    read = {what: rng.random(shape) for what in READ[ERASERS[name].reads]}
    if ERASERS[name].bar:
        whole = {f"a:{what}": values for what, values in read.items()}
        settings["bar"] = ERASERS[name].bar({"a": truth}, whole, settings)
    mask = ERASERS[name].mask(truth, read, settings)
    assert mask.dtype == bool and mask.shape == truth.shape
    assert 0 < mask.sum() < mask.size


@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_feeds_a_table_and_says_what_its_entry_lacks(name, tmp_path):
    kind = JUDGES[name]
    assert kind.feeds in COLUMNS and bool(kind.by) == (kind.feeds == "accuracy")
    assert bool(kind.vectors) == (kind.feeds == "fid") and kind.by in ("", "top", "threshold")
    told = kind.mistakes(Judge(kind=name), tmp_path)
    wanted = [] if name == "nudenet" else [f"a judge of kind {name} needs a model"]
    assert told == wanted
