"""What attackers get back over what they spend, by what they know."""

import math

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from regrowth.attack import KNOWLEDGE
from regrowth.files import keys
from regrowth.measure.frontier import WORDS
from regrowth.show.figures.style import CYCLE, GREY, rate_texts, reach, tell

#: How attacks of one knowledge are told apart, by what is trained.
LINES = {"all": "-", "lora4": ":", keys.NONE: "-."}
ACROSS = 3
COLOURS = dict(zip(KNOWLEDGE, [*CYCLE, "#117733", "#882255", "#999933"]))


def frontier(table: pd.DataFrame, name: str) -> Figure:
    """Erased accuracy over the steps of training, an axis a released model. table: the frontier's
    rows of one concept."""
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
        axis.axhline(released["rate"].iloc[0], color=GREY, linestyle="--", label="as released")
    met = table[table["knows"] != ""]
    still = met[met["steps"] == 0]
    for knows, part in still.groupby("knows", sort=False):
        _points(axis, part, COLOURS[knows], "none", f"{WORDS[knows]}, nothing trained")
    trained = met[met["steps"] > 0]
    by = ["knows", "variant", "data", "parameters", "lr", "tokens", "through", "weight", "judged"]
    for keys_of, part in trained.groupby(by, sort=False):
        own = dict(zip(by, keys_of))
        parameters, judged = own["parameters"], own["judged"]
        how = {"inversion": "a word", "evasion": f"a word through {own['through']}"}
        how |= {"relearn": parameters.replace("all", "weights")}
        how |= {"autoguided": f"{parameters}, autoguided,"}
        label = f"{WORDS[own['knows']]}, {how.get(own['variant'], 'a ' + own['variant'])} trained"
        label += f", best of {judged}" if judged else ""
        _points(axis, part.sort_values("steps"), COLOURS[own["knows"]], LINES[parameters], label)
    axis.set_xscale("symlog", linthresh=10)
    axis.set(ylim=(-0.02, 1.02), xlim=(-2, None), xlabel="steps of training")
    ticks = sorted({0, *trained["steps"]})
    axis.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=8, rotation=45)
    axis.minorticks_off()
    axis.grid(alpha=0.3)


def _points(axis, part: pd.DataFrame, colour: str, line: str, label: str) -> None:
    drawn = axis.errorbar(
        part["steps"], part["rate"], yerr=reach(part), marker="o", markersize=4, capsize=2,
        linestyle=line, color=colour, label=label,
    )  # fmt: skip
    tell(drawn.lines[0], *rate_texts(part, "attack"))
