"""Similarity and Fréchet distance against closed forms and resampling written out."""

import numpy as np
import pandas as pd
import pytest
from raw_scores import MAX, PRUNED, rows
from regrowth.measure import pictures
from regrowth.study import variants


def test_clip_score_counts_prompts_below_the_pretrained_model():
    first = rows(variants.PRETRAINED, [True] * 4).assign(score=[0.5, 0.5, 0.5, 0.5])
    second = rows(PRUNED, [True] * 4).assign(score=[0.4, 0.4, 0.4, 0.6])
    table = pictures.similarity(pd.concat([second, first])).set_index("variant")
    assert table.loc["pruned", "clip_score"] == 0.75
    assert table.loc["pruned", "similarity"] == pytest.approx(0.45)
    assert np.isnan(table.loc["pretrained", "clip_score"])


def test_frechet_distance_of_shifted_features():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(200, 3))
    frame = rows(PRUNED, [True] * 200, role="preserved")
    frame["features"] = list(reference + np.array([3.0, 0, 4.0]))
    mean, covariance = reference.mean(0), np.cov(reference.T)
    for n in (200, 0):  # the number of reference pictures does not matter, nor whether it is known
        table = pictures.frechet(frame, mean, covariance, n)
        assert table["fid"].iloc[0] == pytest.approx(25, rel=1e-6)
    frame["features"] = list(2 * reference)
    closed = mean @ mean + np.trace(covariance)  # covariances C and 4C: tr(C + 4C - 2 * 2C)
    table = pictures.frechet(frame, mean, covariance, 200)
    assert table["fid"].iloc[0] == pytest.approx(closed, rel=1e-6)


def test_the_bootstraps_interval_is_the_means():
    """Against resampling written out, and the normal closed form."""
    values = np.random.default_rng(1).normal(0.3, 0.1, 400)
    low, high = pictures.confidence(values)
    rng = np.random.default_rng(2)
    means = [rng.choice(values, len(values)).mean() for _ in range(2000)]
    error = values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.2 * error)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)
    assert pictures.confidence(values) == (low, high), "the same draws every time"
    for few in ([], [0.5], [0.5, 0.5]):
        assert np.isnan(pictures.confidence(np.array(few))).all()
    assert np.isfinite(pictures.confidence(np.array([0.5, 0.6]))).all()


def test_similarity_has_its_mean_inside_its_own_interval():
    first = rows(variants.PRETRAINED, [True] * 40).assign(score=np.linspace(0.2, 0.4, 40))
    mine = rows(PRUNED, [True] * 40).assign(score=np.linspace(0.1, 0.3, 40))
    table = pictures.similarity(pd.concat([first, mine])).set_index("variant")
    assert table["n"].tolist() == [40, 40] and table["role"].tolist() == ["erased"] * 2
    assert table["similarity"].tolist() == pytest.approx([0.3, 0.2])
    assert (table["low"] < table["similarity"]).all() and (
        table["similarity"] < table["high"]
    ).all()
    ends = pictures.confidence(np.linspace(0.1, 0.3, 40))
    assert tuple(table.loc["pruned", ["low", "high"]]) == tuple(ends)
    assert table.loc["pruned", "clip_score"] == 1


def test_clip_score_is_of_the_same_set_and_role_and_of_pictures_that_both_have():
    first = rows(variants.PRETRAINED, [True] * 4).assign(score=0.5)
    other = rows(variants.PRETRAINED, [True] * 4, "preserved").assign(score=0.1)
    mine = rows(PRUNED, [True] * 6).assign(score=[0.4, 0.6, 0.6, 0.6, 0.1, 0.1])
    alone = rows(PRUNED, [True] * 4, prompt_set="t").assign(score=0.1)
    table = pictures.similarity(pd.concat([first, other, mine, alone]))
    scores = table.set_index(["variant", "prompt_set", "role"])["clip_score"]
    assert scores["pruned", "s", "erased"] == 0.25
    assert np.isnan(scores["pruned", "t", "erased"])


def test_features_are_summed_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    frame = rows(PRUNED, [True] * 25, role="preserved").assign(
        features=list(rng.normal(size=(25, 3)))
    )
    about = np.zeros(3), np.eye(3), 9
    whole = pictures.frechet(frame, *about)["fid"].item()
    monkeypatch.setattr(pictures, "IN_MEMORY", 10)
    assert pictures.frechet(frame, *about)["fid"].item() == pytest.approx(whole, rel=1e-9)


def test_one_picture_has_no_distance_and_its_row():
    one = rows(PRUNED, [True]).assign(features=[np.zeros(2)])
    two = rows(MAX, [True] * 2).assign(features=list(np.eye(2)))
    table = pictures.frechet(pd.concat([one, two]), np.zeros(2), np.eye(2), 5).set_index("variant")
    assert table["n"].to_dict() == {"pruned": 1, "revived": 2}
    assert table["n_reference"].to_dict() == {"pruned": 5, "revived": 5}
    assert np.isnan(table.loc["pruned", "fid"]) and table.loc["revived", "fid"] > 0


def test_as_similar_as_before_is_not_below():
    frame = [
        rows(c, [True] * 2).assign(score=[0.5, s])
        for c, s in ((variants.PRETRAINED, 0.5), (PRUNED, 0.4))
    ]
    table = pictures.similarity(pd.concat(frame)).set_index("variant")
    assert table.loc["pruned", "clip_score"] == 0.5
    alone = pictures.similarity(frame[0])
    assert np.isnan(alone["clip_score"].item())


def test_the_row_of_one_picture_names_its_distance():
    one = rows(PRUNED, [True]).assign(features=[np.zeros(2)])
    table = pictures.frechet(one, np.zeros(2), np.eye(2), 5)
    assert np.isnan(table["fid"].item())
