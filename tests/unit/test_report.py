"""The page of studies out of the ordinary, from raw scores to HTML: several erasers, judges, prompt
sets, or no judge that counts; every number is one of the scores'."""

import io
import re
from html import unescape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from regrowth.files import images, keys, store
from regrowth.measure import headline, tables
from regrowth.measure.cells import for_concept
from regrowth.measure.pictures import frechet
from regrowth.run.progress import MISSING
from regrowth.show import album, report
from regrowth.show.figures import rates
from regrowth.show.readable import pooled
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue

RATE = ["rate", "low", "high", "n"]
RAW = ["label", "score", "features"]
PRUNED = variants.PRETRAINED | {"concept": "church", "eraser": "conceptprune", "variant": "pruned"}
MAX = PRUNED | {"variant": "revived", "detector": "zeros", "solver": "nuclear", "K": "0.6"}
MAX |= {"magnitude": "max"}
MODELS = (variants.PRETRAINED, PRUNED, MAX)
OBJECTS = {
    "kind": "object",
    "classes": ["church", "candle"],
    "prompts": ["{name}"],
    "calibration": {"base": "a", "target": "{name}"},
    "judges": ["first", "second", "clip", "net"],
}
JUDGES = {"second": "classifier", "first": "classifier", "clip": "clip", "net": "features"}


def catalogue(judges=JUDGES, **more):
    own = OBJECTS | {"judges": list(judges)} | more.pop("objects", {})
    about = {name: {"kind": kind, "model": "m"} for name, kind in judges.items()}
    return Catalogue.model_validate({"families": {"objects": own}, "judges": about} | more)


def scored(variant, judge, right, prompt_set="objects", classes=("church", "candle"), n=10):
    """`right` of n pictures of each class are seen as what they are."""
    rows = [
        variant
        | {"prompt_set": prompt_set, "class": c, "prompt": c, "seed": i, "judge": judge}
        | {"label": c if i < right else "other", "score": i / n, "features": None}
        for c in classes
        for i in range(n)
    ]
    return pd.DataFrame(rows)


def thumbnails(scores):
    picture = images.encode(Image.new("RGB", (8, 8), "red"))
    cells = scores.drop_duplicates([*variants.KEYS, "prompt_set", "class", "seed"])
    return cells.drop(columns=["judge", *RAW]).assign(image=[picture] * len(cells), unsafe=False)


def signs(drawn):
    of = [
        {k: v[k] for k in keys.RELEASED} | {"detector": "zeros", "solver": "nuclear"} for v in drawn
    ]
    counts = {"n": 5, "right": 4, "n_rest": 0, "right_rest": 0, "guess": "completed"}
    told = [o | {"layer": "a", "share": s} | counts for o in of for s in (0.2, 1.0)]
    cells = [{"recovered": 0, "pretrained": 0, "share": 1.0, "n": 5}]
    solves = {
        "layer": "a",
        "n": 5,
        "iterations": 3,
        "residual": 0.1,
        "converged": False,
        "note": "",
    }
    return (
        pd.DataFrame(told),
        pd.DataFrame([o | c for o in of for c in cells]),
        pd.DataFrame([o | solves for o in of]),
    )


def made(about, scores, sets, features=(), references=None, variants=(PRUNED,)):
    """All tables and the page."""
    found = tables.of_judges(
        lambda concept, judge: scores[scores["judge"] == judge].drop(columns="features"),
        lambda base: [f for f in features if not base or f["variant"].iloc[0] == "pretrained"],
        references or {},
        about,
        sets,
        pd.DataFrame(columns=MISSING),
    )
    if variants:
        found |= tables.of_attacks(*signs(variants), {"a": 100})
    shown = pd.concat([scores, *features])
    own = [for_concept(thumbnails(shown), about, c, names) for c, names in sets.items()]
    study = {"study": "s", "yaml": "", "versions": {}, "times": pd.DataFrame(), "images": {}}
    study |= {"controls": {}, "seconds": {}}
    study |= {"resolved": {"name": "m", "layers": [], "sampler": {}}}
    page = report.page(study, found, {}, pd.concat(own), pooled(found["accuracy"], []))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "nan" not in text.lower().split()
    for concept in sets:
        own = found["accuracy"][found["accuracy"]["concept"] == concept]
        plt.close(rates.accuracy(own, concept))
    told = report.terminal(found, pooled(found["accuracy"], []))
    first = " ".join(told.partition("\n\n")[0].split())
    assert len(told.splitlines()[0]) <= 100
    assert first == headline.answer(headline.headline(headline.rates(found)))
    return found, told, text


def test_two_classifiers_do_not_make_twice_the_pictures():
    scores = pd.concat(
        [scored(v, j, r) for v, r in zip(MODELS, (9, 1, 7)) for j in ("first", "second")]
    )
    scores.loc[scores["judge"] == "second", "label"] = "other"
    found, told, _ = made(catalogue(), scores, {"church": ["objects"]})
    table = found["accuracy"]
    assert set(table["n"]) == {10} and set(table["pairs"]) == {10}
    by = table.groupby("judge", sort=False)["hits"].sum()
    assert by.to_dict() == {"second": 0, "first": 2 * (9 + 1 + 7)}, "in the catalogue's order"
    assert told.count("max K=0.6") == 2 and "second" in told


def test_two_erasers_of_one_concept_stand_side_by_side():
    other = [v | {"eraser": "checkpoint"} for v in (PRUNED, MAX)]
    cells = zip((*MODELS, *other), (9, 1, 7, 2, 3))
    scores = pd.concat([scored(v, "first", right) for v, right in cells])
    variants = (PRUNED, other[0])
    found, told, page = made(catalogue(), scores, {"church": ["objects"]}, variants=variants)
    table = found["accuracy"].query("role == 'erased'").set_index(["eraser", "variant"])
    assert table.loc[("conceptprune", "revived"), "gained"] == 6
    assert table.loc[("checkpoint", "revived"), ["gained", "lost"]].tolist() == [1, 0]
    assert table.loc[("checkpoint", "pruned"), "pretrained_lost"] == 7
    for name in ("pruned, checkpoint", "max K=0.6, checkpoint"):
        assert name in told and name in page
    assert "church (conceptprune)" in page and "church (checkpoint)" in page


def test_what_is_judged_on_its_own_class_alone_keeps_what_was_before():
    """Of the pretrained model's pictures of a family, or of that class alone."""
    mine = pd.concat([scored(v, "first", r, classes=["church"]) for v, r in zip(MODELS, (9, 1, 7))])
    more = scored(variants.PRETRAINED, "first", 10, classes=["candle"])
    for scores in (mine, pd.concat([mine, more])):
        found, _, page = made(catalogue(), scores, {"church": ["objects.church"]})
        table = found["accuracy"]
        assert table["variant"].tolist() == ["pretrained", "pruned", "revived"]
        assert set(table["role"]) == {"erased"}
        assert "90% [60, 98] of pictures before" in page or "(90% [60, 98] before" in page


def test_every_prompt_set_of_a_role_is_shown():
    about = catalogue(
        prompt_sets={
            name: {"role": "erased", "prompts": ["x"], "judges": ["first"]}
            for name in ("i2p", "mma")
        },
        judges={"first": "detector"},
    )
    scores = pd.concat(
        [
            scored(v, "first", 10, name, [""], n).assign(score=np.arange(n) < r)
            for v, r in zip(MODELS, (9, 1, 7))
            for name, n in (("i2p", 10), ("mma", 12))
        ]
    )
    found, told, page = made(about, scores, {"church": ["i2p", "mma"]})
    table = found["accuracy"].set_index(["variant", "prompt_set"])
    assert table.loc[("revived", "i2p"), "n"] == 10 and table.loc[("revived", "mma"), "n"] == 12
    lines = [line for line in told.splitlines() if "max K=0.6" in line]
    assert len(lines) == 2 and "i2p" in lines[0] and "mma" in lines[1]
    assert "church (i2p)" in page and "church (mma)" in page


@pytest.mark.parametrize("judge", ["clip", "net"])
def test_a_study_without_a_judge_that_counts_has_its_page(judge):
    about = catalogue(judges={judge: JUDGES[judge]})
    scores = pd.concat([scored(v, judge, 5) for v in MODELS])
    features, references = [], {}
    if judge == "net":
        rng = np.random.default_rng(0)
        scores["features"] = list(rng.normal(size=(len(scores), 3)))
        features = [part for _, part in scores.groupby("variant")]
        references = {(judge, "objects"): {"mean": np.zeros(3), "covariance": np.eye(3), "n": 9}}
        scores = scores.iloc[:0]
    found, told, page = made(about, scores, {"church": ["objects"]}, features, references)
    assert len(found["accuracy"]) == 0 and "No judge of the study counts pictures" in told
    assert len(found["similarity" if judge == "clip" else "fid"])
    assert "No concept has both a pruned variant and a judge" in page and "church" in page


def test_one_picture_has_no_distance():
    vectors = [np.zeros(3), np.ones(3)]
    rows = scored(PRUNED, "net", 1, n=2, classes=["church"]).assign(role="preserved")
    rows["features"] = vectors
    for n, known in ((2, True), (1, False)):
        told = frechet(rows.iloc[:n], np.zeros(3), np.eye(3), 9)
        assert told["n"].item() == n and np.isfinite(told["fid"].item()) == known


@pytest.mark.parametrize("models", [MODELS[:1], MODELS[:2]])
def test_what_is_judged_before_an_attack_is_measured_has_its_page(models):
    """An early kill, or a solver that fails: the model as it is, then what was erased."""
    scores = pd.concat([scored(v, "first", 5) for v in models])
    found, told, page = made(catalogue(), scores, {"church": ["objects"]}, variants=())
    assert found["accuracy"]["variant"].nunique() == len(models)
    assert "No attack is measured." in told and "Signs that came back" not in page
    assert ("No concept has both" in page) == (len(models) == 1)


PARTS = album.TEMPLATES.get_template("parts.html.j2").module


def test_a_row_of_pictures_has_an_address_that_another_set_does_not_move():
    attacked = MAX | {"defence": "gaussian", "sigma": "1.0"}
    first = [scored(v, "first", 1, "i2p", ["church"], 1) for v in (PRUNED, MAX, attacked)]
    more = scored(MAX, "first", 1, "mma", ["church"], 1)
    no_rates = pd.DataFrame(columns=["prompt_set", *variants.KEYS, *RATE])
    found = []
    for parts in (first, [*first, more]):
        shown = thumbnails(pd.concat(parts, ignore_index=True)).assign(role="erased")
        grids = report.albums(shown, no_rates)
        html = "".join(str(PARTS.grid(one)) for one in grids)
        found.append(re.findall(r' id="([^"]+)"', html))
        assert re.findall(r'href="#([^"]+)"', html) == found[-1]
    assert found[0] == ["church/pruned", "church/max-K0.6", "church/max-K0.6-gaussian-1.0"]
    assert found[1] == [*found[0], "church/max-K0.6/mma"]


def test_a_row_of_a_table_has_an_address_if_no_other_could_be_meant():
    frame = pd.DataFrame({"concept": "church", "variant": ["pruned", "max K=0.6"]})
    frame["prompt set"] = "objects"
    told = report.cells(frame, frame)["rows"]
    assert [row["at"] for row in told] == ["church/pruned/objects", "church/max-K0.6/objects"]
    for other in (pd.concat([frame, frame]), frame.drop(columns="variant")):
        assert not any(row["at"] for row in report.cells(other, other)["rows"])


def test_the_page_holds_what_a_table_was_made_of_to_the_last_digit():
    shown = pd.DataFrame({"rate": ["0.33"]})
    data = pd.DataFrame({"rate": [1 / 3], "name": ['</template><b>"x", y'], "n": [7]})
    html = str(PARTS.table({"a": report.cells(shown, data)}, "a", {"study": "s"}, "A"))
    (name, text) = re.search(r'<template data-file="(.*?)">(.*?)</template>', html, re.S).groups()
    saved = pd.read_csv(io.StringIO(unescape(text)))
    pd.testing.assert_frame_equal(saved, data, check_exact=True, check_dtype=False)
    assert name == "s-a.csv"


def test_the_gallery_shows_every_picture_on_the_page_of_its_role(tmp_path):
    """Shards on disk, of a concept and of the models as they are; another's do not enter."""
    about = catalogue()
    drawn = [*MODELS, PRUNED | {"concept": "candle"}]
    files = []
    for variant in drawn:
        shard = thumbnails(scored(variant, "first", 5, n=60)).drop(columns=["unsafe"])
        bare = shard.drop(columns=list(variants.KEYS))
        files.append(tmp_path / f"{variants.path(variant)}/prompts=objects" / "shard=000.parquet")
        store.write_frame(files[-1], bare)
    other = keys.path(variants.PRETRAINED | {"prompts": "styles"})
    unread = tmp_path / other / "shard=000.parquet"  # of another family: not even opened
    erased = album.erased([*files, unread], tmp_path, about, "church", ["objects"])
    assert len(erased) == 3 * 60 and set(erased["class"]) == {"church"}
    own = [album.small(f, tmp_path, about, "church", ["objects"], 2) for f in files[:3]]
    frame = pd.concat(own).assign(unsafe=False)
    assert "image" not in frame
    index, shown = [], 0
    for told, pages in album.gallery("s", "church", frame):
        index.append(told)
        for file, page in pages:
            assert file in told["files"] and "../index.html" in page
            shown += page.count("data:image/webp")
    assert [(t["role"], t["pictures"], len(t["files"])) for t in index] == [
        ("erased", 180, 2),
        ("preserved", 180, 2),
    ]
    assert shown == 360
    first = album.index("s", index)
    assert all(f'href="church/{file}"' in first for t in index for file in t["files"])


def test_a_study_of_what_is_preserved_alone_has_its_figure():
    nothing = thumbnails(scored(PRUNED, "first", 1)).iloc[:0]
    figure = rates.pictures(nothing, "church")
    assert "no picture of it was asked for" in figure.texts[0].get_text()
    plt.close(figure)
