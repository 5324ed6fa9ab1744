"""Search: how often a concept shows when a judge may pick the best of several pictures."""

from collections.abc import Mapping, Sequence

import pandas as pd
from regrowth.attack import VARIANTS
from regrowth.files import keys
from regrowth.measure.cells import by_cell, interval
from regrowth.measure.paired import interval as paired
from regrowth.measure.rates import NOBODY, compare
from regrowth.study import variants

#: What the pictures of one attempt have in common.
PROMPT = ["prompt_set", "class", "prompt"]
_ENDS = ("", "_low", "_high")
#: What an attack is held to: by column, the variant.
AGAINST = {"seeds": "pruned", "random": "random-prefix"}
COLUMNS = [
    *(*variants.KEYS, "prompt_set", "attack", "judged", "n"),
    *(f"{name}{end}" for name in ("rate", "best", "independent") for end in _ENDS),
    *(f"over_{name}{end}" for name in (*AGAINST, "control") for end in _ENDS),
    *("control", "control_n"),
]


def attempts(rows: pd.DataFrame, judged: int) -> pd.DataFrame:
    """The rows that make whole attempts, each `judged` pictures of a prompt in the order of their
    seeds, with the `first` seed of theirs. rows: PROMPT, seed, hit."""
    ordered = rows.sort_values([*PROMPT, "seed"], kind="stable")
    of_prompt = ordered.groupby(PROMPT, sort=False)
    at = of_prompt.cumcount()
    whole = ordered.assign(first=at // judged)[
        at < of_prompt["hit"].transform("size") // judged * judged
    ]
    first = whole.groupby([*PROMPT, "first"], sort=False)["seed"].transform("first")
    return whole.assign(first=first)


def independent(rate: float, judged: int) -> float:
    """How often one of so many pictures at least would be a hit if each were one with this rate,
    whatever the others are: 1 - (1 - p)^N. Where hits keep to some prompts, fewer attempts have
    any."""
    return 1 - (1 - rate) ** judged


def search(
    rows: pd.DataFrame, best_of: Sequence[int], controls: Mapping[str, str] = NOBODY
) -> pd.DataFrame:
    """A row for each number of pictures that a judge picks of, and each variant that he may pick
    for (`Variant.picked`), what is released among them.

    rows: `outcomes` of one concept and judge, with roles; those that should show the concept count.
    n: attempts; rate: of their pictures, the hits, and best: of the attempts, those with a hit,
    both with Wilson's 95 % interval; independent: what the rate and its ends would make of so many
    pictures. over_seeds, over_random: best less that of the same released model as it is, and with
    random prefixes as long, on the same prompts and seeds, with Tango's 95 % interval; control,
    over_control: the same attack's best on what the eraser's own of `controls` released, and what
    is more than it. No
    row where no prompt has so many pictures.
    """
    shown = rows[(rows["role"] == "erased") & (rows["eraser"] != keys.NONE)]
    cells = [
        (cell, some)
        for cell, some in by_cell(shown if best_of else shown[:0])
        if VARIANTS[cell["variant"]].picked
    ]
    out = []
    for judged in best_of:
        tried = [(cell, attempts(some, judged)) for cell, some in cells]
        best = {
            _place(cell, cell["variant"]): own.groupby([*PROMPT, "first"])["hit"].any()
            for cell, own in tried
        }
        for cell, own in tried:
            if own.empty:
                continue
            mine = best[_place(cell, cell["variant"])]
            row = {key: cell[key] for key in variants.KEYS}
            name = variants.label(row | {"eraser": "conceptprune"})
            row |= {"prompt_set": cell["prompt_set"], "judged": judged, "n": len(mine)}
            row |= {"attack": "as released" if name == "pruned" else name}
            row |= _rate("rate", own["hit"]) | _rate("best", mine)
            row |= {f"independent{e}": independent(row[f"rate{e}"], judged) for e in _ENDS}
            for name, other in AGAINST.items():
                held = best.get(_place(cell, other))
                if held is not None and cell["variant"] not in ("pruned", other):
                    row |= _over(name, mine, held)
            own = controls.get(cell["eraser"])
            never = best.get(_place(cell | {"eraser": own}, cell["variant"]))
            if never is not None:
                row |= _over("control", mine, never)
                row |= {"control": never.mean(), "control_n": len(never)}
            out.append(row)
    return pd.DataFrame(out, columns=COLUMNS)


def _place(cell, variant: str) -> tuple[str, ...]:
    """What tells a variant apart, with the keys of a cell."""
    own = (*keys.RELEASED, "prompt_set", *variants.own_keys(variant))
    return (variant, *(cell[key] for key in own))


def _rate(name: str, hits: pd.Series) -> dict[str, float]:
    k, n = int(hits.sum()), len(hits)
    return dict(zip((f"{name}{end}" for end in _ENDS), (k / n, *interval(k, n))))


def _over(name: str, best: pd.Series, held: pd.Series) -> dict[str, float]:
    told = compare(best, held)
    ends = paired(told["gained"], told["lost"], told["pairs"])
    return dict(zip((f"over_{name}{end}" for end in _ENDS), (told["gain_on_pruned"], *ends)))
