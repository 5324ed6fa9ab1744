"""The sweep: cells, the files of each job, and what a table of what is there shrinks to."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from regrowth.attack import LESSONS, VARIANTS, needed
from regrowth.files import keys
from regrowth.models import disk
from regrowth.run.planned import planned
from regrowth.run.refusals import Refused
from regrowth.study import attackers, outputs, variants
from regrowth.study.load import ConfigError, load_study
from regrowth.study.sweep import Sweep, cell_of

ROOT = Path(__file__).resolve().parents[2]
RAW = yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))
LAYERS = disk.attacked_layers(ROOT / "resources/demo/model", "ffn2")


def sweep_of(**changes) -> Sweep:
    study, catalogue, _ = load_study(RAW | changes, ROOT, files=False)
    return Sweep.of(study, catalogue, LAYERS, ROOT)


@pytest.fixture(scope="module")
def smoke() -> Sweep:
    return sweep_of()


def wildcards(cell, **more):
    """As the rules have them: of a variant all that stands behind "variant="."""
    released, _, variant = variants.path(cell).partition("/variant=")
    told = {"prompts": cell["prompts"]} if "prompts" in cell else {}
    return keys.parsed(released) | {"variant": variant} | told | more


def test_models_as_they_are_draw_each_set_once_and_variants_their_bundle(smoke):
    drawn = Counter((c["variant"], c["concept"], c["prompts"]) for c in smoke.cells)
    assert drawn == {
        ("pretrained", "none", "objects"): 1,
        ("pretrained", "none", "snow"): 1,
        ("pruned", "church", "objects"): 2,  # without a defence and with one
        ("quant4", "church", "objects"): 1,
        ("revived", "church", "objects"): 2,
        ("revived", "snow", "objects+snow"): 1,
    }
    assert smoke.sets == {"church": ["objects"], "snow": ["objects", "snow"]}
    assert smoke.deleted == ["objects+snow", "snow"]
    assert smoke.concepts == smoke.begun == ["church", "snow"]


def test_a_cell_is_what_its_wildcards_say(smoke):
    for cell in smoke.cells:
        assert cell_of(wildcards(cell)) == cell


def test_each_variant_is_drawn_with_what_it_is_made_of(smoke):
    for cell in smoke.cells:
        files = smoke.variant_files(wildcards(cell))
        if cell["concept"] == keys.NONE:
            assert files == {}
            continue
        released = keys.path(variants.released_of(cell))
        assert files["released"] == [
            f"results/smoke/released/{released}/part={n:02d}.safetensors"
            for n in range(len(smoke.parts))
        ]
        patched = cell["variant"] in ("revived", "blind")
        at = f"results/smoke/patches/{variants.patch(cell)}"
        assert files.get("patch") == (at if patched else None)


#: What a file that an attack is made of gives away, by what its path begins with.
GIVEN = {"released": "weights", "masks": "truth"}
GIVEN |= {f"lessons/concept=church/data={data}": data for data in ("auxiliary", "concept")}
WORD_OF = "patches/concept=church/eraser=conceptprune/defence=none/sigma=none/weight_seed=none"
GIVEN[f"{WORD_OF}/variant=inversion/lr=0.1/patch"] = "guard"


#: Attacks that nothing is made for: what they know, they are drawn with.
DRAWN = [name for name, variant in VARIANTS.items() if variant.sampled]
#: Knowledge that is no file of a study, but a folder, of a model or of a judge, or a rule's param.
NO_FILE = {"base", "classifier", "prompts"}


def smuggled(files, needs) -> set[str]:
    """What reaches an attack that it does not need, or does not, and it does."""
    found = {
        next(what for begin, what in GIVEN.items() if f"results/smoke/{begin}" in file)
        for some in files.values()
        for file in some
    }
    return found ^ needs


def test_each_attack_is_given_what_it_needs_and_a_smuggled_file_is_seen():
    attacks = {"train": {"kind": "relearn", "data": [*LESSONS], "at": [5]}}
    attacks["evade"] = {"kind": "evasion", "through": ["negative", "implicit"]}
    asked = {
        "variants": ["pruned", "blind", "oracle", "inversion", "derived", "prefix", *DRAWN],
        "attacks": ["train", "evade"],
    }
    sweep = sweep_of(attacks=attacks, sweep=[{"concepts": ["church"], "oracles": ["max"], **asked}])
    known, given = {}, {what: f"results/smoke/{begin}/x" for begin, what in GIVEN.items()}
    for cell in sweep.asked:
        if VARIANTS[cell["variant"]].patch:
            files = sweep.known_to(cell["variant"])(cell)
        elif cell["variant"] in DRAWN:
            files = sweep.variant_files(wildcards(cell, prompts="objects"))
        else:
            continue
        assert smuggled(files, needed(cell) - NO_FILE) == set(), cell
        known[variants.label(cell)] = needed(cell)
        for what, file in [*given.items(), ("truth", sweep.masks_of(cell)[0])]:
            if what not in needed(cell):
                more = files | {"more": [file]}
                assert smuggled(more, needed(cell) - NO_FILE) == {what}, cell
    weights = frozenset({"weights"})
    named = weights | {"prompts"}
    assert known == {
        "blind": weights,
        "oracle: signs, max": weights | {"truth"},
        "noise ×1.1": weights,
        "guided by clip ×0.5": named | {"classifier"},
        "a picture completed at 0.8": weights | {"concept"},
        "word learnt ×100": named | {"concept"},
        "prefix found ×100": named | {"concept"},
        "random prefix": named,
        "word learnt through negative ×100": named | {"concept"},
        "word learnt through implicit ×100": named | {"concept", "guard"},
        "word derived": named | {"base"},
        "relearnt ×5 on its own pictures": weights,
        "relearnt ×5 on others' pictures": weights | {"auxiliary"},
        "relearnt ×5 on the concept's pictures": named | {"concept"},
        "relearnt ×5 on what lies between few of the concept's pictures": named | {"concept"},
    }


@pytest.mark.parametrize("data", LESSONS)
def test_whoever_is_taught_without_the_name_reads_it_in_no_caption(data):
    attacks = {"train": {"kind": "relearn", "data": [data], "at": [5]}}
    asked = [{"concepts": ["church"], "attacks": ["train"]}]
    _, depends = planned(RAW | {"study": "taught", "attacks": attacks, "sweep": asked}, ROOT)
    # What lies between pictures of the concept is made of their lesson.
    of = "concept" if "concept" in LESSONS[data].needs else data
    captions = depends.taught({"concept": "church", "data": of})
    assert captions and all(("church" in c) == ("prompts" in LESSONS[data].needs) for c in captions)


@pytest.mark.parametrize(
    "asked, has",
    [
        ({"variants": ["pruned", "blind", "quant4"]}, False),
        ({"variants": ["pruned", "oracle"], "oracles": ["max"]}, False),
        ({"variants": ["pruned", "noised"]}, True),
        ({"variants": ["pruned", "derived"]}, True),
        ({"variants": ["pruned", "inversion"]}, True),
    ],
)
def test_a_frontier_is_of_attackers_who_know_or_draw_more(asked, has):
    """Whether or not one of them trains."""
    sweep = sweep_of(sweep=[{"concepts": ["church"], "erasers": ["conceptprune"], **asked}])
    assert ("frontier" in outputs.tables(sweep)) == has


def test_a_guard_is_drawn_through_and_stores_nothing():
    sweep = sweep_of(
        sweep=[
            {
                "concepts": ["church"],
                "variants": ["pruned", "blind", "revived", "relearn"],
                "K": [0.6],
                "magnitudes": ["sample"],
                "defences": ["none", "negative", "sld-max"],
            }
        ]
    )
    assert {v["sigma"] for v in sweep.asked} == {"none"} and not sweep.defended
    for cell in (cell for cell in sweep.cells if cell["concept"] != keys.NONE):
        files = sweep.variant_files(wildcards(cell))
        plain = sweep.variant_files(wildcards(cell | {"defence": "none"}))
        assert files == plain and "negative" not in str(files)
        assert cell_of(wildcards(cell)) == cell
    assert len(sweep.costs) == 1 and len(sweep.signs) == len(sweep_of().study.signs.solvers) + 1
    assert "guards" in outputs.tables(sweep) and "defences" not in outputs.tables(sweep)
    labels = {variants.label(v) for v in sweep.asked if v["variant"] == "blind"}
    assert labels == {"blind", "blind, negative", "blind, sld-max"}


@pytest.mark.parametrize("guarded", [["negative"], ["none", "negative"]])
def test_a_study_of_guards_alone_has_no_frontier(guarded):
    """Which is of what is released, to whoever has the weights."""
    block = {"concepts": ["church"], "variants": ["pruned", "relearn"], "defences": guarded}
    sweep = sweep_of(sweep=[block])
    drawn = [name for _, name, _ in outputs.figures(sweep)]
    assert "guards" in outputs.tables(sweep)
    assert ("frontier" in outputs.tables(sweep)) == ("frontier" in drawn) == ("none" in guarded)


def test_an_implicit_guard_is_the_word_that_is_learnt_in_the_released_model():
    """Whatever of it is attacked, and with no attack that learns one."""
    block = {"concepts": ["church"], "variants": ["pruned", "relearn"], "defences": ["implicit"]}
    sweep = sweep_of(implicit={"lr": 0.2, "step": 30}, sweep=[block | {"erasers": ["uce"]}])
    word = WORD_OF.replace("conceptprune", "uce") + "/variant=inversion/lr=0.2/patch.safetensors"
    for cell in (cell for cell in sweep.cells if cell["concept"] != keys.NONE):
        files = sweep.variant_files(wildcards(cell))
        assert files["guard"] == f"results/smoke/{word}"
        assert "released" in files and ("patch" in files) == (cell["variant"] == "relearn")
    own = sweep.steers_from(cell)
    at = attackers.steps(sweep, "inversion")
    assert at(own) == [30] and at(own | {"eraser": "esd-x"}) == []
    assert attackers.steps(sweep_of(), "inversion")(own) == []


def test_what_is_autoguided_is_drawn_with_what_was_relearnt():
    trained = {"data": ["own"], "parameters": ["lora4"], "lr": [0.1]}
    attacks = {"a": {"kind": "relearn", "at": [5], **trained}}
    attacks["b"] = {"kind": "autoguided", "at": [10], "weights": [0.0, 2.0], **trained}
    sweep = sweep_of(attacks=attacks, sweep=[{"concepts": ["church"], "attacks": ["a", "b"]}])
    made = {variants.patch(v) for v in sweep.asked}
    assert len(sweep.asked) == 3 and len(made) == len(sweep.costs) == 1
    assert "variant=relearn/data=own/parameters=lora4/lr=0.1/patch" in made.pop()
    other = sweep.asked[-1]
    assert (other["variant"], other["weight"], other["step"]) == ("autoguided", "2.0", "10")
    assert variants.trained(other)["weight"] == "none"
    own = {key: other[key] for key in (*keys.RELEASED, "data", "parameters", "lr")}
    assert attackers.steps(sweep, "relearn")(own) == [5, 10]


def test_a_guess_is_made_of_every_candidates_calibration_and_of_no_mask():
    block = {"concepts": ["church"], "variants": ["pruned"]}
    sweep = sweep_of(identify=3, sweep=[block, block | {"erasers": ["uce"]}])
    assert len(sweep.identified) == 2 and "identified" in outputs.tables(sweep)
    assert len(attackers.candidates(sweep)) == 12
    assert attackers.candidates(sweep)["golf-ball"] == "golf ball"
    told_by = attackers.told_by(sweep)
    pruned, edited = (keys.parsed(folder) for folder in sweep.identified)
    assert (told_by(pruned), told_by(edited)) == ("holes", "edit")
    assert attackers.calibrations(sweep)(edited) == []
    assert attackers.calibrations(sweep)(pruned)[0] == (
        "results/smoke/calibration/concept=church/steps=3/norms.safetensors"
    )
    assert not sweep_of().identified


def test_a_training_is_kept_at_every_step_that_is_drawn_of_it():
    attacks = {
        "few": {"kind": "relearn", "at": [5, 20]},
        "more": {"kind": "relearn", "at": [10], "data": ["own", "auxiliary"]},
    }
    sweep = sweep_of(attacks=attacks, sweep=[{"concepts": ["church"], "attacks": ["few", "more"]}])
    at = attackers.steps(sweep, "relearn")
    own = dict(zip(keys.RELEASED, ("church", "conceptprune", "none", "none", "none")))
    own |= {"parameters": "all", "lr": "0.00005"}
    assert at(own | {"data": "own"}) == [5, 10, 20] and at(own | {"data": "auxiliary"}) == [10]
    assert len(sweep.costs) == 2 and "frontier" in outputs.tables(sweep)
    at = "concept=church/data=auxiliary/judge=objects"
    assert sweep.seen == [f"results/smoke/seen/{at}/seen.parquet"] and not sweep_of().seen
    assert ("church", "frontier", "Attackers") in outputs.figures(sweep)


def test_a_model_of_another_name_is_drawn_as_it_is():
    baseline = {"other": {"model": RAW["model"], "concepts": ["church"]}}
    sweep = sweep_of(baselines=baseline)
    (cell,) = (c for c in sweep.cells if c["variant"] == "other")
    assert sweep.variant_files(wildcards(cell)) == {} and cell["prompts"] == "objects"


@pytest.mark.parametrize(
    "variant, files", [("revived", {"released"}), ("oracle", {"released", "masks"})]
)
def test_the_makers_of_variants_are_given_what_they_need(smoke, variant, files):
    cell = dict.fromkeys(keys.RELEASED, "none") | {"concept": "church", "eraser": "conceptprune"}
    given = smoke.known_to(variant)(cell)
    assert set(given) == files and all(given.values())
    assert all("/released/" in f or "/masks/" in f for some in given.values() for f in some)


def test_shards_cover_the_rows_and_the_last_may_be_short():
    sweep = sweep_of(images={"erased": 7, "preserved": 1, "shard": 5})
    cell = next(c for c in sweep.cells if c["concept"] == "church")
    rows = len(sweep.rows(cell["prompts"]))
    assert rows == 12 + 6
    shards = sweep.shards_of(cell, "images")
    assert [Path(s).name for s in shards] == [f"shard={n:03d}.parquet" for n in range(4)]


def test_what_is_preserved_has_a_reference_where_any_of_it_is_drawn():
    """A study may draw the erased classes alone."""
    block = {"concepts": ["church"], "variants": ["pruned"]}
    for asked, there in ((["erased"], []), (["erased", "preserved"], ["objects"])):
        sweep = sweep_of(sweep=[block | {"prompts": asked}])
        found = [Path(file).parent.name for file in sweep.references]
        assert found == [f"prompts={name}" for name in there]
        assert {*there} <= {*sweep.bundles}


def test_judges_share_jobs_as_the_study_says():
    """In the catalogue's order, a bundle's sets one after the other."""
    judged = {
        n: [
            Path(file).parent.name.removeprefix("judges=")
            for cell in sweep_of(judges_per_job=n).cells
            if cell["concept"] == "snow"
            for file in sweep_of(judges_per_job=n).scores_of(cell)
        ]
        for n in (1, 2, 8)
    }
    assert judged[1] == ["objects", "clip", "fid-demo", "snow", "nudenet"]
    assert judged[2] == ["objects+clip", "fid-demo+snow", "nudenet"]
    assert judged[8] == ["objects+clip+fid-demo+snow+nudenet"]


def test_what_is_there_is_a_smaller_study():
    smoke = sweep_of(judges_per_job=1)
    whole = [c for c in smoke.cells if c["variant"] in ("pretrained", "pruned")]
    made = {file for cell in whole for file in smoke.scores_of(cell)}
    (some, *_) = smoke.scores_of(next(c for c in smoke.cells if c["variant"] == "quant4"))
    there = smoke.there(made | {some})
    assert list(there.cells) == whole, "one judge of three is not whole"
    assert {c["variant"] for c in there.asked} == {"pruned"}
    assert there.sets == smoke.sets and there.begun == ["church"]
    assert there.signs == there.references == there.shards == []
    assert there.of_those([some, "other"]) == [some]


def test_a_study_ends_in_the_tables_and_figures_of_what_it_asks_for(smoke):
    assert {"signs", "layers", "detectability", "defences"} <= {*outputs.tables(smoke)}
    figures = {(concept, name) for concept, name, _ in outputs.figures(smoke)}
    assert {("church", "defences"), ("study", "roc"), ("snow", "accuracy")} <= figures
    assert not {name for _, name in figures} & {"over-k", "alone"}
    block = RAW["sweep"][0] | {"K": [0.3, 0.6], "layers_alone": [1]}
    more = sweep_of(sweep=[block])
    assert {("church", "over-k"), ("church", "alone")} <= {f[:2] for f in outputs.figures(more)}
    assert "detectability" not in outputs.tables(more)


@pytest.mark.parametrize(
    "sweep, told",
    [
        ([RAW["sweep"][0] | {"layers_alone": [16]}], "there is no layer 16; the model's 16"),
        ([RAW["sweep"][1]], "attacks none without a defence"),
    ],
)
def test_a_study_that_cannot_be_planned_is_refused(tmp_path, monkeypatch, sweep, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match=told):
        planned(RAW | {"sweep": sweep}, ROOT)


def test_a_study_of_nothing_but_an_edit_is_planned(tmp_path, monkeypatch):
    """It has no holes, and so no signs to measure; its pictures are compared all the same."""
    monkeypatch.chdir(tmp_path)
    given = ROOT / "resources/demo/model/unet/diffusion_pytorch_model.safetensors"
    erasers = {"model": {"church": str(given)}}
    sweep = [{"concepts": ["church"], "erasers": ["model"], "variants": ["pruned", "quant4"]}]
    found, _ = planned(RAW | {"study": "edit", "erasers": erasers, "sweep": sweep}, ROOT)
    assert not found.signs and "signs" not in outputs.tables(found)


HIDDEN = {"concepts": ["church"], "erasers": ["filled"], "variants": ["pruned", "blind"]}
HIDDEN |= {"detectors": ["combined-0.05"]}


def test_filled_holes_are_looked_for_by_a_detector(tmp_path, monkeypatch):
    """What was erased is not known: no signs, and no masks to lay beside others'."""
    monkeypatch.chdir(tmp_path)
    erasers = RAW["erasers"] | {"filled": {"church": str(ROOT / "resources/demo/model")}}
    sweep = [HIDDEN, RAW["sweep"][0], RAW["sweep"][0] | {"erasers": ["salun"]}]
    found, depends = planned(RAW | {"study": "filled", "erasers": erasers, "sweep": sweep}, ROOT)
    assert "filled" in {cell["eraser"] for cell in found.asked} and found.signs
    assert not [name for name in found.signs if "eraser=filled" in name]
    assert {eraser for _, eraser in found.compared} == {"conceptprune", "salun"}
    cell = {"concept": "church", "eraser": "filled", "defence": "none", "sigma": "none"}
    cell |= {"weight_seed": "none", "detector": "combined-0.05"}
    (part,) = found.known_to("blind")(cell)["released"]
    assert part.endswith(
        "eraser=filled/defence=none/sigma=none/weight_seed=none/part=00.safetensors"
    )
    assert depends.checkpoint(cell)


@pytest.mark.parametrize(
    ("more", "given"),
    [
        ({"detectors": ["zeros"]}, "zeros"),
        ({"defences": ["gaussian"], "sigmas": [1.0]}, "gaussian"),
        ({"variants": ["pruned", "oracle"], "oracles": ["max"]}, "oracle"),
        ({"variants": ["pruned"], "attacks": ["named"]}, "zeros"),
    ],
)
def test_where_nobody_knows_what_was_erased_nothing_asks_for_it(more, given):
    erasers = RAW["erasers"] | {"filled": {"church": str(ROOT / "resources/demo/model")}}
    raw = RAW | {
        "erasers": erasers,
        "sweep": [HIDDEN | more],
        "attacks": {"named": {"kind": "blind"}},
    }
    with pytest.raises(ConfigError, match=rf"nobody knows.*\(given: {given}\)"):
        load_study(raw, ROOT)


def test_one_study_has_a_method_at_several_settings():
    """Each instance has masks of its own; the column norms are those of its steps."""
    half = {"kind": "conceptprune", "ratio": 0.05, "steps": 2}
    later = {"kind": "conceptprune", "steps": 3}
    erasers = RAW["erasers"] | {"half": half, "later": later}
    names = ["conceptprune", "half", "later"]
    sweep = [RAW["sweep"][0] | {"erasers": names}]
    found, depends = planned(RAW | {"study": "several", "erasers": erasers, "sweep": sweep}, ROOT)
    assert {c["eraser"] for c in found.asked} == {*names}
    own = {n: depends.settings_of({"concept": "church", "eraser": n}) for n in names}
    kind = {"kind": "conceptprune"}
    assert own["conceptprune"] == kind | {"ratio": 0.1, "steps": 1}
    assert own["half"] == kind | {"ratio": 0.05, "steps": 2}
    assert own["later"] == kind | {"ratio": 0.02, "steps": 3}
    norms = {n: depends.read_of({"concept": "church", "eraser": n})[0] for n in names}
    assert [norms[n].split("/")[-2] for n in names] == ["steps=1", "steps=2", "steps=3"]
    assert found.erasers("given") == ["checkpoint"]


def test_masks_read_what_their_eraser_says():
    few = {"kind": "salun", "share": 0.02, "pictures": 8}
    erasers = RAW["erasers"] | {"few": few, "scissorhands": {"loss": "guided"}}
    sweep = [RAW["sweep"][0] | {"erasers": ["few", "salun", "scissorhands"]}]
    _, depends = planned(RAW | {"study": "felt", "erasers": erasers, "sweep": sweep}, ROOT)
    read = {
        name: depends.read_of({"concept": "church", "eraser": name})
        for name in ("few", "salun", "scissorhands", "checkpoint")
    }
    at = (
        "results/felt/gradients/concept=church/loss=guided/pictures={}/gradients.safetensors".format
    )
    assert read["few"] == [at(8)] and read["salun"] == read["scissorhands"] == [at(64)]
    assert read["checkpoint"] == []


def test_what_is_learnt_from_is_drawn_once_for_all_and_of_an_unsafe_concept_for_none():
    few = {"kind": "esd-x", "pictures": 8}
    erasers = RAW["erasers"] | {"few": few}
    names = ["few", "esd-u", "dimum", "uce", "salun"]
    sweep = [RAW["sweep"][0] | {"concepts": ["church", "snow"], "erasers": names}]
    sweep[0] |= {"variants": ["pruned"]}
    _, depends = planned(RAW | {"study": "learnt", "erasers": erasers, "sweep": sweep}, ROOT)

    def read(name, concept="church"):
        return depends.learnt_by({"concept": concept, "eraser": name})

    at = "results/learnt/material/concept=church/of={}/pictures={}/latents.safetensors".format
    assert read("few") == [at("states", 8), at("base", 8)]
    assert read("esd-u") == [at("states", 64), at("base", 64)]
    assert read("dimum") == [at("target", 64), at("base", 64)] and read("uce") == []
    felt = {"concept": "church", "pictures": "64"}
    assert depends.felt_on(felt) == read("dimum")[:1]
    assert depends.felt_on(felt | {"concept": "snow"}) == read("dimum", "snow") == []


def test_what_is_released_whole_is_known_by_all_that_is_read_of_it(tmp_path):
    """The text encoder, too, and not the VAE; of a pruned checkpoint the attacked part alone."""
    theirs = Path(shutil.copytree(ROOT / "resources/demo/model", tmp_path / "theirs"))
    models = {"models": {"church": str(theirs)}}
    erasers = RAW["erasers"] | {"whole": {"kind": "model"} | models}
    erasers |= {"holed": {"kind": "checkpoint"} | models}
    sweep = [*RAW["sweep"], {"concepts": ["church"], "erasers": ["whole"], "variants": ["pruned"]}]
    _, depends = planned(RAW | {"study": "whole", "erasers": erasers, "sweep": sweep}, ROOT)

    def told():
        return [depends.checkpoint({"concept": "church", "eraser": n}) for n in ("whole", "holed")]

    whole, holed = told()
    (theirs / "vae/diffusion_pytorch_model.safetensors").write_bytes(b"other")
    assert told() == [whole, holed]
    (theirs / "text_encoder/model.safetensors").write_bytes(b"other")
    assert told()[0] != whole and told()[1] == holed
    whole, _ = told()
    (theirs / "unet/diffusion_pytorch_model.safetensors").write_bytes(b"other")
    assert told()[0] != whole and told()[1] != holed
