"""Figures: before and after, accuracy by variant, accuracy over K, signs. Each returns a Figure."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from regrowth import keys
from regrowth.tables import by_variant

#: Okabe and Ito's colour-blind safe palette.
ERASED, PRESERVED, OTHER, GREY = "#D55E00", "#0072B2", "#009E73", "#888888"
MAGNITUDE = {"max": "#D55E00", "mean": "#0072B2", "sample": "#009E73"}


def _variant(row) -> dict:
    return {key: row[key] for key in keys.VARIANT}


def save(figure: Figure, target) -> None:
    """Write `target` (.svg or .png) at once, and close the figure."""
    from regrowth.store import replacing

    with replacing(target) as part:
        figure.savefig(part, format=str(target).rsplit(".", 1)[1], dpi=150, bbox_inches="tight")
    plt.close(figure)


def pictures(thumbnails: pd.DataFrame, name: str, columns: int = 8) -> Figure:
    """Before and after: a row of pictures per variant, the same prompt and seed in a column."""
    from regrowth.images import decode

    groups = by_variant(thumbnails)
    images = [["prompt", "seed"]]
    first = groups[0][1].set_index(images[0]).index[:columns]
    figure, axes = plt.subplots(
        len(groups),
        len(first),
        figsize=(len(first) * 0.95 + 1.6, len(groups) * 0.95),
        squeeze=False,
    )
    for line, (cell, part) in zip(axes, groups):
        part = part.set_index(images[0])
        for axis, key in zip(line, first):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if key in part.index:
                axis.imshow(decode(part.loc[key, "image"]))
        line[0].set_ylabel(
            keys.label(cell), rotation=0, ha="right", va="center", labelpad=8, fontsize=10
        )
    figure.subplots_adjust(wspace=0.03, hspace=0.03)
    title = f"{name}: the same prompts and seeds in every row"
    above = figure.subplotpars.top + 0.1 / figure.get_figheight()
    figure.suptitle(title, fontsize=11, y=above, va="bottom")
    return figure


def accuracy(table: pd.DataFrame, name: str) -> Figure:
    """Erased and preserved rates of every variant of one concept, with 95 % intervals."""
    order = list(dict.fromkeys(keys.label(_variant(r)) for _, r in table.iterrows()))
    figure, axis = plt.subplots(figsize=(7, 0.38 * len(order) + 1.2))
    for role, colour, shift in (("erased", ERASED, -0.13), ("preserved", PRESERVED, 0.13)):
        part = table[table["role"] == role]
        y = np.array([order.index(keys.label(_variant(r))) for _, r in part.iterrows()]) + shift
        spread = np.abs(part[["low", "high"]].to_numpy().T - part["rate"].to_numpy())
        axis.errorbar(part["rate"], y, xerr=spread, fmt="o", color=colour, capsize=2, label=role)
    axis.set(yticks=range(len(order)), yticklabels=order, xlim=(-0.02, 1.02))
    axis.set(xlabel="recognised (Wilson 95 %)", title=name)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.legend(
        frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.28 + len(order) * 0.012), ncol=2
    )
    return figure


def over_k(table: pd.DataFrame, name: str) -> Figure | None:
    """Erased accuracy over K by magnitude; None where no magnitude has two values of K."""
    revived = table[(table["variant"] == "revived") & (table["role"] == "erased")]
    revived = revived[revived["defence"] == keys.NONE].assign(k=lambda t: t["K"].astype(float))
    if revived.groupby("magnitude")["k"].nunique().max() < 2:
        return None
    figure, axis = plt.subplots(figsize=(5.2, 3.4))
    for magnitude, part in revived.groupby("magnitude"):
        part = part.sort_values("k")
        spread = np.abs(part[["low", "high"]].to_numpy().T - part["rate"].to_numpy())
        axis.errorbar(
            part["k"], part["rate"], yerr=spread, marker="o", capsize=2,
            color=MAGNITUDE[magnitude], label=magnitude,
        )  # fmt: skip
    for variant, style in (("pretrained", ":"), ("pruned", "--")):
        plain = table[(table["variant"] == variant) & (table["role"] == "erased")]
        plain = plain[plain["defence"] == keys.NONE]
        if len(plain):
            axis.axhline(plain["rate"].iloc[0], color=GREY, linestyle=style, label=variant)
    axis.set(xlabel="K, share of signs kept", ylabel="erased class recognised", ylim=(-0.02, 1.02))
    axis.set_title(name)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=9)
    return figure


def signs(table: pd.DataFrame) -> Figure:
    """Sign accuracy of the largest share of the completed entries, by concept and solver."""
    figure, axis = plt.subplots(figsize=(5.6, 3.6))
    own = table[table["guess"] == "completed"]
    colours = {concept: f"C{i}" for i, concept in enumerate(own["concept"].unique())}
    for (concept, solver), part in own.groupby(["concept", "solver"], sort=False):
        axis.plot(
            part["share"], part["accuracy"], marker=".", alpha=0.85, label=f"{concept}, {solver}",
            color=colours[concept], linestyle="-" if solver == "nuclear" else ":",
        )  # fmt: skip
    axis.axhline(0.5, color=GREY, linestyle="--", label="chance")
    axis.set(xlabel="largest share of completed entries", ylabel="signs right", ylim=(0.45, 1.01))
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8, ncol=2)
    return figure
