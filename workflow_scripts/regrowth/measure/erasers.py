"""Erasers side by side: what each takes, what it spares, what of it comes back, and how alike two
masks are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from regrowth.files.store import keys_of, read_about, read_arrays
from regrowth.measure.cells import one_judge
from regrowth.study import variants

#: What an edit's file tells.
TOLD = ("changed", "destroyed", "forwards", "backwards")
_RATES = ("erased", "others", "attacked")
COLUMNS = [
    *("concept", "eraser", "kind", "how", "source", "bytes", *TOLD, "judge"),
    *(f"{name}{end}" for name in _RATES for end in ("", "_n", "_low", "_high")),
    *("attack", "distance", "distance_low", "distance_high", "other_seed"),
]
OVERLAPS = ["concept", "first", "second", "first_n", "second_n", "both", "jaccard", "chance"]


@dataclass(frozen=True)
class Released:
    """By concept and eraser, what is known without a picture, and packed masks by layer."""

    facts: dict[tuple[str, str], dict[str, Any]]
    masks: dict[tuple[str, str], dict[str, np.ndarray]]

    @property
    def layers(self) -> list[str]:
        """Those that any mask is of."""
        return list(dict.fromkeys(layer for mask in self.masks.values() for layer in mask))


def released(files: Iterable[str], out: Path, erasers: Mapping[str, Mapping]) -> Released:
    """What the files of masks and edits below `out` tell. erasers: kind, how and source by name."""
    facts: dict[tuple[str, str], dict[str, Any]] = {}
    masks: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for file in map(Path, files):
        told = keys_of(file, out / file.relative_to(out).parts[0])
        place = told["concept"], told["eraser"]
        row = facts.setdefault(place, {**erasers[place[1]], "bytes": 0})
        row["bytes"] += file.stat().st_size
        if file.name == "edit.safetensors":
            row |= {key: read_about(file).get(key) for key in TOLD}
        else:
            bits = read_arrays(file)
            masks.setdefault(place, {}).update(bits)
            row["changed"] = row.get("changed", 0) + sum(_count(b) for b in bits.values())
    return Released(facts, masks)


def erasers(
    rates: pd.DataFrame, integrity: pd.DataFrame, facts: Mapping[tuple[str, str], Mapping]
) -> pd.DataFrame:
    """A row a concept and eraser, in the order of `facts`, by each set's first judge.

    rates: `headline.of_both_roles`, so that of what NudeNet alone judges its detections count.
    facts: `Released.facts`: kind, how, source, bytes (of its files), changed (weights), of an edit
    how many pictures went forwards and backwards through the UNet, and what destroyed it. erased,
    others: rates of what is released, undefended; judge: who saw the first; attacked: of the attack
    from the weights alone that brings most back, named in `attack` (of several the best was picked:
    an upper end). distance: of the others' pictures to the pretrained
    model's, and other_seed, its ruler.
    """
    plain = rates[rates["defence"] == "none"] if len(rates) else rates
    shown = one_judge(plain) if len(plain) else plain
    out = []
    for (concept, eraser), told in facts.items():
        own = shown[(shown["concept"] == concept) & (shown["eraser"] == eraser)]
        row: dict[str, Any] = {"concept": concept, "eraser": eraser, **told}
        released = own[own["variant"] == "pruned"]
        erased = released[released["role"] == "erased"]
        row |= _rate("erased", erased)
        row |= {"judge": erased["judge"].iloc[0]} if len(erased) else {}
        row |= _rate("others", released[released["role"] == "preserved"])
        met = own[own["variant"].isin(variants.COUNTED) & (own["role"] == "erased")]
        if len(met):
            best = met.sort_values("rate", kind="stable").tail(1)
            row |= _rate("attacked", best)
            row["attack"] = variants.label(best.iloc[0].to_dict() | {"eraser": "conceptprune"})
        row |= _distance(integrity, concept, eraser)
        out.append(row)
    return pd.DataFrame(out, columns=COLUMNS)


def _rate(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    if rows.empty:
        return {}
    first = rows.iloc[0]
    told = {"": "rate", "_n": "n", "_low": "low", "_high": "high"}
    return {f"{name}{end}": first[column] for end, column in told.items()}


def _distance(integrity: pd.DataFrame, concept: str, eraser: str) -> dict[str, Any]:
    if integrity.empty:
        return {}
    own = integrity[
        (integrity["concept"] == concept)
        & (integrity["eraser"] == eraser)
        & (integrity["defence"] == "none")
        & (integrity["variant"] == "pruned")
        & (integrity["role"] == "preserved")
    ]
    if own.empty:
        return {}
    first = own.iloc[0]
    ends = {f"distance_{end}": first[end] for end in ("low", "high")}
    return {"distance": first["distance"], **ends, "other_seed": first["other_seed"]}


def overlaps(
    masks: Mapping[tuple[str, str], Mapping[str, np.ndarray]], sizes: Mapping[str, int]
) -> pd.DataFrame:
    """Every two masks of a concept: the weights of each and of both, as a share of those of either
    (Jaccard's), and what that share would be if each layer's were drawn independently.

    masks: by (concept, eraser) packed bits by layer; sizes: weights in each layer.
    """
    out = []
    for one, two in combinations(masks, 2):
        if one[0] != two[0]:
            continue
        a, b = masks[one], masks[two]
        first, second = ({n: _count(bits) for n, bits in mask.items()} for mask in (a, b))
        both = sum(_count(a[n] & b[n]) for n in a)
        every = sum(first.values()) + sum(second.values())
        by_chance = sum(first[n] * second[n] / sizes[n] for n in a)
        counts = sum(first.values()), sum(second.values()), both
        shares = _share(both, every - both), _share(by_chance, every - by_chance)
        out.append((one[0], one[1], two[1], *counts, *shares))
    return pd.DataFrame(out, columns=OVERLAPS)


def _count(bits: np.ndarray) -> int:
    return int(np.bitwise_count(bits).sum())


def _share(part: float, whole: float) -> float:
    return part / whole if whole else np.nan
