"""Scripts run as Snakemake runs them, on the bundled model: what they draw, and with which seed."""

import re

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from regrowth.attack import ROUNDINGS
from regrowth.attack.blind import blind
from regrowth.attack.oracles import oracle
from regrowth.attack.revival import revive
from regrowth.defend import FILLS
from regrowth.draw import patches, pipeline
from regrowth.files.bits import pack, unpack
from regrowth.files.digests import digest
from regrowth.files.store import read_about, write_arrays
from regrowth.learn import pictures
from regrowth.learn.settings import Trained
from regrowth.models import disk
from regrowth.run.job import ROOT
from regrowth.study import prompts
from regrowth.study.load import load_study
from running import CELL, SMOKE, run
from small_unet import small_unet


@pytest.fixture
def pruned(tmp_path):
    """The two smallest layers of the model, pruned at random: weights, masks and their files."""
    layers = disk.attacked_layers(ROOT / "resources/demo/model", "ffn2")
    small = sorted(layers, key=lambda layer: layer.shape)[:2]
    weights = disk.read_weights(small)
    rng = np.random.default_rng(0)
    masks = {name: rng.random(w.shape) < 0.05 for name, w in weights.items()}
    left = {name: np.where(masks[name], 0, w).astype(w.dtype) for name, w in weights.items()}
    write_arrays(tmp_path / "pruned", left)
    write_arrays(tmp_path / "mask", {name: pack(mask) for name, mask in masks.items()})
    return weights, left, masks


def stream(seed, layer):
    """As docs say: seeded by the weight seed, then the bytes of the layer's name."""
    return np.random.default_rng([seed, *layer.encode()])


@pytest.mark.parametrize("seed", ["none", "0", "3"])
@pytest.mark.parametrize("kind", ["pretrained", "sample"])
def test_an_oracle_draws_each_layer_with_its_own_stream_of_the_seed(tmp_path, pruned, kind, seed):
    weights, left, masks = pruned
    cell = CELL | {"variant": "oracle", "magnitude": kind, "weight_seed": seed}
    patch = run("oracle", tmp_path, cell, released="pruned", masks="mask")
    for name, mask in masks.items():
        rng = stream(0 if seed == "none" else int(seed), name)
        wanted = oracle(weights[name][mask], left[name], mask, kind, rng)
        np.testing.assert_array_equal(patch[f"{name}:values"], wanted)
        np.testing.assert_array_equal(unpack(patch[f"{name}:positions"], mask.shape), mask)


@pytest.mark.parametrize("defence", ["gaussian", "row", "flip", "surrogate"])
def test_a_defence_fills_each_layer_with_its_own_stream_of_the_seed(tmp_path, pruned, defence):
    _, left, masks = pruned
    cell = CELL | {"defence": defence, "sigma": "1.0", "weight_seed": "2"}
    script = "defend_by_completion" if FILLS[defence].completed else "defend"
    filled = run(script, tmp_path, cell, pruned="pruned", mask="mask")
    for name, mask in masks.items():
        more = []
        if FILLS[defence].completed:
            from regrowth.complete.engine import complete

            more = [complete(left[name], mask).values]
        wanted = FILLS[defence].fill(left[name], mask, 1.0, stream(2, name), *more)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(filled[name], wanted, rtol=0, atol=1e-4 * scale)
        assert filled[name][mask].std() > 0


def test_magnitudes_are_drawn_for_each_layer_with_its_own_stream(tmp_path, pruned):
    weights, left, masks = pruned
    made = {}
    for name, mask in masks.items():
        made |= patches.values_patch(name, mask, weights[name][mask].astype(np.float32))
    write_arrays(tmp_path / "completed", made)
    cell = CELL | {"variant": "revived", "K": "0.6", "magnitude": "normal-sample"}
    cell |= {"weight_seed": "1", "detector": "zeros", "solver": "nuclear"}
    patch = run("revive", tmp_path, cell, released="pruned", completed="completed")
    for name, mask in masks.items():
        known = weights[name][mask].astype(np.float32)
        wanted = revive(left[name], mask, known, 0.6, "normal-sample", stream(1, name))
        np.testing.assert_array_equal(patch[f"{name}:values"], wanted)


def test_the_blind_attack_reads_what_feeds_each_layer_from_the_model(tmp_path, pruned):
    _, left, masks = pruned
    model = disk.matrices(ROOT / "resources/demo/model")
    known = {}
    for name in left:
        fed = disk.read_weights([model[name.replace("net.2", "net.0.proj")]])
        known[name] = next(iter(fed.values()))[: left[name].shape[1]].T
    wanted = blind({n: (left[n], masks[n]) for n in left}, known, "cpu")
    cell = CELL | {"variant": "blind", "detector": "zeros"}
    patch = run("blind", tmp_path, cell, released="pruned", detected="mask")
    for name, mask in masks.items():
        np.testing.assert_allclose(patch[f"{name}:values"], wanted[name].values, rtol=1e-5)
        np.testing.assert_array_equal(unpack(patch[f"{name}:positions"], mask.shape), mask)


@pytest.mark.parametrize("which", ["all", "attacked"])
@pytest.mark.parametrize("scheme", ["quant4", "nf4"])
def test_what_is_rounded_is_what_the_study_asks_for(tmp_path, pruned, monkeypatch, scheme, which):
    """The weights as they are when the pictures are drawn."""

    class Drawn(Exception):
        pass

    def pictures(pipe, *rest):
        raise Drawn({name: p.detach().numpy() for name, p in pipe.unet.named_parameters()})

    monkeypatch.setattr(pipeline, "pictures", pictures)
    _, left, _ = pruned
    cell = CELL | {"variant": scheme, "prompts": "objects", "shard": "0"}
    sampling = {"model": None, "steps": 1, "guidance": 1.0, "scheduler": None, "rounded": which}
    sampling |= {"dtype": "float32"}
    study, catalogue, _ = load_study(SMOKE, ROOT, files=False)
    rows = digest(prompts.bundle_rows(study, catalogue, "objects", ROOT))
    with pytest.raises(Drawn) as drawn:
        told = {"sampling": sampling, "format": "png", "rows": rows}
        run("generate", tmp_path, cell, told, released="pruned")
    (found,) = drawn.value.args
    model = disk.matrices(ROOT / "resources/demo/model")
    before = disk.read_weights(list(model.values()))
    for name, was in before.items():
        wanted = torch.from_numpy(left.get(name, was))
        if which == "all" or name in left:
            wanted = ROUNDINGS[scheme](wanted)
        np.testing.assert_allclose(found[name], wanted, rtol=1e-6, atol=1e-6 * np.abs(was).max())


def test_a_released_model_is_written_as_others_load_it(tmp_path, pruned):
    _, left, _ = pruned
    told = {"model": None, "dtype": "float32"}
    run("checkpoint_of_released", tmp_path, CELL, told, writes=["made"], released=["pruned"])
    theirs = StableDiffusionPipeline.from_pretrained(tmp_path / "made")
    folders = tmp_path / "made", ROOT / "resources/demo/model"
    made, own = (pipeline.load_pipeline(folder, "float32", "cpu") for folder in folders)
    pipeline.put_weights(own, left)
    for part in ("unet", "vae", "text_encoder"):
        torch.testing.assert_close(
            getattr(theirs, part).state_dict(), getattr(own, part).state_dict(), rtol=0, atol=0
        )
    rows = [{"prompt": "a church", "seed": 3}]
    drawn = [next(pipeline.pictures(pipe, rows, 2, 2.0, 1)).tobytes() for pipe in (made, own)]
    assert drawn[0] == drawn[1]
    files = [file for file in (tmp_path / "made").rglob("*") if file.is_file()]
    assert not [
        f for f in files if f.suffix == ".json" and str(ROOT) in f.read_text(encoding="utf-8")
    ]
    assert len({file.stat().st_mode for file in files}) == 1, "some may not read the weights"


def test_rows_that_are_not_those_of_the_plan_draw_nothing(tmp_path, pruned):
    cell = CELL | {"variant": "pruned", "prompts": "objects", "shard": "0"}
    with pytest.raises(RuntimeError, match="prompts of objects have changed since this run was"):
        told = {"sampling": {"model": None}, "format": "png", "rows": "another"}
        run("generate", tmp_path, cell, told, released="pruned")


@pytest.mark.parametrize("rate", [1e-5, 1e18])
def test_a_training_that_blows_up_is_a_result_that_says_so(tmp_path, small, rate):
    short = Trained(steps=3, batch=2, pictures=2, rate=rate).of("object")
    about = {
        "name": "church",
        "pairs": [("a racket", "a church")],
        "steps": 2,
        "guidance": 2.0,
        "scheduler": None,
    }
    told = {"code": "", "versions": {}, "model": None, "about": about}
    made = run("edit", tmp_path, CELL, told | {"eraser": short | {"kind": "dimum"}}, small)
    assert all(np.isfinite(weights).all() for weights in made.values())
    held = read_about(tmp_path / "edit.out")
    assert held.get("destroyed") == (None if rate < 1 else "step 2")
    assert ("gradient of step 2" in (tmp_path / "log").read_text(encoding="utf-8")) == (rate > 1)
    assert not (tmp_path / ".edit.state.pt").exists()


@pytest.mark.parametrize("script", ["edit", "sequence"])
def test_what_an_eraser_learns_from_is_drawn_by_the_named_scheduler(tmp_path, small, script):
    short = Trained(steps=1, batch=2, pictures=2).of("object") | {"kind": "dimum"}
    told, spent = {"code": "", "versions": {}, "model": None}, {}
    write_arrays(tmp_path / "first", {}, changed=0, forwards=0, backwards=0)
    for scheduler in (None, "dpm++"):
        about = {"name": "church", "pairs": [("a racket", "a church")]}
        about |= {"steps": 2, "guidance": 2.0, "scheduler": scheduler}
        turn = {"about": about, "eraser": short}
        own, files = (turn, {}) if script == "edit" else ({"turns": [turn]}, {"before": "first"})
        run(script, tmp_path, CELL, told | own, small, **files)
        spent[scheduler] = read_about(tmp_path / f"{script}.out")["forwards"]
    # PNDM makes a pass more than its steps: of two pictures of either side, with and without words
    assert spent[None] - spent["dpm++"] == 2 * 2 * 2


def test_an_attacker_learns_from_no_picture_that_an_eraser_had_or_a_judge_sees(
    tmp_path, monkeypatch
):
    seen, real = {}, pictures.own

    def own(pipe, rows, *how):
        seen[len(seen)] = rows
        return real(pipe, rows, *how)

    monkeypatch.setattr(pictures, "own", own)
    prompts, told = (
        ["a church", "a church in a park"],
        {"model": None, "steps": 2, "guidance": 2.0, "scheduler": None},
    )
    pairs = [("a racket", prompt) for prompt in prompts]
    erased = run("material", tmp_path, {"of": "target", "pictures": "3"}, told | {"pairs": pairs})
    given = {"prompts": prompts, "given": [], "pictures": 3}
    learnt = run("lesson", tmp_path, {"data": "concept", "concept": "church"}, told | given)
    asked = [[row["prompt"] for row in rows] for rows in seen.values()]
    assert asked[0] == asked[1] == [*prompts, prompts[0]]
    seeds = [{row["seed"] for row in rows} for rows in seen.values()]
    assert not seeds[0] & seeds[1] and min(seeds[0] | seeds[1]) >= pictures.FIRST_SEED
    assert not np.isclose(erased["latents"], learnt["latents"]).all(axis=(1, 2, 3)).any()
    cells = {"of": "target", "pictures": "3"}, {"data": "concept", "concept": "church"}
    more = {"pairs": pairs, "scheduler": "dpm++"}, given | {"scheduler": "dpm++"}
    for script, cell, own, plain in zip(("material", "lesson"), cells, more, (erased, learnt)):
        other = run(script, tmp_path, cell, told | own)
        assert not np.allclose(other["latents"], plain["latents"]), "by another scheduler"


def test_a_union_is_made_of_the_masks_of_its_concepts(tmp_path, pruned):
    weights, _, masks = pruned
    others = {name: np.roll(mask, 3) for name, mask in masks.items()}
    write_arrays(tmp_path / "other", {name: pack(mask) for name, mask in others.items()})
    told = {"layers": list(weights), "model": None}
    made = run("union", tmp_path, CELL, told, one="mask", two="other")
    density = read_about(tmp_path / "union.out")["density"]
    for name, w in weights.items():
        both = unpack(made[name], w.shape)
        np.testing.assert_array_equal(both, masks[name] | others[name])
        assert density[name] == pytest.approx(both.mean())


def test_a_sequence_tells_what_all_of_it_took_and_is_copied_for_its_other_concepts(tmp_path, small):
    short = Trained(steps=2, batch=2, pictures=2).of("object") | {"kind": "dimum"}
    pair = ("a racket", "a golf ball")
    about = {"name": "golf ball", "pairs": [pair], "steps": 2, "guidance": 2.0, "scheduler": None}
    told = {"code": "", "versions": {}, "model": None}
    key = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    plain = {name: p.detach().numpy() for name, p in small_unet().named_parameters()}
    own = plain[key]
    write_arrays(tmp_path / "first", {key: own + 1}, changed=own.size, forwards=10, backwards=4)
    turns = [{"about": about, "eraser": short}]
    made = run("sequence", tmp_path, CELL, told | {"turns": turns}, small, before="first")
    held = read_about(tmp_path / "sequence.out")
    moved = sum((plain[name] != value).sum() for name, value in made.items())
    assert held["changed"] == moved > own.size and "destroyed" not in held
    assert held["forwards"] > 10 and held["backwards"] == 4 + 2 * 2 * 2
    assert abs(made[key] - own - 1).max() < 0.01, "the second goes on from the first"
    (tmp_path / "sequence.out").rename(tmp_path / "made")
    run("sequence", tmp_path, CELL, told | {"turns": []}, small, before="made")
    assert (tmp_path / "sequence.out").read_bytes() == (tmp_path / "made").read_bytes()
    assert not list(tmp_path.glob(".edit*"))


#: Of the study, what a script may use that makes what is judged: how many pictures to draw at once.
#: Of the catalogue, what stands in the rule's params as a digest: the judge that scores or guides,
#: and the sets it sees.
USED = {"generate": {"job.study.images.batch", "job.catalogue"}}
USED |= dict.fromkeys(("score", "reference"), {"job.catalogue"})
MAKE = "resolve calibrate mask mask_of_checkpoint union sequence prune defend defend_by_completion"
MAKE += " released_of_checkpoint detect complete revive blind oracle signs detectability generate"
MAKE += " score reference checkpoint_of_released"


@pytest.mark.parametrize("script", MAKE.split())
def test_a_job_knows_its_params(script):
    text = (ROOT / f"workflow_scripts/{script}.py").read_text(encoding="utf-8")
    found = set(re.findall(r"job\.(?:study|catalogue)(?:\.[a-z_]+)*", text))
    found = {re.sub(r"(job\.catalogue).*", r"\1", name) for name in found}
    assert found == USED.get(script, set())
