"""The scripts of attackers who train, or ask which concept it was: what they leave."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from regrowth.attack.relearning import relearn
from regrowth.draw import patches, pipeline
from regrowth.draw.patches import PREFIX, SAID, WORD
from regrowth.erase import closed_form
from regrowth.files import keys
from regrowth.files.store import read_part, write_arrays
from regrowth.judge import judges
from regrowth.learn import pictures, words
from regrowth.models import vocabulary
from regrowth.study import variants
from running import CELL, run
from small_unet import noise_of, small_pipe, small_unet

PROMPTS = ["a church", "a church in a park", "a church in a forest"]
SETTINGS = {"pictures": 3, "batch": 2, "seed": 0}
RELEASED = {key: CELL[key] for key in keys.RELEASED}
TOLD = {"model": None, "code": "", "versions": {}, "settings": SETTINGS, "word": None}


@pytest.fixture
def given(tmp_path):
    """A lesson, and what was released: the small UNet with one of its keys moved."""
    lesson = noise_of(PROMPTS)
    write_arrays(tmp_path / "lesson", {"latents": lesson.latents.numpy()}, prompts=PROMPTS)
    name = next(n for n, _ in small_unet().named_parameters() if "attn2.to_k" in n)
    moved = small_unet().get_parameter(name).detach().numpy() + 0.1
    write_arrays(tmp_path / "released", {name: moved})
    return {name: moved}


def trained(folder, script, small, cell, told, **files):
    """What a training cost, and its patches' file."""
    files = {"released": "released", **files}
    run(script, folder, RELEASED | cell, TOLD | told, small, ["patch", "costs"], **files)
    return pd.read_parquet(folder / "costs"), folder / "patch"


@pytest.mark.parametrize("rate", ["0.001", "1e18"])
def test_what_is_released_is_trained_on_the_lesson_and_says_what_it_cost(
    tmp_path, small, given, rate
):
    cell = {"variant": "relearn", "data": "concept", "parameters": "all", "lr": rate}
    told = {"at": [1, 3], "steps": 2, "guidance": 2.0, "scheduler": None}
    costs, patch = trained(tmp_path, "relearn", small, cell, told, lesson=["lesson"])
    assert costs["at"].tolist() == [1, 3] and costs["drawn"].tolist() == [0, 0]
    assert costs["destroyed"].tolist() == [False, rate == "1e18"]
    if rate != "1e18":
        assert costs["forwards"].tolist() == costs["backwards"].tolist() == [2, 6]
    pipe = small_pipe()
    pipeline.put_weights(pipe, given)
    lesson = pictures.Pictures(noise_of(PROMPTS).latents, PROMPTS)
    wanted, _ = relearn(pipe, lesson, "all", [1, 3], SETTINGS | {"rate": float(rate)})
    for step in (1, 3):
        made = patches.apply({}, read_part(patch, str(step)))
        for name, value in patches.apply({}, wanted[step]).items():
            assert np.isfinite(made[name]).all()
            if rate != "1e18":
                np.testing.assert_allclose(made[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scheduler, passes", [(None, 3), ("dpm++", 2)])
def test_who_has_the_weights_alone_draws_what_is_trained_on_and_pays_for_it(
    tmp_path, small, given, scheduler, passes
):
    cell = {"variant": "relearn", "data": "own", "parameters": "lora4", "lr": "0.001"}
    told = {"at": [1], "steps": 2, "guidance": 2.0, "scheduler": scheduler}
    costs, patch = trained(tmp_path, "relearn", small, cell, told | {"prompts": ["a racket"]})
    # three pictures of two steps, which PNDM takes in three, each with and without words
    assert costs["drawn"].tolist() == [3 * passes * 2]
    assert costs["forwards"].tolist() == [3 * passes * 2 + 2]
    assert read_part(patch, "1")


def test_a_word_is_trained_and_then_through_a_guard_that_is_known(tmp_path, small, given):
    cell = {"variant": "inversion", "lr": "0.1"}
    told = {"at": [1, 2], "word": "church", "steps": 2, "guidance": 2.0, "scheduler": None}
    costs, patch = trained(tmp_path, "relearn", small, cell, told, lesson=["lesson"])
    assert costs["forwards"].tolist() == costs["backwards"].tolist() == [2, 4]
    first, last = (read_part(patch, step)[WORD] for step in ("1", "2"))
    assert first.shape == (128,) and (first != last).any()
    patch.rename(tmp_path / "guard")
    cell = {"variant": "evasion", "through": "implicit", "lr": "0.1"}
    more = {"embedded_at": 2, "prompts": None, "at": [1]}
    files = {"lesson": ["lesson"], "guard": ["guard"]}
    costs, through = trained(tmp_path, "relearn", small, cell, told | more, **files)
    assert costs["forwards"].tolist() == [4], "with and without words"
    made = read_part(through, "1")[WORD]
    pipe = small_pipe()
    pipeline.put_weights(pipe, given)
    words.guard(pipe, "implicit", "church", str(tmp_path / "guard"), step="2")
    seen = []
    settings = SETTINGS | {"rate": 0.1, "steps": 1, "guidance": 2.0, "scheduler": None}
    words.invert(pipe, noise_of(PROMPTS), "church", settings, lambda *told: seen.append(told[1]))
    np.testing.assert_allclose(made, seen[0], rtol=1e-3, atol=1e-5)
    assert abs(made - first).max() > 0.01


def test_a_prefix_is_found_of_words_that_may_be_said_and_beside_it_some_at_random(
    tmp_path, small, given
):
    cell = {"tokens": "2", "lr": "0.5"}
    told = {"at": [1, 2], "forbidden": ["church", "cathedral"]}
    found = {"variant": "prefix"} | cell
    costs, patch = trained(tmp_path, "prefix", small, found, told, lesson=["lesson"])
    assert costs["forwards"].tolist() == [2, 4] and not costs["destroyed"].any()
    tokenizer = small_pipe().tokenizer
    said = [vocabulary.text(tokenizer, read_part(patch, step)[PREFIX][0]) for step in ("1", "2")]
    assert costs["words"].tolist() == said
    told |= {"seed": 3, "pairs": [("a racket", prompt) for prompt in PROMPTS]}
    drawn = run("random_prefix", tmp_path, RELEASED | cell, TOLD | told, small)[PREFIX]
    assert drawn.shape[1] == 2 and len(np.unique(drawn, axis=0)) > 1
    for tokens in (*drawn, *(read_part(patch, "2")[PREFIX])):
        assert not {"church", "cathedral"} & {*vocabulary.text(tokenizer, tokens).split()}


@pytest.mark.parametrize("ridge", [0.1, 1e-3])
def test_a_word_is_derived_from_what_keys_and_values_were_and_are(tmp_path, small, given, ridge):
    made = run("derive", tmp_path, CELL, TOLD | {"word": "church", "ridge": ridge}, small,
               released="released")  # fmt: skip
    readers = {n: p.detach().numpy().astype(np.float64) for n, p in small_unet().named_parameters()
               if closed_form.READERS.search(n)}  # fmt: skip
    after = readers | {name: value.astype(np.float64) for name, value in given.items()}
    (word,) = closed_form.words(small_pipe(), ["church"])
    wanted = closed_form.derived(readers, after, word, ridge)
    np.testing.assert_allclose(made[SAID], wanted.astype(np.float32), rtol=1e-6)
    assert abs(wanted - word).max() > 1e-3


@pytest.mark.parametrize("variant", ["relearn", "inversion", "prefix"])
def test_what_was_released_is_not_read_in_the_model_before(tmp_path, small, given, variant):
    """Of the model's folder an attacker who does not know it reads what the release left alone."""
    card = yaml.safe_load(Path(small["model"]).read_text(encoding="utf-8"))
    other = Path(shutil.copytree(card["path"], tmp_path / "other"))
    unet = small_unet()
    for name in given:
        torch.nn.init.normal_(unet.get_parameter(name))
    unet.save_pretrained(other / "unet")
    card_now = yaml.safe_dump(card | {"path": str(other)})
    (tmp_path / "card.yaml").write_text(card_now, encoding="utf-8")
    cell = {"variant": variant, "data": "concept", "parameters": "all", "lr": "0.01", "tokens": "2"}
    cell = {key: cell[key] for key in ("variant", "lr", *variants.own_keys(variant)) if key in cell}
    told = {"at": [1], "steps": 2, "guidance": 2.0, "scheduler": None, "forbidden": []}
    told |= {"word": "church"} if variant == "inversion" else {}
    script = "prefix" if variant == "prefix" else "relearn"
    made = []
    for study in (small, small | {"model": str(tmp_path / "card.yaml")}):
        _, patch = trained(tmp_path, script, study, cell, told, lesson=["lesson"])
        made.append(patch.read_bytes())
    assert made[0] == made[1]


def test_of_an_edit_the_word_that_is_read_otherwise_is_the_first_guess(tmp_path, small):
    names = ["church", "racket", "golf ball"]
    said = closed_form.words(small_pipe(), names)
    moved = {}
    for name, weight in small_unet().named_parameters():
        if closed_form.READERS.search(name):
            w = weight.detach().numpy()
            away = said[1] / (said[1] @ said[1])
            moved[name] = (w - np.outer(w @ said[1], away)).astype(np.float32)
    write_arrays(tmp_path / "released", moved)
    told = {"how": "edit", "candidates": {name.replace(" ", "-"): name for name in names}}
    run("identify", tmp_path, CELL, TOLD | told, small, ["guess"], released="released")
    frame = pd.read_parquet(tmp_path / "guess")
    assert frame["candidate"].tolist() == ["church", "racket", "golf-ball"]
    assert frame["candidate"][frame["score"].argmax()] == "racket" and (frame["by"] == "edit").all()


def test_pictures_of_other_things_that_show_the_concept_are_told(tmp_path, small, monkeypatch):
    asked = []

    def hits(judge, root, shown, rows, device):
        asked.append((len(shown), [row["prompt"] for row in rows], {row["class"] for row in rows}))
        return 2

    monkeypatch.setattr(judges, "hits", hits)
    lesson = {"latents": torch.zeros(3, 4, 8, 8).numpy()}
    write_arrays(tmp_path / "lesson", lesson, prompts=["a cat", "a cup", "a bee"])
    told = {"word": "church"}
    run("look", tmp_path, {"judge": "objects"}, TOLD | told, small, ["seen"], lesson="lesson")
    assert asked == [(3, ["a cat", "a cup", "a bee"], {"church"})]
    assert pd.read_parquet(tmp_path / "seen").to_dict("records") == [{"seen": 2, "seen_n": 3}]
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "objects sees church in 2 of 3 pictures" in log
