"""Signs that came back, over all layers and layer by layer, with Wilson intervals."""

import pandas as pd
from regrowth.files import keys
from regrowth.measure.cells import interval


def signs(cells: pd.DataFrame) -> pd.DataFrame:
    """Sign accuracy over all layers, by concept, solver, guess and share, with Wilson intervals."""
    by = [*keys.RELEASED, "detector", "solver", "guess", "share"]
    total = (
        cells.groupby(by, sort=False)[["n", "right", "n_rest", "right_rest"]].sum().reset_index()
    )
    for part in ("", "_rest"):
        n, right = total["n" + part], total["right" + part]
        total["accuracy" + part] = right / n.where(n > 0)
        bounds = [interval(*pair) for pair in zip(right, n)]
        total["low" + part], total["high" + part] = zip(*bounds)
    return total


def layers(cells: pd.DataFrame, solves: pd.DataFrame, sizes: dict[str, int]) -> pd.DataFrame:
    """What each layer lost and got back, by concept and solver, in the model's order.

    cells: sign accuracy by layer, guess and share. solves: how each completion went. sizes: weights
    in a layer. Returns the keys, layer, density (missing over all its weights), n (signs
    completed), accuracy, low, high over all and, with "_top", of the surest fifth (Wilson 95 %).
    """
    by = [*keys.RELEASED, "detector", "solver", "layer"]
    own = cells[cells["guess"] == "completed"]
    out = solves[by].assign(density=solves["n"] / solves["layer"].map(sizes))
    for share, ending in ((1.0, ""), (0.2, "_top")):
        part = own[own["share"] == share].set_index(by)[["n", "right"]]
        part = out[by].join(part, on=by)
        bounds = [interval(*pair) for pair in zip(part["right"], part["n"])]
        if not ending:
            out["n"] = part["n"]
        out["accuracy" + ending] = part["right"] / part["n"].where(part["n"] > 0)
        out["low" + ending], out["high" + ending] = zip(*bounds) if bounds else ((), ())
    return out
