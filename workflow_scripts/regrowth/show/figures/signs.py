"""Figures of the signs and magnitudes that came back."""

from itertools import cycle, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from regrowth.show.figures.style import CYCLE, GREY, MANY, colours, legend, rate_texts, tell

#: Lines of the first solver, and of others.
DASHES = ("-", ":", "--", "-.")


def signs(table: pd.DataFrame) -> Figure:
    """Sign accuracy of the largest share of the completed entries (the paper's Table 6), by concept
    or eraser and solver, and of the guesses that need no completion."""
    figure, axis = plt.subplots(figsize=(6, 3.8))
    own = table[table["guess"] == "completed"]
    key, colour = colours(own)
    many, dashes = len(colour) > MANY, dict(zip(own["solver"].unique(), cycle(DASHES)))
    told = own.assign(rate=own["accuracy"], label=own[key] + ", " + own["solver"])
    told["shares"] = [f"{r.solver}, top {r.share:g}" for r in own.itertuples()]
    for (_, _, solver), part in told.groupby(["eraser", "concept", "solver"], sort=False):
        (line,) = axis.plot(
            part["share"], part["rate"], marker=".", alpha=0.35 if many else 0.85,
            label=None if many else part["label"].iloc[0],
            color=colour[part[key].iloc[0]], linestyle=dashes[solver],
        )  # fmt: skip
        tell(line, *rate_texts(part, *dict.fromkeys((key, "concept", "shares"))))
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
    legend(axis, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def alignment(table: pd.DataFrame) -> Figure:
    """Magnitude alignment as heat maps (the paper's Table 5), a column a solver and a row an
    eraser: of each fifth of the completed entries, the share in each fifth of the pretrained; the
    mean over concepts."""
    solvers, erasers = list(table["solver"].unique()), list(table["eraser"].unique())
    figure, axes = plt.subplots(
        len(erasers), len(solvers), squeeze=False, sharey=True, layout="constrained",
        figsize=(3.6 * len(solvers), 3.3 * len(erasers)),
    )  # fmt: skip
    top = max(0.5, table["share"].max())
    for axis, (eraser, solver) in zip(axes.flat, product(erasers, solvers)):
        own = table[(table["eraser"] == eraser) & (table["solver"] == solver)]
        mean = own.pivot_table(index="recovered", columns="pretrained", values="share")
        if mean.empty:
            axis.set_axis_off()
            continue
        axis.imshow(mean, cmap="cividis", vmin=0, vmax=top)
        for (i, j), value in np.ndenumerate(mean.to_numpy()):
            colour = "w" if value < top / 2 else "#000001"
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=9)
        title = f"{eraser}, {solver}" if len(erasers) > 1 else solver
        axis.set(xticks=range(len(mean.columns)), xticklabels=mean.columns, title=title)
        axis.set(yticks=range(len(mean.index)), yticklabels=mean.index)
        axis.set_xlabel("fifth by pretrained magnitude")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("fifth by completed magnitude")
    return figure
