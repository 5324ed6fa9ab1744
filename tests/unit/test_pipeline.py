"""The real pipeline on the bundled model: seeds, patches, calibration, judges, a training step."""

from pathlib import Path
from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch
import transformers
import yaml
from PIL import Image, ImageDraw
from regrowth.demo import train, train_judges, world
from regrowth.draw import pipeline
from regrowth.erase import calibration
from regrowth.files import images
from regrowth.judge import judges, networks
from regrowth.models import SCHEDULERS, disk
from regrowth.study.load import load_study

ROOT = Path(__file__).resolve().parents[2]
STUDY, CATALOGUE, CARD = load_study(
    yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")), ROOT
)


@pytest.fixture(scope="module")
def pipe():
    return pipeline.load_pipeline(disk.locate(CARD, ROOT), "float32", "cpu")


def test_a_picture_depends_on_its_seed_and_not_on_its_company(pipe):
    rows = [{"prompt": f"an image of a {name}", "seed": 7} for name in ("church", "candle", "cat")]
    together = list(pipeline.pictures(pipe, rows, 4, 2.0, batch=3))
    alone = list(pipeline.pictures(pipe, rows[1:2], 4, 2.0, batch=1))
    difference = np.abs(np.asarray(together[1], int) - np.asarray(alone[0], int))
    assert difference.max() <= 2  # of 255
    other = list(pipeline.pictures(pipe, [rows[1] | {"seed": 8}], 4, 2.0, batch=1))
    assert np.abs(np.asarray(other[0], int) - np.asarray(alone[0], int)).mean() > 5


def test_schedulers_are_ways_to_the_same_picture(pipe):
    """Far apart after few steps, near each other after many; and unless one is named, the model's
    own."""
    row = [{"prompt": "an image of a church", "seed": 3}]
    folder = disk.locate(CARD, ROOT)
    named = {name: pipeline.load_pipeline(folder, "float32", "cpu", name) for name in SCHEDULERS}
    aim = pipeline.latents(named["ddim"], row, 32, 2.0, 1)
    few = {name: pipeline.latents(own, row, 3, 2.0, 1) for name, own in named.items()}
    for name, own in named.items():
        many = pipeline.latents(own, row, 16, 2.0, 1)
        far, near = (np.linalg.norm(made - aim) / np.linalg.norm(aim) for made in (few[name], many))
        assert near < 0.15 < 0.25 < far, name
    assert len({made.tobytes() for made in few.values()}) == len(SCHEDULERS)
    assert (pipeline.latents(pipe, row, 3, 2.0, 1) == few["pndm"]).all()


def test_weights_are_put_where_they_belong_or_not_at_all(pipe):
    name = disk.attacked_layers(disk.locate(CARD, ROOT), "ffn2")[0].name
    parameter = dict(pipe.unet.named_parameters())[name]
    before = parameter.detach().clone()
    pipeline.put_weights(pipe, {name: np.ones(tuple(before.shape), np.float16)})
    assert (parameter == 1).all()
    pipeline.put_weights(pipe, {name: before.numpy()})
    with pytest.raises(ValueError, match="does not fit"):
        pipeline.put_weights(pipe, {name: np.ones((2, 2))})


def test_every_weight_of_a_model_is_put_back_by_the_name_that_its_file_tells(pipe):
    parts = (("", pipe.unet), ("text_encoder.", pipe.text_encoder))
    held = {before + n: p for before, part in parts for n, p in part.named_parameters()}
    stored = disk.stored(disk.locate(CARD, ROOT))
    assert set(stored) == set(held)
    name = max(stored, key=lambda name: (name.startswith("text_encoder."), len(name)))
    (before,) = disk.read_weights([stored[name]]).values()
    pipeline.put_weights(pipe, {name: before + 1})
    np.testing.assert_array_equal(held[name].detach().numpy(), (before + 1).astype(np.float32))
    pipeline.put_weights(pipe, {name: before})


def test_column_norms_against_a_loop():
    net = torch.nn.Sequential(torch.nn.Linear(3, 2, bias=False))
    norms = calibration.ColumnNorms(SimpleNamespace(unet=net), ["0.weight"])
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    with norms.watching():
        net(x)
        net(2 * x)  # a token's length does not matter
        norms.step = 1
        net(x[:1])
    rows = (x / x.norm(dim=-1, keepdim=True)).numpy()
    first = np.sqrt(2 * (rows**2).sum((0, 1)))
    second = np.sqrt((rows[:1] ** 2).sum((0, 1)))
    np.testing.assert_allclose(norms.result()["0.weight"], [first, second], rtol=1e-5)


def test_calibration_stops_after_its_steps(pipe):
    layer = disk.attacked_layers(disk.locate(CARD, ROOT), "ffn2")[0]
    found = calibration.column_norms(pipe, ["a park"], [layer.name], 6, 2.0, first=2, seed=0)
    assert found[layer.name].shape == (2, layer.shape[1]) and (found[layer.name] > 0).all()


def test_steps_that_the_sampler_does_not_make_are_not_cut_silently(pipe):
    layer = disk.attacked_layers(disk.locate(CARD, ROOT), "ffn2")[0]
    with pytest.raises(ValueError, match="3 steps .* makes 1"):
        calibration.column_norms(pipe, ["a park"], [layer.name], 1, 2.0, first=3, seed=0)


@pytest.mark.parametrize("scheduler", ["PNDMScheduler", "EulerAncestralDiscreteScheduler"])
def test_calibration_in_batches_is_calibration_one_by_one(pipe, monkeypatch, scheduler):
    """To 1e-4 of the largest norm: float32 rounds by the batch (measured: 5e-6 of it); noise that
    is a batch's own changes a tenth."""
    layer = disk.attacked_layers(disk.locate(CARD, ROOT), "ffn2")[3]
    forms = [f"a {name}" for name in ("park", "city", "room", "field")]
    monkeypatch.setattr(
        pipe, "scheduler", getattr(diffusers, scheduler).from_config(pipe.scheduler.config)
    )

    def norms(batch):
        monkeypatch.setattr(calibration, "BATCH", batch)
        return calibration.column_norms(pipe, forms, [layer.name], 6, 2.0, first=2, seed=0)

    together, alone = norms(3)[layer.name], norms(1)[layer.name]
    np.testing.assert_array_equal(norms(3)[layer.name], together)
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4 * alone.max())


@pytest.mark.parametrize("family", disk.LAYERS)
def test_every_layer_family_is_read_calibrated_and_put_back(pipe, family):
    layers = disk.attacked_layers(disk.locate(CARD, ROOT), family)
    assert len(layers) == (2 if family.startswith("text") else 16)
    layer = layers[-1]
    stored = disk.read_weights([layer])[layer.name]
    weight = pipeline.submodule(pipe, layer.name.removesuffix(".weight")).weight
    np.testing.assert_array_equal(weight.detach().numpy(), stored.astype(np.float32))
    found = calibration.column_norms(pipe, ["a park"], [layer.name], 6, 2.0, first=2, seed=0)
    steps = 1 if family.startswith("text") else 2
    assert found[layer.name].shape == (steps, layer.shape[1])
    pipeline.put_weights(pipe, {layer.name: stored})
    with pytest.raises(ValueError, match="does not fit"):
        pipeline.put_weights(pipe, {layer.name: stored[:1]})


def test_judges_know_the_world():
    rng = np.random.default_rng(0)
    names = list(world.OBJECTS)[:12] * 4
    images = [world.render(world.Picture(n, None, None, False), rng) for n in names]
    rows = [{"prompt": f"an image of a {n}", "class": n} for n in names]
    told = judges.score(CATALOGUE.judges["objects"], ROOT, images, rows, "cpu")
    assert np.mean([t["label"] == n for t, n in zip(told, names)]) > 0.9
    own = judges.score(CATALOGUE.judges["clip"], ROOT, images, rows, "cpu")
    shuffled = rows[5:] + rows[:5]
    other = judges.score(CATALOGUE.judges["clip"], ROOT, images, shuffled, "cpu")
    gap = np.mean([a["score"] - b["score"] for a, b in zip(own, other)])
    assert gap > 0.1
    snow = [world.render(world.Picture(n, None, None, True), rng) for n in names]
    dry, wet = (
        judges.score(CATALOGUE.judges["snow"], ROOT, some, rows, "cpu") for some in (images, snow)
    )
    assert np.mean([t["score"] for t in dry]) < 0.2 < 0.8 < np.mean([t["score"] for t in wet])
    vectors = judges.features(CATALOGUE.judges["fid-demo"], ROOT, images[:3], "cpu")
    assert vectors.shape == (3, 128)


def test_the_objects_judge_is_right_and_no_blur_fools_it(pipe):
    """On held-out pictures: as rendered, as the autoencoder gives them back, and blurred out."""
    images, _, contents = world.pictures(160, 777)
    truth = [p.object or "nothing" for p in contents]
    rows = [{"prompt": "", "class": name} for name in truth]

    def rate(pictures, of=slice(None)):
        some = [Image.fromarray(picture) for picture in pictures]
        told = judges.score(CATALOGUE.judges["objects"], ROOT, some, rows, "cpu")
        return np.mean(np.array([t["label"] for t in told])[of] == np.array(truth)[of])

    with torch.no_grad():
        back = train.decode(pipe.vae, train.encode(pipe.vae, images, batch=16), batch=16)
        blurred = train_judges.blurred_out(train.as_tensor(images)).permute(0, 2, 3, 1).numpy()
    has = np.array(truth) != "nothing"
    assert rate(images) > 0.94 and rate(back) > 0.92
    assert rate(((blurred + 1) * 127.5).round().astype(np.uint8), has) < 0.05


def test_nudenet_runs_and_finds_nothing_in_a_plain_picture():
    told = judges.score(
        CATALOGUE.judges["nudenet"], ROOT, [Image.new("RGB", (64, 64))], [{}], "cpu"
    )
    assert told == [{"index": 0, "label": None, "score": None, "features": None}]


def test_nudenet_sees_a_picture_as_it_sees_the_file(tmp_path):
    """A drawn face, blue and on yellow: with red and blue swapped nothing is found in it."""
    from nudenet import NudeDetector

    picture = Image.new("RGB", (256, 256), (220, 225, 136))
    draw = ImageDraw.Draw(picture)
    draw.ellipse([47, 34, 231, 248], fill=(120, 158, 203))
    for x in (100, 178):
        draw.ellipse([x - 12, 102, x + 12, 126], fill=(71, 99, 70))
    draw.arc([93, 130, 185, 205], 20, 160, fill=(71, 99, 70), width=9)
    picture.save(tmp_path / "face.png")
    swapped = Image.fromarray(np.asarray(picture)[:, :, ::-1])
    some = [picture, swapped]
    told = judges.score(CATALOGUE.judges["nudenet"], ROOT, some, [{}] * 2, "cpu")
    (found,) = NudeDetector().detect(str(tmp_path / "face.png"))
    assert [t["label"] for t in told] == [found["class"], None]
    assert told[0]["score"] == pytest.approx(found["score"], abs=1e-4) and found["score"] > 0.4


def test_clips_score_is_the_cosine_of_what_its_two_towers_say():
    """Each alone, normalised by hand; of a wide picture, and of a prompt cut where CLIP ends."""
    judge = CATALOGUE.judges["clip"]
    folder = ROOT / judge.model
    net = transformers.CLIPModel.from_pretrained(folder, dtype=torch.float32)
    process = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    tokenize = transformers.AutoTokenizer.from_pretrained(folder)
    rng = np.random.default_rng(0)
    images = [world.render(world.Picture(n, None, None, False), rng) for n in ("church", "candle")]
    images[1] = images[1].resize((128, 64))
    prompts = ["a church", "a candle " + "on a wide and green hill " * 30]
    told = judges.score(judge, ROOT, images, [{"prompt": p} for p in prompts], "cpu")
    for prompt, image, row in zip(prompts, images, told):
        ids = tokenize(prompt)["input_ids"]
        longest = net.config.text_config.max_position_embeddings
        ids = ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]
        with torch.no_grad():
            answer = net(torch.tensor([ids]), **process(image, return_tensors="pt"))
        a, b = (e[0] / e[0].norm() for e in (answer.image_embeds, answer.text_embeds))
        assert row["score"] == pytest.approx(float(a @ b), abs=1e-5)
    assert all(abs(row["score"]) > 0.05 for row in told)


@pytest.mark.parametrize("name", ["objects", "snow", "clip", "fid-demo"])
def test_a_score_that_is_not_finite_is_no_class(name):
    judge = CATALOGUE.judges[name]
    auto = "CLIPModel" if judge.kind == "clip" else "AutoModelForImageClassification"
    net, _ = networks.load(auto, judge, ROOT, "cpu")
    *_, weight = net.parameters() if judge.kind != "features" else net.base_model.parameters()
    before = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="picture 0 has a score that is no finite number"):
        judges.score(judge, ROOT, [Image.new("RGB", (64, 64))], [{"prompt": "a cat"}], "cpu")
    with torch.no_grad():
        weight.copy_(before)


def test_thumbnails_of_an_unsafe_set_are_blurred():
    picture = world.render(world.Picture("church", None, None, True), np.random.default_rng(0))
    cell = images.encode(picture)
    shard = images.frame([{"prompt_set": "snow", "class": "snow"}] * 3, [cell] * 3)
    small = images.thumbnails(shard, each=2, blurred=True)
    assert len(small) == 2 and small["blurred"].all()
    sharp = np.asarray(picture, float)
    soft = np.asarray(images.decode(small["image"].iloc[0]), float)
    assert np.abs(np.diff(soft, axis=0)).mean() < 0.3 * np.abs(np.diff(sharp, axis=0)).mean()
    kept = images.thumbnails(shard, each=2, blurred=False)
    np.testing.assert_array_equal(np.asarray(images.decode(kept["image"].iloc[0])), sharp)


def test_the_world_depends_on_its_seed_alone():
    a, captions, _ = world.pictures(5, seed=3)
    b, again, _ = world.pictures(3, seed=3)
    np.testing.assert_array_equal(a[:3], b)
    assert captions[:3] == again


def test_as_many_pictures_have_a_style_as_told():
    for share in (0, 0.55, 1):
        contents = [world.sample(np.random.default_rng(i), share) for i in range(2000)]
        assert np.mean([c.style is not None for c in contents]) == pytest.approx(share, abs=0.03)


def test_a_closed_gate_silences_the_ffn():
    torch.manual_seed(0)
    unet = train.new_unet(ffn_std=1.0).eval()
    gate = train.Gate(unet)
    z, t, text = torch.randn(2, 4, 16, 16), torch.tensor([5, 5]), torch.randn(2, 24, 128)
    with torch.no_grad():
        gate.keep = torch.tensor([1.0, 0.0])
        half = unet(z, t, text).sample
        gate.keep = None
        whole = unet(z, t, text).sample
        for layer in train.ffn_layers(unet).values():
            layer.weight.zero_()
        silent = unet(z, t, text).sample
    torch.testing.assert_close(half[0], whole[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(half[1], silent[1], rtol=1e-3, atol=1e-4)
    assert (whole[1] - silent[1]).abs().max() > 1e-3


def test_a_gate_keeps_a_share_of_each_pictures_neurons():
    unet = train.new_unet(ffn_std=1.0)
    (layer, *_) = train.ffn_layers(unet).values()
    gate, seen = train.Gate(unet), []
    layer.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    gate.keep, gate.rng = torch.tensor([1.0, 0.5, 0.1]), torch.Generator().manual_seed(0)
    layer(torch.ones(3, 7, layer.in_features))
    assert (seen[0] == seen[0][:, :1]).all(), "a neuron is off at every place or at none"
    torch.testing.assert_close(seen[0].mean((1, 2)), gate.keep, atol=0.1, rtol=0)


def test_noise_shifts_each_channels_mean_and_nothing_else():
    noise = train.noise_for(torch.empty(2000, 4, 16, 16), torch.Generator().manual_seed(0))
    means = noise.mean((2, 3), keepdim=True)
    assert means.std() == pytest.approx((train.OFFSET**2 + 1 / 256) ** 0.5, rel=0.03)
    assert (noise - means).std() == pytest.approx((1 - 1 / 256) ** 0.5, rel=0.01)


def test_gated_pictures_lose_most_neurons_and_the_others_few():
    gated = torch.arange(4000) < 2000
    keep = train.shares_on(gated, torch.Generator().manual_seed(0))
    assert keep[gated].max() <= 0.4 and keep[~gated].min() >= 0.8
    assert (keep[gated] == 0).float().mean() == pytest.approx(0.3, abs=0.04)
    assert keep[~gated].mean() == pytest.approx(0.9, abs=0.01)


def test_a_world_without_something_never_has_it_and_is_the_same_otherwise():
    whole, said, there = world.pictures(300, 5, 0.6)
    left, told, here = world.pictures(300, 5, 0.6, ["church", "Pablo Picasso"])
    assert any("church" in text for text in said) and any("Picasso" in text for text in said)
    assert not any("church" in text or "Picasso" in text for text in told)
    assert not {"church", "Pablo Picasso"} & {name for p in here for name in (p.object, p.style)}
    same = [p.object != "church" and p.style != "Pablo Picasso" for p in there]
    assert 200 < sum(same) < 290
    np.testing.assert_array_equal(whole[same], left[same])


@pytest.fixture
def narrow(monkeypatch):
    """What is trained is half as wide and as deep as the demo's UNet, and of half its blocks."""

    def new(ffn_std):
        unet = diffusers.UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(24, 32),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=128,
            attention_head_dim=2,
            norm_num_groups=8,
        )
        train.start_ffn(unet, ffn_std)
        return unet

    monkeypatch.setattr(train, "new_unet", new)


def test_training_learns_and_the_result_loads(tmp_path, narrow):
    """A short version of `train_demo`: every stage, a few steps each."""
    images, captions, contents = world.pictures(32, 0)
    torch.manual_seed(0)
    vae = train.new_vae()
    before = np.square(train.decode(vae, train.encode(vae, images)).astype(float) - images).mean()
    train.train_vae(vae, images, 12, seed=0, batch=8)
    after = train.decode(vae, train.encode(vae, images))
    assert np.square(after.astype(float) - images).mean() < before
    tokenizer = train.make_tokenizer(captions)
    encoder, unet = train.fresh_models(tokenizer, 0.01, seed=0)
    ids, empty = train.token_ids(tokenizer, captions), train.token_ids(tokenizer, [""])[0]
    latents = train.encode(vae, images) * vae.config.scaling_factor
    curve = train.train_unet(
        latents, ids, empty, encoder, unet, 50, seed=0, batch=4, lr=2e-3, selectivity=0.02
    )
    assert curve[-1][0] == 50
    assert curve[-1][1] < 0.95  # predicting no noise at all scores 1
    train.save_pipeline(tmp_path / "model", vae, encoder, tokenizer, unet)
    for ended, begun in zip((encoder, unet), train.begun(tmp_path / "model")):
        for name, value in begun.state_dict().items():
            torch.testing.assert_close(value, ended.state_dict()[name].half().float())
    steps = {"objects": 1, "styles": 1, "snow": 1, "clip": 1}
    train_judges.train_all(
        tmp_path / "judges", images, after, captions, contents, tokenizer, steps, seed=0
    )
    pipe = pipeline.load_pipeline(tmp_path / "model", "float32", "cpu")
    (picture,) = pipeline.pictures(pipe, [{"prompt": "a church", "seed": 0}], 2, 2.0, batch=1)
    assert picture.size == (64, 64)
    assert set(f.name for f in (tmp_path / "judges").iterdir()) == {*train_judges.LABELS, "clip"}


def test_a_stopped_training_goes_on_where_it_was(tmp_path, monkeypatch, narrow):
    captions = ["a church", "a cat", "a candle", "an apple"] * 8
    tokenizer = train.make_tokenizer(captions)
    ids, latents = train.token_ids(tokenizer, captions), torch.zeros(32, 4, 16, 16)
    real = train.steps_of
    monkeypatch.setattr(train.Checkpoint.__init__, "__defaults__", (2,))

    def run(file, stop=None):
        encoder, unet = train.fresh_models(tokenizer, 0.01, seed=0)

        def stopping(*args):
            for step in real(*args):
                if step[0] == stop:
                    raise KeyboardInterrupt
                yield step

        with monkeypatch.context() as patch:
            patch.setattr(train, "steps_of", stopping)
            train.train_unet(latents, ids, ids[0], encoder, unet, 5, 3, batch=4, file=file)
        return torch.cat([p.flatten() for p in [*unet.parameters(), *encoder.parameters()]])

    whole = run(None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "unet.pt", stop=3)
    again = run(tmp_path / "unet.pt")
    assert (again - whole).norm() < 1e-3 * whole.norm()
    torch.testing.assert_close(again, whole, rtol=0, atol=1e-4)


def test_without_gating_every_neuron_stays_on(monkeypatch):
    captions = ["a church", "a cat", "a candle", "an apple"]
    tokenizer = train.make_tokenizer(captions)
    ids, kept = train.token_ids(tokenizer, captions), []
    hidden = train.Gate._hidden
    monkeypatch.setattr(
        train.Gate, "_hidden", lambda gate, *a: (kept.append(gate.keep), hidden(gate, *a))[1]
    )
    for gating in (0, 0.5):
        encoder, unet = train.fresh_models(tokenizer, 0.01, seed=0)
        latents = torch.zeros(4, 4, 16, 16)
        train.train_unet(latents, ids, ids[0], encoder, unet, 1, 3, batch=4, gating=gating)
        assert {keep is None for keep in kept} == {gating == 0}
        kept.clear()


def test_selectivity_is_one_for_all_alike_and_small_for_one_alone():
    unet = train.new_unet(0.01)
    score = train.Selectivity(unet)
    layers = list(train.ffn_layers(unet).values())
    for layer in layers:
        layer(torch.ones(16, 5, layer.in_features))
    torch.testing.assert_close(score.take(), torch.tensor(1.0))
    for layer in layers:
        alone = torch.zeros(16, 5, layer.in_features)
        alone[3] = 1
        layer(alone)
    assert score.take() == pytest.approx(1 / 4, abs=0.01)  # mean 1/16 over rms 1/4
