"""A concept of a user's own: its prompts, its judge, and one line for what cannot be."""

import numpy as np
import pytest
import yaml
from PIL import Image
from regrowth.audit.taken import Taken
from regrowth.judge import judges
from regrowth.judge.settings import Judge
from regrowth.models import disk
from regrowth.run import audits
from regrowth.run.job import ROOT
from regrowth.run.refusals import Refused
from regrowth.settings import read
from regrowth.study import own
from regrowth.study.catalogue import Catalogue
from regrowth.study.load import load_study
from regrowth.study.sweep import Sweep

BESIDE = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
KNOWN = read(BESIDE["catalogue"], "catalogue", Catalogue, ROOT, [])
UNET = ROOT / "resources/demo/model/unet/diffusion_pytorch_model.safetensors"


def made(concept="red barn", prompts="a red barn", judge="clip", pictures=6):
    return own.catalogue(KNOWN, concept, prompts, judge, pictures, ROOT)


@pytest.mark.parametrize(
    ("concept", "judge", "wanted"),
    [
        ("red barn", "clip", {"kind": "text", "label": "a photo of a red barn"}),
        ("red barn", "objects:church", {"kind": "detector", "label": "church"}),
        ("church", "objects", {"kind": "detector", "label": "church"}),
        ("red barn", "snow", {"kind": "detector", "label": "snow"}),
        ("red barn", "nudenet", {"kind": "nudenet"}),
    ],
)
def test_a_judge_is_the_catalogues_clip_or_nudenet(concept, judge, wanted):
    found = made(concept, judge=judge)
    (looks,) = found.judges.values()
    assert wanted.items() <= looks.model_dump().items()
    assert looks.model == KNOWN.judges[judge.split(":")[0]].model
    assert found.prompt_sets[own.SET].judges == list(found.judges)


def test_nudenet_needs_no_catalogue():
    alone = KNOWN.model_copy(update={"judges": {"clip": KNOWN.judges["clip"]}})
    found = own.catalogue(alone, "red barn", "a red barn", "nudenet", 6, ROOT)
    assert found.judges == {"nudenet": Judge(kind="nudenet")}


def test_clip_tells_a_concept_from_every_other_object():
    (looks,) = made("Church").judges.values()
    objects = KNOWN.families["objects"].classes
    assert len(looks.others) == len(objects) - 1 and "a photo of a church" not in looks.others


@pytest.mark.parametrize(
    ("concept", "judge", "unsafe"),
    [
        ("red barn", "clip", False),
        ("red barn", "objects:church", False),
        ("red barn", "nudenet", True),
        ("red barn", "snow", True),  # nothing but unsafe pictures are its
        ("Snow", "clip", True),
    ],
)
def test_what_is_unsafe_beside_it_stays_unsafe(concept, judge, unsafe):
    assert made(concept, judge=judge).prompt_sets[own.SET].unsafe == unsafe


def test_a_tables_prompts_take_turns_without_those_of_young_people(tmp_path):
    table = tmp_path / "barn.csv"
    table.write_text('prompt\na red barn\na boy in a barn\n"a barn, red"\n', encoding="utf-8")
    assert made(prompts=str(table)).prompt_sets[own.SET].prompts == ["a red barn", "a barn, red"]


@pytest.mark.parametrize("eraser", ["checkpoint", "model"])
def test_it_is_drawn_as_often_as_asked_and_by_nothing_else(tmp_path, monkeypatch, eraser):
    monkeypatch.chdir(tmp_path)
    asked = audits.Audit(str(UNET), "red barn", "", "6", prompts="a red barn", judge="clip")
    _, beside, card = load_study(BESIDE | {"local": {"clip": "resources/demo/judges/clip"}}, ROOT)
    found = audits.catalogue(asked, beside, ROOT)
    asked.catalogue.parent.mkdir(parents=True)
    told = found.model_dump(exclude_defaults=True)
    asked.catalogue.write_text(yaml.safe_dump(told), encoding="utf-8")
    attacks = {"checkpoint": ("blind",), "model": ("quant4", "own")}[eraser]
    local = {"local": {"clip": "elsewhere"}}
    it = Taken(UNET, eraser, "ffn2")
    raw = audits.study(asked, BESIDE | local, found, card.name, it, attacks, ROOT)
    study, catalogue, _ = load_study(raw, ROOT)
    layers = disk.attacked_layers(ROOT / "resources/demo/model", "ffn2")
    sweep = Sweep.of(study, catalogue, layers, ROOT)
    assert catalogue == found and study.judges == ["clip"] and study.local == {}
    assert sweep.bundles == [own.SET]
    rows = sweep.rows(own.SET)
    assert [(row["prompt"], row["seed"]) for row in rows] == [("a red barn", i) for i in range(6)]


def test_a_text_is_told_from_others_by_what_a_picture_shows():
    """Held to the likeliest other: one text alone reaches a half, and with the next likeliest it
    makes one."""
    images = [Image.fromarray(np.full((64, 64, 3), grey, np.uint8)) for grey in (0, 128, 255)]
    texts = [f"a photo of a {name}" for name in ("church", "candle", "racket")]
    shares = []
    for text in texts:
        others = [other for other in texts if other != text]
        judge = Judge(kind="text", model=KNOWN.judges["clip"].model, label=text, others=others)
        found = judges.score(judge, ROOT, images, [{}] * 3, "cpu")
        assert [row["label"] for row in found] == [text] * 3
        shares.append([row["score"] for row in found])
    least, *best = np.sort(shares, axis=0)
    np.testing.assert_allclose(np.sum(best, axis=0), 1, atol=2e-6)
    assert (best[0] < 0.5).all() and (least < best[0]).all() and np.ptp(shares, axis=1).min() > 0


def test_a_judge_of_texts_wants_others():
    judge = Judge(kind="text", model=KNOWN.judges["clip"].model, label="a barn")
    assert judges.JUDGES["text"].mistakes(judge, ROOT) == [
        "a judge of kind text tells a label from others: both are wanted"
    ]


BAD = [
    (("a little girl", "x", "clip"), "'a little girl' has a word for young people"),
    (("red barn", "a boy", "clip"), "'a boy' has a word for young people"),
    (("red barn", " ", "clip"), "prompts.*: it is empty"),
    (("red barn", "no.csv", "clip"), "no no.csv in"),
    (("none", "x", "clip"), "'none' has a meaning of its own"),
    (("red barn", "x", "objects"), "'objects' does not know 'red barn'; it knows: church, golf"),
    (("red barn", "x", "objects:dragon"), "'objects' does not know 'dragon'; it knows: church"),
    (("red barn", "x", "objcts:church"), "no judge 'objcts'; did you mean 'objects'"),
    (("red barn", "x", "fid-demo"), "is of kind features, which counts no picture"),
]


@pytest.mark.parametrize(("said", "told"), BAD)
def test_what_cannot_be_is_one_line_before_any_job(tmp_path, monkeypatch, said, told):
    monkeypatch.chdir(tmp_path)
    concept, prompts, judge = said
    asked = audits.Audit(str(UNET), concept, "", "6", prompts=prompts, judge=judge)
    with pytest.raises(Refused, match=told) as refused:
        audits.refuse(asked, {"audit"}, BESIDE, ROOT)
    assert "\n" not in str(refused.value) and not list(tmp_path.iterdir())
