"""What all figures share: their palette, what they tell where the mouse rests, their files."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

#: Okabe and Ito's colour-blind safe palette.
ERASED, PRESERVED, OTHER, GREY = "#D55E00", "#0072B2", "#009E73", "#888888"
CYCLE = [PRESERVED, ERASED, OTHER, "#CC79A7", "#E69F00", "#56B4E9"]
#: More concepts than this are drawn thin, and their mean thick.
MANY = 6
SVG = "http://www.w3.org/2000/svg"
AS_SVG: dict[str, Any] = {"transparent": True, "metadata": {"Date": None}}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "regrowth",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "legend.frameon": False,
}
#: What says where a layer is in a UNet: part, block, attention, transformer block.
_PLACE = re.compile(r"(\w+?)_block\w*(?:\.(\d+))?\.attentions\.(\d+)\.transformer_blocks\.(\d+)\.")
plt.rcParams.update(STYLE)


def tell(artist, *texts: str) -> None:
    """What an artist says where the mouse rests: one text, or one for each of its points."""
    artist.set_gid("tell:" + "|".join(texts))


def save(figure: Figure, *targets) -> None:
    """Write a figure to files that end in .svg or .png, each at once, and close it."""
    from regrowth.files.store import replacing

    figure.draw_without_rendering()
    box = figure.get_tightbbox().padded(plt.rcParams["savefig.pad_inches"])
    for target in targets:
        ending = str(target).rsplit(".", 1)[1]
        more = AS_SVG if ending == "svg" else {}
        with replacing(target) as part:
            figure.savefig(part, format=ending, dpi=150, bbox_inches=box, **more)
            if ending == "svg":
                _titled(part)
    plt.close(figure)


def _titled(file) -> None:
    """Turn what artists tell into SVG titles, which browsers show where the mouse rests."""
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    tree = ET.parse(file)
    for group in tree.iter(f"{{{SVG}}}g"):
        if group.get("id", "").startswith("tell:"):
            texts = group.attrib.pop("id").removeprefix("tell:").split("|")
            points = list(group.iter(f"{{{SVG}}}use")) if len(texts) > 1 else [group]
            for point, text in zip(points, texts):
                title = ET.Element(f"{{{SVG}}}title")
                title.text = text
                point.insert(0, title)
    tree.write(file, encoding="utf-8", xml_declaration=True)


def colours(table: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """The column that a figure's colours tell apart, erasers where there are several, else
    concepts, and the colour of each of its values: grey, where they are many."""
    key = "eraser" if table["eraser"].nunique() > 1 else "concept"
    values = list(table[key].unique())
    return key, dict(zip(values, CYCLE if len(values) <= MANY else [GREY] * len(values)))


def legend(axis, **how: Any) -> None:
    """An axis's legend, with each label once."""
    handles, labels = axis.get_legend_handles_labels()
    once = dict(zip(labels, handles))
    axis.legend(once.values(), once.keys(), **how)


def reach(part: pd.DataFrame, rate: str = "rate") -> np.ndarray:
    """How far the interval reaches to both sides, (2, rows), for error bars."""
    return np.abs(part[["low", "high"]].to_numpy().T - part[rate].to_numpy())


def rate_texts(part: pd.DataFrame, *columns: str) -> list[str]:
    """What points at rates with intervals tell, after the text of `columns`."""
    return [
        f"{', '.join(str(row[c]) for c in columns)}: "
        f"{row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}], n = {row['n']}"
        for row in part.to_dict("records")
    ]


def place(layer: str) -> str:
    """Where a layer is, in short: "up 1.0" for up_blocks.1.attentions.0.transformer_blocks.0.ff…;
    with the number of the transformer block where that is not 0."""
    if found := _PLACE.match(layer):
        part, *at, block = found.groups()
        numbers = [n for n in (*at, block if block != "0" else None) if n]
        return f"{part} {'.'.join(numbers)}"
    found = re.match(r"text_encoder\.encoder\.layers\.(\d+)\.", layer)
    return f"text {found[1]}" if found else layer.removesuffix(".weight")
