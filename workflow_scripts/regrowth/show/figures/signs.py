"""Figures of the signs and magnitudes that came back."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from regrowth.show.figures.style import CYCLE, GREY, MANY, rate_texts, tell


def signs(table: pd.DataFrame) -> Figure:
    """Sign accuracy of the largest share of the completed entries (the paper's Table 6), by concept
    and solver, and of the guesses that need no completion."""
    figure, axis = plt.subplots(figsize=(6, 3.8))
    own = table[table["guess"] == "completed"]
    concepts = list(own["concept"].unique())
    many = len(concepts) > MANY
    for (concept, solver), part in own.groupby(["concept", "solver"], sort=False):
        shares = [f"{solver}, top {share:g}" for share in part["share"]]
        (line,) = axis.plot(
            part["share"], part["accuracy"], marker=".", alpha=0.35 if many else 0.85,
            label=None if many else f"{concept}, {solver}",
            color=GREY if many else CYCLE[concepts.index(concept)],
            linestyle="-" if solver == "nuclear" else ":",
        )  # fmt: skip
        told = part.assign(rate=part["accuracy"], shares=shares)
        tell(line, *rate_texts(told, "concept", "shares"))
        if not many:
            axis.fill_between(part["share"], part["low"], part["high"], color=GREY, alpha=0.25)
    means = table.groupby(["solver", "guess", "share"], sort=False)["accuracy"].mean()
    for i, solver in enumerate(own["solver"].unique() if many else []):
        mean = means[solver, "completed"]
        axis.plot(mean.index, mean, color=CYCLE[i], linewidth=2.5, label=f"{solver}, mean")
    first = own["solver"].iloc[0]
    for guess, style in (("row majority", "-."), ("column majority", ":"), ("random", "--")):
        if (first, guess) in means.index.droplevel("share"):
            mean = means[first, guess]
            axis.plot(mean.index, mean, color=GREY, linestyle=style, linewidth=1, label=guess)
    axis.set(xlabel="largest share of completed entries", ylabel="signs right", ylim=(0.45, 1.01))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def alignment(table: pd.DataFrame) -> Figure:
    """Magnitude alignment as a heat map (the paper's Table 5), a panel a solver: of each fifth of
    the completed entries, the share in each fifth of the pretrained; the mean over concepts."""
    solvers = list(table["solver"].unique())
    figure, axes = plt.subplots(
        1, len(solvers), figsize=(3.6 * len(solvers), 3.3), squeeze=False, sharey=True
    )
    top = max(0.5, table["share"].max())
    for axis, solver in zip(axes[0], solvers):
        mean = table[table["solver"] == solver].pivot_table(
            index="recovered", columns="pretrained", values="share"
        )
        axis.imshow(mean, cmap="cividis", vmin=0, vmax=top)
        for (i, j), value in np.ndenumerate(mean.to_numpy()):
            colour = "w" if value < top / 2 else "#000001"
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=9)
        axis.set(xticks=range(len(mean.columns)), xticklabels=mean.columns, title=solver)
        axis.set(yticks=range(len(mean.index)), yticklabels=mean.index)
        axis.set_xlabel("fifth by pretrained magnitude")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    axes[0][0].set_ylabel("fifth by completed magnitude")
    return figure
