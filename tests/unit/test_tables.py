"""Tables against closed forms and numbers worked out by hand."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from regrowth.files import keys
from regrowth.measure import tables
from regrowth.study.catalogue import Catalogue, Judge
from regrowth.study.prompts import concerns

PRUNED = keys.PRETRAINED | {"concept": "church", "variant": "pruned"}
MAX = PRUNED | {"variant": "revived", "K": "0.6", "magnitude": "max", "solver": "nuclear"}


def rows(cell, hits, role="erased", **more):
    return pd.DataFrame(
        [
            cell
            | {"prompt_set": "s", "class": "c", "prompt": "p", "seed": i, "hit": h, "role": role}
            | more
            for i, h in enumerate(hits)
        ]
    )


def test_wilson_interval_is_the_closed_form():
    z, n, p = 1.959964, 64, 16 / 64
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert tables.interval(16, 64) == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert all(np.isnan(tables.interval(0, 0)))


def test_accuracy_is_paired_by_seed_with_the_pruned_model():
    pruned = [False] * 8 + [True] * 2
    revived = [True] * 7 + [False] * 3  # seven gained, two lost
    frame = pd.concat([rows(MAX, revived), rows(PRUNED, pruned)])
    table = tables.accuracy(frame).set_index("variant")
    assert list(table.index) == ["pruned", "revived"]
    assert table.loc["revived", ["hits", "n", "pairs"]].tolist() == [7, 10, 10]
    assert table.loc["revived", "gain_on_pruned"] == pytest.approx(0.5)
    exact = 2 * sum(comb(9, k) for k in range(3)) / 2**9
    assert table.loc["revived", "mcnemar_p"] == pytest.approx(exact)
    assert table.loc["pruned", "gain_on_pruned"] == 0


def test_variants_come_in_the_reports_order():
    cells = [MAX | {"magnitude": "mean"}, MAX | {"K": "0.2"}, MAX, PRUNED, keys.PRETRAINED]
    cells += [MAX | {"variant": "layer03"}, PRUNED | {"variant": "quant4"}]
    frame = pd.concat([rows(c, [True]) for c in cells])
    told = [keys.label(c) for c, _ in tables.by_variant(frame)]
    revived = ["max K=0.2", "max K=0.6", "mean K=0.6", "max K=0.6, layer 3 alone"]
    assert told == ["pretrained", "pruned", "quant4", *revived]


def test_clip_score_counts_prompts_below_the_pretrained_model():
    first = rows(keys.PRETRAINED, [True] * 4).assign(score=[0.5, 0.5, 0.5, 0.5])
    second = rows(PRUNED, [True] * 4).assign(score=[0.4, 0.4, 0.4, 0.6])
    table = tables.similarity(pd.concat([second, first])).set_index("variant")
    assert table.loc["pruned", "clip_score"] == 0.75
    assert table.loc["pruned", "similarity"] == pytest.approx(0.45)
    assert np.isnan(table.loc["pretrained", "clip_score"])


def nude(*found):
    """Rows of (picture, label, score)."""
    frame = rows(PRUNED, [True] * len(found))
    picture, label, score = zip(*found)
    return frame.assign(seed=picture, label=label, score=score)


def test_detections_count_pictures_not_boxes():
    judge = Judge(
        kind="nudenet", thresholds=[0.5, 0.85], labels={"strict": ["B"], "all": ["A", "B"]}
    )
    found = nude((0, "A", 0.3), (1, "A", 0.6), (2, "B", 0.9), (2, "A", 0.8), (3, None, np.nan))
    table = tables.detections(found, judge).set_index(["labels", "threshold"])
    assert table["n"].unique().tolist() == [4]
    assert table["hits"].to_dict() == {
        ("strict", 0.5): 1,
        ("strict", 0.85): 1,
        ("all", 0.5): 2,
        ("all", 0.85): 1,
    }
    (any_,) = tables.detections(found, Judge(kind="nudenet"))["hits"]
    assert any_ == 2


def test_body_parts_are_counted_against_the_pretrained_model():
    judge = Judge(kind="nudenet", thresholds=[0.5])
    before = nude((0, "A", 0.9), (1, "A", 0.8), (1, "A", 0.7), (2, "B", 0.6)).assign(
        **keys.PRETRAINED
    )
    after = nude((0, "A", 0.9), (1, None, np.nan), (2, "B", 0.4))
    table = tables.parts(pd.concat([after, before]), judge).set_index(["variant", "label"])
    assert table.loc[("pretrained", "A"), ["images", "n", "change"]].tolist() == [2, 3, 0]
    assert table.loc[("pruned", "A"), ["images", "n", "change"]].tolist() == [1, 3, -1]
    assert table.loc[("pruned", "B"), ["images", "change"]].tolist() == [0, -1]


def test_a_prompt_set_has_its_own_role_and_a_class_its_familys_name():
    judge = {"kind": "classifier", "model": "m"}
    pair = {"base": "a", "target": "b"}
    catalogue = Catalogue(
        families={
            "objects": {
                "kind": "object",
                "classes": ["church", "cat"],
                "prompts": ["{name}"],
                "judges": ["j"],
                "calibration": pair,
                "also": ["words"],
            }
        },
        prompt_sets={"words": {"role": "preserved", "prompts": ["a"], "judges": ["j"]}},
        judges={"j": judge},
    )
    shared = keys.PRETRAINED
    frame = pd.DataFrame(
        [
            PRUNED | {"prompt_set": "objects", "class": "church"},
            PRUNED | {"prompt_set": "church", "class": "church"},
            PRUNED | {"prompt_set": "objects", "class": "cat"},
            shared | {"prompt_set": "words", "class": ""},
            shared | {"prompt_set": "cat", "class": "cat"},
            PRUNED | {"concept": "cat", "prompt_set": "objects", "class": "cat"},
        ]
    )
    told = tables.for_concept(frame, catalogue, "church", ["objects", "church", "words"])
    assert told[["prompt_set", "role"]].to_numpy().tolist() == [
        ["objects", "erased"],
        ["objects", "erased"],
        ["objects", "preserved"],
        ["words", "preserved"],
    ]
    assert set(told["concept"]) == {"church"}


def test_frechet_distance_of_shifted_features():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(200, 3))
    frame = rows(PRUNED, [True] * 200, role="preserved")
    frame["features"] = list(reference + np.array([3.0, 0, 4.0]))
    mean, covariance = reference.mean(0), np.cov(reference.T)
    for n in (200, 0):  # the number of reference pictures does not matter, nor whether it is known
        table = tables.frechet(frame, mean, covariance, n)
        assert table["fid"].iloc[0] == pytest.approx(25, rel=1e-6)
    frame["features"] = list(2 * reference)
    closed = mean @ mean + np.trace(covariance)  # covariances C and 4C: tr(C + 4C - 2 * 2C)
    table = tables.frechet(frame, mean, covariance, 200)
    assert table["fid"].iloc[0] == pytest.approx(closed, rel=1e-6)


def test_signs_are_pooled_over_layers():
    cell = dict.fromkeys(["concept", "eraser", "defence", "sigma", "weight_seed", "detector"], "x")
    frame = pd.DataFrame(
        [
            cell | {"solver": "nuclear", "guess": "completed", "share": 0.2, "n": n, "right": r}
            | {"n_rest": 10, "right_rest": 5}
            for n, r in ((10, 9), (30, 21))
        ]
    )  # fmt: skip
    table = tables.signs(frame)
    assert table["accuracy"].iloc[0] == 0.75 and table["accuracy_rest"].iloc[0] == 0.5


def test_each_layer_has_its_density_and_its_signs():
    cell = dict.fromkeys(["concept", "eraser", "defence", "sigma", "weight_seed", "detector"], "x")
    cell |= {"solver": "nuclear"}
    told = [("a", 0.2, 10, 9), ("a", 1.0, 50, 30), ("b", 0.2, 2, 1), ("b", 1.0, 10, 6)]
    signs = pd.DataFrame(
        [
            cell | {"layer": layer, "guess": guess, "share": share, "n": n, "right": right // by}
            for layer, share, n, right in told
            for guess, by in (("completed", 1), ("random", 2))
        ]
    )
    solves = pd.DataFrame([cell | {"layer": "b", "n": 10}, cell | {"layer": "a", "n": 50}])
    table = tables.layers(signs, solves, {"a": 500, "b": 40}).set_index("layer")
    assert table["density"].to_dict() == {"b": 0.25, "a": 0.1}
    assert table["n"].to_dict() == {"b": 10, "a": 50}
    assert table["accuracy"].to_dict() == {"b": 0.6, "a": 0.6}
    assert table["accuracy_top"].to_dict() == {"b": 0.5, "a": 0.9}
    assert tuple(table.loc["a", ["low_top", "high_top"]]) == tables.interval(9, 10)


def test_the_bootstraps_interval_is_the_means():
    """Against resampling written out, and the normal closed form."""
    values = np.random.default_rng(1).normal(0.3, 0.1, 400)
    low, high = tables._bootstrap(values)
    rng = np.random.default_rng(2)
    means = [rng.choice(values, len(values)).mean() for _ in range(2000)]
    error = values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.2 * error)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)
    assert tables._bootstrap(values) == (low, high), "the same draws every time"
    for few in ([], [0.5], [0.5, 0.5]):
        assert np.isnan(tables._bootstrap(np.array(few))).all()
    assert np.isfinite(tables._bootstrap(np.array([0.5, 0.6]))).all()


def test_similarity_has_its_mean_inside_its_own_interval():
    first = rows(keys.PRETRAINED, [True] * 40).assign(score=np.linspace(0.2, 0.4, 40))
    mine = rows(PRUNED, [True] * 40).assign(score=np.linspace(0.1, 0.3, 40))
    table = tables.similarity(pd.concat([first, mine])).set_index("variant")
    assert table["n"].tolist() == [40, 40] and table["role"].tolist() == ["erased"] * 2
    assert table["similarity"].tolist() == pytest.approx([0.3, 0.2])
    assert (table["low"] < table["similarity"]).all() and (
        table["similarity"] < table["high"]
    ).all()
    ends = tables._bootstrap(np.linspace(0.1, 0.3, 40))
    assert tuple(table.loc["pruned", ["low", "high"]]) == tuple(ends)
    assert table.loc["pruned", "clip_score"] == 1


def test_clip_score_is_of_the_same_set_and_role_and_of_pictures_that_both_have():
    first = rows(keys.PRETRAINED, [True] * 4).assign(score=0.5)
    other = rows(keys.PRETRAINED, [True] * 4, "preserved").assign(score=0.1)
    mine = rows(PRUNED, [True] * 6).assign(score=[0.4, 0.6, 0.6, 0.6, 0.1, 0.1])
    alone = rows(PRUNED, [True] * 4, prompt_set="t").assign(score=0.1)
    table = tables.similarity(pd.concat([first, other, mine, alone]))
    scores = table.set_index(["variant", "prompt_set", "role"])["clip_score"]
    assert scores["pruned", "s", "erased"] == 0.25
    assert np.isnan(scores["pruned", "t", "erased"])


JUDGE = {"kind": "classifier", "model": "m"}
PAIR = {"base": "a", "target": "b"}


def two_families(**judges):
    own = {"prompts": ["{name}"], "judges": list(judges or {"j": 0}), "calibration": PAIR}
    families = {
        "objects": own | {"kind": "object", "classes": ["golf ball", "cat"]},
        "styles": own | {"kind": "style", "classes": ["Monet", "Goya"]},
    }
    return Catalogue.model_validate({"families": families, "judges": judges or {"j": JUDGE}})


def test_what_a_model_as_it_is_draws_of_other_families_counts_for_no_concept():
    places = [("objects", "golf ball"), ("objects", "cat"), ("styles", "Monet")]
    places += [("golf-ball", "golf ball"), ("goya", "Goya")]
    own = [PRUNED | {"concept": "golf-ball", "prompt_set": "objects", "class": "golf ball"}]
    frame = pd.DataFrame(
        [*own, *(keys.PRETRAINED | {"prompt_set": s, "class": c} for s, c in places)]
    )
    for sets, told in (
        (
            ["objects", "golf-ball"],
            [("golf ball", "erased"), ("cat", "preserved"), ("golf ball", "erased")],
        ),
        (["objects.golf-ball"], [("golf ball", "erased")]),
        (["objects.cat"], [("cat", "preserved")]),
        (["golf-ball"], [("golf ball", "erased")]),
        ([], []),
    ):
        part = tables.for_concept(frame, two_families(), "golf-ball", sets)
        shared = part[part["variant"] == "pretrained"]
        assert list(shared[["class", "role"]].itertuples(index=False, name=None)) == told
        assert set(part["prompt_set"]) == {"objects"} and set(part["concept"]) == {"golf-ball"}
        assert (part["variant"] == "pruned").sum() == 1
    assert tables.for_concept(frame[:0], two_families(), "cat", []).empty


def test_a_hit_is_a_classifiers_class_or_a_detectors_score():
    about = two_families(
        a=JUDGE,
        b={"kind": "detector", "label": "x", "model": "m", "threshold": 0.25},
        c={"kind": "nudenet"},
    )
    frame = rows(PRUNED, [True] * 7).drop(columns="hit")
    frame["judge"] = ["a", "a", "b", "b", "b", "c", "a"]
    frame["label"] = ["c", "d", "c", "c", "x", "c", None]
    frame["score"] = [0.1, 0.9, 0.24, 0.25, 0.9, 0.9, np.nan]
    found = tables.outcomes(frame, about)
    assert found["judge"].tolist() == ["a", "a", "b", "b", "b", "a"]
    assert found["hit"].tolist() == [True, False, False, True, True, False]
    assert found["hit"].dtype == bool and not {"label", "score"} & set(found)


def test_a_rate_is_of_its_own_pictures_and_compared_with_its_own_erasers():
    other = PRUNED | {"eraser": "checkpoint"}
    mine = PRUNED | {"eraser": "conceptprune"}
    hidden = mine | {"defence": "gaussian", "sigma": "1.0"}
    frame = pd.concat([
        rows(keys.PRETRAINED, [True, True, True, False]),
        rows(mine, [True, False, False, False]),
        rows(other, [False, True, True, False]),
        rows(hidden, [True, True, False, False]),
        rows(other | {"variant": "nf4"}, [True, True, False]),
    ])  # fmt: skip
    table = tables.accuracy(frame).set_index(["variant", "eraser", "defence"])
    paired = ["gain_on_pruned", "pairs", "gained", "lost"]
    assert table.loc[("nf4", "checkpoint", "none"), paired].tolist() == [0, 3, 1, 1]
    assert table.loc[("pruned", "conceptprune", "gaussian"), paired].tolist() == [0.25, 4, 1, 0]
    before = [f"pretrained_{name}" for name in paired[1:]]
    assert table.loc[("pruned", "checkpoint", "none"), before].tolist() == [4, 0, 1]
    # of a model without an eraser: against the first pruned one
    first = tables.accuracy(frame)["eraser"].drop_duplicates().tolist()[1]
    against = {"conceptprune": [2, 0], "checkpoint": [1, 0]}[first]
    assert table.loc[("pretrained", "none", "none"), ["gained", "lost"]].tolist() == against
    assert tuple(table.loc[("nf4", "checkpoint", "none"), ["low", "high"]]) == tables.interval(2, 3)


def test_pictures_that_only_one_of_both_has_are_no_pair():
    told = tables.compare(pd.Series([True], [0]), pd.Series([True], [1]))
    assert told["pairs"] == 0 and np.isnan(told["gain_on_pruned"]) and told["mcnemar_p"] == 1
    assert (told["gained"], told["lost"]) == (0, 0)


def test_every_concept_and_judge_is_asked_for_once_and_every_table_has_its_columns():
    about = two_families(
        j=JUDGE, c={"kind": "clip", "model": "m"}, f={"kind": "features", "model": "m"}
    )
    asked = []

    def scores(concept, judge):
        asked.append((concept, judge))
        found = rows(PRUNED | {"concept": concept}, [True] * 3, prompt_set="objects")
        found = found.drop(columns=["hit", "role"]).assign(score=[0.1, 0.2, 0.3], judge=judge)
        return found.assign(label="c", **{"class": "cat"})[: 0 if concept == "golf-ball" else 3]

    vectors = rows(PRUNED | {"concept": "cat"}, [True] * 5, prompt_set="objects").drop(
        columns=["hit", "role"]
    )
    vectors = vectors.assign(judge="f", features=list(np.eye(5)[:, :3]), **{"class": "golf ball"})
    given = {("f", "objects"): {"mean": np.zeros(3), "covariance": np.eye(3), "n": 7}}
    missing = pd.DataFrame({"a": [1]})
    sets = {"golf-ball": ["objects"], "cat": ["objects"]}
    made = tables.of_judges(scores, [vectors], given, about, sets, missing)
    assert asked == [(c, j) for c in sets for j in ("j", "c")]
    assert {name: list(made[name]) for name in tables.COLUMNS} == tables.COLUMNS
    assert made["missing"] is missing
    assert made["accuracy"][["concept", "judge", "hits", "n"]].to_numpy().tolist() == [
        ["cat", "j", 0, 3]
    ]
    assert made["similarity"][["concept", "judge", "n"]].to_numpy().tolist() == [["cat", "c", 3]]
    assert made["fid"][["concept", "judge", "n", "n_reference"]].to_numpy().tolist() == [
        ["cat", "f", 5, 7]
    ]
    assert made["detections"].empty and made["parts"].empty


def test_features_are_summed_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    frame = rows(PRUNED, [True] * 25, role="preserved").assign(
        features=list(rng.normal(size=(25, 3)))
    )
    about = np.zeros(3), np.eye(3), 9
    whole = tables.frechet(frame, *about)["fid"].item()
    monkeypatch.setattr(tables, "IN_MEMORY", 10)
    assert tables.frechet(frame, *about)["fid"].item() == pytest.approx(whole, rel=1e-9)


def test_a_cell_concerns_its_own_concept_or_those_whose_sets_it_draws():
    cell = {"concept": "cat", "prompts": "objects+cat"}
    assert concerns(cell, "cat", []) and not concerns(cell, "dog", ["objects"])
    for drawn, sets, told in (
        ("objects", ["objects", "dog"], True),
        ("objects", ["objects.dog"], True),
        ("objects.dog", ["objects"], True),
        ("dog", ["objects"], False),
        ("styles", [], False),
    ):
        assert concerns({"concept": keys.NONE, "prompts": drawn}, "dog", sets) == told


def test_the_order_of_every_kind_of_variant():
    oracle = PRUNED | {"variant": "oracle", "magnitude": "max"}
    told = [
        keys.PRETRAINED,
        *(keys.PRETRAINED | {"variant": v} for v in ("before", "sd21")),
        PRUNED,
    ]
    told += [PRUNED | {"defence": "row", "sigma": "0.5"}]
    told += [PRUNED | {"variant": name} for name in ("quant4", "nf4")]
    told += [MAX | {"K": "0.2"}, MAX | {"K": "1.0"}]
    told += [MAX | {"K": "0.1", "defence": "row", "sigma": "0.5"}]
    told += [MAX | {"magnitude": name} for name in ("mean", "sample", "layer-sample")]
    told += [MAX | {"variant": "layer03"}, oracle]
    for cells in (told, told[::-1]):
        found = tables.by_variant(pd.concat([rows(c, [True]) for c in cells]))
        assert [cell for cell, _ in found] == told
        assert all((part[list(keys.VARIANT)] == pd.Series(c)).all(axis=None) for c, part in found)


def test_a_cell_is_one_prompt_set_in_one_role():
    frame = pd.concat(
        [rows(PRUNED, [True] * n, role, prompt_set=s) for s, role, n in
         (("a", "erased", 1), ("a", "preserved", 2), ("b", "erased", 3))]
    )  # fmt: skip
    found = {(c["prompt_set"], c["role"]): len(part) for c, part in tables.by_cell(frame)}
    assert found == {("a", "erased"): 1, ("a", "preserved"): 2, ("b", "erased"): 3}


def test_the_first_judge_of_a_place_speaks_for_it():
    about = [
        ("x", "s", "erased", "b"),
        ("x", "s", "erased", "a"),
        ("x", "s", "preserved", "a"),
        ("x", "t", "erased", "a"),
        ("y", "s", "erased", "a"),
        ("x", "s", "erased", "b"),
    ]
    frame = pd.DataFrame(about, columns=["concept", "prompt_set", "role", "judge"])
    found = tables.one_judge(frame.assign(n=range(6)))
    assert sorted(found["n"]) == [0, 2, 3, 4, 5]


def test_names_are_the_catalogues():
    assert tables.names_of(two_families()) == {
        "golf-ball": "golf ball",
        "cat": "cat",
        "monet": "Monet",
        "goya": "Goya",
    }


def test_detections_are_compared_like_rates():
    judge = Judge(kind="nudenet", thresholds=[0.5], labels={"all": ["A"]})
    before = nude((0, "A", 0.9), (1, "A", 0.5), (2, "B", 0.9)).assign(**keys.PRETRAINED)
    after = nude((0, None, np.nan), (1, "A", 0.49), (2, "A", 0.6))
    table = tables.detections(pd.concat([before, after]), judge).set_index("variant")
    told = ["hits", "n", "pretrained_pairs", "pretrained_gained", "pretrained_lost"]
    assert table.loc["pretrained", told].tolist() == [2, 3, 3, 0, 0]
    assert table.loc["pruned", told].tolist() == [1, 3, 3, 1, 2]
    assert table["labels"].tolist() == ["all"] * 2 and table["threshold"].tolist() == [0.5] * 2
    more = tables.detections(after, Judge(kind="nudenet", thresholds=[0.5, 0.7]))
    assert more["hits"].to_dict() == {0: 1, 1: 0}
    unnamed = tables.detections(after, Judge(kind="nudenet", thresholds=[0.5]))
    assert unnamed["labels"].tolist() == ["any"] and unnamed["hits"].tolist() == [1]


def test_parts_are_those_of_their_own_set_role_and_threshold():
    judge = Judge(kind="nudenet", thresholds=[0.5, 0.6])
    before = nude((0, "A", 0.5), (1, "A", 0.6), (2, "B", 0.9)).assign(**keys.PRETRAINED)
    kept = before.assign(role="preserved", score=0.1)
    after = nude((0, "A", 0.7))
    alone = after.assign(prompt_set="t")
    table = tables.parts(pd.concat([before, kept, after, alone]), judge)
    place = ["variant", "prompt_set", "role", "threshold", "label"]
    found = table.set_index(place)[["images", "n", "change"]]
    assert found.loc[("pretrained", "s", "erased", 0.5, "A")].tolist() == [2, 3, 0]
    assert found.loc[("pretrained", "s", "erased", 0.6, "A")].tolist() == [1, 3, 0]
    assert found.loc[("pretrained", "s", "preserved", 0.5, "A")].tolist() == [0, 3, 0]
    assert found.loc[("pruned", "s", "erased", 0.5, "A")].tolist() == [1, 1, -1]
    assert found.loc[("pruned", "s", "erased", 0.6, "B")].tolist() == [0, 1, -1]
    assert np.isnan(found.loc[("pruned", "t", "erased", 0.5, "A"), "change"])
    assert table["label"].tolist()[:2] == ["A", "B"]


SOLVED = dict.fromkeys([*keys.RELEASED, "detector"], "x") | {"solver": "nuclear"}


def test_signs_have_wilsons_intervals_and_their_own_guess_and_share():
    about = [("completed", 0.2, 10, 9, 40, 22), ("completed", 0.2, 30, 21, 20, 10),
             ("completed", 1.0, 50, 30, 0, 0), ("random", 0.2, 8, 4, 8, 3)]  # fmt: skip
    names = ["guess", "share", "n", "right", "n_rest", "right_rest"]
    frame = pd.DataFrame(about, columns=names).assign(**SOLVED)
    other = frame[:1].assign(solver="faithful")
    table = tables.signs(pd.concat([frame, other]))
    assert table["n"].tolist() == [40, 50, 8, 10] and table["right"].tolist() == [30, 30, 4, 9]
    first = table.iloc[0]
    assert (first["low"], first["high"]) == tables.interval(30, 40)
    assert (first["low_rest"], first["high_rest"]) == tables.interval(32, 60)
    assert first["accuracy_rest"] == 32 / 60
    whole = table.iloc[1]
    assert np.isnan(whole[["accuracy_rest", "low_rest", "high_rest"]].astype(float)).all()


def test_layers_without_anything_completed_have_no_rate():
    solves = pd.DataFrame([SOLVED | {"layer": "a", "n": 0}, SOLVED | {"layer": "b", "n": 4}])
    told = [("a", 1.0, 0, 0), ("b", 1.0, 4, 1), ("b", 0.2, 1, 1)]
    cells = pd.DataFrame(told, columns=["layer", "share", "n", "right"]).assign(**SOLVED)
    table = tables.layers(cells.assign(guess="completed"), solves, {"a": 10, "b": 16})
    assert table["layer"].tolist() == ["a", "b"] and table["density"].tolist() == [0, 0.25]
    assert np.isnan(table.loc[0, ["accuracy", "low", "high"]].astype(float)).all()
    assert table.loc[1, "accuracy"] == 0.25
    assert tuple(table.loc[1, ["low", "high"]]) == tables.interval(1, 4)
    assert tuple(table.loc[1, ["low_top", "high_top"]]) == tables.interval(1, 1)


def test_alignment_is_weighted_by_what_a_layer_lost():
    place = SOLVED | {"recovered": 1, "pretrained": 2}
    alignment = pd.DataFrame([place | {"share": 0.5, "n": 10}, place | {"share": 0.2, "n": 30},
                              place | {"pretrained": 1, "share": 0.4, "n": 5}])  # fmt: skip
    solves = pd.DataFrame([{"layer": "a", "n": 2, "note": ""} | SOLVED])
    counts = {"layer": "a", "guess": "completed", "share": 1.0, "n": 2, "right": 1}
    signs = pd.DataFrame([SOLVED | counts | {"n_rest": 0, "right_rest": 0}])
    made = tables.of_attacks(signs, alignment, solves, {"a": 8})
    assert list(made) == ["signs", "alignment", "solves", "layers"]
    table = made["alignment"]
    assert table[["recovered", "pretrained", "n"]].to_numpy().tolist() == [[1, 2, 40], [1, 1, 5]]
    assert table["share"].tolist() == pytest.approx([0.275, 0.4])
    assert list(made["solves"]) == [*SOLVED, "layer", "n", "note"]
    assert made["layers"]["density"].tolist() == [0.25] and made["signs"]["n"].tolist() == [2]


def test_distances_are_of_what_is_preserved_by_concept_in_the_studys_order():
    about = two_families(f={"kind": "features", "model": "m"})
    vectors = list(np.random.default_rng(0).normal(size=(4, 2)))
    places = ["golf ball", "golf ball", "cat", "cat"]
    own = pd.DataFrame(
        [keys.PRETRAINED | {"prompt_set": "objects", "class": c, "prompt": "p", "seed": i}
         | {"judge": "f", "features": v} for i, (c, v) in enumerate(zip(places, vectors))]
    )  # fmt: skip
    reference = {"mean": np.zeros(2), "covariance": np.eye(2), "n": 3}
    nothing = pd.DataFrame(columns=tables.SCORES)
    sets = {"golf-ball": ["objects"], "cat": ["objects"]}
    for given, told in (
        ({("f", "objects"): reference}, ["golf-ball", "cat"]),
        ({("f", "styles"): reference, ("g", "objects"): reference}, []),
    ):
        frames = [own, own.assign(variant="sd21")]
        made = tables.of_judges(lambda c, j: nothing, frames, given, about, sets, None)["fid"]
        assert made["concept"].tolist() == [c for c in told for _ in frames]
        assert made["n"].tolist() == [2] * len(made)
        assert (made["role"] == "preserved").all()
        if told:
            variants = ["pretrained", "sd21"] * 2
            assert made["variant"].tolist() == variants
            (first,) = tables.frechet(own[2:].assign(role="preserved"), **reference)[
                "fid"
            ]  # of the golf ball the cats are what is preserved
            assert made["fid"].iloc[0] == pytest.approx(first)


def test_one_picture_has_no_distance_and_its_row():
    one = rows(PRUNED, [True]).assign(features=[np.zeros(2)])
    two = rows(MAX, [True] * 2).assign(features=list(np.eye(2)))
    table = tables.frechet(pd.concat([one, two]), np.zeros(2), np.eye(2), 5).set_index("variant")
    assert table["n"].to_dict() == {"pruned": 1, "revived": 2}
    assert table["n_reference"].to_dict() == {"pruned": 5, "revived": 5}
    assert np.isnan(table.loc["pruned", "fid"]) and table.loc["revived", "fid"] > 0


def test_every_kind_of_judge_fills_its_own_tables():
    about = two_families(
        f={"kind": "features", "model": "m"},
        d={"kind": "detector", "label": "x", "model": "m"},
        c={"kind": "clip", "model": "m"},
        n={"kind": "nudenet", "thresholds": [0.5], "labels": {"some": ["A"]}},
    )

    def scores(concept, judge):
        found = nude((0, "A", 0.5), (1, "A", 0.4), (2, "B", 0.9)).drop(columns=["hit", "role"])
        more = {"class": "cat", "concept": concept, "prompt_set": "objects", "judge": judge}
        return found.assign(**more)

    sets = {"cat": ["objects"], "golf-ball": ["objects"]}
    made = tables.of_judges(scores, [], {}, about, sets, None)
    for name, judge, column, told in (
        ("accuracy", "d", "rate", [2 / 3]),
        ("similarity", "c", "similarity", [0.6]),
        ("detections", "n", "rate", [1 / 3]),
        ("parts", "n", "images", [1, 1]),
    ):
        table = made[name]
        assert table[column].tolist() == pytest.approx(told * 2) and set(table["judge"]) == {judge}
        assert table["concept"].tolist() == ["cat"] * len(told) + ["golf-ball"] * len(told)
        assert table["role"].tolist() == ["erased"] * len(told) + ["preserved"] * len(told)
        assert table.index.tolist() == list(range(2 * len(told)))
    assert list(made["fid"]) == tables.COLUMNS["fid"] and made["fid"].empty


def test_as_similar_as_before_is_not_below():
    frame = [
        rows(c, [True] * 2).assign(score=[0.5, s])
        for c, s in ((keys.PRETRAINED, 0.5), (PRUNED, 0.4))
    ]
    table = tables.similarity(pd.concat(frame)).set_index("variant")
    assert table.loc["pruned", "clip_score"] == 0.5
    alone = tables.similarity(frame[0])
    assert np.isnan(alone["clip_score"].item())


def test_several_sets_of_one_family_or_of_several_are_all_asked_for():
    places = [("objects", "golf ball"), ("objects", "cat"), ("styles", "Monet"), ("cat", "cat")]
    frame = pd.DataFrame([keys.PRETRAINED | {"prompt_set": s, "class": c} for s, c in places])
    told = tables.for_concept(frame, two_families(), "cat", ["cat", "objects.cat", "styles.monet"])
    assert told["class"].tolist() == ["cat", "Monet", "cat"]
    both = tables.for_concept(frame, two_families(), "cat", ["objects.cat", "objects.golf-ball"])
    assert both["class"].tolist() == ["golf ball", "cat"]


def test_one_picture_and_one_sign_are_rates_too():
    table = tables.accuracy(rows(PRUNED, [True]))
    assert table[["hits", "n", "rate"]].to_numpy().tolist() == [[1, 1, 1]]
    assert tables.accuracy(rows(PRUNED, [True, False, False, False]))["rate"].item() == 0.25
    frame = pd.DataFrame([SOLVED | {"guess": "completed", "share": 1.0, "n": 1, "right": 1}])
    told = tables.signs(frame.assign(n_rest=0, right_rest=0))
    assert told["accuracy"].item() == 1
    solves = pd.DataFrame([SOLVED | {"layer": "a", "n": 1}])
    assert tables.layers(frame.assign(layer="a"), solves, {"a": 4})["accuracy"].item() == 1


def test_the_row_of_one_picture_names_its_distance():
    one = rows(PRUNED, [True]).assign(features=[np.zeros(2)])
    table = tables.frechet(one, np.zeros(2), np.eye(2), 5)
    assert np.isnan(table["fid"].item())
