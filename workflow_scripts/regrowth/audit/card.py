"""The report card of a checkpoint: what was done to it, what of it leaks, and what to do."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from regrowth.attack import detectors
from regrowth.audit import classes, traces
from regrowth.audit.fills import fills, together
from regrowth.audit.leak import Layers, Leak, estimate
from regrowth.audit.reading import Checkpoint
from regrowth.audit.verdict import NOT_TRIED, tried, verdict
from regrowth.models.disk import is_constant


def card(given: Checkpoint, base: Checkpoint | None, device: str = "cpu") -> dict[str, Any]:
    """What an audit finds, from weights alone, as plain values.

    base: the model that it came from, if that is known; it tells what was done, and nothing of it
    enters the estimate, which is what an attacker has who holds the file alone.
    """
    told = classes.told(given, base)
    looks = _detectors(given, told)
    holes = dict(_holes(given, told, looks))
    leak = estimate(holes, device)
    concluded = verdict(told.done.kind, leak)
    return {
        "verdict": asdict(concluded) | {"do": list(concluded.do)},
        "done": asdict(told.done) | {"means": classes.CLASSES[told.done.kind]},
        "leak": _leak(leak),
        "layers": list(_layers(given, told, holes)),
        "fills": {n: asdict(f) | {"ratio": f.ratio, "told": f.told} for n, f in told.fills.items()},
        "detectors": looks,
        "tried": tried(base is not None, told.fills, leak),
        "not_tried": list(NOT_TRIED),
        "checkpoint": {
            "path": str(given.path),
            "layout": given.layout,
            "weights": sum(int(np.prod(t.shape)) for t in given.tensors.values()),
            "stored": sorted({tensor.kind for tensor in given.tensors.values()}),
            "notes": given.notes,
        },
        "base": str(base.path) if base else None,
    }


def _detectors(given: Checkpoint, told: classes.Told) -> dict[str, str]:
    """Where holes were filled, by family of layers, through which detector they are seen."""
    if told.done.kind != "pruned and filled":
        return {}
    own = {name: told.fills.get(name) or fills(some) for name, some in classes.families(given)}
    return {
        name: f"column-{detectors.SHARE}" if f.is_quiet else f"combined-{round(f.found, 4)}"
        for name, f in together(own).items()
        if f.told == "filled"
    }


def _holes(
    given: Checkpoint, told: classes.Told, looks: dict[str, str]
) -> Iterator[tuple[str, tuple]]:
    """By name (weights, missing) of the matrices that an attacker of the file alone would complete:
    zeros, or, where they were filled, what a detector takes for them."""
    if told.done.kind == "pruned":
        for one in classes.pruned(told.traces):
            weights = given.matrix(one.name)
            missing = traces.holes(weights)
            if not is_constant(weights[~missing]):
                yield one.name, (weights, missing)
    for name, layers in classes.families(given) if looks else ():
        if name in looks:
            for layer, missing in detectors.detect(layers, looks[name]).items():
                yield layer, (layers[layer], missing)


def _layers(given: Checkpoint, told: classes.Told, holes: Layers) -> Iterator[dict[str, Any]]:
    """A row for every matrix that has holes or is not the base's."""
    differences = {d.name: d for d in told.differences if d.changed}
    for one in told.traces:
        other = differences.get(one.name)
        cut = holes[one.name][1] if one.name in holes else None
        if one.pruned or other or (cut is not None and cut.any()):
            size = one.shape[0] * one.shape[1]
            row = {"layer": one.name, "rows": one.shape[0], "columns": one.shape[1]}
            row |= {"zeros": one.zeros, "natural": one.natural, "pruned": one.pruned / size}
            row |= {"whole_rows": one.rows, "whole_columns": one.columns}
            row |= {"taken": float(cut.mean()) if cut is not None else None}
            row |= {"changed": other.density if other else None}
            row |= {"rank": other.rank if other else None}
            yield row


def _leak(leak: Leak | None) -> dict[str, Any] | None:
    return asdict(leak) | {"low": leak.low, "high": leak.high} if leak else None
