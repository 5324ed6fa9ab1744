"""Integrity: distances to the pretrained model's pictures, worked out by hand."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from regrowth.measure import integrity
from regrowth.study import variants

VECTORS = {  # (class, seed) → features; the last is as long as no other
    ("cat", 0): [1.0, 0.0],
    ("cat", 1): [0.0, 2.0],
    ("cat", 2): [3.0, 3.0],
    ("dog", 0): [0.0, 9.0],
}


def rows(vectors, variant="pretrained", role="preserved"):
    places = [{"class": c, "seed": s, "prompt": f"a {c}"} for c, s in vectors]
    own = variants.PRETRAINED | {"variant": variant, "prompt_set": "objects", "role": role}
    frame = pd.DataFrame([own | place for place in places])
    return frame.assign(features=[np.array(v, np.float32) for v in vectors.values()])


def told_of(some, base):
    far = integrity.distances(some, integrity.units(base))
    return integrity.integrity(far, integrity.ruler(base)) if len(far) else far


def test_the_ruler_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(5)
    base = rows({(name, i): rng.normal(size=7) for name in ("cat", "dog") for i in range(9)})
    unit = {
        c: [np.array(v, float) / np.linalg.norm(v) for v in some["features"]]
        for c, some in base.groupby("class")
    }
    far = [1 - a @ b for vectors in unit.values() for a, b in combinations(vectors, 2)]
    (told,) = integrity.ruler(base).values()
    assert told == pytest.approx(np.mean(far), abs=1e-6)


def test_the_model_as_it_is_is_at_no_distance_whatever_its_order():
    base = rows(VECTORS)
    (told,) = told_of(base.iloc[::-1], base).to_dict("records")
    assert told["distance"] == 0 and told["n"] == 4


def test_distances_are_of_the_same_prompt_and_seed():
    moved = dict(VECTORS) | {("cat", 0): [0.0, 1.0], ("cat", 2): [-1.0, -1.0]}
    del moved["dog", 0]
    moved["fox", 0] = [1.0, 1.0]  # which the pretrained model did not draw
    (told,) = told_of(rows(moved, "pruned"), rows(VECTORS)).to_dict("records")
    # a right angle, the same, the opposite
    assert told["n"] == 3 and told["distance"] == pytest.approx((1 + 0 + 2) / 3)
    half = np.sqrt(0.5)
    # two seeds of the cat, three ways; the dog has one
    assert told["other_seed"] == pytest.approx((1 + (1 - half) + (1 - half)) / 3)


def test_roles_are_apart_and_a_role_without_a_pretrained_picture_is_left_out():
    base = pd.concat([rows(VECTORS), rows({("owl", 0): [1.0, 0.0]}, role="erased")])
    other = {("owl", 0): [0.0, 1.0]}
    told = told_of(rows(other, "pruned", "erased"), base)
    assert told["distance"].tolist() == [pytest.approx(1)] and told["role"].tolist() == ["erased"]
    assert np.isnan(told["other_seed"].iloc[0]) and np.isnan(told["low"].iloc[0])
    assert told_of(rows(other, "pruned", "erased"), rows(VECTORS)).empty


def test_two_runs_of_one_seed_are_one(seed=0):
    rng = np.random.default_rng(seed)
    some = {("cat", i): rng.normal(size=8) for i in range(12)}
    other = {place: v + 0.1 * rng.normal(size=8) for place, v in some.items()}
    one, two = (told_of(rows(other, "pruned"), rows(some)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert (one["low"] < one["distance"]).all() and (one["distance"] < one["high"]).all()
