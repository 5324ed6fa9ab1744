"""What figures say: places, and the SVG's own words against the numbers they stand for."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from regrowth.attack import MAGNITUDES
from regrowth.files import keys
from regrowth.measure.cells import interval
from regrowth.measure.detectability import posterior
from regrowth.show import report
from regrowth.show.figures import FIGURES
from regrowth.show.figures.defences import defences, detectability
from regrowth.show.figures.layers import alone, layers
from regrowth.show.figures.rates import accuracy, over_k
from regrowth.show.figures.signs import alignment, signs
from regrowth.show.figures.style import SVG, place, save
from regrowth.study import variants

PRUNED = variants.PRETRAINED | {"concept": "church", "eraser": "conceptprune", "variant": "pruned"}
REVIVED = PRUNED | {"variant": "revived", "magnitude": "max", "solver": "nuclear"}


def rates(hits_of_k: dict[str, int], n=50):
    rows = [PRUNED | {"hits": 10}] + [REVIVED | {"K": k, "hits": h} for k, h in hits_of_k.items()]
    frame = pd.DataFrame(rows).assign(role="erased", n=n)
    frame["rate"] = frame["hits"] / n
    frame["low"], frame["high"] = zip(*(interval(h, n) for h in frame["hits"]))
    return frame


@pytest.mark.parametrize(
    ("layer", "short"),
    [
        ("down_blocks.0.attentions.1.transformer_blocks.0.ff.net.2.weight", "down 0.1"),
        ("mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.weight", "mid 0"),
        ("up_blocks.3.attentions.2.transformer_blocks.1.attn2.to_k.weight", "up 3.2.1"),
        ("text_encoder.encoder.layers.11.mlp.fc2.weight", "text 11"),
        ("something.else.weight", "something.else"),
    ],
)
def test_a_layer_is_named_by_its_place(layer, short):
    assert place(layer) == short


def test_each_point_of_a_curve_tells_its_numbers(tmp_path):
    table = rates({"0.6": 40, "0.2": 20, "1.0": 30})
    file = tmp_path / "over-k.svg"
    save(over_k(table, "church"), file)
    root = ET.parse(file).getroot()
    titles = {
        parent: title.text for parent in root.iter() for title in parent.findall(f"{{{SVG}}}title")
    }
    low, high = interval(20, 50)
    told = list(titles.values())
    assert told[0] == f"max, 0.2: 0.40 [{low:.2f}, {high:.2f}], n = 50"
    assert [text.split(":")[0] for text in told] == ["max, 0.2", "max, 0.6", "max, 1.0"]
    heights = [float(point.get("y")) for point in titles]
    assert np.argsort(heights).tolist() == [1, 2, 0], "the highest rate is drawn highest"


def test_a_magnitude_has_the_colour_of_its_place_in_their_table(monkeypatch):
    """Colours stay when a magnitude is added at the end; it takes the next. What is drawn has a
    seed that the others have not, which is no reason to tell more of it."""
    colours = ["#D55E00", "#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"]
    monkeypatch.setitem(MAGNITUDES, "one more", None)
    tables = [
        rates({"0.2": 1, "0.4": 2}).assign(magnitude=name, weight_seed=str(name == "sample"))
        for name in MAGNITUDES
    ]
    figure = over_k(pd.concat(tables), "church")
    plt.close(figure)
    drawn = {c.get_label(): c.lines[0].get_color() for c in figure.axes[0].containers}
    assert drawn == {name: colours[i % len(colours)] for i, name in enumerate(MAGNITUDES)}


def test_every_figure_has_its_caption():
    assert {file.stem for file in report.CAPTIONS.glob("*.rst")} == {*FIGURES, "pictures", "audit"}


ALONE = {"0": 5, "2": 30}


def test_a_layer_alone_is_drawn_at_its_place_beside_all_layers(tmp_path):
    table = rates({"0.3": 40})
    single = [
        rates({"0.3": hits})[1:].assign(variant="alone", layer_alone=at)
        for at, hits in ALONE.items()
    ]
    names = [f"up_blocks.{n}.attentions.0.transformer_blocks.0.ff" for n in range(3)]
    figure = alone(pd.concat([table, *single]), "church", names)
    (axis,) = figure.axes
    points = axis.containers[0].lines[0]
    whole = {line.get_label(): line.get_ydata()[0] for line in axis.lines}
    assert points.get_xdata().tolist() == [0, 2] and points.get_ydata().tolist() == [0.1, 0.6]
    assert whole["max K=0.3, all layers"] == 0.8 and whole["pruned"] == 0.2
    assert [t.get_text() for t in axis.get_xticklabels()] == ["up 0.0", "up 1.0", "up 2.0"]


def test_the_trade_off_draws_its_table():
    columns = {"revival": [0.9, 0.5, 0.2], "low": [0.8, 0.4, 0.1], "high": [1.0, 0.6, 0.3]}
    columns |= {"erased": [0.1, 0.2, 0.3], "preserved": [0.9, 0.8, 0.7], "auc": [1.0, 0.8, 0.6]}
    table = pd.DataFrame(columns | {"defence": "gaussian", "sigma": ["2.0", "0.5", "10.0"]})
    bare = table[:1].assign(defence="none", sigma="none", revival=0.95)
    (axis,) = defences(pd.concat([bare, table]), "church").axes
    order = [1, 0, 2]  # sigmas are numbers
    assert [t.get_text() for t in axis.get_xticklabels()] == ["0.5", "2.0", "10.0"]
    drawn = {line.get_label(): line.get_ydata() for line in axis.lines}
    for label, name in (
        ("erased, no attack", "erased"),
        ("preserved", "preserved"),
        ("AUC of the best detector", "auc"),
    ):
        assert list(drawn[label]) == table[name].iloc[order].to_list()
    (attack,) = axis.containers
    assert attack.get_label() == "strongest attack"
    assert list(attack.lines[0].get_ydata()) == table["revival"].iloc[order].to_list()
    ends = [segment[:, 1].round(6).tolist() for segment in attack.lines[2][0].get_segments()]
    assert ends == table[["low", "high"]].iloc[order].to_numpy().tolist()
    assert any(np.ptp(line.get_ydata()) == 0 and line.get_ydata()[0] == 0.95 for line in axis.lines)


def test_equation_7s_surface_and_the_layers_on_it():
    about = dict.fromkeys(keys.RELEASED, "x") | {"defence": "gaussian"}
    rows = [{"layer": f"l{i}", "density": d, "sigma_m": m, "sigma_u": 2.0}
            for i, (d, m) in enumerate([(0.05, 2.0), (0.1, 1.0)])]  # fmt: skip
    table = pd.DataFrame([about | row for row in [*rows, rows[0] | {"layer": "all"}]])
    axis = detectability(table, 0.5).axes[0]
    (surface,) = [c for c in axis.collections if hasattr(c, "get_coordinates")]
    assert surface.get_array().reshape(120, 120)[60, 20] == pytest.approx(
        posterior(np.geomspace(0.005, 0.5, 120)[60], np.geomspace(0.05, 5, 120)[20], 1.0, 0.5)
    )
    (points,) = [c for c in axis.collections if len(c.get_offsets()) == 2]
    assert points.get_offsets().tolist() == [[1.0, 0.05], [0.5, 0.1]]


def test_an_svg_in_a_page_has_ids_of_its_own_and_the_pages_ink(tmp_path):
    file = tmp_path / "a.svg"
    save(over_k(rates({"0.2": 1, "0.4": 2}), "church"), file)
    page = [report.inline(file.read_text(encoding="utf-8"), name) for name in ('over "K"', "other")]
    for text in page:
        root = ET.fromstring(text)
        ids = {element.get("id") for element in root.iter()} - {None}
        used = set(report.re.findall(r"""(?:url\(|href=")#([^")]+)""", text))
        assert ids and ids == used
        assert "#000000" not in text and "currentColor" in text
    first, second = (set(report.re.findall(r' id="([^"]+)"', text)) for text in page)
    assert not first & second
    assert ET.fromstring(page[0]).get("aria-label") == 'over "K"'


def test_a_file_holds_all_that_is_drawn_and_no_more(tmp_path):
    figure = over_k(rates({"0.2": 1, "0.4": 2}), "church")
    figure.axes[0].text(1.4, 0.5, "beside the axes", transform=figure.axes[0].transAxes)
    figure.savefig(tmp_path / "cut.png", dpi=150, bbox_inches="tight")
    save(figure, tmp_path / "a.png", tmp_path / "a.svg")
    cut, png = (plt.imread(tmp_path / f"{name}.png").shape[:2] for name in ("cut", "a"))
    assert png == pytest.approx(cut, abs=1)
    size = [float(ET.parse(tmp_path / "a.svg").getroot().get(side).removesuffix("pt"))
            for side in ("height", "width")]  # fmt: skip
    assert np.multiply(size, 150 / 72) == pytest.approx(cut, abs=2)


def test_where_a_study_has_several_erasers_each_has_its_colour_and_lines():
    """And no line goes on from one eraser's figures to the next one's."""
    cells = [(e, c, s) for e in ("one", "two") for c in ("church", "cat") for s in ("a", "b")]
    about = [dict(zip(("eraser", "concept", "solver"), cell)) for cell in cells]
    held = {"accuracy": 0.8, "low": 0.7, "high": 0.9, "n": 9, "guess": "completed"}
    shares = pd.DataFrame(own | held | {"share": s} for own in about for s in (0.2, 0.6, 1.0))
    held |= {"density": 0.1, "accuracy_top": 0.9, "low_top": 0.8, "high_top": 1.0}
    names = [f"up_blocks.{n}.attentions.0.transformer_blocks.0.ff" for n in range(3)]
    by_layer = pd.DataFrame(own | held | {"layer": n} for own in about for n in names)
    for axis, n, labels in (
        (signs(shares).axes[0], 8, ["one, a", "one, b", "two, a", "two, b"]),
        (layers(by_layer).axes[0], 4, ["one", "two"]),
    ):
        assert len(axis.lines) == n and all((np.diff(x.get_xdata()) > 0).all() for x in axis.lines)
        assert [text.get_text() for text in axis.get_legend().texts] == labels
        assert len({line.get_color() for line in axis.lines}) == 2
    grid = [own | {"recovered": i, "pretrained": j, "share": 0.2 + 0.1 * (own["eraser"] == "two")}
            for own in about for i in (1, 2) for j in (1, 2)]  # fmt: skip
    panels = {axis.get_title(): axis for axis in alignment(pd.DataFrame(grid)).axes}
    assert {axis.texts[0].get_text() for name, axis in panels.items() if "two" in name} == {"0.30"}
    assert list(panels) == ["one, a", "one, b", "two, a", "two, b"]


@pytest.mark.parametrize("n", [2, 30])
def test_however_many_variants_the_legend_covers_nothing(n):
    figure = accuracy(rates({f"{0.01 * i:g}": i for i in range(1, n)}), "Pablo Picasso")
    figure.draw_without_rendering()
    (axis,) = figure.axes
    legend = axis.get_legend()
    own, texts = legend.get_window_extent(), {*axis.findobj(Text)} - {*legend.findobj(Text)}
    assert not [t for t in texts if t.get_text() and own.overlaps(t.get_window_extent())]
    assert own.y0 >= axis.get_window_extent().y1 - 1
