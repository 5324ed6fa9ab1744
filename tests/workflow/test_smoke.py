"""The whole DAG on the smoke study: what it makes, and what it refuses."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image, UnidentifiedImageError
from regrowth.attack import ASKED, DETECTORS, KNOWLEDGE, VARIANTS, needed
from regrowth.files.bits import unpack
from regrowth.files.images import blur
from regrowth.files.store import keys_of, read_frame
from regrowth.measure.detectability import roc
from regrowth.run import devices
from regrowth.study import variants
from road import ROOT, Road
from safetensors.numpy import load_file, save_file

#: Keys of no variant of the smoke study.
ABSENT = {key for variant in VARIANTS.values() for key in variant.keys} - {
    *VARIANTS["revived"].keys
}


def test_scores_open_as_one_table(smoke):
    table = ds.dataset(smoke.out / "scores", partitioning="hive").to_table().to_pandas()
    raw = ["prompt_set", "class", "prompt", "seed", "label", "score", "features"]
    own = [key for key in variants.KEYS if key not in ABSENT]
    assert set(table.columns) == {*raw, *own, "prompts", "judge", "judges"}
    assert (table["features"].notna() == (table["judge"] == "fid-demo")).all()
    assert len(pd.read_parquet(smoke.out / "scores")) == len(table)
    judged = table[(table["concept"].astype(str) == "church") & (table["judge"] == "objects")]
    assert set(judged.groupby(own, observed=True, dropna=False).size()) == {12}
    assert set(table["judge"]) == {"objects", "snow", "clip", "nudenet", "fid-demo"}
    assert table.loc[table["judge"] == "objects", "score"].between(0, 1).all()


def test_images_are_kept_and_unsafe_ones_are_not(smoke):
    shards = list((smoke.out / "images").rglob("*.parquet"))
    assert shards and not [s for s in shards if "snow" in str(s)]
    for stage in ("images", "thumbnails"):
        table = pd.read_parquet(smoke.out / stage)
        assert {"prompt", "seed", *variants.KEYS, "prompts"} - ABSENT <= set(table.columns)
        assert len(table) == len(ds.dataset(smoke.out / stage, partitioning="hive").to_table())
        assert set(table["concept"]) >= {"none", "church"}
        assert table["image"].iloc[0]["bytes"].startswith(b"\x89PNG")
    told = json.loads(pq.read_schema(shards[0]).metadata[b"regrowth"])["keys"]
    named = keys_of(shards[0].parent / "file", smoke.out / "images")
    assert told == variants.PRETRAINED | named
    small = [f for f in (smoke.out / "thumbnails").rglob("*.parquet") if "snow" in str(f)]
    assert small and all(pd.read_parquet(f, partitioning=None)["blurred"].all() for f in small)


def test_detectability_is_measured_against_the_mask(smoke):
    tables = {
        name: pd.read_parquet(smoke.out / "tables" / f"{name}.parquet")
        for name in ("detectability", "normality", "defences")
    }
    (mask,) = smoke.out.glob("masks/concept=church/**/part=*.safetensors")
    (filled,) = smoke.out.glob("released/concept=church/**/defence=gaussian/**/part=*.safetensors")
    bits, weights = load_file(mask), load_file(filled)
    told = tables["detectability"]
    assert set(told["detector"]) == {*DETECTORS}
    for detector, rows in told.groupby("detector"):
        rows = rows.set_index("layer")
        assert set(rows.index) == {*weights, "all"}
        for layer, w in weights.items():
            row, erased = rows.loc[layer], unpack(bits[layer], w.shape)
            assert row["density"] == pytest.approx(erased.mean())
            assert row["sigma_u"] == pytest.approx(w[~erased].astype(float).std())
            assert row["sigma_m"] / row["sigma_u"] == pytest.approx(1, abs=0.1)
            score = DETECTORS[detector].score(w).astype(np.float32)
            assert row["auc"] == pytest.approx(roc(score, erased)["auc"])
    assert set(tables["normality"]["layer"]) == set(weights)
    (held,) = tables["defences"].query("sigma == '1.0'").to_dict("records")
    assert held["strongest"] == "max K=0.6 at smallest-0.1" and held["attacks"] == 1


ON_GPU = {"calibrate", "complete", "blind", "generate", "reference", "score"}


def test_jobs_that_ask_for_a_gpu_have_one_each(smoke):
    """Of two that are pretended: both are used, and neither by two jobs at a time."""
    if devices.numbers():
        pytest.skip("there is a GPU here: two cannot be pretended")
    spans = defaultdict(list)
    for file in smoke.out.glob("logs/*/**/*.log"):
        rule = file.relative_to(smoke.out / "logs").parts[0]
        lines = file.read_text(encoding="utf-8").splitlines()
        held = [line.split(" INFO GPU ") for line in lines if " INFO GPU " in line]
        assert len(held) == (rule in ON_GPU)
        for since, name in held:
            begun = datetime.strptime(since, "%Y-%m-%d %H:%M:%S,%f").timestamp()
            spans[name].append((begun, file.stat().st_mtime))
    assert len(spans) == 2
    for used in spans.values():
        used.sort()
        assert all(one[1] <= two[0] + 0.01 for one, two in pairwise(used))


def test_tables_figures_and_page_are_there(smoke):
    for name in (
        "accuracy",
        "similarity",
        "detections",
        "fid",
        "signs",
        "alignment",
        "layers",
        "solves",
        "missing",
    ):
        parquet = pd.read_parquet(smoke.out / "tables" / f"{name}.parquet")
        text = pd.read_csv(smoke.out / "tables" / f"{name}.csv")
        assert list(parquet.columns) == list(text.columns) and len(parquet) == len(text)
        assert (len(parquet) == 0) == (name == "missing")
        lines = (smoke.out / "tables" / f"{name}.tex").read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line.endswith(r" \\") and "multicolumn" not in line]
        cells = {len(re.findall(r"(?<!\\)&", line)) for line in lines}
        assert len(cells) == 1 and cells.pop() < len(parquet.columns)
    page = (smoke.out / "report.html").read_text(encoding="utf-8")
    figures = {f.name for f in (smoke.out / "figures").iterdir()}
    names = ("church-pictures", "church-accuracy", "study-signs", "study-alignment", "study-layers")
    assert figures >= {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    assert page.count("data:image/webp;base64,") >= 10 and page.count("<figure") >= 3
    assert not re.search(r"(src|href)=\"http", page)
    accuracy = pd.read_parquet(smoke.out / "tables" / "accuracy.parquet")
    assert f"{accuracy['rate'].iloc[0]:.3f} [" in page


def rasters(folder):
    """Every picture in every file below a folder, with the file: cells of parquet, pictures as
    files, and those in pages and drawings."""
    for file in (f for f in sorted(folder.rglob("*")) if f.is_file()):
        if file.suffix == ".parquet" and "image" in (frame := pq.read_table(file).to_pandas()):
            found = [cell["bytes"] for cell in frame["image"]]
        elif file.suffix in (".html", ".svg"):
            text = file.read_text(encoding="utf-8")
            told = re.findall(r"data:image/(?:png|webp);base64,([A-Za-z0-9+/=\s]+)", text)
            found = [base64.b64decode(data) for data in told]
        else:
            found = [file.read_bytes()]
        for data in found:
            with suppress(UnidentifiedImageError):
                yield file, Image.open(io.BytesIO(data)).convert("RGB")


def detail(picture):
    """What blurring takes from a picture, at the side of the model's."""
    small = picture.resize((64, 64), Image.Resampling.LANCZOS)
    sharp, soft = (np.asarray(p, float) for p in (small, blur(small)))
    return (sharp - soft).ravel()


def likeness(one, other):
    """Of two details, −1 to 1."""
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / size) if size > 1 else 0.0


def test_no_unsafe_picture_is_anywhere_as_it_was(smoke, spare):
    """Drawn once more and kept, then looked for in every file of the study: none has its detail.
    Snow is a harmless stand-in."""
    (thumbnails, *_) = spare.out.glob("thumbnails/concept=none/**/prompts=snow/shard=000.parquet")
    shard = spare.out / "images" / thumbnails.relative_to(spare.out / "thumbnails")
    spare.write(spare.config | {"keep_unblurred": True})
    spare.run(str(shard.relative_to(spare.folder)), "--force")
    sharp = [Image.open(io.BytesIO(c["bytes"])).convert("RGB") for c in read_frame(shard)["image"]]
    assert all(np.abs(detail(picture)).mean() > 5 for picture in sharp)
    double = sharp[0].resize((150, 150), Image.Resampling.BICUBIC)
    assert likeness(detail(double), detail(sharp[0])) > 0.8, "scaled, it would be found"
    assert likeness(detail(blur(sharp[0])), detail(sharp[0])) < 0.6, "blurred, it would not"
    n, known = Counter(), [detail(picture) for picture in sharp]
    for file, picture in rasters(smoke.out):
        n[file.suffix] += 1
        alike = max(likeness(detail(picture), one) for one in known)
        assert alike < 0.8, f"{file.relative_to(smoke.out)} shows an unsafe picture: {alike:.2f}"
    assert n[".parquet"] > 10 and n[".html"] > 10 and n[".png"] and n[".svg"]
    assert not list(smoke.out.glob("images/**/prompts=*snow/*"))
    for log in smoke.out.rglob("*.log"):
        assert "data:image" not in log.read_text(encoding="utf-8")


def test_solves_say_whether_they_converged(smoke):
    solves = pd.read_parquet(smoke.out / "tables" / "solves.parquet")
    assert len(solves) == 2 * 2 * 16  # concepts, solvers, layers
    assert solves["converged"].dtype == bool and (solves["iterations"] > 0).all()
    assert set(solves["solver"]) == {"nuclear", "faithful"}


def test_another_layout_is_refused(changed):
    with pytest.raises(AssertionError, match="put them back, or give the study another name"):
        changed(lambda s: s.update(layers_per_job=4))


def test_a_layer_alone_gets_its_part_of_the_attack(spare):
    """The patch of a layer alone is the whole attack's of that layer, and nothing else."""
    spare.config["sweep"][0]["layers_alone"] = [3]
    spare.write(spare.config)
    (whole,) = spare.out.glob("patches/concept=church/**/defence=none/**/variant=revived/**/*.s*")
    own = str(whole).replace("variant=revived", "variant=alone")
    single = Path(own.replace("/patch.", "/layer_alone=3/patch."))
    spare.run(str(single.relative_to(spare.folder)))
    layer = list(yaml.safe_load((spare.out / "model.yaml").read_text(encoding="utf-8"))["layers"])[
        3
    ]
    part, every = load_file(single), load_file(whole)
    assert part and all(name.startswith(layer) for name in part)
    for name in (name for name in every if name.startswith(layer)):
        np.testing.assert_array_equal(part.pop(name), every[name])
    assert not part


def test_a_checkpoint_that_was_pruned_elsewhere_is_attacked_alike(spare):
    """What ConceptPrune made here, given as a model's directory: the same mask, the same patch."""
    (released,) = spare.out.glob("released/concept=church/**/defence=none/**/part=*.safetensors")
    given = Path(str(released.parent).replace("/released/", "/checkpoints/"))
    spare.run(str(given.relative_to(spare.folder)))
    spare.config["erasers"]["checkpoint"] = {"church": str(given)}
    spare.config["sweep"][0] |= {"erasers": ["conceptprune", "checkpoint"], "concepts": ["church"]}
    spare.write(spare.config)
    (patch,) = spare.out.glob("patches/concept=church/**/defence=none/**/variant=revived/**/*.s*")
    other = Path(str(patch).replace("eraser=conceptprune", "eraser=checkpoint"))
    mask = next(spare.out.glob("masks/concept=church/**/part=*.safetensors"))
    spare.run(str(other.relative_to(spare.folder)))
    assert other.read_bytes() == patch.read_bytes()
    twin = Path(str(mask).replace("eraser=conceptprune", "eraser=checkpoint"))
    np.testing.assert_equal(load_file(twin), load_file(mask))
    unet = load_file(ROOT / "resources/demo/model/unet/diffusion_pytorch_model.safetensors")
    (bare, *_) = load_file(released)
    given = given / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(unet | {bare: np.zeros_like(unet[bare])}, given)
    told = spare.run(str(other.relative_to(spare.folder)), good=False)
    assert f"of {bare} {given.parents[1]} has kept nothing" in told and "Traceback" not in told


def test_a_layer_without_a_spread_cannot_be_defended(smoke, tmp_path):
    card = yaml.safe_load((ROOT / smoke.config["model"]).read_text(encoding="utf-8"))
    model = shutil.copytree(ROOT / card["path"], tmp_path / "model")
    file = model / "unet" / "diffusion_pytorch_model.safetensors"
    unet = load_file(file)
    layer = "mid_block.attentions.0.transformer_blocks.0.ff.net.2.weight"
    save_file(unet | {layer: np.ones_like(unet[layer])}, file, {"format": "pt"})
    (tmp_path / "card.yaml").write_text(
        yaml.safe_dump(card | {"path": str(model)}), encoding="utf-8"
    )
    road = Road(tmp_path, smoke.config | {"model": str(tmp_path / "card.yaml")})
    told = road.run("--dry-run", good=False)
    assert f"of {layer} all weights are the same" in told and "Traceback" not in told


def test_a_checkpoint_that_is_not_named_is_asked_for(changed):
    with pytest.raises(AssertionError, match="none is named: church: a model directory"):
        changed(lambda s: s["sweep"][0].update(erasers=["checkpoint"], concepts=["church"]))


def test_a_layer_that_is_not_there_and_a_study_without_an_attack_are_refused(changed):
    with pytest.raises(AssertionError, match="no layer 16; the model's 16 attacked layers are"):
        changed(lambda s: s["sweep"][0].update(layers_alone=[16]))
    with pytest.raises(AssertionError, match="add a block with `variants: .pruned.` and no `def"):
        changed(lambda s: s.update(sweep=s["sweep"][1:2]))


def test_clean_waits_for_a_run(spare):
    """However often was looked at it; and a driver that was killed is waited for no more."""
    left = spare.out / "left.txt"
    left.write_text("", encoding="utf-8")
    driver = "import sys, time; from regrowth.run import driver; from pathlib import Path\n"
    driver += "print(driver.hold(Path(sys.argv[1])), flush=True); time.sleep(600)"
    command = [sys.executable, "-c", driver, str(spare.out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"True\n"
        spare.run("status")
        assert "a run is at work on results/smoke" in spare.run("clean", good=False)
        other.kill()
    assert left.exists()
    spare.run("clean")
    assert not left.exists()


def test_mistakes_stop_everything_with_a_line_each(changed):
    with pytest.raises(AssertionError) as told:
        changed(lambda s: s.update(sampelr={}, layers_per_job=0))
    text = str(told.value)
    assert "2 mistakes in the study:" in text
    assert "unknown key 'sampelr'; did you mean 'sampler'?" in text
    assert "layers_per_job: should be greater than or equal to 1 (given: 0)" in text
    assert "Traceback" not in text


#: The rules whose results are what an attacker or an evaluation knows, by `attack.KNOWLEDGE`.
KNOWN = {
    "weights": {"prune", "defend"},
    "prompts": set(),  # params (test_house)
    "auxiliary": {"lesson"},
    "base": set(),  # the model's folder
    "classifier": set(),  # a judge's folder
    "concept": {"lesson"},
    "judge": set(),  # who looks at what is drawn
    "guard": {"invert"},
    "truth": {"mask", "mask_of_checkpoint", "union"},
}
#: What an attacker makes of the weights.
MADE = {"detect", "complete"}
MAKERS = {"revived": "revive", "alone": "revive_alone", "blind": "blind", "oracle": "oracle"}
MAKERS |= {"relearn": "relearn", "inversion": "invert", "derived": "derive"}
MAKERS |= {"prefix": "prefix", "random-prefix": "random_prefix"}
MAKERS |= {"autoguided": "relearn", "evasion": "evade"}
#: What a key adds of those, at its default.
MORE = {
    "evasion": {"through": "implicit"},
    "relearn": {"data": "own"},
    "autoguided": {"data": "own"},
}


def test_each_attack_sees_what_it_needs_and_no_more(smoke, tmp_path):
    """Walk the DAG: what reaches the rule that makes each variant's patch."""
    assert set(KNOWN) == set(KNOWLEDGE)
    assert set(MAKERS) == {name for name, variant in VARIANTS.items() if variant.patch}
    more = {
        "variants": ["pruned", *(name for name in MAKERS if name in ASKED)],
        "layers_alone": [3],
        "oracles": ["max"],
    }
    sweep = [smoke.config["sweep"][0] | more, smoke.config["sweep"][1]]
    road = Road(tmp_path, smoke.config | {"sweep": sweep})
    dot = road.run("--rulegraph", "--forceall", "--quiet")
    names = dict(re.findall(r"(\d+)\[label = \"(\w+)\"", dot))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", dot)}
    parents = lambda rule: {a for a, b in edges if b == rule}  # noqa: E731
    assert parents("detect") == KNOWN["weights"] and "pretrained" not in names.values()
    assert parents("complete") == KNOWN["weights"] | {"detect"}
    for variant, rule in MAKERS.items():
        needs = needed({"variant": variant} | MORE.get(variant, {}))
        assert parents(rule) <= MADE.union(*(KNOWN[need] for need in needs)), variant
        assert all(parents(rule) & KNOWN[need] for need in needs if KNOWN[need]), variant
    measured = {"signs", "signs_of_blind", "detectability"}
    assert parents("relearn") <= KNOWN["weights"], "by default it learns from its own pictures"
    assert {b for a, b in edges if a == "mask"} == {"prune", "defend", "oracle"} | measured
    assert {b for a, b in edges if a == "detectability"} == {"tables", "figures", "all"}
    assert {b for a, b in edges if a == "signs"} == {"tables", "all"}
