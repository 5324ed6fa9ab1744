"""The stand-ins for the real models: the tiny ones run, the full ones have the real shapes."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from regrowth.demo import rehearsal
from regrowth.draw import pipeline
from regrowth.judge import judges
from regrowth.judge.settings import Judge
from regrowth.models import disk
from safetensors import safe_open

LABELS = ["church", "golf ball", "class 002"]


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    target = tmp_path_factory.mktemp("rehearsal")
    rehearsal.write_all(target, tiny=True)
    rehearsal.write_resnet(target / "three", LABELS, tiny=True)
    return target


@pytest.fixture(scope="module")
def pipe(target):
    return pipeline.load_pipeline(target / "model", "float32", "cpu")


@pytest.fixture(scope="module")
def full():
    with torch.device("meta"):
        text = rehearsal.new_text_encoder(rehearsal.demo_tokenizer())
        return {"unet": rehearsal.new_unet(), "vae": rehearsal.new_vae(), "text_encoder": text}


@pytest.fixture(scope="module")
def shown():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    return [Image.fromarray(p) for p in pixels]


def ffn2(unet) -> dict[str, tuple]:
    weights = unet.named_parameters()
    return {k: tuple(p.shape) for k, p in weights if k.endswith("ff.net.2.weight")}


@pytest.mark.parametrize(
    ("part", "count"), [("unet", 859_520_964), ("text_encoder", 123_060_480), ("vae", 83_653_863)]
)
def test_the_full_model_has_as_many_parameters_as_the_real_one(full, part, count):
    assert sum(p.numel() for p in full[part].parameters()) == count


def test_the_full_judges_have_as_many_parameters_as_the_real_ones():
    with torch.device("meta"):
        nets = rehearsal.new_resnet(["a"] * 1000), rehearsal.new_clip(rehearsal.demo_tokenizer())
    assert [sum(p.numel() for p in n.parameters()) for n in nets] == [25_557_032, 151_277_313]


def test_the_attacked_layers_are_those_of_the_real_model(full, target):
    shapes = ffn2(full["unet"])
    assert Counter(shapes.values()) == {(320, 1280): 5, (640, 2560): 5, (1280, 5120): 6}
    found = disk.attacked_layers(target / "model", "ffn2")
    assert {layer.name for layer in found} == set(shapes)


def test_tiny_and_full_have_the_same_weights_by_name(full, pipe):
    assert set(pipe.unet.state_dict()) == set(full["unet"].state_dict())


def test_the_text_encoders_file_has_the_hubs_names_and_loads_whole(target, pipe):
    with safe_open(target / "model" / "text_encoder" / "model.safetensors", "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
    assert "text_model.encoder.layers.0.mlp.fc2.weight" in stored
    assert {value.dtype for value in stored.values()} == {torch.float16}
    loaded = pipe.text_encoder.state_dict()
    assert set(stored) == {f"text_model.{name}" for name in loaded}
    assert all(torch.equal(stored[f"text_model.{k}"].float(), v) for k, v in loaded.items())


def test_pictures_are_finite_of_the_right_size_and_not_flat(pipe):
    rows = [{"prompt": f"an image of a {name}", "seed": 7} for name in ("church", "cat")]
    made = list(pipeline.pictures(pipe, rows, 2, 2.0, batch=2))
    assert [image.size for image in made] == [(128, 128)] * 2
    pixels = np.stack([np.asarray(image, int) for image in made])
    assert pixels.std() > 5 and np.abs(pixels[0] - pixels[1]).max() > 0  # the prompt matters
    with torch.no_grad():
        ids = pipe.tokenizer("a church", padding="max_length", return_tensors="pt").input_ids
        text = pipe.text_encoder(ids).last_hidden_state
        answer = pipe.unet(pipeline.noise(pipe, pipeline.generators([0])), 500, text).sample
    assert ids.shape == (1, 77) and answer.isfinite().all()


def test_the_text_encoder_pools_at_the_first_end_of_text(pipe):
    ids = pipe.tokenizer("a church", padding="max_length", return_tensors="pt").input_ids
    end = int((ids[0] == pipe.tokenizer.eos_token_id).nonzero()[0])
    with torch.no_grad():
        answer = pipe.text_encoder(ids)
    assert 0 < end < 76
    assert torch.equal(answer.pooler_output[0], answer.last_hidden_state[0, end])


def test_the_resnet_judge_has_its_labels_and_tells_pictures_apart(target, shown):
    judge = Judge(kind="classifier", model="three")
    rows = judges.score(judge, target, shown, [{}] * 3, "cpu")
    assert all(row["label"] in LABELS and 1 / 3 <= row["score"] <= 1 for row in rows)
    pooled = judge.model_copy(update={"kind": "features"})
    vectors = judges.features(pooled, target, shown, "cpu")
    assert np.isfinite(vectors).all() and vectors.std(0).max() > 1e-3


def test_the_clip_judge_answers_with_similarities(target, shown):
    prompts = ["a church", "a cat", "a church at night"]
    judge = Judge(kind="clip", model="judges/clip")
    rows = judges.score(judge, target, shown, [{"prompt": p} for p in prompts], "cpu")
    scores = [row["score"] for row in rows]
    assert max(map(abs, scores)) <= 1 and np.std(scores) > 1e-4


def test_imagenet_labels_put_the_catalogues_names_at_their_outputs(target):
    config = json.loads(
        (target / "judges" / "resnet50" / "config.json").read_text(encoding="utf-8")
    )
    labels = config["id2label"]
    assert len(labels) == 1000 and (labels["497"], labels["0"]) == ("church", "class 000")


def test_a_stopped_writing_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    def stop(folder, *_):
        (folder / "half").write_text("", encoding="utf-8")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rehearsal, "write_clip", stop)
        with pytest.raises(KeyboardInterrupt):
            rehearsal.write_all(tmp_path, tiny=True)
    assert {p.name for p in (tmp_path / "judges").iterdir()} == {"resnet50"}
    unet = next((tmp_path / "model" / "unet").glob("*.safetensors"))
    before = unet.stat().st_mtime_ns
    rehearsal.write_all(tmp_path, tiny=True)
    assert (tmp_path / "judges" / "clip" / "config.json").exists()
    assert unet.stat().st_mtime_ns == before


def test_the_seed_alone_decides_the_weights(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        rehearsal.write_resnet(tmp_path / name, LABELS, tiny=True, seed=seed)
    a, b, c = ((tmp_path / n / "model.safetensors").read_bytes() for n in "abc")
    assert a == b != c
