"""Figures of the pictures themselves and of the rates of what is seen in them."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from regrowth.attack import MAGNITUDES
from regrowth.files import keys
from regrowth.measure.cells import by_variant
from regrowth.show.figures.style import CYCLE, ERASED, GREY, PRESERVED, rate_texts, reach, tell
from regrowth.study import variants

#: A magnitude's colour, by its place in the table of magnitudes.
COLOURS = [CYCLE[i] for i in (1, 0, 2, 4, 3, 5)]
#: What may set two rates of one magnitude apart, beside K.
PLACES = ("eraser", "solver", "detector", "weight_seed", "prompt_set", "judge")


def pictures(thumbnails: pd.DataFrame, name: str, columns: int = 8) -> Figure:
    """Before and after: a row of pictures per variant, the same prompt and seed in a column."""
    from regrowth.files.images import decode

    if thumbnails.empty:  # the study asks for what is preserved alone
        figure = plt.figure(figsize=(5, 0.6))
        figure.text(0.5, 0.5, f"{name}: no picture of it was asked for", ha="center", va="center")
        return figure
    groups = by_variant(together(thumbnails))
    images = [["prompt", "seed"]]
    first = groups[0][1].set_index(images[0]).index[:columns]
    figure, axes = plt.subplots(
        len(groups),
        len(first),
        figsize=(len(first) * 0.95, len(groups) * 0.95),
        squeeze=False,
        gridspec_kw={"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.03, "hspace": 0.03},
    )
    for line, (cell, part) in zip(axes, groups):
        part = part.set_index(images[0])
        for axis, key in zip(line, first):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if key in part.index:
                axis.imshow(decode(part.loc[key, "image"]))
        line[0].set_ylabel(
            variants.label(cell), rotation=0, ha="right", va="center", labelpad=8, fontsize=10
        )
    title = f"{name}: the same prompts and seeds in every row"
    figure.suptitle(title, fontsize=11, y=1 + 0.1 / figure.get_figheight(), va="bottom")
    return figure


def accuracy(table: pd.DataFrame, name: str) -> Figure:
    """Erased and preserved rates of every variant of one concept, with 95 % intervals."""
    table = named(together(table))
    order = list(dict.fromkeys(table["name"]))
    figure, axis = plt.subplots(figsize=(7, 0.38 * len(order) + 1.2))
    for role, colour, shift in (("erased", ERASED, -0.13), ("preserved", PRESERVED, 0.13)):
        part = table[table["role"] == role]
        y = np.array([order.index(row) for row in part["name"]]) + shift
        spread = reach(part)
        points = axis.errorbar(
            part["rate"], y, xerr=spread, fmt="o", color=colour, capsize=2, label=role
        )
        tell(points.lines[0], *rate_texts(part, "name"))
    axis.set(yticks=range(len(order)), yticklabels=order, xlim=(-0.02, 1.02))
    axis.set(xlabel="recognised (Wilson 95 %)")
    axis.set_title(name, loc="left")
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.legend(loc="lower right", bbox_to_anchor=(1.02, 1), ncol=2, borderaxespad=0)
    return figure


def named(table: pd.DataFrame) -> pd.DataFrame:
    """With a column `name`: the variant's label, and the prompt set and judge where one role has
    several of them."""
    labels = [variants.label(row) for row in table[list(variants.KEYS)].to_dict("records")]
    names = pd.Series(labels, table.index, dtype=str)
    for key in ("prompt_set", "judge"):
        if key in table and table.groupby("role")[key].nunique().max() > 1:
            names = names + " (" + table[key] + ")"
    return table.assign(name=names)


def together(table: pd.DataFrame) -> pd.DataFrame:
    """Without the variants that are revived in one layer alone: they have a figure of their own."""
    return table[table["variant"] != "alone"]


def over_k(table: pd.DataFrame, name: str) -> Figure | None:
    """Erased accuracy over K by magnitude; None where no magnitude has two values of K."""
    own = table[(table["role"] == "erased") & (table["defence"] == keys.NONE)]
    revived = own[own["variant"] == "revived"].assign(k=lambda t: t["K"].astype(float))
    several = revived.groupby("magnitude").nunique().max() > 1
    by = ["magnitude", *(n for n in PLACES if n in own and several[n])]
    if revived.groupby(by)["k"].nunique().max() < 2:
        return None
    colours = dict(zip(MAGNITUDES, cycle(COLOURS)))
    figure, axis = plt.subplots(figsize=(5.2, 3.4))
    for i, (cell, part) in enumerate(revived.groupby(by)):
        part = part.sort_values("k")
        spread = reach(part)
        points = axis.errorbar(
            part["k"], part["rate"], yerr=spread, marker="o", capsize=2, label=", ".join(cell),
            color=colours.get(cell[0]) if len(by) == 1 else CYCLE[i % len(CYCLE)],
        )  # fmt: skip
        tell(points.lines[0], *rate_texts(part, "magnitude", "K"))
    for variant, style in (("pretrained", ":"), ("pruned", "--")):
        plain = own[own["variant"] == variant]
        if len(plain):
            axis.axhline(plain["rate"].iloc[0], color=GREY, linestyle=style, label=variant)
    axis.set(xlabel="K, share of signs kept", ylabel="erased class recognised", ylim=(-0.02, 1.02))
    axis.set_title(name)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    return figure
