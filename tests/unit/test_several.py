"""Several concepts at once: unions of masks and edits in a row, as planned and as made."""

import copy

import numpy as np
import pytest
import yaml
from regrowth.draw.pipeline import put_weights
from regrowth.erase import ERASERS
from regrowth.erase.in_turn import in_turn
from regrowth.erase.several import union
from regrowth.learn import loop
from regrowth.learn.passed import Passed
from regrowth.learn.state import Kept
from regrowth.models import disk
from regrowth.run.planned import planned
from regrowth.study import outputs, several, variants
from regrowth.study.load import ConfigError, load_study
from road import ROOT
from small_unet import small_model, small_pipe

RAW = yaml.safe_load((ROOT / "config/several.yaml").read_text(encoding="utf-8"))
BOTH = ["church", "golf ball"]


def study(**erasers):
    raw = copy.deepcopy(RAW)
    return raw | {"erasers": raw["erasers"] | erasers}


@pytest.fixture(scope="module")
def plan():
    return planned(RAW, ROOT)


def test_a_union_is_where_any_of_the_masks_is():
    rng = np.random.default_rng(0)
    masks = [rng.random((7, 11)) < share for share in (0.1, 0.3, 0.5)]
    found = union(iter(masks))
    for at in np.ndindex(7, 11):
        assert found[at] == (masks[0][at] or masks[1][at] or masks[2][at])
    assert found.dtype == bool and masks[2].sum() < found.sum() < found.size


# As planned


def test_a_union_reads_the_masks_that_erase_each_concept_alone(plan):
    sweep, _ = plan
    read = several.masks(sweep)
    for concept in ("church", "golf-ball"):
        assert read({"concept": concept, "eraser": "both", "part": "00"}) == [
            f"results/several/masks/concept={own}/eraser=conceptprune/part=00.safetensors"
            for own in ("church", "golf-ball")
        ]
    smaller, _ = planned(RAW | {"layers_per_job": 5, "study": "parted"}, ROOT)
    found = several.masks(smaller)({"concept": "church", "eraser": "both", "part": "02"})
    assert [file.rpartition("/")[2] for file in found] == ["part=02.safetensors"] * 2
    assert "both" not in sweep.edits and any("eraser=both" in signs for signs in sweep.signs)


def edited(concept, eraser):
    return [
        f"results/several/released/concept={concept}/eraser={eraser}/defence=none/sigma=none/"
        "weight_seed=none/edit.safetensors"
    ]


def test_a_sequence_goes_on_from_its_first_edit_and_is_made_once(plan):
    sweep, depends = plan
    read, turns = several.before(sweep), several.turns(depends)
    for name, (first, last) in {
        "church-first": ("church", "golf-ball"),
        "church-last": ("golf-ball", "church"),
    }.items():
        makes, copies = ({"concept": c, "eraser": name} for c in (first, last))
        assert read(makes) == edited(first, "esd-x") and read(copies) == edited(first, name)
        (turn,) = turns(makes)
        alone = {"concept": last, "eraser": "esd-x"}
        assert turn == {"about": depends.about(alone), "eraser": depends.settings_of(alone)}
        assert turns(copies) == []
        assert sweep.parts_of("released")(makes | dict.fromkeys(variants.KEYS[2:], "none")) == (
            edited(first, name)
        )
    assert {"church-first", "church-last"} < {*sweep.edits}


def test_each_concept_is_erased_by_the_settings_of_its_own_kind():
    named = {"kind": "union", "of": "conceptprune", "concepts": ["church", "Monet"]}
    raw = study(
        mixed=named,
        conceptprune={"object": {"ratio": 0.1, "steps": 3}, "style": {"ratio": 0.1, "steps": 5}},
    )
    raw["sweep"] = [{"concepts": ["Monet"], "erasers": ["mixed"], "variants": ["pruned"]}]
    sweep, depends = planned(raw, ROOT)
    every = several.of(sweep, {"concept": "monet", "eraser": "mixed"})
    assert every == [{"concept": c, "eraser": "conceptprune"} for c in ("church", "monet")]
    assert [depends.settings_of(each)["steps"] for each in every] == [3, 5]


def test_a_sequence_depends_on_the_code_of_what_it_is_a_sequence_of(plan):
    solved = {"kind": "sequence", "of": "uce", "concepts": BOTH}
    of_church = {"concept": "church", "eraser": "church-first"}
    code = several.code(plan[1])(of_church)
    assert code == several.code(plan[1])(of_church | {"eraser": "church-last"})
    assert code != several.code(planned(study(**{"church-first": solved}), ROOT)[1])(of_church)


def test_the_tables_hold_all_erasers_side_by_side_and_know_who_erases_what(plan):
    sweep, depends = plan
    assert {"erasers", "overlaps"} <= {*outputs.tables(sweep)}
    told = depends.erasers()
    assert [told[name]["how"] for name in ("both", "church-last")] == ["union", "sequence"]
    assert several.together(sweep) == {
        "both": ["church", "golf-ball"],
        "church-first": ["church", "golf-ball"],
        "church-last": ["golf-ball", "church"],
    }
    labels = {variants.label(cell) for cell in sweep.asked}
    assert {"pruned", "blind, both", "erased, both", "erased, church-first"} <= labels


# What is wrong


@pytest.mark.parametrize(
    "change, told",
    [
        (
            {"of": "concepprune"},
            "erasers.both.of: no eraser 'concepprune'; did you mean 'conceptprune'?",
        ),
        (
            {"of": "esd-x"},
            "erasers.both.of: a union is of masks, and esd-x makes none; known: conceptprune, ",
        ),
        ({"of": "both"}, "erasers.both.of: a union is of masks, and both makes none"),
        (
            {"kind": "sequence"},
            "erasers.both.of: a sequence is of edits, and conceptprune makes none; known: uce, ",
        ),
        ({"kind": "sequence", "of": "model"}, "a sequence is of edits, and model makes none"),
        ({"concepts": [*BOTH, "Church"]}, "erasers.both.concepts: 'church' is named twice"),
        ({"concepts": ["church"]}, "erasers.both.concepts: two or more are wanted: one alone is"),
        (
            {"concepts": ["church", "starfish"]},
            "erasers.both.concepts: 'golf ball' is to be erased by it, and is none of them: church",
        ),
        ({"concepts": ["church", "golf bal"]}, "no concept 'golf bal'; did you mean 'golf-ball'"),
        ({"concept": BOTH}, "unknown key 'erasers.both.concept'; did you mean 'concepts'?"),
    ],
)
def test_mistakes_are_told_where_they_stand(change, told):
    with pytest.raises(ConfigError) as error:
        load_study(study(both=RAW["erasers"]["both"] | change), ROOT, files=False)
    assert told in str(error.value)


def test_a_kind_of_several_concepts_has_no_default():
    raw = copy.deepcopy(RAW)
    raw["sweep"][0]["erasers"] = ["union"]
    with pytest.raises(ConfigError, match=r"sweep\[0\].erasers: no eraser 'union'"):
        load_study(raw, ROOT, files=False)
    raw["erasers"]["union"] = raw["erasers"]["both"]
    load_study(raw, ROOT, files=False)


def test_what_is_wrong_with_a_part_is_told_though_nothing_else_asks_for_it():
    raw = study(conceptprune={"object": {"ratio": 0.1, "steps": 11}})
    raw["sweep"][0]["erasers"] = ["both"]
    raw["erasers"]["church-first"] |= {"of": "uce"}
    raw["erasers"]["uce"] = {"guide": "golf ball"}
    with pytest.raises(ConfigError) as error:
        load_study(raw, ROOT, files=False)
    lines = str(error.value)
    assert "erasers.conceptprune.object.steps: the sampler makes 10 steps" in lines
    assert "erasers.uce.guide: 'golf ball' is sent to itself" in lines


# As made

SHORT = {"steps": 2, "batch": 2, "pictures": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("small") / "model")


def turn(kind, name, base, **more):
    pair = (f"an image of a {base}", f"an image of a {name}")
    about = {"name": name, "others": ["racket"], "pairs": [pair], "steps": 3, "guidance": 2.0}
    own = ERASERS[kind].settings.held(**({} if kind == "uce" else SHORT), **more)
    return {"about": about, "eraser": {"kind": kind} | own.of("object")}


def by_hand(turns, before=()):
    """Each edit on a model of its own, whose weights are what the one before it has left."""
    changed = dict(before)
    for each in turns:
        pipe = small_pipe()
        put_weights(pipe, changed)
        held = pipe.unet.named_parameters()
        weights = {name: p.detach().numpy().copy() for name, p in held if p.ndim == 2}
        edit = ERASERS[each["eraser"]["kind"]].edit
        changed |= edit(pipe, weights, each["about"], each["eraser"])
    return changed


def made(model, first, turns):
    pipe = small_pipe()
    weights = disk.read_weights(list(disk.matrices(model).values()))
    return in_turn(pipe, weights, first, [(each, None) for each in turns])


def same(one, other):
    return set(one) == set(other) and all((one[n] == other[n]).all() for n in one)


@pytest.mark.parametrize("kinds", [("uce", "uce"), ("esd-x", "esd-x"), ("esd-u", "uce")])
def test_a_sequence_is_its_edits_in_a_row_and_the_order_counts(model, kinds):
    pairs = (("church", "candle"), ("golf ball", "starfish"))
    turns = [turn(kind, *pair) for kind, pair in zip(kinds, pairs)]
    first, last = (by_hand([each]) for each in turns)
    found, destroyed = made(model, first, turns[1:])
    assert destroyed is None and same(found, by_hand(turns[1:], first))
    assert not same(found, by_hand(turns[:1], last))
    assert not same(found, last)


def test_what_blows_up_ends_a_sequence_and_says_where(model):
    more = {"kind": "dimum", "base": "candle"}
    turns = [turn(name="church", **more), turn(name="golf ball", rate=1e18, **more)]
    first = by_hand(turns[:1])
    found, destroyed = made(model, first, [*turns[1:], turn(name="gas pump", **more)])
    assert destroyed == "step 2 of golf ball"
    assert all(np.isfinite(held).all() for held in found.values())
    assert not same(found, first)


class Killed(Exception):
    pass


def test_a_sequence_that_is_killed_goes_on_to_the_same_weights(model, tmp_path, monkeypatch):
    """In the second of two trainings: the first is taken from its last state, which is its end."""
    turns = [turn("dimum", name, "candle") for name in ("church", "golf ball")]
    weights, real, steps = disk.read_weights(list(disk.matrices(model).values())), loop.made, []

    def run(kept):
        pipe = small_pipe()
        passed = Passed(pipe.unet)
        for own in kept:
            own.passed = passed
        return in_turn(pipe, weights, {}, zip(turns, kept)), passed.told()

    def step(*told):
        steps.append(told[3])
        if len(steps) == 4:
            raise Killed
        return real(*told)

    kept = [Kept(tmp_path / f"{i}.pt", str(i), 1) for i in range(2)]
    whole = run([Kept(tmp_path / f"whole-{i}.pt", str(i), 1) for i in range(2)])
    monkeypatch.setattr(loop, "made", step)
    with pytest.raises(Killed):
        run(kept)
    (found, destroyed), told = run(kept)
    assert steps == [0, 1, 0, 1, 1], "killed in the second one's second step"
    assert destroyed is None and same(found, whole[0][0]) and told == whole[1]
