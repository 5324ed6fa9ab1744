"""Tables as people read them: few columns, a rate and its interval in one cell."""

from collections.abc import Container, Mapping

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.measure.cells import interval
from regrowth.measure.frontier import known
from regrowth.show.figures.style import place
from regrowth.study import variants


def rate_text(row) -> str:
    """A row's rate, low and high as "0.82 [0.70, 0.91]"."""
    return f"{row['rate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def readable(accuracy: pd.DataFrame, show=rate_text) -> pd.DataFrame:
    """One line per concept × variant: both rates with interval and n, the gain on pruned. Where a
    role has several prompt sets or judges there is a line for each, and columns that say which.

    show: what a cell makes of a row with rate, low, high and n.
    """
    of = [name for name in ("prompt_set", "judge") if name in accuracy]
    lines = []
    for values, part in accuracy.groupby(list(variants.KEYS), sort=False):
        for erased, preserved in _pairs(part, of):
            line = {
                "concept": values[0],
                "variant": variants.label(dict(zip(variants.KEYS, values))),
            }
            for name in of:
                rows = [row[name] for row in (erased, preserved) if row is not None]
                line[name.replace("_", " ")] = ", ".join(dict.fromkeys(rows))
            for role, row in (("erased", erased), ("preserved", preserved)):
                line[role] = "" if row is None else show(row)
                line[f"n {role}"] = 0 if row is None else int(row["n"])
            known = erased is not None and pd.notna(erased.get("gain_on_pruned"))
            line["gain on pruned"] = (
                f"{erased['gain_on_pruned']:+.2f} (p={erased['mcnemar_p']:.2g})" if known else ""
            )
            lines.append(line)
    table = pd.DataFrame(lines)
    if table.empty or not table.duplicated(["concept", "variant"]).any():
        table = table.drop(columns=["prompt set", "judge"], errors="ignore")
    return table


def _pairs(part: pd.DataFrame, of: list[str]) -> list[tuple]:
    """One variant's rows as (erased, preserved): those of one prompt set and judge stand together,
    then the rest in its order; None where there is no other."""
    roles = {
        role: [row for _, row in part[part["role"] == role].iterrows()]
        for role in ("erased", "preserved")
    }
    found, others = [], roles["preserved"]
    for row in roles["erased"]:
        twin = [i for i, other in enumerate(others) if all(other[n] == row[n] for n in of)]
        found.append((row, others.pop(twin[0]) if twin else None))
    for i, (row, other) in enumerate(found):
        if other is None and others:
            found[i] = row, others.pop(0)
    return [*found, *((None, other) for other in others)]


def pooled(
    accuracy: pd.DataFrame, concepts: list[str], together: Container[str] = ()
) -> pd.DataFrame:
    """Rates over all pictures of several concepts, by variant, prompt set and judge; only variants
    all of them have.

    Of one concept alone there is nothing to pool, and no row. Nor is there one for what a model as
    it is preserves, or one of an eraser of several concepts, which `together` has: the same
    pictures stand beside every concept, and would be counted again.
    """
    by = [*(key for key in variants.KEYS if key != "concept"), "prompt_set", "role", "judge"]
    rows = []
    for values, part in accuracy[accuracy["concept"].isin(concepts)].groupby(by, sort=False):
        cell = dict(zip(by, values)) | {"concept": "all objects"}
        shared = cell["eraser"] == keys.NONE or cell["eraser"] in together
        again = shared and cell["role"] == "preserved"
        if again or part["concept"].nunique() < max(len(concepts), 2):
            continue
        hits, n = int(part["hits"].sum()), int(part["n"].sum())
        low, high = interval(hits, n)
        rows.append(cell | {"hits": hits, "n": n, "rate": hits / n, "low": low, "high": high})
    columns = [*variants.KEYS, "prompt_set", "role", "judge", "hits", "n", "rate", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def sign_summary(signs: pd.DataFrame) -> pd.DataFrame:
    """Signs right for the surest fifth and for all, by concept, solver and way of guessing."""
    chosen = signs[signs["share"].isin([0.2, 1.0])].copy()
    chosen["shown"] = [f"{r.accuracy:.3f} [{r.low:.3f}, {r.high:.3f}]" for r in chosen.itertuples()]
    chosen["share"] = chosen["share"].map({0.2: "top .2", 1.0: "all"})
    by = [*_erasers(signs), "concept", "solver", "guess"]
    wide = chosen.pivot(index=by, columns="share", values="shown")
    return wide.reset_index()[[*by, "top .2", "all"]]


def _erasers(frame: pd.DataFrame) -> list[str]:
    """The eraser's column, if there are several."""
    return ["eraser"] if frame["eraser"].nunique() > 1 else []


def readable_defences(table: pd.DataFrame) -> pd.DataFrame:
    """One line per concept and defence, rates with their intervals in one cell."""
    if table.empty:
        return table
    lines = pd.DataFrame(
        {
            "concept": table["concept"],
            "defence": (table["defence"] + " " + table["sigma"]).str.replace(" none", ""),
            "draws": table["draws"],
            "holds": table["holds"]
            + table["recommended"].map({True: ", recommended", False: ""})
            + table["fewer"].map({True: ", met fewer attacks", False: ""}),
            "erased": table["erased"].map("{:.2f}".format, na_action="ignore").fillna(""),
            "preserved": [
                rate_text({"rate": r.preserved, "low": r.preserved_low, "high": r.preserved_high})
                if pd.notna(r.preserved)
                else ""
                for r in table.itertuples()
            ],
            "strongest attack": [
                f"{r.strongest}{variants.drawn(r.weight_seed)}" for r in table.itertuples()
            ],
            "of": table["attacks"],
            "regrows": [rate_text({"rate": r.revival, **r._asdict()}) for r in table.itertuples()],
            "against erasure alone": _signed(table, "difference"),
            "cost": _signed(table, "cost"),
            "detector": table["detector"],
            "AUC": table["auc"].map("{:.2f}".format),
            "found at 1 % false": table["tpr"].map("{:.2f}".format),
        }
    )
    shown = ["strongest attack", "regrows", "against erasure alone", "holds"]
    lines.loc[table["attacks"] == 0, shown] = "not attacked", "", "", ""
    return lines if (table["draws"] > 1).any() else lines.drop(columns="draws")


def _signed(table: pd.DataFrame, name: str) -> list[str]:
    """A difference of rates with its interval, in every row that has one."""
    ends = zip(*(table[f"{name}{end}"] for end in ("", "_low", "_high")))
    return [f"{d:+.2f} [{low:+.2f}, {high:+.2f}]" if pd.notna(d) else "" for d, low, high in ends]


def detectors_side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """The area under each detector's ROC over all layers, and equation 7's posterior."""
    if table.empty:
        return table
    pooled = table[table["layer"] == "all"]
    index = [*keys.RELEASED, "density", "posterior"]
    areas = pooled.pivot(index=index, columns="detector", values="auc")
    return areas[pooled["detector"].unique()].reset_index()


def unconverged(solves: pd.DataFrame) -> pd.DataFrame:
    """The layers whose completion stopped before it converged."""
    shown = [*_erasers(solves), "concept", "solver", "layer", "iterations", "residual", "note"]
    return solves.loc[~solves["converged"], shown]


def readable_pairwise(table: pd.DataFrame) -> pd.DataFrame:
    """One line per two attacks on an undefended model; the difference with its interval."""
    table = table[table["defence"] == keys.NONE]
    shown = table[["concept", *_erasers(table), "prompt_set", "judge", "first", "second"]]
    spread = table.rename(columns={"low": "difference_low", "high": "difference_high"})
    return shown.rename(columns={"prompt_set": "prompt set"}).assign(
        rates=[f"{r.first_rate:.2f}, {r.second_rate:.2f}" for r in table.itertuples()],
        difference=_signed(spread, "difference"),
        n=table["pairs"],
        p=table["mcnemar_p"].map("{:.2g}".format),
    )


def readable_erasers(table: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """One line per concept and eraser: rates as rate, low, high and n, for the page to draw.
    printed: as `paper.beside` makes it, empty if a study has none."""
    made = ["mask" if how == "given" else how for how in table["how"]]
    shown = table[["concept", "eraser"]].assign(**{"made by": made})
    for name, column in (("erased", "erased"), ("preserved", "others"), ("attacked", "attacked")):
        shown[name] = [_rate_of(row, column) for row in table.to_dict("records")]
    shown["attack"] = table["attack"].fillna("")
    if len(printed):
        shown["printed"] = [_printed(printed, row) for row in table.to_dict("records")]
    return shown.assign(
        distance=[f"{d:.3f}" if pd.notna(d) else "" for d in table["distance"]],
        **{"another seed": [f"{d:.3f}" if pd.notna(d) else "" for d in table["other_seed"]]},
        **{"weights changed": [f"{int(n):,}" if pd.notna(n) else "" for n in table["changed"]]},
        **{"forwards, backwards": [_passes(row) for row in table.to_dict("records")]},
        destroyed=table["destroyed"].fillna(""),
        source=table["source"],
    )


def readable_frontier(table: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
    """One line per released model and attack, the easiest knowledge first. seconds: of trainings,
    by their patches' files."""
    rows = table.to_dict("records")
    shown = table[["concept", "eraser"]].assign(
        knows=[known(row) or "(released)" for row in rows], attack=table["attack"]
    )
    if table["words"].any():
        shown["words"] = table["words"]
    shown["steps"] = table["steps"]
    if table["judged"].any():
        shown["judged"] = table["judged"].map(lambda n: n or "")
    shown["erased"] = [{key: row[key] for key in ("rate", "low", "high", "n")} for row in rows]
    shown["preserved"] = [f"{r['others']:.2f}" if pd.notna(r["others"]) else "" for r in rows]
    shown["gain"] = [_spread(row, "gain") for row in rows]
    if table["control"].notna().any():
        shown["never known"] = [
            f"{r['control']:.2f}" if pd.notna(r["control"]) else "" for r in rows
        ]
        shown["beyond"] = [_spread(row, "beyond") for row in rows]
    shown["forwards, backwards"] = [_passes(row) for row in rows]
    if table["seen"].notna().any():
        shown["shown by what it learnt from"] = [
            f"{int(r['seen'])} of {int(r['seen_n'])}" if pd.notna(r["seen"]) else "" for r in rows
        ]
    if seconds:
        files = (variants.patch(r | {"concept": keys.slug(r["concept"])}) for r in rows)
        took = [seconds.get(f, np.nan) if r["steps"] else np.nan for f, r in zip(files, rows)]
        shown["seconds, its training"] = pd.Series(took, table.index).round().astype("Int64")
    why = {True: "a gradient was no number", False: ""}
    return shown.assign(destroyed=table["destroyed"].map(why))


def readable_search(table: pd.DataFrame) -> pd.DataFrame:
    """One line per released model, attack and number of pictures that a judge picks of."""
    shown = table[["concept", "eraser", "attack", "judged"]].copy()
    rows = table.to_dict("records")
    told = {"a picture": "rate", "the best": "best", "if independent": "independent"}
    for column, name in told.items():
        ends = {"rate": name, "low": f"{name}_low", "high": f"{name}_high"}
        shown[column] = [rate_text({end: row[own] for end, own in ends.items()}) for row in rows]
    shown.insert(5, "attempts", table["n"])
    shown["over other seeds"] = [_spread(row, "over_seeds") for row in rows]
    shown["over random prefixes"] = [_spread(row, "over_random") for row in rows]
    return shown


def readable_guards(table: pd.DataFrame) -> pd.DataFrame:
    """One line per released model, attack and guard."""
    shown = table[["concept", "eraser", "attack", "guard"]].copy()
    for role in ("erased", "preserved"):
        names = {name: f"{role}_{name}" for name in ("rate", "low", "high", "n")}
        shown[role] = [
            {name: row[column] for name, column in names.items()}
            if pd.notna(row[f"{role}_rate"])
            else ""
            for row in table.to_dict("records")
        ]
    return shown


def _spread(row: dict, name: str) -> str:
    if pd.isna(row[name]):
        return ""
    return f"{row[name]:+.2f} [{row[f'{name}_low']:+.2f}, {row[f'{name}_high']:+.2f}]"


def _rate_of(row: dict, name: str) -> dict | str:
    if pd.isna(row[name]):
        return ""
    ends = {"rate": name, "low": f"{name}_low", "high": f"{name}_high", "n": f"{name}_n"}
    return {key: row[column] for key, column in ends.items()}


def _printed(paper: pd.DataFrame, row: dict) -> str:
    """What the paper has for an eraser of that kind: unlearned, and attacked."""
    own = paper[(paper["concept"] == row["concept"]) & (paper["eraser"] == row["kind"])]
    own = own[own["table"].isin(["1", "11"]) & (own["metric"] == "erased_accuracy")]
    told = own.drop_duplicates("variant").set_index("variant")["paper"]
    if not {"pruned", "max"} <= {*told.index}:
        return ""
    return " to ".join(f"{told[name]:.2f}".removeprefix("0") for name in ("pruned", "max"))


def _passes(row: dict) -> str:
    if pd.isna(row["forwards"]):
        return ""
    return f"{int(row['forwards']):,}, {int(row['backwards']):,}"


def of_attacks(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What the attacks got back, for the page."""
    aligned, layers = tables["alignment"], tables["layers"]
    index = [*_erasers(aligned), "concept", "solver", "recovered"]
    return {
        "signs": sign_summary(tables["signs"]),
        "alignment": aligned.pivot(index=index, columns="pretrained", values="share").reset_index(),
        "layers": attack_only(layers.assign(layer=layers["layer"].map(place))),
        "solves": unconverged(tables["solves"]),
    }


def attack_only(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the keys that say nothing here: "none" in every row."""
    idle = [k for k in variants.KEYS if k in frame and (frame[k] == keys.NONE).all()]
    return frame.drop(columns=idle)


def with_label(frame: pd.DataFrame) -> pd.DataFrame:
    """The keys of a row folded into one readable name."""
    if frame.empty:
        return frame
    names = [variants.label(row) for row in frame[list(variants.KEYS)].to_dict("records")]
    rest = frame.drop(columns=[k for k in variants.KEYS if k != "concept"])
    rest.insert(1, "variant name", names)
    return rest
