"""Figures of a study, for its page and for a paper. Each returns a Figure.

An SVG keeps its text as text, and names a curve or a point where the mouse rests.
"""

import re
import xml.etree.ElementTree as ET

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from regrowth.files import keys
from regrowth.measure.cells import by_variant

#: Okabe and Ito's colour-blind safe palette.
ERASED, PRESERVED, OTHER, GREY = "#D55E00", "#0072B2", "#009E73", "#888888"
CYCLE = [PRESERVED, ERASED, OTHER, "#CC79A7", "#E69F00", "#56B4E9"]
MAGNITUDE = {"max": "#D55E00", "mean": "#0072B2", "sample": "#009E73", "layer-sample": "#CC79A7"}
MAGNITUDE["normal-sample"] = "#E69F00"
#: What may set two rates of one variant apart, beside its magnitude and K.
PLACES = ("eraser", "solver", "detector", "weight_seed", "prompt_set", "judge")
#: More concepts than this are drawn thin, and their mean thick.
MANY = 6
SVG = "http://www.w3.org/2000/svg"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "regrowth",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=CYCLE),
    "legend.frameon": False,
}
plt.rcParams.update(STYLE)


def _variant(row) -> dict:
    return {key: row[key] for key in keys.VARIANT}


def _tell(artist, *texts: str) -> None:
    """What an artist says where the mouse rests: one text, or one for each of its points."""
    artist.set_gid("tell:" + "|".join(texts))


def save(figure: Figure, *targets) -> None:
    """Write a figure to files that end in .svg or .png, each at once, and close it."""
    from regrowth.files.store import replacing

    for target in targets:
        ending = str(target).rsplit(".", 1)[1]
        more = {"transparent": True, "metadata": {"Date": None}} if ending == "svg" else {}
        with replacing(target) as part:
            figure.savefig(part, format=ending, dpi=150, bbox_inches="tight", **more)
            if ending == "svg":
                _titled(part)
    plt.close(figure)


def _spread(part: pd.DataFrame, rate: str = "rate") -> np.ndarray:
    """How far the interval reaches to both sides, (2, rows), for error bars."""
    return np.abs(part[["low", "high"]].to_numpy().T - part[rate].to_numpy())


def _rates(part: pd.DataFrame, *columns: str) -> list[str]:
    """What points at rates with intervals tell, after the text of `columns`."""
    return [
        f"{', '.join(str(row[c]) for c in columns)}: "
        f"{row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}], n = {row['n']}"
        for row in part.to_dict("records")
    ]


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
    table = named(together(table))
    order = list(dict.fromkeys(table["name"]))
    figure, axis = plt.subplots(figsize=(7, 0.38 * len(order) + 1.2))
    for role, colour, shift in (("erased", ERASED, -0.13), ("preserved", PRESERVED, 0.13)):
        part = table[table["role"] == role]
        y = np.array([order.index(row) for row in part["name"]]) + shift
        spread = _spread(part)
        points = axis.errorbar(
            part["rate"], y, xerr=spread, fmt="o", color=colour, capsize=2, label=role
        )
        _tell(points.lines[0], *_rates(part, "name"))
    axis.set(yticks=range(len(order)), yticklabels=order, xlim=(-0.02, 1.02))
    axis.set(xlabel="recognised (Wilson 95 %)", title=name)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.28 + len(order) * 0.012), ncol=2)
    return figure


def named(table: pd.DataFrame) -> pd.DataFrame:
    """With a column `name`: the variant's label, and the prompt set and judge where one role has
    several of them."""
    labels = [keys.label(row) for row in table[list(keys.VARIANT)].to_dict("records")]
    names = pd.Series(labels, table.index, dtype=str)
    for key in ("prompt_set", "judge"):
        if key in table and table.groupby("role")[key].nunique().max() > 1:
            names = names + " (" + table[key] + ")"
    return table.assign(name=names)


def together(table: pd.DataFrame) -> pd.DataFrame:
    """Without the variants that are revived in one layer alone: they have a figure of their own."""
    return table[table["variant"].map(keys.kind) != "alone"]


def alone(table: pd.DataFrame, name: str, layers: list[str]) -> Figure:
    """The erased concept when one layer alone is revived, by layer and attack, beside all of them.

    layers: the attacked layers' names, in the model's order.
    """
    own = table[(table["role"] == "erased") & (table["defence"] == keys.NONE)]
    attacks = [key for key in keys.VARIANT if key != "variant"]
    single = own[own["variant"].map(keys.kind) == "alone"]
    single = single.assign(at=single["variant"].map(keys.layer_of))
    figure, axis = plt.subplots(figsize=(0.36 * len(layers) + 3, 3.2))
    for i, (cell, part) in enumerate(single.groupby(attacks, sort=False)):
        colour = CYCLE[i % len(CYCLE)]
        whole = own[(own["variant"] == "revived") & (own[attacks] == list(cell)).all(axis=1)]
        label = keys.label(dict(zip(attacks, cell)) | {"variant": "revived"})
        points = axis.errorbar(
            part["at"], part["rate"], _spread(part), fmt="o", color=colour, capsize=2, label=label
        )
        named = part.assign(layer=[place(layers[at]) for at in part["at"]])
        _tell(points.lines[0], *_rates(named, "layer"))
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


def over_k(table: pd.DataFrame, name: str) -> Figure | None:
    """Erased accuracy over K by magnitude; None where no magnitude has two values of K."""
    own = table[(table["role"] == "erased") & (table["defence"] == keys.NONE)]
    revived = own[own["variant"] == "revived"].assign(k=lambda t: t["K"].astype(float))
    by = ["magnitude", *(n for n in PLACES if n in own and revived[n].nunique() > 1)]
    if revived.groupby(by)["k"].nunique().max() < 2:
        return None
    figure, axis = plt.subplots(figsize=(5.2, 3.4))
    for i, (cell, part) in enumerate(revived.groupby(by)):
        part = part.sort_values("k")
        spread = _spread(part)
        points = axis.errorbar(
            part["k"], part["rate"], yerr=spread, marker="o", capsize=2, label=", ".join(cell),
            color=MAGNITUDE.get(cell[0]) if len(by) == 1 else CYCLE[i % len(CYCLE)],
        )  # fmt: skip
        _tell(points.lines[0], *_rates(part, "magnitude", "K"))
    for variant, style in (("pretrained", ":"), ("pruned", "--")):
        plain = own[own["variant"] == variant]
        if len(plain):
            axis.axhline(plain["rate"].iloc[0], color=GREY, linestyle=style, label=variant)
    axis.set(xlabel="K, share of signs kept", ylabel="erased class recognised", ylim=(-0.02, 1.02))
    axis.set_title(name)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
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
        spread = _spread(part, "revival")
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
        _tell(line, *_rates(told, "concept", "shares"))
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


def layers(table: pd.DataFrame) -> Figure:
    """Layer by layer, in the model's order: the missing share, and the signs that came back, of all
    and of the surest fifth, by concept."""
    first = table["solver"].iloc[0]
    own = table[table["solver"] == first]
    names = list(own["layer"].unique())
    concepts = list(own["concept"].unique())
    figure, axes = plt.subplots(
        2, 1, figsize=(0.36 * len(names) + 3, 5), sharex=True, height_ratios=[1, 2]
    )
    for concept, part in own.groupby("concept", sort=False):
        at = [names.index(layer) for layer in part["layer"]]
        many = len(concepts) > MANY
        drawn = {"color": GREY if many else CYCLE[concepts.index(concept)], "markersize": 4}
        drawn["alpha"] = 0.5 if many else 1
        told = part.assign(name=part["layer"].map(place), rate=part["density"])
        (line,) = axes[0].plot(at, part["density"], "o-", label=None if many else concept, **drawn)
        texts = zip(told["name"], told["rate"])
        _tell(line, *(f"{concept}, {name}: {rate:.3f} missing" for name, rate in texts))
        for ending, style, what in (("_top", "^--", "surest fifth"), ("", "o-", "all")):
            told = told.assign(
                **{
                    c: part[n + ending]
                    for c, n in zip(("rate", "low", "high"), ("accuracy", "low", "high"))
                },
                concept=f"{concept}, {what}",
            )
            points = axes[1].errorbar(
                at, told["rate"], _spread(told), fmt=style, linewidth=1, capsize=2, **drawn
            )
            _tell(points.lines[0], *_rates(told, "concept", "name"))
    axes[1].axhline(0.5, color=GREY, linestyle="--", linewidth=1)
    axes[0].set(ylabel="missing share", ylim=(0, None))
    axes[1].set(ylabel="signs right", xticks=range(len(names)))
    axes[1].set_xticklabels(map(place, names), rotation=60, ha="right", fontsize=8)
    styles = [
        plt.Line2D([], [], color=GREY, marker="^", linestyle="--", label="surest fifth"),
        plt.Line2D([], [], color=GREY, marker="o", label="all"),
    ]
    axes[1].legend(handles=styles, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    if len(concepts) <= MANY:
        axes[0].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1.1))
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure


#: What says where a layer is in a UNet: part, block, attention, transformer block.
_PLACE = re.compile(r"(\w+?)_block\w*(?:\.(\d+))?\.attentions\.(\d+)\.transformer_blocks\.(\d+)\.")


def place(layer: str) -> str:
    """Where a layer is, in short: "up 1.0" for up_blocks.1.attentions.0.transformer_blocks.0.ff…;
    with the number of the transformer block where that is not 0."""
    if found := _PLACE.match(layer):
        part, *at, block = found.groups()
        numbers = [n for n in (*at, block if block != "0" else None) if n]
        return f"{part} {'.'.join(numbers)}"
    found = re.match(r"text_encoder\.encoder\.layers\.(\d+)\.", layer)
    return f"text {found[1]}" if found else layer.removesuffix(".weight")
