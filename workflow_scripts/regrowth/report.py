"""The report: one self-contained page, and a table for the terminal."""

import base64
from pathlib import Path

import jinja2
import pandas as pd
from regrowth import keys
from regrowth.paper import coverage
from regrowth.tradeoff import advice

NOTHING = pd.DataFrame(columns=["concept"])
TEMPLATE = Path(__file__).with_name("report.html.j2")


def _rate(row) -> str:
    return f"{row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def readable(accuracy: pd.DataFrame) -> pd.DataFrame:
    """One line per concept × variant: both rates with interval and n, the gain on pruned."""
    lines = []
    for values, part in accuracy.groupby(list(keys.VARIANT), sort=False):
        roles = {row["role"]: row for _, row in part.iterrows()}
        line = {"concept": values[0], "variant": keys.label(dict(zip(keys.VARIANT, values)))}
        for role in ("erased", "preserved"):
            row = roles.get(role)
            line[role] = "" if row is None else _rate(row)
            line[f"n {role}"] = 0 if row is None else int(row["n"])
        row = roles.get("erased")
        known = row is not None and pd.notna(row.get("gain_on_pruned"))
        line["gain on pruned"] = (
            f"{row['gain_on_pruned']:+.2f} (p={row['mcnemar_p']:.2g})" if known else ""
        )
        lines.append(line)
    return pd.DataFrame(lines)


def pooled(accuracy: pd.DataFrame, concepts: list[str]) -> pd.DataFrame:
    """Rates over all pictures of several concepts, by variant; only variants all of them have.

    Of one concept alone there is nothing to pool, and no row.
    """
    from regrowth.tables import interval

    without = [key for key in keys.VARIANT if key != "concept"]
    rows = []
    for values, part in accuracy[accuracy["concept"].isin(concepts)].groupby(
        [*without, "role"], sort=False
    ):
        if part["concept"].nunique() < max(len(concepts), 2):
            continue
        hits, n = int(part["hits"].sum()), int(part["n"].sum())
        low, high = interval(hits, n)
        cell = dict(zip([*without, "role"], values)) | {"concept": "all objects"}
        rows.append(cell | {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high})
    columns = [*keys.VARIANT, "role", "hits", "n", "rate", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def answer(accuracy: pd.DataFrame) -> str:
    """The study in one sentence: every concept after erasure and after its best `max` regrowth."""
    erased = accuracy[(accuracy["role"] == "erased") & (accuracy["defence"] == keys.NONE)]
    told = []
    for concept, part in erased.groupby("concept", sort=False):
        pruned = part[part["variant"] == "pruned"]
        revived = part[(part["variant"] == "revived") & (part["magnitude"] == "max")]
        if len(pruned) and len(revived):
            best = revived.loc[revived["rate"].idxmax()]
            told.append(
                f"{concept}: recognised in {pruned['rate'].iloc[0]:.0%} of pictures after erasure, "
                f"in {best['rate']:.0%} after its best regrowth (max, K={best['K']})"
            )
    return "; ".join(told) + "." if told else "No concept has both a pruned and a revived variant."


def sign_summary(signs: pd.DataFrame) -> pd.DataFrame:
    """Signs right for the surest fifth and for all, by concept, solver and way of guessing."""
    chosen = signs[signs["share"].isin([0.2, 1.0])].copy()
    chosen["shown"] = [f"{r.accuracy:.3f} [{r.low:.3f}, {r.high:.3f}]" for r in chosen.itertuples()]
    chosen["share"] = chosen["share"].map({0.2: "top .2", 1.0: "all"})
    wide = chosen.pivot(index=["concept", "solver", "guess"], columns="share", values="shown")
    return wide.reset_index()[["concept", "solver", "guess", "top .2", "all"]]


def readable_defences(table: pd.DataFrame) -> pd.DataFrame:
    """One line per concept and defence, rates with their intervals in one cell."""
    if table.empty:
        return table
    lines = pd.DataFrame(
        {
            "concept": table["concept"],
            "defence": (table["defence"] + " " + table["sigma"]).str.replace(" none", ""),
            "erased": table["erased"].map("{:.2f}".format),
            "preserved": table["preserved"].map("{:.2f}".format),
            "strongest attack": table["strongest"].astype(object),
            "of": table["attacks"],
            "regrows": [_rate({"rate": r.revival, **r._asdict()}) for r in table.itertuples()],
            "detector": table["detector"],
            "AUC": table["auc"].map("{:.2f}".format),
            "found at 1 % false": table["tpr"].map("{:.2f}".format),
            "holds": table["holds"],
            "": table["recommended"].map({True: "recommended", False: ""}),
        }
    )
    shown = ["strongest attack", "regrows", "holds"]
    lines.loc[table["attacks"] == 0, shown] = "not attacked", "", ""
    return lines


def detectors_side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """The area under each detector's ROC over all layers, and equation 7's posterior."""
    if table.empty:
        return table
    pooled = table[table["layer"] == "all"]
    index = ["concept", "eraser", "defence", "sigma", "density", "posterior"]
    areas = pooled.pivot(index=index, columns="detector", values="auc")
    return areas[pooled["detector"].unique()].reset_index()


def terminal(tables: dict[str, pd.DataFrame], objects: list[str]) -> str:
    everything = pd.concat([tables["accuracy"], pooled(tables["accuracy"], objects)])
    table = readable(everything).rename(columns={"n erased": "n", "n preserved": "n "})
    signs = sign_summary(tables["signs"])
    signs = signs[signs["guess"] == "completed"].drop(columns="guess")
    missing = f"\n\nMissing: {len(tables['missing'])} variants" if len(tables["missing"]) else ""
    if told := advice(tables.get("defences", NOTHING)):
        missing += f"\n\nDefences: {told}"
    open_ = unconverged(tables["solves"])
    if len(open_):
        missing += f"\n\nCompletions that did not converge:\n{open_.to_string(index=False)}"
    return (
        f"{table.to_string(index=False)}\n\nSigns right:\n{signs.to_string(index=False)}{missing}"
    )


def unconverged(solves: pd.DataFrame) -> pd.DataFrame:
    """The layers whose completion stopped before it converged."""
    shown = ["concept", "solver", "layer", "iterations", "residual", "note"]
    return solves.loc[~solves["converged"], shown]


def page(
    study: dict,
    tables: dict[str, pd.DataFrame],
    figures: list[tuple[str, str]],
    objects: list[str],
) -> str:
    """The page. tables: by name, as `tables.all_tables` makes them; figures: (caption, PNG)."""
    parts, printed = tables["parts"], tables.get("paper", pd.DataFrame())
    shown = {
        "Accuracy": readable(tables["accuracy"]),
        "Accuracy over all objects": readable(pooled(tables["accuracy"], objects)),
        "Defences": readable_defences(tables.get("defences", NOTHING)),
        "Detectability": detectors_side_by_side(tables.get("detectability", NOTHING)),
        "Normality of the kept weights": tables.get("normality", NOTHING),
        "Signs": sign_summary(tables["signs"]),
        "Magnitude alignment": tables["alignment"]
        .pivot(index=["concept", "solver", "recovered"], columns="pretrained", values="share")
        .reset_index(),
        "CLIP similarity": _with_label(tables["similarity"]),
        "FID": _with_label(tables["fid"]),
        "NudeNet detections": _with_label(tables["detections"]),
        "NudeNet, by body part": _with_label(parts[parts["images"] > 0]),
        "Of the paper's figures": coverage(printed) if len(printed) else printed,
        "Beside the paper": printed[printed["measured"].notna()] if len(printed) else printed,
        "Completions that did not converge": unconverged(tables["solves"]),
        "Missing variants": tables["missing"],
    }
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text()).render(
        study=study,
        sentence=" ".join([answer(tables["accuracy"]), advice(tables.get("defences", NOTHING))]),
        figures=[
            (caption, base64.b64encode(Path(file).read_bytes()).decode())
            for caption, file in figures
        ],
        tables={
            title: frame.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="")
            for title, frame in shown.items()
            if len(frame)
        },
    )


def _with_label(frame: pd.DataFrame) -> pd.DataFrame:
    """The keys of a row folded into one readable name."""
    if frame.empty:
        return frame
    names = [keys.label(row) for row in frame[list(keys.VARIANT)].to_dict("records")]
    rest = frame.drop(columns=[k for k in keys.VARIANT if k != "concept"])
    rest.insert(1, "variant name", names)
    return rest
