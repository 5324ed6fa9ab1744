"""Figures of defences: what they cost, and how well a detector finds what is missing."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from regrowth.files import keys
from regrowth.show.figures.style import ERASED, GREY, PRESERVED, reach


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
        spread = reach(part, "revival")
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
        *axes[0][0].get_legend_handles_labels(), loc="upper center",
        bbox_to_anchor=(0.5, 0), ncol=4, fontsize=9,
    )  # fmt: skip
    return figure


def detectability(table: pd.DataFrame, half_width: float) -> Figure:
    """Equation 7 over the mask's density and the fill's spread (the paper's Fig. 7), and where the
    layers of the study's defended models lie on it."""
    from regrowth.measure.detectability import posterior

    layers = table[table["layer"] != "all"].drop_duplicates([*keys.RELEASED, "layer"])
    layers = layers[layers["sigma_m"] > 0]
    ratio = layers["sigma_m"] / layers["sigma_u"]
    density = np.geomspace(0.005, max(0.5, layers["density"].max()), 120)
    spread = np.geomspace(min(0.05, ratio.min()), max(5, ratio.max()), 120)
    told = posterior(density[:, None], spread, 1.0, half_width)
    figure, axis = plt.subplots(figsize=(5.6, 3.8))
    surface = axis.pcolormesh(spread, density, told, cmap="cividis", vmin=0, shading="auto")
    surface.set_rasterized(True)
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
    axis.legend(fontsize=8, loc="lower right", labelcolor="w")
    return figure


def roc(table: pd.DataFrame) -> Figure:
    """Every detector's ROC over all layers, a panel a defence and sigma, the mean over concepts
    and draws."""
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
        axis.legend(fontsize=6.5)
    figure.supxlabel("kept weights taken for erased", fontsize=10)
    figure.supylabel("erased weights found", fontsize=10)
    return figure
