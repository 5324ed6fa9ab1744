"""The report: one self-contained page, and a table for the terminal."""

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.files.keys import RELEASED
from regrowth.measure import frontier, identified
from regrowth.measure.headline import answer, headline, rates, verdict, wanted
from regrowth.measure.paper import coverage
from regrowth.measure.rates import NOBODY
from regrowth.measure.tradeoff import BUDGET, advice
from regrowth.show import album
from regrowth.show.figures.rates import together
from regrowth.show.readable import (
    attack_only,
    detectors_side_by_side,
    of_attacks,
    rate_text,
    readable,
    readable_defences,
    readable_erasers,
    readable_frontier,
    readable_guards,
    readable_pairwise,
    readable_search,
    sign_summary,
    unconverged,
    with_label,
)
from regrowth.study import variants

NOTHING = pd.DataFrame(columns=["concept"])
CAPTIONS = album.PAGE / "captions"
#: What is the same for all undefended models.
UNDEFENDED = list(RELEASED[2:])
#: Figures that the page makes of HTML instead.
IN_HTML = ("accuracy",)


def terminal(
    tables: dict[str, pd.DataFrame], whole: pd.DataFrame, controls: Mapping[str, str] = NOBODY
) -> str:
    """The answer, the rates, the signs, and what is missing. Arguments as of `page`;
    controls: by eraser another, whose release never knew the concept."""
    shown = rates(tables)
    sentence = textwrap.fill(answer(headline(shown[~shown["eraser"].isin(controls.values())])), 100)
    everything = pd.concat([tables["accuracy"], whole])
    table = readable(everything).rename(columns={"n erased": "n", "n preserved": "n "})
    missing = f"\n\nMissing: {len(tables['missing'])} score files" if len(tables["missing"]) else ""
    if told := advice(tables.get("defences", NOTHING)):
        missing += f"\n\nDefences: {told}"
    right = "\n\nNo attack is measured."
    if "signs" in tables:
        signs = sign_summary(tables["signs"])
        signs = signs[signs["guess"] == "completed"].drop(columns="guess")
        right = f"\n\nSigns right:\n{signs.to_string(index=False)}"
    if "solves" in tables and len(open_ := unconverged(tables["solves"])):
        missing += f"\n\nCompletions that did not converge:\n{open_.to_string(index=False)}"
    rates_ = (
        table.to_string(index=False) if len(table) else "No judge of the study counts pictures."
    )
    return f"{sentence}\n\n{rates_}{right}{missing}"


def times(benchmarks: Path) -> pd.DataFrame:
    """By rule: jobs, hours together, seconds and memory of the longest and largest job."""
    found: dict[str, list] = {}
    for file in sorted(benchmarks.rglob("*.tsv")):
        rule = file.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        found.setdefault(rule, []).append(pd.read_csv(file, sep="\t", na_values="-").iloc[-1])
    rows = []
    for rule, jobs in found.items():
        table = pd.DataFrame(jobs)
        longest, largest = table["s"].max(), table["max_rss"].max() / 1000
        rows.append((rule, len(table), table["s"].sum() / 3600, longest, largest))
    columns = ["rule", "jobs", "hours, all jobs", "seconds, longest", "GB, largest"]
    return pd.DataFrame(rows, columns=columns)


def seconds(benchmarks: Path) -> dict[str, float]:
    """What each training of an attacker took, all of its steps, by its patch's file."""
    found = {}
    for file in sorted(benchmarks.rglob("variant=*/**/patch.safetensors.tsv")):
        patch = Path(*file.relative_to(benchmarks).parts[1:]).with_suffix("")
        found[str(patch)] = float(pd.read_csv(file, sep="\t", na_values="-").iloc[-1]["s"])
    return found


def albums(thumbnails: pd.DataFrame, table: pd.DataFrame) -> list[dict]:
    """The before/after grids of every concept and prompt set in which it should not show.

    thumbnails: the keys of a variant, concept (as `for_concept` gives it), prompt_set, role,
    prompt, seed, image, unsafe. table: `headline.rates`, for the rate beside each line.
    """
    own = together(thumbnails[thumbnails["role"] == "erased"])
    columns = album.columns_for(len(own.drop_duplicates([*variants.KEYS, "prompt_set"])))
    own = own.assign(src=own["image"].map(album.source))
    out, sets = [], dict(own[::-1][["concept", "prompt_set"]].to_numpy())
    for (concept, name), part in own.groupby(["concept", "prompt_set"], sort=False):
        here = table[(table["concept"] == concept) & (table["prompt_set"] == name)]
        told = here.set_index(list(variants.KEYS))[["rate", "low", "high", "n"]].to_dict("index")
        grid = album.grid(part, columns=columns)
        for line in grid["lines"]:
            line["rate"] = told.get(tuple(line["variant"].values()))
        grid |= {"concept": concept, "prompt_set": name, "unsafe": bool(part["unsafe"].any())}
        grid["also"] = [] if name == sets[concept] else [name]
        out.append(grid)
    return out


def first_screen(table: pd.DataFrame, grids: list[dict], defences: pd.DataFrame) -> list[dict]:
    """The headline's rows with a verdict, two pictures of each stage and the recommended defence.

    table: as `headline` makes it; grids: as `albums` makes them; defences: as `tradeoff` does.
    """
    lines = {
        (grid["concept"], grid["prompt_set"], line["label"]): line["pictures"][:2]
        for grid in grids
        for line in grid["lines"]
    }
    safe = {(grid["concept"], grid["prompt_set"]): not grid["unsafe"] for grid in grids}
    rows = []
    for row in table.to_dict("records"):
        at = (row["concept"], row["prompt_set"])
        stages = []
        for stage, label in (
            ("pretrained", "pretrained"),
            (
                "pruned",
                variants.label(
                    variants.PRETRAINED | {"eraser": row["eraser"], "variant": "pruned"}
                ),
            ),
            ("revived", row["strongest"]),
        ):
            rate = {name: row[f"{stage}_{name}"] for name in ("rate", "low", "high", "n")}
            known = pd.notna(rate["rate"])
            pictures = lines.get((*at, label), []) if known else []
            if stage == "revived" and row["attacks"] > 1:
                label = f"{label}, strongest of {row['attacks']} attacks"
            stages.append({"label": label, "rate": rate if known else None, "pictures": pictures})
        chosen = defences
        if len(defences):
            chosen = defences[(defences["concept"] == at[0]) & defences["recommended"].astype(bool)]
            chosen = chosen[chosen["eraser"] == row["eraser"]]
        if len(chosen):
            held = chosen.iloc[0]
            name = variants.defended(held)
            rate = {n: held[n] for n in ("low", "high", "n")} | {"rate": held["revival"]}
            attack = f"{held['strongest']}, {name}{variants.drawn(held['weight_seed'])}"
            pictures = lines.get((*at, attack), [])
            label = f"{name}, strongest of {held['attacks']} attacks"
            stages.append({"label": label, "rate": rate, "pictures": pictures})
        own = table[table["concept"] == row["concept"]]
        more = [row[n] for n in ("eraser", "prompt_set") if own[n].nunique() > 1]
        name = row["concept"] + (f" ({', '.join(more)})" if more else "")
        told = {"concept": row["concept"], "name": name, "stages": stages, "safe": safe.get(at)}
        told["wanted"] = f"{wanted(row):,.0f}" if pd.notna(wanted(row)) else ""
        rows.append(told | {"verdict": verdict(row), "regrown": row["regrown"] or "none"})
    return rows


def cells(frame: pd.DataFrame, data: pd.DataFrame) -> dict:
    """A frame for the page: `columns`, `rows` of concept, at and cells, and as `csv` the data that
    it was made of. at: where a link to a row leads, if its variant has no other row.

    A cell is a dict: `text`; `sort`, a number to sort by, if it is one; `rate`, a dict of rate,
    low, high and n, if it is to be drawn.
    """
    named = [n for n in ("concept", "variant", "prompt set", "judge") if n in frame]
    known = "variant" in named and not frame.duplicated(named).any()
    rows = []
    for row in frame.to_dict("records"):
        at = album.anchor(row[name] for name in named) if known else ""
        own = [_cell(value) for value in row.values()]
        rows.append({"concept": row.get("concept", ""), "at": at, "cells": own})
    columns = [str(column) for column in frame.columns]
    return {"columns": columns, "rows": rows, "csv": data.to_csv(index=False)}


def _cell(value) -> dict:
    if isinstance(value, dict):
        return {"text": rate_text(value), "sort": value["rate"], "rate": value}
    if isinstance(value, bool | np.bool_):
        return {"text": "yes" if value else "no"}
    if pd.isna(value):
        return {"text": ""}
    if isinstance(value, int | np.integer):
        return {"text": str(value), "sort": value}
    if isinstance(value, float | np.floating):
        text = f"{value:.3f}" if abs(float(value)) >= 0.001 else f"{value:.2g}"
        return {"text": text, "sort": value}
    number = re.match(r"[+-]?\d+(\.\d+)?", value)
    return {"text": value} | ({"sort": float(number[0])} if number else {})


def inline(svg: str, label: str) -> str:
    """An SVG figure for a page: black becomes the page's ink, the palette its own, ids are unique.

    label: what a reader hears who does not see it.
    """
    svg = svg[svg.index("<svg") :]
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
    mark = keys.slug(label)
    for name in used:
        svg = re.sub(
            rf'(id="|url\(#|href="#){re.escape(name)}(?=[")])', rf"\g<1>{mark}-{name}", svg
        )
    for colour, ink in INKS.items():
        svg = svg.replace(colour, ink)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    label = label.replace('"', "&quot;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


#: What the page's style says instead of a figure's own colours, so that they suit the dark.
INKS = {
    "stroke: #000000": "stroke: currentColor",
    "#d55e00": "var(--erased)",
    "#0072b2": "var(--preserved)",
    "#009e73": "var(--green)",
}


def page(
    study: dict,
    tables: dict[str, pd.DataFrame],
    figures: dict[tuple[str, str], str],
    thumbnails: pd.DataFrame,
    whole: pd.DataFrame,
) -> str:
    """The page. study: the study as a dict, with `model` (as resolved), `versions`,
    `controls`, `times` and `seconds`, of trainings.

    tables: by name, as `tables.of_…` make them; figures: (concept or "study", kind) → SVG;
    thumbnails: as `albums` takes them; whole: rates over several concepts (`readable.pooled`).
    """
    defences = tables.get("defences", NOTHING)
    accuracy, parts = tables["accuracy"], tables["parts"]
    printed = tables.get("paper", pd.DataFrame())
    shown = rates(tables)
    grids = albums(thumbnails, shown)
    top = headline(shown[~shown["eraser"].isin(study["controls"].values())])
    erased = (
        {"erasers": readable_erasers(tables["erasers"], printed)} if "erasers" in tables else {}
    )
    frames = {
        "accuracy": readable(accuracy, dict),
        "objects": readable(whole, dict),
        **erased,
        **(
            {"frontier": readable_frontier(tables["frontier"], study["seconds"])}
            if "frontier" in tables
            else {}
        ),
        **({"search": readable_search(tables["search"])} if "search" in tables else {}),
        **({"guards": readable_guards(tables["guards"])} if "guards" in tables else {}),
        "identified": tables.get("identified", NOTHING).drop(columns=UNDEFENDED, errors="ignore"),
        **({"overlaps": tables["overlaps"]} if "overlaps" in tables else {}),
        "pairwise": readable_pairwise(tables["pairwise"]),
        "similarity": with_label(tables["similarity"]),
        "fid": with_label(tables["fid"]),
        "integrity": with_label(tables["integrity"]),
        "detections": with_label(tables["detections"]),
        "parts": with_label(parts[parts["images"] > 0]),
        **(of_attacks(tables) if "signs" in tables else {}),
        "defences": readable_defences(defences),
        "detectability": detectors_side_by_side(tables.get("detectability", NOTHING)),
        "normality": attack_only(tables.get("normality", NOTHING)),
        "coverage": coverage(printed) if len(printed) else printed,
        "paper": printed[printed["measured"].notna()] if len(printed) else printed,
        "missing": tables["missing"],
        "times": study["times"],
    }
    captions = {
        f.stem: " ".join(f.read_text(encoding="utf-8").split()) for f in CAPTIONS.glob("*.rst")
    }
    drawn = {
        (concept, kind): inline(svg, f"{concept}, {kind}: {captions[kind]}")
        for (concept, kind), svg in figures.items()
    }
    data = tables | {"objects": whole}
    return album.TEMPLATES.get_template("report.html.j2").render(
        study=study,
        sentence=answer(top),
        missing=len(tables["missing"]),
        advice=advice(defences),
        identified=identified.answer(tables.get("identified", pd.DataFrame())),
        frontier=frontier.answer(
            tables["frontier"], study["controls"].values(), study.get("best_of", ())
        )
        if "frontier" in tables
        else [],
        budget=f"{BUDGET:.2f}".lstrip("0"),
        headline=first_screen(top, grids, defences),
        seen_by=", ".join(dict.fromkeys(top["judge"])),
        grids=grids,
        figures=drawn,
        captions=captions,
        tables={n: cells(frame, data.get(n, frame)) for n, frame in frames.items() if len(frame)},
        concepts=list(dict.fromkeys(thumbnails["concept"])),
    )
