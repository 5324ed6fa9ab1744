"""What a change of the study, the code, the catalogue or a model makes a study do again."""

import os
import re
import shutil

import numpy as np
import pandas as pd
import yaml
from road import ROOT, Road
from safetensors.numpy import load_file, save_file

END = {"tables": 1, "figures": 1, "report": 1}
#: Where pictures of one concept are drawn, of two.
SHOWN, BOTH = END | {"album": 1}, END | {"album": 2}


def test_a_second_run_does_nothing(smoke):
    assert not smoke.planned()
    smoke.study.touch()
    assert not smoke.planned()


def test_a_file_made_anew_as_it_was_makes_nothing_anew(smoke):
    (file, *_) = smoke.out.glob("released/concept=church/**/part=00.safetensors")
    os.utime(file)
    assert not smoke.planned()
    for name in ("default", "slurm"):
        profile = yaml.safe_load(
            (ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
        )
        assert profile["max-checksum-file-size"] == "2GB"  # a layer of SD-v1.5 is larger than 1 MB
    assert "complete" in smoke.planned("--max-checksum-file-size", "1kB")


def test_jobs_that_are_forked_make_what_others_make(smoke, spare):
    """To the byte; and each is measured."""
    cell = "concept=church/eraser=conceptprune/defence=none/*/*/variant=pruned"
    whole = smoke.bytes_of("images")
    for stage in ("images", "scores"):
        (folder,) = spare.out.glob(f"{stage}/{cell}")
        shutil.rmtree(folder)
    assert len(spare.bytes_of("images")) == len(whole) - 1
    spare.run("--executor", "local", "--until", "generate")
    assert spare.bytes_of("images") == whole
    (anew,) = spare.out.glob(f"benchmarks/generate/{cell}/**/*.tsv")
    (forked,) = smoke.out.glob(f"benchmarks/generate/{cell}/**/*.tsv")
    theirs, ours = (pd.read_csv(file, sep="\t") for file in (anew, forked))
    for took in (theirs, ours):
        assert took["cpu_time"][0] > 0.1 and took["max_rss"][0] > 100  # megabytes
    assert list(ours.columns) == list(theirs.columns)


def test_one_k_more_computes_only_that_k(changed):
    planned = changed(lambda s: s["sweep"][0]["K"].append(0.2))
    assert planned == {"revive": 1, "generate": 1, "score": 1} | SHOWN


def test_which_matrices_are_rounded_concerns_the_rounded_alone(changed):
    planned = changed(lambda s: s.update(quantised="attacked"))
    assert planned == {"generate": 1, "score": 1} | SHOWN


def test_another_scheduler_calibrates_and_draws_anew(changed):
    planned = changed(lambda s: s["sampler"].update(scheduler="ddim"))
    assert planned["calibrate"] == 2 and planned["generate"] == 6


def test_one_layer_alone_computes_only_that_variant(changed):
    planned = changed(lambda s: s["sweep"][0].update(layers_alone=[3]))
    assert planned == {"revive_alone": 1, "generate": 1, "score": 1} | SHOWN


def test_one_sigma_more_computes_only_that_sigma(changed):
    planned = changed(lambda s: s["sweep"][1]["sigmas"].append(2.0))
    new = {"defend": 1, "detect": 1, "complete": 1, "revive": 1, "detectability": 1}
    assert planned == new | {"generate": 2, "score": 2} | SHOWN


def test_one_concept_more_computes_only_that_concept(changed):
    planned = changed(lambda s: s["sweep"][2]["concepts"].append("candle"))
    new = {"calibrate": 1, "mask": 1, "prune": 1, "detect": 1}
    new |= {"complete": 2, "revive": 1, "signs": 2}
    assert planned == new | {"generate": 1, "score": 1} | SHOWN  # the pretrained set is shared


def test_another_batch_size_computes_nothing(changed):
    assert not changed(lambda s: s["images"].update(batch=5))


def put(project, file, before, after):
    file = project.root / file
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")


def edit(project, *change):
    put(project, *change)
    return project.planned()


def test_a_judge_that_sees_other_sets_of_a_bundle_judges_it_anew(apart):
    planned = edit(apart, CATALOGUE, "judges: [snow, clip, nudenet]", "judges: [snow, nudenet]")
    assert planned == {"generate_unsafe": 1, "score": 5} | SHOWN


def test_a_prompt_that_is_appended_draws_each_variants_last_shard(tmp_path):
    table, rows = tmp_path / "snow.csv", ["prompt,class,seed"]
    rows += [f"a photo of a candle in the snow,snow,{i}" for i in range(8)]
    table.write_text("\n".join(rows[:-1]), encoding="utf-8")
    study = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text(encoding="utf-8"))
    study |= {"images": {"erased": 100, "shard": 3}, "keep_unblurred": True}
    (tmp_path / "catalogue.yaml").write_text(
        (ROOT / CATALOGUE)
        .read_text(encoding="utf-8")
        .replace("resources/demo/snow.csv", str(table)),
        encoding="utf-8",
    )
    study |= {"catalogue": str(tmp_path / "catalogue.yaml"), "judges": ["snow"]}
    variant = {"concepts": ["snow"], "variants": ["pruned", "revived"], "K": [0.6]}
    study["sweep"] = [variant | {"magnitudes": ["max"], "prompts": ["erased"]}]
    road = Road(tmp_path, study)
    road.pretend()
    assert not road.planned()
    assert len(list(road.out.glob("images/**/*.parquet"))) == 9, "three shards of three variants"
    table.write_text("\n".join(rows), encoding="utf-8")
    assert road.planned() == {"generate": 3, "score": 3} | SHOWN


CATALOGUE = "resources/demo/catalogue.yaml"


def test_another_threshold_makes_tables_only(project):
    assert edit(project, CATALOGUE, "label: snow}", "label: snow, threshold: 0.7}") == END


def test_another_precision_calibrates_and_draws_anew(project):
    planned = edit(project, "resources/demo/card.yaml", "dtype: float32", "dtype: float16")
    assert planned["calibrate"] == 2 and planned["generate"] == 6


def test_another_seed_draws_that_prompt_set_only(project):
    planned = edit(project, CATALOGUE, "    unsafe: true", "    unsafe: true\n    seed: 7")
    assert planned == {"generate_unsafe": 2, "score": 2} | SHOWN


def nudge(file):
    """One weight of a checkpoint, by one unit in its last place."""
    held = load_file(file)
    weights = next(array for array in held.values() if array.ndim > 1)
    weights[:1] = np.nextafter(weights[:1], np.inf, dtype=weights.dtype)
    save_file(held, file, {"format": "pt"})


def test_another_judge_gives_its_scores_only(apart):
    other = "resources/demo/judges/other"
    weights = shutil.copytree(ROOT / "resources/demo/judges/objects", apart.root / other)
    nudge(weights / "model.safetensors")
    before = "  objects: {kind: classifier, model: resources/demo/judges/objects}"
    planned = edit(apart, CATALOGUE, before, before.replace("judges/objects", "judges/other"))
    kept = 1 + 5  # the pretrained model's pictures, and those of the church's variants
    # The snow's are gone, so they are drawn again, and judged by all.
    assert planned == {"score": kept + 5, "generate_unsafe": 1} | SHOWN


def test_another_weight_of_the_model_computes_everything(project):
    """And the same weights in another place nothing."""
    card = project.root / "resources" / "demo" / "card.yaml"
    path = yaml.safe_load(card.read_text(encoding="utf-8"))["path"]
    shutil.move(project.root / path, project.root / "moved")
    assert not edit(project, "resources/demo/card.yaml", path, "moved")
    nudge(next((project.root / "moved" / "unet").glob("*.safetensors")))
    told = project.run("--dry-run", "--forceall")
    everything = dict(re.findall(r"^(\w+) +(\d+)$", told[told.rindex("Job stats:") :], re.M))
    planned = {rule: str(n) for rule, n in project.planned().items()}
    untouched = {"reference": "1"}  # the reference pictures are not the model's
    assert planned | untouched | {"all": "1", "total": everything["total"]} == everything


# What follows edits code, after which all code is read anew once: so it comes last.


def test_comments_and_docstrings_compute_nothing(project):
    library = "workflow_scripts/regrowth/files/store.py"
    put(project, library, '"""Files:', '# A comment.\n"""All files:')
    assert not edit(project, "workflow_scripts/complete.py", '"""', '"""Well: ')


def test_a_changed_solver_computes_what_follows_from_it(project):
    """Completions and what is made of them; no mask, no pruned picture, no pretrained one."""
    for other in ("softimpute", "gauss_spin"):  # the study asks for neither
        file = f"workflow_scripts/regrowth/complete/{other}.py"
        put(project, file, ":\n    ", ":\n    new = 1\n    ")
    file = "workflow_scripts/regrowth/complete/engine.py"
    assert not edit(project, file, "\n\n\ndef ", "\n\nNEW = 1\n\n\ndef ")
    planned = edit(project, file, "\nPACE = ", "\nPACE = 1 + ")
    attacks = {"complete": 5, "revive": 3, "signs": 4}
    drawn = {"generate": 2, "generate_unsafe": 1, "score": 3}
    assert planned == attacks | drawn | BOTH


ALL_SCORES = {"score": 8, "generate_unsafe": 2} | SHOWN  # the snow's pictures are gone


def test_what_names_a_label_is_part_of_every_score_with_a_label(apart):
    planned = edit(
        apart,
        "workflow_scripts/regrowth/judge/labels.py",
        "labels_of(judge, root) |",
        "{} | labels_of(judge, root) |",
    )
    kept = 6  # of the classifier; the snow's pictures are gone, so they are judged by all
    assert planned == {"score": kept + 3 + 5, "generate_unsafe": 2} | SHOWN


def test_another_version_of_a_library_makes_anew_what_it_computes(project):
    """And a build for another device of the same version nothing."""
    file = "workflow_scripts/regrowth/files/provenance.py"
    told = "version(name).partition"
    assert not edit(project, file, told, "(version(name) + '+cu130').partition")
    new = "('9' if name == 'diffusers' else version(name)).partition"
    planned = edit(project, file, "(version(name) + '+cu130').partition", new)
    assert planned["calibrate"] == 2 and planned["generate"] == 6
    planned = edit(project, file, new, new.replace("diffusers", "nudenet"))
    assert planned == ALL_SCORES | {"reference": 1}
