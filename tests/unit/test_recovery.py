"""Signs that came back, against numbers worked out by hand."""

import numpy as np
import pandas as pd
from raw_scores import SOLVED
from regrowth.measure import recovery
from regrowth.measure.cells import interval


def test_signs_are_pooled_over_layers():
    cell = dict.fromkeys(["concept", "eraser", "defence", "sigma", "weight_seed", "detector"], "x")
    frame = pd.DataFrame(
        [
            cell | {"solver": "nuclear", "guess": "completed", "share": 0.2, "n": n, "right": r}
            | {"n_rest": 10, "right_rest": 5}
            for n, r in ((10, 9), (30, 21))
        ]
    )  # fmt: skip
    table = recovery.signs(frame)
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
    table = recovery.layers(signs, solves, {"a": 500, "b": 40}).set_index("layer")
    assert table["density"].to_dict() == {"b": 0.25, "a": 0.1}
    assert table["n"].to_dict() == {"b": 10, "a": 50}
    assert table["accuracy"].to_dict() == {"b": 0.6, "a": 0.6}
    assert table["accuracy_top"].to_dict() == {"b": 0.5, "a": 0.9}
    assert tuple(table.loc["a", ["low_top", "high_top"]]) == interval(9, 10)


def test_signs_have_wilsons_intervals_and_their_own_guess_and_share():
    about = [("completed", 0.2, 10, 9, 40, 22), ("completed", 0.2, 30, 21, 20, 10),
             ("completed", 1.0, 50, 30, 0, 0), ("random", 0.2, 8, 4, 8, 3)]  # fmt: skip
    names = ["guess", "share", "n", "right", "n_rest", "right_rest"]
    frame = pd.DataFrame(about, columns=names).assign(**SOLVED)
    other = frame[:1].assign(solver="faithful")
    table = recovery.signs(pd.concat([frame, other]))
    assert table["n"].tolist() == [40, 50, 8, 10] and table["right"].tolist() == [30, 30, 4, 9]
    first = table.iloc[0]
    assert (first["low"], first["high"]) == interval(30, 40)
    assert (first["low_rest"], first["high_rest"]) == interval(32, 60)
    assert first["accuracy_rest"] == 32 / 60
    whole = table.iloc[1]
    assert np.isnan(whole[["accuracy_rest", "low_rest", "high_rest"]].astype(float)).all()


def test_layers_without_anything_completed_have_no_rate():
    solves = pd.DataFrame([SOLVED | {"layer": "a", "n": 0}, SOLVED | {"layer": "b", "n": 4}])
    told = [("a", 1.0, 0, 0), ("b", 1.0, 4, 1), ("b", 0.2, 1, 1)]
    cells = pd.DataFrame(told, columns=["layer", "share", "n", "right"]).assign(**SOLVED)
    table = recovery.layers(cells.assign(guess="completed"), solves, {"a": 10, "b": 16})
    assert table["layer"].tolist() == ["a", "b"] and table["density"].tolist() == [0, 0.25]
    assert np.isnan(table.loc[0, ["accuracy", "low", "high"]].astype(float)).all()
    assert table.loc[1, "accuracy"] == 0.25
    assert tuple(table.loc[1, ["low", "high"]]) == interval(1, 4)
    assert tuple(table.loc[1, ["low_top", "high_top"]]) == interval(1, 1)


def test_one_sign_is_a_rate_too():
    frame = pd.DataFrame([SOLVED | {"guess": "completed", "share": 1.0, "n": 1, "right": 1}])
    told = recovery.signs(frame.assign(n_rest=0, right_rest=0))
    assert told["accuracy"].item() == 1
    solves = pd.DataFrame([SOLVED | {"layer": "a", "n": 1}])
    assert recovery.layers(frame.assign(layer="a"), solves, {"a": 4})["accuracy"].item() == 1
