"""All tables of a study: which rows are in them, and in what order."""

import numpy as np
import pandas as pd
import pytest
from raw_scores import JUDGE, PRUNED, SOLVED, nude, rows, two_families
from regrowth.files import keys
from regrowth.files.bits import pack
from regrowth.measure import pictures, tables
from regrowth.measure.cells import SCORES
from regrowth.measure.erasers import Released
from regrowth.study import variants


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
    made = tables.of_judges(scores, lambda base: [vectors], given, about, sets, missing)
    assert asked == [(c, j) for c in sets for j in ("j", "c")]
    controls = {"conceptprune": "retrained"}
    held = tables.of_judges(scores, lambda base: [], given, about, sets, missing, controls=controls)
    assert {name: list(held[name]) for name in tables.COLUMNS} == tables.COLUMNS
    for name, columns in tables.COLUMNS.items():
        assert list(made[name]) == [column for column in columns if "control" not in column]
    assert made["missing"] is missing
    assert made["accuracy"][["concept", "judge", "hits", "n"]].to_numpy().tolist() == [
        ["cat", "j", 0, 3]
    ]
    assert made["similarity"][["concept", "judge", "n"]].to_numpy().tolist() == [["cat", "c", 3]]
    assert made["fid"][["concept", "judge", "n", "n_reference"]].to_numpy().tolist() == [
        ["cat", "f", 5, 7]
    ]
    assert made["detections"].empty and made["parts"].empty


@pytest.mark.parametrize("kind", ["classifier", "clip"])
def test_scores_of_other_prompts_than_the_studys_are_told_in_a_line(kind):
    """A family's set drawn with three pictures of a class, and its own set, as it was with two."""
    about = two_families(j={"kind": kind, "model": "m"})
    told = {"class": "cat", "judge": "j", "label": "cat", "score": 0.5}
    parts = [
        rows(variants.PRETRAINED, [True] * 5, prompt_set=name)[seeds].assign(**told)
        for name, seeds in (("objects", slice(0, 3)), ("cat", slice(2, 5)))
    ]
    scores = pd.concat(parts).drop(columns=["hit", "role"])
    sets = {"cat": ["objects", "cat"]}
    for some, wrong in ((scores[scores["seed"] != 2], False), (scores, True)):
        given = lambda c, j, some=some: some  # noqa: E731
        asked = given, lambda base: [], {}, about, sets, None
        if wrong:
            with pytest.raises(
                ValueError, match="^cat, pretrained: .* of objects are of .* prompts"
            ):
                tables.of_judges(*asked)
        else:
            tables.of_judges(*asked)


RELEASED = dict.fromkeys(keys.RELEASED, "none") | {"concept": "cat", "eraser": "uce"}
GUESSED = pd.DataFrame([{"candidate": "cat", "score": 1.0, "by": "holes"} | RELEASED])
HIDDEN = RELEASED | {"defence": "gaussian", "sigma": "1.0"}
FOUND = {"layer": "all", "detector": "zeros", "auc": 0.5, "tpr": 0.1, "curve": [0.0]}
FRAMES = {
    "signs": pd.DataFrame(
        [SOLVED | {"layer": "a", "guess": "completed", "share": 1.0, "n": 2, "right": 1}
         | {"n_rest": 0, "right_rest": 0}]
    ),
    "alignment": pd.DataFrame([SOLVED | {"recovered": 1, "pretrained": 2, "share": 0.5, "n": 2}]),
    "solves": pd.DataFrame([{"layer": "a", "n": 2} | SOLVED]),
    "detectability": pd.DataFrame([FOUND | HIDDEN]),
    "normality": pd.DataFrame([{"layer": "a", "skew": 0.0} | HIDDEN]),
    "identified": GUESSED,
    "costs": pd.DataFrame(columns=[*variants.KEYS]),
}  # fmt: skip
MASKS = {("cat", name): {"b": pack(np.eye(4, dtype=bool))} for name in ("x", "y")}
FACTS = {place: {"kind": "mask", "how": "", "source": "", "bytes": 1} for place in MASKS}
EVERY = ["missing", "accuracy", "signs", "alignment", "solves", "layers", "detectability"]
EVERY += ["normality", "defences", "guards", "frontier", "identified", "erasers", "overlaps"]


@pytest.fixture
def judged():
    scores = rows(PRUNED | {"concept": "cat", "eraser": "uce"}, [True] * 3, prompt_set="objects")
    scores = scores.drop(columns=["hit", "role"])
    scores = scores.assign(judge="j", label="cat", score=0.5, **{"class": "cat"})
    missing = pd.DataFrame({"a": [1]})
    sets = {"cat": ["objects"]}
    about = two_families(j=JUDGE)
    return tables.of_judges(lambda c, j: scores, lambda base: [], {}, about, sets, missing, [2])


def test_a_study_has_the_tables_that_it_asks_for_in_that_order(judged):
    weighed = []

    def sizes(layers):
        weighed.append(layers)
        return dict.fromkeys(layers, 16)

    made = tables.of_study(EVERY, judged, FRAMES, Released(FACTS, MASKS), sizes)
    assert list(made) == EVERY and weighed == [["a"], ["b"]]
    assert made["missing"] is judged["missing"] and made["accuracy"] is judged["accuracy"]
    for name, more in (("detectability", ["layer", "detector", "auc", "tpr"]),
                       ("normality", ["layer", "skew"])):  # fmt: skip
        assert list(made[name]) == [*keys.RELEASED, *more]
    assert made["layers"]["density"].tolist() == [2 / 16]
    assert made["overlaps"]["jaccard"].tolist() == [1] and made["overlaps"]["both"].tolist() == [4]
    assert made["erasers"]["eraser"].tolist() == ["x", "y"]
    assert made["identified"]["rank"].tolist() == [1]
    assert made["frontier"][["knows", "judged", "rate"]].to_numpy().tolist() == [
        ["", 0, 1.0], ["judge", 2, 1.0]
    ]  # fmt: skip


def test_a_study_without_any_of_it_has_what_judges_saw_and_the_rest_is_asked_for_in_vain(judged):
    names = ["accuracy", "missing"]
    given = judged, {}, Released({}, {}), lambda layers: {}
    assert list(tables.of_study(names, *given)) == names
    for name in ("signs", "defences", "frontier", "identified", "paper", "accuracies"):
        with pytest.raises(KeyError):
            tables.of_study([*names, name], *given)


def test_the_papers_figures_stand_beside_what_was_measured(judged):
    of = {"table": "1", "concept": "cat", "variant": "pruned:uce", "k": None, "note": None}
    printed = pd.DataFrame([of | {"metric": "erased_accuracy", "value": "0.25"}])
    nothing = Released({}, {})
    made = tables.of_study(["paper"], judged, {}, nothing, lambda layers: {}, printed)
    assert made["paper"][["paper", "measured"]].to_numpy().tolist() == [[0.25, 1.0]]


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
        [variants.PRETRAINED | {"prompt_set": "objects", "class": c, "prompt": "p", "seed": i}
         | {"judge": "f", "features": v} for i, (c, v) in enumerate(zip(places, vectors))]
    )  # fmt: skip
    reference = {"mean": np.zeros(2), "covariance": np.eye(2), "n": 3}
    nothing = pd.DataFrame(columns=SCORES)
    sets = {"golf-ball": ["objects"], "cat": ["objects"]}
    frames = [own, own.assign(variant="sd21")]

    def drawn(pretrained):
        return frames[: 1 if pretrained else 2]

    for given, told in (
        ({("f", "objects"): reference}, ["golf-ball", "cat"]),
        ({("f", "styles"): reference, ("g", "objects"): reference}, []),
    ):
        made = tables.of_judges(lambda c, j: nothing, drawn, given, about, sets, None)["fid"]
        assert made["concept"].tolist() == [c for c in told for _ in frames]
        assert made["n"].tolist() == [2] * len(made)
        assert (made["role"] == "preserved").all()
        if told:
            assert made["variant"].tolist() == ["pretrained", "sd21"] * 2
            (first,) = pictures.frechet(own[2:].assign(role="preserved"), **reference)[
                "fid"
            ]  # of the golf ball the cats are what is preserved
            assert made["fid"].iloc[0] == pytest.approx(first)


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
    made = tables.of_judges(scores, lambda base: [], {}, about, sets, None)
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
