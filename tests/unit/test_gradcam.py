"""Where a classifier looks, against the definition, and what of it stands on a page."""

import base64

import numpy as np
import pandas as pd
import pytest
import torch
from regrowth.classify import gaps, gradcam, networks, study
from regrowth.classify.spread import spread
from regrowth.show import classifiers
from regrowth.show.gradcam import Looked
from regrowth.show.gradcam import gradcam as drawn
from test_classifiers_study import an_outcome, raw
from torch.nn import functional as F


def test_a_map_is_values_times_the_mean_slope_of_the_logit():
    """By hand: the last stage's values, a gradient of one logit, their weighted sum's positive
    part, between its points linearly."""
    images = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    network = networks.new("small", 4, (255 * images).to(torch.uint8), 1).eval()
    labels = torch.tensor([2, 0, 3])
    found = gradcam.maps(network, images, labels)
    x = F.relu(network.bn1(network.conv1((images - network.mean) / network.std)))
    values = network.layer3(network.layer2(network.layer1(x)))
    for i, label in enumerate(labels):
        logit = network.fc(values.mean((2, 3)))[i, label]
        (slope,) = torch.autograd.grad(logit, values, retain_graph=True)
        coarse = (slope[i].mean((1, 2))[:, None, None] * values[i]).sum(0).clamp(min=0)
        wanted = F.interpolate(coarse[None, None], (16, 16), mode="bilinear")[0, 0]
        torch.testing.assert_close(found[i], wanted.detach(), rtol=1e-4, atol=1e-6)
    assert found.shape == (3, 16, 16) and (found.amax((1, 2)) > 0).any()


def test_pictures_that_are_shown_are_the_first_of_either_and_of_many_classes():
    parts = np.array(["retain", "forget", "retain", "test", "forget", "retain", "forget"])
    labels = np.array([1, 0, 1, 1, 0, 2, 0])
    assert gradcam.some(parts, labels, 2).tolist() == [1, 4, 0, 5]
    assert gradcam.some(parts, labels, 4).tolist() == [1, 4, 6, 0, 5, 2]


def test_a_model_that_looks_no_more_is_dark_beside_the_original():
    """On the original's scale: twice its map is as bright as it, none shows the picture alone."""
    images, look = np.full((1, 1, 8, 8), 0.5), np.zeros((1, 8, 8))
    look[0, :4] = 2.0
    rows = [Looked("a", scale * look, ["x"]) for scale in (1, 2, 0)]
    figure = drawn(images, ["forget: x"], rows)
    figure.canvas.draw()
    pixels = [axis.images[1].get_array() for axis in figure.axes]
    assert (pixels[0] == pixels[1]).all() and pixels[0].max() == 1 and not pixels[2].any()
    assert [axis.get_ylabel() for axis in figure.axes] == ["a"] * 3
    assert figure.axes[0].get_title() == "forget: x"


def test_the_page_holds_the_picture():
    made = [an_outcome("retrain", i, (0.8, 0.8, 1, 0.2)) for i in (0, 1)]
    tables = {"gaps": gaps.gaps(made, bool), "spread": spread(made, bool)}
    tables |= {"printed": pd.DataFrame(), "neighbours": pd.DataFrame()}
    about = {"data": "fashion-mnist", "network": "small", "controls": []}
    text = classifiers.page("x", about, tables, {"some": b"picture", "gone": b"other"})
    assert f"data:image/png;base64,{base64.b64encode(b'picture').decode()}" in text
    assert base64.b64encode(b"other").decode() not in text


@pytest.mark.parametrize("kind", ["orl", "idx", "cifar-10"])
def test_pictures_that_may_not_be_shown_are_refused(kind):
    told = raw(data={"kind": kind, "folder": "x"}, gradcam={"unlearners": ["retrain"]})
    with pytest.raises(study.Mistaken, match=f"pictures of {kind} are not shown; of fashion-mnist"):
        study.load(told)


def test_the_first_split_and_seed_are_shown_the_original_first():
    told = study.load(
        raw(
            data={"kind": "fashion-mnist"},
            seeds={"split": [3, 4], "unlearn": [7, 8], "train": 2},
            gradcam={"unlearners": ["retrain"]},
        )
    )
    first, second = study.looked_at(told, "some")
    assert first == study.Cell("3", "some", study.ORIGINAL, "2")
    assert second == study.Cell("3", "some", "retrain", "7")
