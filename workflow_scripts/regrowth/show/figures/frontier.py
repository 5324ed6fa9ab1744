"""The frontier: the most that attackers get back for what they spend, by what they know."""

import math

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from regrowth.attack import KNOWLEDGE
from regrowth.measure.frontier import WORDS
from regrowth.show.figures.style import CYCLE, GREY, rate_texts, reach, tell

ACROSS = 3
COLOURS = dict(zip(KNOWLEDGE, [*CYCLE, "#117733", "#882255", "#999933", "#661100"]))
#: Below so many pictures the axis is linear: who trains nothing spends none.
LINEAR = 100


def frontier(table: pd.DataFrame, name: str) -> Figure:
    """Erased accuracy over the pictures that went through the UNet, an axis a released model and a
    line a knowledge; thin and broken, where the model never knew the concept. table: the frontier's
    rows of one concept."""
    table = table.assign(cost=table["forwards"] + table["backwards"])
    erasers = list(dict.fromkeys(table["eraser"]))
    across = min(ACROSS, len(erasers))
    down = math.ceil(len(erasers) / across)
    figure, axes = plt.subplots(
        down, across, figsize=(3.4 * across + 1, 2.7 * down + 0.6), squeeze=False, sharey=True
    )
    for axis, eraser in zip(axes.flat, erasers):
        _one(axis, table[table["eraser"] == eraser])
        axis.set_title(eraser, fontsize=10)
    for axis in axes.flat[len(erasers) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("recognised")
    handles = {h.get_label(): h for axis in axes.flat for h in axis.get_legend_handles_labels()[0]}
    figure.legend(
        handles.values(), handles.keys(), loc="upper center", bbox_to_anchor=(0.5, 0.02), ncol=3
    )
    figure.suptitle(name, y=0.99)
    figure.tight_layout()
    return figure


def _one(axis, table: pd.DataFrame) -> None:
    released = table[table["knows"] == ""]
    if len(released):
        axis.axhline(released["rate"].iloc[0], color=GREY, linestyle=":", label="as released")
    dearest = table["cost"].max()
    for knows, met in table[table["knows"] != ""].groupby("knows", sort=False):
        colour = COLOURS[knows]
        axis.scatter(met["cost"], met["rate"], s=6, color=colour, alpha=0.35, linewidths=0)
        best = most(met, "rate")
        _steps(axis, best, "rate", dearest, color=colour)
        drawn = axis.errorbar(
            best["cost"], best["rate"], yerr=reach(best), marker="o", markersize=4, capsize=2,
            linestyle="none", color=colour, label=WORDS[knows],
        )  # fmt: skip
        tell(drawn.lines[0], *rate_texts(best, "attack"))
        never = most(met.dropna(subset="control"), "control")
        if len(never):
            _steps(axis, never, "control", dearest, color=colour, linestyle="--", linewidth=0.9)
            axis.plot([], [], color=GREY, linestyle="--", label="where it was never known")
    axis.set_xscale("symlog", linthresh=LINEAR, linscale=0.4)
    axis.set(ylim=(-0.02, 1.02), xlim=(-0.1 * LINEAR, None))
    axis.set_xlabel("pictures through the UNet", fontsize=9)
    axis.tick_params(axis="x", labelsize=8)
    axis.minorticks_off()
    axis.grid(alpha=0.3)


def _steps(axis, best: pd.DataFrame, rate: str, dearest: float, **style) -> None:
    costs, rates = [*best["cost"], dearest], [*best[rate], best[rate].iloc[-1]]
    axis.step(costs, rates, where="post", **style)


def most(table: pd.DataFrame, rate: str) -> pd.DataFrame:
    """Of attacks, those that bring more than every one that costs as much or less."""
    cheapest = table.sort_values(["cost", rate], ascending=[True, False], kind="stable")
    return cheapest[cheapest[rate] > cheapest[rate].cummax().shift(fill_value=-1)]
