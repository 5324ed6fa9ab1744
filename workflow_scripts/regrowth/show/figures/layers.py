"""Figures of an attack layer by layer."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from regrowth.files import keys
from regrowth.show.figures.style import (
    CYCLE,
    GREY,
    MANY,
    colours,
    legend,
    place,
    rate_texts,
    reach,
    tell,
)
from regrowth.study import variants


def alone(table: pd.DataFrame, name: str, layers: list[str]) -> Figure:
    """The erased concept when one layer alone is revived, by layer and attack, beside all of them.

    layers: the attacked layers' names, in the model's order.
    """
    own = table[(table["role"] == "erased") & (table["defence"] == keys.NONE)]
    attacks = [key for key in variants.KEYS if key not in ("variant", "layer_alone")]
    single = own[own["variant"] == "alone"]
    single = single.assign(at=single["layer_alone"].astype(int))
    figure, axis = plt.subplots(figsize=(0.36 * len(layers) + 3, 3.2))
    for i, (cell, part) in enumerate(single.groupby(attacks, sort=False)):
        colour = CYCLE[i % len(CYCLE)]
        whole = own[(own["variant"] == "revived") & (own[attacks] == list(cell)).all(axis=1)]
        label = variants.label(dict(zip(attacks, cell)) | {"variant": "revived"})
        points = axis.errorbar(
            part["at"], part["rate"], reach(part), fmt="o", color=colour, capsize=2, label=label
        )
        named = part.assign(layer=[place(layers[at]) for at in part["at"]])
        tell(points.lines[0], *rate_texts(named, "layer"))
        for rate in whole["rate"]:
            axis.axhline(rate, color=colour, linewidth=1, label=f"{label}, all layers")
    for variant, style in (("pretrained", ":"), ("pruned", "--")):
        for rate in own.loc[own["variant"] == variant, "rate"][:1]:
            axis.axhline(rate, color=GREY, linestyle=style, label=variant)
    axis.set(xticks=range(len(layers)), ylim=(-0.02, 1.02), title=name)
    axis.set_xticklabels(map(place, layers), rotation=60, ha="right", fontsize=8)
    axis.set_ylabel("erased class recognised")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def layers(table: pd.DataFrame) -> Figure:
    """Layer by layer, in the model's order: the missing share, and the signs that came back, of all
    and of the surest fifth, by concept or eraser."""
    first = table["solver"].iloc[0]
    own = table[table["solver"] == first]
    names = list(own["layer"].unique())
    key, colour = colours(own)
    many = len(colour) > MANY
    figure, axes = plt.subplots(
        2, 1, figsize=(0.36 * len(names) + 3, 5), sharex=True, height_ratios=[1, 2]
    )
    for (eraser, concept), part in own.groupby(["eraser", "concept"], sort=False):
        at = [names.index(layer) for layer in part["layer"]]
        label = part[key].iloc[0]
        drawn = {"color": colour[label], "markersize": 4, "alpha": 0.5 if many else 1}
        told = part.assign(name=part["layer"].map(place), rate=part["density"])
        (line,) = axes[0].plot(at, part["density"], "o-", label=None if many else label, **drawn)
        of = f"{eraser}, {concept}" if key == "eraser" else concept
        texts = zip(told["name"], told["rate"])
        tell(line, *(f"{of}, {name}: {rate:.3f} missing" for name, rate in texts))
        for ending, style, what in (("_top", "^--", "surest fifth"), ("", "o-", "all")):
            told = told.assign(
                **{
                    c: part[n + ending]
                    for c, n in zip(("rate", "low", "high"), ("accuracy", "low", "high"))
                },
                concept=f"{of}, {what}",
            )
            points = axes[1].errorbar(
                at, told["rate"], reach(told), fmt=style, linewidth=1, capsize=2, **drawn
            )
            tell(points.lines[0], *rate_texts(told, "concept", "name"))
    axes[1].axhline(0.5, color=GREY, linestyle="--", linewidth=1)
    axes[0].set(ylabel="missing share", ylim=(0, None))
    axes[1].set(ylabel="signs right", xticks=range(len(names)))
    axes[1].set_xticklabels(map(place, names), rotation=60, ha="right", fontsize=8)
    styles = [
        plt.Line2D([], [], color=GREY, marker="^", linestyle="--", label="surest fifth"),
        plt.Line2D([], [], color=GREY, marker="o", label="all"),
    ]
    axes[1].legend(handles=styles, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    if not many:
        legend(axes[0], fontsize=8, loc="upper left", bbox_to_anchor=(1, 1.1))
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure
