"""MemoRa's pictures: on the great circle, there and back again, from the pairs that it is told."""

import numpy as np
import pytest
import torch
from regrowth.draw.pipeline import load_pipeline
from regrowth.learn import memora
from regrowth.learn.pictures import Pictures
from road import ROOT
from small_unet import small_unet


def test_a_latent_between_two_keeps_their_length_and_goes_evenly():
    one, other = (torch.nn.functional.normalize(v, dim=0) for v in torch.randn(2, 50))
    shares = np.linspace(0, 1, 11)
    found = torch.stack([memora.slerp(one, other, float(share)) for share in shares])
    torch.testing.assert_close(found[0], one)
    torch.testing.assert_close(found[-1], other)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(11))
    angles = torch.arccos((found @ one).clamp(-1, 1)).numpy()
    np.testing.assert_allclose(angles, shares * angles[-1], atol=1e-3)
    torch.testing.assert_close(memora.slerp(one, one, 0.3), one)
    assert torch.isfinite(memora.slerp(one, -one, 0.3)).all()


@pytest.fixture(scope="module")
def pipe():
    return load_pipeline(ROOT / "resources/demo/model", "float32", "cpu")


def lesson(n):
    draws = torch.Generator().manual_seed(3)
    prompts = ["a church in a park", "a church in a room"]
    return Pictures(torch.randn(n, 4, 8, 8, generator=draws), [prompts[i % 2] for i in range(n)])


def test_what_is_inverted_and_drawn_again_is_what_it_was(pipe, monkeypatch):
    """With a prediction that is the same everywhere DDIM is inverted exactly."""
    said = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(4))
    monkeypatch.setattr(memora, "sampled", lambda pipe, at, *_: said.expand_as(at.latents))
    told = lesson(7)
    found = memora.between(pipe, told, 10, 2.0, 4)
    assert found.latents.shape == (33, 4, 8, 8) and len(found.prompts) == 33
    ends = found.latents[[0, 10, 11, 21, 22, 32]]
    torch.testing.assert_close(ends, told.latents[:6], atol=1e-3, rtol=1e-3)
    assert found.prompts[:11] == [told.prompts[0]] * 6 + [told.prompts[1]] * 5


def test_pairs_are_as_many_as_there_are(pipe):
    pipe.unet = small_unet()
    one = memora.between(pipe, lesson(3), 4, 2.0, 8)
    assert one.latents.shape == (11, 4, 8, 8) and torch.isfinite(one.latents).all()
    again = memora.between(pipe, lesson(3), 4, 2.0, 8)
    assert torch.equal(one.latents, again.latents)
    with pytest.raises(ValueError, match="at least two are wanted"):
        memora.between(pipe, lesson(1), 4, 2.0, 8)
