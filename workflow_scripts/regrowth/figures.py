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


def defences(table: pd.DataFrame, name: str) -> Figure:
    """The trade-off over sigma (the paper's Fig. 6), a panel a defence: what is left of the erased
    and preserved classes, what the strongest attack regrows, and how well the best detector tells.
    """
    bare = table[table["defence"] == keys.NONE]
    kinds = [kind for kind in table["defence"].unique() if kind != keys.NONE]
    counts = [(table["defence"] == kind).sum() for kind in kinds]
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(0.55 * sum(counts) + 1.1 * len(kinds) + 2, 3.2), sharey=True,
        squeeze=False, width_ratios=[n + 0.5 for n in counts],
    )  # fmt: skip
    lines = {
        "erased, no attack": ("erased", ERASED, ":", "s"),
        "preserved": ("preserved", PRESERVED, "-", "^"),
        "AUC of the best detector": ("auc", GREY, "--", "x"),
    }
    for axis, kind in zip(axes[0], kinds):
        part = table[table["defence"] == kind].sort_values("sigma", key=lambda s: s.astype(float))
        at = np.arange(len(part))
        spread = np.abs(part[["low", "high"]].to_numpy().T - part["revival"].to_numpy())
        axis.errorbar(
            at, part["revival"], yerr=spread, fmt="o-", color=ERASED, capsize=3,
            label="strongest attack",
        )  # fmt: skip
        for label, (column, colour, style, marker) in lines.items():
            axis.plot(at, part[column], color=colour, linestyle=style, marker=marker, label=label)
        for rate in bare["revival"].dropna():
            axis.axhline(rate, color=ERASED, linewidth=0.8, alpha=0.6)
        axis.set(xticks=at, xticklabels=part["sigma"], xlabel="sigma", title=kind)
        axis.set(xlim=(-0.5, len(part) - 0.5), ylim=(-0.02, 1.02))
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("rate, area")
    figure.suptitle(
        f"{name}; thin line: the strongest attack without a defence", fontsize=10, y=1.04
    )
    figure.legend(
        *axes[0][0].get_legend_handles_labels(), frameon=False, loc="upper center",
        bbox_to_anchor=(0.5, 0), ncol=4, fontsize=9,
    )  # fmt: skip
    return figure


def detectability(table: pd.DataFrame, half_width: float) -> Figure:
    """Equation 7 over the mask's density and the fill's spread (the paper's Fig. 7), and where the
    layers of the study's defended models lie on it."""
    from regrowth.detectability import posterior

    layers = table[table["layer"] != "all"].drop_duplicates([*keys.RELEASED, "layer"])
    layers = layers[layers["sigma_m"] > 0]
    ratio = layers["sigma_m"] / layers["sigma_u"]
    density = np.geomspace(0.005, max(0.5, layers["density"].max()), 120)
    spread = np.geomspace(min(0.05, ratio.min()), max(5, ratio.max()), 120)
    told = posterior(density[:, None], spread, 1.0, half_width)
    figure, axis = plt.subplots(figsize=(5.6, 3.8))
    surface = axis.pcolormesh(spread, density, told, cmap="cividis", vmin=0, vmax=1, shading="auto")
    curves = axis.contour(spread, density, told, [0.05, 0.1, 0.25, 0.5, 0.75], colors="w")
    axis.clabel(curves, fontsize=8)
    figure.colorbar(surface, label=f"P(erased | within {half_width:g} sigma of 0)")
    markers = dict(zip(layers["defence"].unique(), "osv^D"))
    for kind, marker in markers.items():
        own = layers["defence"] == kind
        axis.scatter(
            ratio[own], layers["density"][own], s=14, marker=marker, edgecolors="w",
            linewidths=0.5, color=ERASED, label=kind,
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", ylabel="erased share of a layer")
    axis.set(xlabel="spread of the fill / of the kept weights", title="Equation 7, and our layers")
    axis.legend(fontsize=8, loc="lower right")
    return figure


def roc(table: pd.DataFrame) -> Figure:
    """Every detector's ROC over all layers, a panel a defence and sigma, the mean over concepts."""
    pooled = table[table["layer"] == "all"]
    cells = list(pooled[["defence", "sigma"]].drop_duplicates().itertuples(index=False))
    columns = min(len(cells), 4)
    lines = -(-len(cells) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(2.3 * columns + 0.8, 2.3 * lines + 0.5), sharex=True, sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for axis in axes.ravel()[len(cells) :]:
        axis.set_axis_off()
    for axis, cell in zip(axes.ravel(), cells):
        here = pooled[(pooled["defence"] == cell.defence) & (pooled["sigma"] == cell.sigma)]
        for i, (name, part) in enumerate(here.groupby("detector", sort=False)):
            curve = np.mean(np.stack(part["curve"]), axis=0)
            area = part["auc"].mean()
            axis.plot(
                np.linspace(0, 1, len(curve)), curve, color=f"C{i}", label=f"{name} {area:.2f}"
            )
        axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=0.8)
        axis.set_title(f"{cell.defence} {cell.sigma}", fontsize=9)
        axis.legend(frameon=False, fontsize=6.5, loc="lower right")
    figure.supxlabel("kept weights taken for erased", fontsize=10)
    figure.supylabel("erased weights found", fontsize=10)
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
