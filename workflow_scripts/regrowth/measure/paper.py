"""What was measured beside what the paper printed, cell by cell."""

import pandas as pd
from regrowth.files import keys
from regrowth.measure.cells import interval, one_judge

KEY = ["concept", "variant", "K", "eraser", "metric"]
#: NudeNet's label set that the paper's counts are compared with.
LABELS = "conceptprune"
#: The paper's "sample" draws from a normal of the row; drawing from the row itself is none of its
#: columns.
MAGNITUDES = {"normal-sample": "sample", "sample": "empirical sample"}

#: Its attacks, and the K of those that are printed without one (Table 11, the text): Table 1's.
ATTACKS = ("max", "mean", "sample")
UNSAID = keys.number(0.6)


def beside(tables: dict[str, pd.DataFrame], printed: pd.DataFrame) -> pd.DataFrame:
    """Every printed figure with the measured one, if there is one.

    tables: as `tables.of_…` make them. printed: table, concept, variant, k, metric, value,
    note, all text. Returns printed's rows: table, concept, variant, K, eraser, metric, paper,
    measured, low, high (95 %), n, setting, difference, inside (the printed one lies in the
    interval), concepts (how many an average is over), note.
    """
    wanted = pd.DataFrame(
        {
            "table": printed["table"],
            "concept": printed["concept"].fillna("").map(keys.slug),
            "variant": printed["variant"].str.split(":").str[0],
            "K": printed["k"].fillna("").map(lambda k: keys.number(float(k)) if k else keys.NONE),
            "eraser": printed["variant"].str.split(":").str[1].fillna("conceptprune"),
            "metric": printed["metric"],
            "paper": pd.to_numeric(printed["value"]),
            "note": printed["note"].fillna(""),
        }
    )
    unsaid = wanted["variant"].isin(ATTACKS) & (wanted["K"] == keys.NONE)
    wanted.loc[unsaid, "K"] = UNSAID
    plain = wanted["variant"] == "pretrained"
    wanted.loc[plain, "eraser"] = keys.NONE
    found = measured(tables)
    means = wanted["concept"] == "average"
    of_table = wanted[~means].groupby("table")["concept"].unique().to_dict()
    of_table["text"] = of_table.get("1", [])
    averages = pd.concat([average(found, names).assign(table=t) for t, names in of_table.items()])
    out = pd.concat(
        [
            wanted[~means].merge(found, how="left", on=KEY),
            wanted[means].merge(averages, how="left", on=["table", *KEY]),
        ]
    )
    out = out.iloc[out["table"].map(list(of_table).index).argsort(kind="stable")]
    out["difference"] = out["measured"] - out["paper"]
    inside = (out["low"] <= out["paper"]) & (out["paper"] <= out["high"])
    out["inside"] = inside.astype("boolean").where(out["low"].notna())
    order = [*("table", *KEY, "paper", "measured", "low", "high", "n", "setting"), "difference"]
    return out[[*order, "inside", "concepts", "note"]].reset_index(drop=True)


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """How many of a table's printed figures were measured. table: as `beside` makes it."""
    distinct = table.drop_duplicates(["table", *KEY])
    told = distinct.groupby("table", sort=False)["measured"].agg(printed="size", measured="count")
    return told.reset_index()


def measured(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every measured figure under the paper's names: KEY, measured, low, high, n, hits, setting."""
    rates = _named(one_judge(tables["accuracy"])).rename(columns={"rate": "measured"})
    rates["metric"] = rates["role"] + "_accuracy"
    clip = _named(tables["similarity"])
    captions = clip["prompt_set"] == "captions"
    own = clip[~captions & (clip["role"] == "erased")]
    parts = [
        rates,
        own.rename(columns={"similarity": "measured"}).assign(metric="clip_similarity"),
        own.drop(columns=["low", "high"])
        .rename(columns={"clip_score": "measured"})
        .assign(metric="clip_score"),
        clip[captions]
        .rename(columns={"similarity": "measured"})
        .assign(metric="coco_clip_similarity"),
    ]
    fid = _named(tables["fid"])
    fid = fid[fid["prompt_set"] == "captions"].rename(columns={"fid": "measured"})
    parts.append(fid.assign(metric="coco_fid", setting=fid["judge"]))
    nude = _named(tables["detections"])
    nude = nude[nude["labels"] == LABELS]
    setting = nude["labels"] + ", threshold " + nude["threshold"].astype(str)
    counts = {"measured": nude["hits"], "low": nude["low"] * nude["n"]}
    counts |= {"high": nude["high"] * nude["n"], "setting": setting}
    parts.append(nude.assign(metric="nude_images_" + nude["prompt_set"], **counts))
    if "signs" in tables:
        parts += [_signs(tables["signs"]), _alignment(tables["alignment"])]
    kept = [*KEY, "measured", "low", "high", "n", "hits", "setting"]
    found = pd.concat([part.reindex(columns=kept) for part in parts])
    numbers = ["measured", "low", "high", "n", "hits"]
    found = found.astype(dict.fromkeys(numbers, float))[found["measured"].notna()]
    return found.reset_index(drop=True).assign(concepts=1)


def average(found: pd.DataFrame, concepts) -> pd.DataFrame:
    """The mean over some concepts; with Wilson's interval where it is the rate of all pictures
    together, which it is if each concept has as many."""
    rows = []
    some = found[found["concept"].isin(concepts)]
    by = ["variant", "K", "eraser", "metric"]
    for values, part in some.groupby(by, sort=False):
        row = dict(zip(by, values)) | {"concept": "average", "measured": part["measured"].mean()}
        row |= {"n": part["n"].sum(), "concepts": part["concept"].nunique()}
        alike = part["hits"].notna().all() and part["n"].nunique() == 1
        if alike and row["metric"].endswith("accuracy"):
            row["low"], row["high"] = interval(part["hits"].sum(), row["n"])
        rows.append(row)
    return pd.DataFrame(rows, columns=found.columns)


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Undefended variants under the paper's names: a revived one is called by its magnitude. Of
    several solvers the paper's own goes first."""
    frame = frame[frame["defence"] == keys.NONE]
    frame = frame[frame["solver"].isin([keys.NONE, _first(frame)])].copy()
    revived = frame["variant"] == "revived"
    named = frame["magnitude"].replace(MAGNITUDES)
    frame["variant"] = named.where(revived, frame["variant"])
    frame["setting"] = (frame["solver"] + " solver").where(revived, "")
    return frame[frame["variant"] != "oracle"]


def _signs(signs: pd.DataFrame) -> pd.DataFrame:
    """Table 6: signs right of the top K, and of the rest; over all, the text's figure."""
    own = signs[(signs["guess"] == "completed") & (signs["defence"] == keys.NONE)]
    own = own[own["solver"] == _first(own)]
    base = own.assign(variant="completed", K=own["share"].map(keys.number))
    base["setting"] = base["solver"] + " solver"
    top = base.rename(columns={"accuracy": "measured", "right": "hits"})
    rest = base.drop(columns=["low", "high", "n"]).rename(
        columns={
            "accuracy_rest": "measured",
            "low_rest": "low",
            "high_rest": "high",
            "n_rest": "n",
            "right_rest": "hits",
        }
    )
    whole = top[top["share"] == 1.0].assign(K=keys.NONE, metric="sign_accuracy")
    return pd.concat(
        [
            top.assign(metric="sign_accuracy_top_k"),
            rest.assign(metric="sign_accuracy_rest"),
            whole,
        ]
    )


def _alignment(alignment: pd.DataFrame) -> pd.DataFrame:
    """Table 5: of recovered fifth i, the share that is pretrained fifth j."""
    own = alignment[alignment["defence"] == keys.NONE]
    own = own[own["solver"] == _first(own)]
    names = [f"overlap_R{r}_P{p}" for r, p in zip(own["recovered"], own["pretrained"])]
    told = {"measured": own["share"], "setting": own["solver"] + " solver", "metric": names}
    return own.assign(variant="completed", K=keys.NONE, **told)


def _first(frame: pd.DataFrame) -> str:
    return "faithful" if (frame["solver"] == "faithful").any() else "nuclear"
