"""Integrity: distances to the pretrained model's pictures, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from regrowth.measure import integrity
from regrowth.measure.pictures import confidence
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


def test_the_model_as_it_is_is_at_no_distance_whatever_its_order():
    base = rows(VECTORS)
    (told,) = integrity.integrity(base.iloc[::-1], base).to_dict("records")
    assert told["distance"] == pytest.approx(0, abs=1e-12) and told["n"] == 4


def test_distances_are_of_the_same_prompt_and_seed():
    moved = dict(VECTORS) | {("cat", 0): [0.0, 1.0], ("cat", 2): [-1.0, -1.0]}
    del moved["dog", 0]
    moved["fox", 0] = [1.0, 1.0]  # which the pretrained model did not draw
    (told,) = integrity.integrity(rows(moved, "pruned"), rows(VECTORS)).to_dict("records")
    # a right angle, the same, the opposite
    assert told["n"] == 3 and told["distance"] == pytest.approx((1 + 0 + 2) / 3)
    half = np.sqrt(0.5)
    # two seeds of the cat, three ways; the dog has one
    assert told["other_seed"] == pytest.approx((1 + (1 - half) + (1 - half)) / 3)


def test_roles_are_apart_and_a_role_without_a_pretrained_picture_is_left_out():
    base = pd.concat([rows(VECTORS), rows({("owl", 0): [1.0, 0.0]}, role="erased")])
    other = {("owl", 0): [0.0, 1.0]}
    told = integrity.integrity(rows(other, "pruned", "erased"), base)
    assert told["distance"].tolist() == [pytest.approx(1)] and told["role"].tolist() == ["erased"]
    assert np.isnan(told["other_seed"].iloc[0]) and np.isnan(told["low"].iloc[0])
    assert integrity.integrity(rows(other, "pruned", "erased"), rows(VECTORS)).empty


def test_the_interval_is_the_bootstraps():
    far = np.random.default_rng(3).gamma(2, size=40)
    draws = np.random.default_rng(1)
    means = [far[draws.integers(40, size=40)].mean() for _ in range(4000)]
    np.testing.assert_allclose(confidence(far), np.percentile(means, [2.5, 97.5]), rtol=0.03)


def test_two_runs_of_one_seed_are_one(seed=0):
    rng = np.random.default_rng(seed)
    some = {("cat", i): rng.normal(size=8) for i in range(12)}
    other = {place: v + 0.1 * rng.normal(size=8) for place, v in some.items()}
    one, two = (integrity.integrity(rows(other, "pruned"), rows(some)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert (one["low"] < one["distance"]).all() and (one["distance"] < one["high"]).all()
